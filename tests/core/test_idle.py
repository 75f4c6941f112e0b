"""Idle: while the holder confirms what EC2 said last, EC2 is asked rarely; any doubt asks at once."""

from dataclasses import replace

import pytest

from eni_failover.core.idle import roster_interval
from eni_failover.core.model import PeerEni
from eni_failover.core.vocabulary import Reason
from tests.core.bench import Bench
from tests.core.builders import attached, detach, free, peer, takeover_request

IDLE = 120.0


def shows(name: str, role: str, attachment: str = "att-1", *addresses: str, **changes):
    """What a member says of itself, with one ENI."""
    shown = PeerEni(eni_id="eni-1", attachment_id=attachment, addresses=addresses)
    return peer(name, role=role, enis=(shown,), **changes)


HOLDER = shows("alpha", "active")


def standby(**changes) -> Bench:
    """Beta watches alpha, whose daemon confirms that it holds."""
    bench = Bench(attached("alpha"), **changes)
    bench.peers = (HOLDER,)
    bench.idle(15)
    return bench


def holder(*peers, watched: bool = True) -> Bench:
    """Alpha holds, its link is ready."""
    bench = Bench(attached("alpha"), local="alpha", settle=False)
    if watched:
        bench.link(present=True)
    bench.peers = peers
    bench.idle(15)
    return bench


def looks(bench: Bench, seconds: float = 3600.0) -> int:
    """How often the ENIs are described in this time."""
    before = len(bench.describes)
    bench.idle(seconds)
    return len(bench.describes) - before


@pytest.mark.parametrize("enis", [1, 8])
def test_a_standby_asks_less_than_once_a_minute(enis):
    """For the ENIs and the instances together, whatever the number of ENIs."""
    bench = Bench(*(attached("alpha") for _ in range(enis)))
    shown = tuple(PeerEni(eni_id=f"eni-{n}", attachment_id=f"att-{n}") for n in range(1, enis + 1))
    bench.peers = (peer("alpha", role="active", enis=shown),)
    bench.idle(15)
    calls = len(bench.describes) + len(bench.instance_describes)
    bench.idle(3600)

    assert len(bench.describes) + len(bench.instance_describes) - calls <= 60
    assert bench.decision.reason is Reason.HOLDER_UP


def test_the_interval_is_the_written_one_and_a_little_more():
    """Each member waits another part of a quarter longer, and each time another one."""
    bench = standby()
    bench.idle(3600)
    gaps = [
        after - before for before, after in zip(bench.describes[-20:], bench.describes[-19:], strict=False)
    ]

    assert all(IDLE <= gap <= IDLE * 1.25 + 1 for gap in gaps)
    assert len({round(gap, 2) for gap in gaps}) > 5


def test_it_stays_able_for_as_long_as_the_holder_confirms():
    """An answer of minutes ago is still knowledge."""
    bench = standby(idle_interval=7200.0)
    bench.idle(3600)

    assert bench.snapshot().ready


def disturbed(bench: Bench, how: str) -> None:
    match how:
        case "a first down":
            bench.says(web="down")
        case "a silent holder":
            bench.peers = (replace(HOLDER, reachable=False, role=""),)
        case "a holder in fault":
            bench.peers = (shows("alpha", "fault"),)
        case "another attachment":
            bench.peers = (shows("alpha", "active", "att-2"),)
        case "a version without it":
            bench.peers = (peer("alpha", role="active"),)
        case "a third that differs":
            bench.peers = (HOLDER, shows("gamma", "standby", "att-2"))
        case "a third that takes":
            bench.peers = (HOLDER, shows("gamma", "taking"))
        case "an operator":
            bench.peek(requests=(takeover_request(deadline=bench.now + 5),))


