"""The pace of an account that is short of calls."""

import asyncio

import pytest

from eni_failover.adapters.ec2_model import Operation
from eni_failover.adapters.quota import LONGEST_GAP, Quota
from tests.virtual_loop import run

ENIS, INSTANCES = Operation.DESCRIBE_ENIS, Operation.DESCRIBE_INSTANCES


def waits(*answers: str | float, jitter: float = 1.0, operation: Operation = ENIS) -> list[float]:
    """How long the call after each of these answers to calls for ENIs waits: ok, refused, or Retry-After."""

    async def live() -> list[float]:
        clock = asyncio.get_running_loop().time
        quota, waited = Quota(clock, jitter=lambda: jitter), []
        for answer in answers:
            if answer == "ok":
                quota.granted(ENIS)
            else:
                quota.refused(ENIS, retry_after=0.0 if answer == "refused" else float(answer))
            began = clock()
            await quota.turn(operation)
            waited.append(round(clock() - began, 3))
        return waited

    return run(live())


def test_nothing_waits_while_all_is_answered():
    """A single pair never sees it."""
    assert waits("ok", "ok") == [0.0, 0.0]


def test_it_falls_by_doubling_the_gap_and_grows_by_a_step():
    """Additive increase, multiplicative decrease."""
    assert waits(*["refused"] * 6) == [1.0, 2.0, 4.0, 8.0, LONGEST_GAP, LONGEST_GAP]
    assert waits(*["refused"] * 3, *["ok"] * 5) == [1.0, 2.0, 4.0, 3.0, 2.0, 1.0, 0.0, 0.0]


def test_the_wait_is_any_part_of_the_gap():
    """Full jitter: hundreds that were refused together do not come back together."""
    assert waits("refused", "refused", jitter=0.25) == [0.25, 0.5]


@pytest.mark.parametrize(("said", "waited"), [(30.0, 30.0), (0.5, 1.0)])
def test_a_retry_after_is_the_least(said, waited):
    """What EC2 asks for in words."""
    assert waits(said) == [waited]


def test_each_operation_has_its_own():
    """As EC2's buckets are."""
    assert waits("refused", "refused", operation=INSTANCES) == [0.0, 0.0]
