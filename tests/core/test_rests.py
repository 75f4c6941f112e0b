"""The table of rests: what waits before it is tried again, and for how long."""

import pytest

from eni_failover.core.state import Rest, State, begin_rest, rests_until
from tests.core.builders import policy

NOW = 2000.0
STATE = State(started_at=0.0)


@pytest.mark.parametrize(
    ("rest", "cooldown", "seconds"),
    [
        (Rest.RESCUE, 0.0, 10.0),
        (Rest.RESCUE, 5.0, 10.0),
        (Rest.RESCUE, 20.0, 20.0),
        (Rest.RESCUE, 3600.0, 60.0),
        (Rest.SPLIT, 20.0, 20.0),
        (Rest.SPLIT, 3600.0, 60.0),
        (Rest.FENCE, 20.0, 20.0),
        (Rest.FENCE, 3600.0, 3600.0),
        (Rest.KEEP, 20.0, 60.0),
        (Rest.KEEP, 3600.0, 60.0),
    ],
)
def test_each_rest_has_its_time(rest, cooldown, seconds):
    """Where an ENI may be without a holder, a minute at most; a refused fence leaves it with one."""
    resting = begin_rest(STATE, rest, policy(cooldown=cooldown), NOW)

    assert rests_until(resting, rest) == NOW + seconds


def test_what_does_not_rest_may_be_tried():
    """Each for itself."""
    resting = begin_rest(STATE, Rest.FENCE, policy(), NOW)

    assert [rests_until(resting, one) for one in Rest] == [0.0, 0.0, NOW + 60.0, 0.0]


def test_a_rest_that_begins_again_is_the_newer_one():
    """From now on, not from before."""
    resting = begin_rest(STATE, Rest.SPLIT, policy(), NOW)
    again = begin_rest(resting, Rest.SPLIT, policy(), NOW + 30.0)

    assert again.rests == ((Rest.SPLIT, NOW + 90.0),)


def test_rests_that_are_over_are_forgotten():
    """Those that are not go on beside the new one."""
    resting = begin_rest(begin_rest(STATE, Rest.SPLIT, policy(cooldown=5.0), NOW), Rest.KEEP, policy(), NOW)
    later = begin_rest(resting, Rest.FENCE, policy(), NOW + 30.0)

    assert later.rests == ((Rest.KEEP, NOW + 60.0), (Rest.FENCE, NOW + 90.0))