@pytest.mark.parametrize(
    "how",
    [
        "a first down",
        "a silent holder",
        "a holder in fault",
        "another attachment",
        "a version without it",
        "a third that differs",
        "a third that takes",
        "an operator",
    ],
)
def test_any_doubt_asks_at_once(how):
    """Not when the long interval is over."""
    bench = standby(members=3)
    bench.idle(60)
    asked = len(bench.describes)
    disturbed(bench, how)
    bench.run(1.2)

    assert len(bench.describes) > asked


def test_a_doubt_that_stays_asks_at_the_short_interval():
    """As if there were no long one."""
    bench = standby()
    bench.peers = (replace(HOLDER, reachable=False, role=""),)

    assert 355 <= looks(bench) <= 365


def test_a_death_costs_no_time_when_idle():
    """The look that the first down asks for is there before the third."""
    bench = standby()
    bench.idle(100)
    bench.says(web="down")
    bench.peers = (replace(HOLDER, reachable=False, role=""),)
    began = bench.now

    assert bench.act(within=5).calls == (detach(),)
    assert bench.now - began < 3.5


def test_a_detach_by_hand_is_seen_within_the_interval():
    """Where the holder's daemon does not notice either."""
    bench = standby()
    bench.see(free())
    bench.run(IDLE * 1.25 + 10)

    assert bench.decision.calls


def test_a_holder_whose_kernel_confirms_is_idle():
    """With nobody else to hear."""
    bench = holder()

    assert looks(bench) <= 30


def test_a_holder_for_whom_a_standby_asks_asks_five_times_less():
    """The standby shows the same attachment and addresses."""
    bench = holder(shows("beta", "standby"))

    assert looks(bench) <= 6


def test_a_standby_that_shows_other_addresses_does_not_vouch():
    """Somebody has given the ENI another address: the holder looks, and sets it up."""
    bench = holder(shows("beta", "standby", "att-1", "10.0.1.99"))

    assert 20 <= looks(bench) <= 30


def test_a_holder_without_watched_links_needs_somebody_who_agrees():
    """Its own kernel is not asked."""
    assert looks(holder(watched=False)) >= 355
    assert looks(holder(shows("beta", "standby"), watched=False)) <= 30


@pytest.mark.parametrize("missing", [("address",), ("route",)])
def test_a_holder_whose_link_is_not_ready_is_not_idle(missing):
    """EC2 may know why."""
    bench = holder()
    bench.link(present=True, missing=missing)
    asked = len(bench.describes)
    bench.idle(25)

    assert len(bench.describes) - asked >= 2


def test_a_shorter_idle_interval_than_the_other_has_no_effect():
    """Doubt never asks less often than calm."""
    bench = standby(observe_interval=300.0)

    assert looks(bench) <= 13


@pytest.mark.parametrize(
    "seen", [(), (replace(shows("beta", "standby"), reachable=False),), (shows("beta", "fault"),)]
)
def test_a_holder_looks_once_when_what_another_member_says_changes(seen):
    """One that was taking may have died over it: EC2 is asked, and then is idle again."""
    bench = holder(shows("beta", "standby"))
    bench.idle(60)
    bench.peers = seen
    asked = len(bench.describes)
    bench.idle(12)
    after = len(bench.describes)

    assert after == asked + 1
    assert looks(bench) <= 30


def test_a_member_that_flaps_is_no_reason_to_ask_more_often_than_in_doubt():
    """Each change asks, at the short interval at most."""
    bench = holder(shows("beta", "standby"))
    asked = len(bench.describes)
    for n in range(60):
        bench.peers = (shows("beta", "standby"),) if n % 2 else ()
        bench.idle(2)

    assert len(bench.describes) - asked <= 12


def test_members_are_looked_for_as_rarely_as_the_enis():
    """A roster by tag costs EC2 a call, too; in any doubt it is asked for each third observe interval."""
    bench = standby()
    at_rest = roster_interval(bench.view)
    bench.says(web="down")
    bench.idle(1.2)

    assert IDLE <= at_rest <= IDLE * 1.25
    assert roster_interval(bench.view) == 30.0
