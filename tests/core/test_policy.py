"""The policy's few derived facts."""

import pytest

from tests.core.builders import MEMBERS, policy, probe


def test_a_member_is_found_by_its_instance():
    """A foreign instance, or none, is no member."""
    one = policy()

    assert one.member_of("i-alpha") == MEMBERS["alpha"]
    assert one.member_of("i-stranger") is None
    assert one.member_of(None) is None


def test_the_primary_is_the_member_listed_first():
    """Whoever holds."""
    assert policy("alpha").is_primary is True
    assert policy("beta").is_primary is False
    assert policy("beta").me == MEMBERS["beta"]


@pytest.mark.parametrize(("force_after", "bound"), [(15.0, 15.0), (None, 60.0)])
def test_moving_lasts_until_force_or_a_minute(force_after, bound):
    """`never` is None here."""
    assert policy(force_detach_after=force_after).moving_bound == bound


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, 1 + 2 * 1 + 1),
        ({"timeout": 3.0}, 1 + 2 * 3 + 3),
        ({"interval": 10.0, "fast_interval": 2.0, "timeout": 1.0}, 10 + 2 * 2 + 1),
        ({"fall": 1}, 2),
    ],
)
def test_the_worst_case_is_what_check_prints(changes, seconds):
    """interval + (fall - 1) * max(timeout, fast_interval) + timeout."""
    assert probe(**changes).worst_case == seconds


@pytest.mark.parametrize(
    ("timeouts", "longest"), [((), 1.0), ((5.0,), 1.0), ((1.0,), 0.5), ((1.0, 0.2), 0.1), ((4.0, 3.0), 1.0)]
)
def test_a_stall_spoils_something_from_the_shortest_half_timeout_on(timeouts, longest):
    """Shorter ones need not be measured; max_loop_lag, 1 s here, is the most that may pass unnoticed."""
    probes = tuple(probe(f"probe-{number}", timeout=one) for number, one in enumerate(timeouts))

    assert policy(probes=probes).stall_length == longest
