"""An outage: when there is one, since when, what holds this member back and until when, what to do."""

import pytest

from eni_failover.core.model import Outage, PauseKind, PauseRequest
from eni_failover.core.outage import detection
from eni_failover.core.policy import TakeoverMode
from eni_failover.core.vocabulary import Reason, Trigger
from tests.core.bench import Bench
from tests.core.builders import (
    EPOCH,
    SELF,
    WITNESS,
    attached,
    detaching,
    free,
    missing,
    peer,
    policy,
    probe,
)

PAUSE = PauseRequest(kind=PauseKind.PAUSE, duration=600.0)


def seen(bench: Bench) -> Outage | None:
    return bench.snapshot().outage


def reason(bench: Bench) -> str:
    found = seen(bench)
    return "" if found is None else found.reason


def ends_in(bench: Bench) -> float | None:
    """Seconds from now until this member acts by itself."""
    ends = seen(bench).ends_at_wall
    return None if ends is None else ends - EPOCH - bench.now


def downed(bench: Bench, seconds: float = 10.0) -> Bench:
    bench.says(web="down")
    bench.idle(seconds)
    return bench


def paused(bench: Bench) -> Bench:
    bench.peek(requests=(PAUSE,))
    return bench


def test_nothing_is_wrong():
    """All is well, and a probe that fails once or twice is no outage."""
    bench = Bench(attached("alpha"))
    bench.idle(30)
    assert seen(bench) is None

    bench.says(web="down")
    bench.idle(1.5)
    assert seen(bench) is None


def test_a_pause_is_no_outage_and_hides_none():
    """The issue of 3 a.m.: the service is down, and nobody is allowed to act."""
    bench = paused(Bench(attached("alpha")))
    bench.idle(5)
    assert seen(bench) is None

    downed(bench)
    found = seen(bench)

    assert found.reason == Reason.PAUSED
    assert bench.now - 10.5 < found.since_wall - EPOCH < bench.now - 8
    assert found.remedy == "eni-failover resume, or once: eni-failover takeover"
    # What was seen within the pause counts no more after it.
    assert 580 < ends_in(bench) <= 600 - 10 + detection(bench.policy)


def test_a_pause_of_this_member_alone_has_its_own_command():
    bench = Bench(attached("alpha"))
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE, local=True),))
    downed(bench)

    assert seen(bench).remedy.startswith("eni-failover resume --local")


def test_observe_mode_never_moves():
    """The command is the only way."""
    bench = downed(Bench(attached("alpha"), takeover=TakeoverMode.OBSERVE))

    assert (reason(bench), ends_in(bench)) == (Reason.OBSERVES, None)
    assert seen(bench).remedy == "eni-failover takeover"


@pytest.mark.parametrize(
    ("changes", "expected", "bound"),
    [({"startup_grace": 60.0}, Reason.STARTUP_GRACE, 60.0)],
)
def test_the_start_up_grace_has_its_end(changes, expected, bound):
    bench = downed(Bench(attached("alpha"), **changes))

    assert reason(bench) == expected
    assert ends_in(bench) == pytest.approx(1000.0 + bound - bench.now)
    assert "takeover" in seen(bench).remedy


def test_an_unproven_holder_is_left_its_grace():
    """A new attachment that this member has never seen up: the later of cooldown and grace."""
    bench = Bench(attached("alpha"))
    bench.says(web="silent")
    bench.see(attached("alpha", "att-2"))
    bench.idle(12)

    assert reason(bench) == Reason.UNPROVEN_HOLDER
    assert 0 < ends_in(bench) <= bench.policy.unproven_grace


def test_the_cooldown_has_its_end():
    """This member took once; what it took fails after it went back by hand."""
    bench = took_once()
    downed(bench, 5.0)

    assert reason(bench) == Reason.COOLDOWN
    assert 0 < ends_in(bench) <= bench.policy.cooldown
    assert "eni-failover takeover" in seen(bench).remedy


def test_the_limit_has_its_end_and_its_command():
    bench = took_once(max_takeovers=1, cooldown=0.0)
    downed(bench, 6.0)

    assert reason(bench) == Reason.LIMIT_REACHED
    assert 0 < ends_in(bench) <= bench.policy.max_takeovers_window
    assert "eni-failover resume" in seen(bench).remedy


def took_once(**changes) -> Bench:
    """beta took the group by its probes, somebody brought it back, and alpha was seen up."""
    bench = Bench(attached("alpha"), **changes)
    bench.says(web="down")
    bench.act(within=20)
    bench.see(free())
    bench.accepted()
    bench.act(within=3)
    bench.see(attached("beta", "att-9"))
    bench.accepted()
    bench.idle(1)
    assert [one.trigger for one in bench.ended] == [Trigger.PROBES]
    bench.see(attached("alpha", "att-10"))
    bench.says(web="up")
    bench.idle(12)
    return bench


def test_of_several_bounds_the_last_counts():
    """A pause of ten minutes and a grace of an hour: by itself it moves after the hour."""
    bench = downed(paused(Bench(attached("alpha"), startup_grace=3600.0)))

    assert reason(bench) == Reason.PAUSED
    assert ends_in(bench) == pytest.approx(1000.0 + 3600.0 - bench.now)


@pytest.mark.parametrize(
    ("probes", "answers", "expected"),
    [
        ((SELF,), {"disk": "down"}, Reason.SELF_PROBE_DOWN),
        ((WITNESS,), {"gateway": "down"}, Reason.WITNESSES_DOWN),
    ],
)
def test_what_only_a_person_ends_has_no_time(probes, answers, expected):
    bench = Bench(attached("alpha"), probes=(probe(), *probes))
    bench.says(**answers)
    downed(bench)

    assert (reason(bench), ends_in(bench)) == (expected, None)
    assert seen(bench).remedy


def test_an_eni_on_nobody_is_an_outage_until_this_members_turn():
    """Row 6 comes in two seconds and more; whoever is fit or not, after 60."""
    bench = Bench(attached("alpha"))
    bench.see(free())
    bench.look()

    assert reason(bench) == Reason.NOT_MY_TURN
    assert 1.0 < ends_in(bench) <= bench.view.unowned_wait

    sick = Bench(attached("alpha"), probes=(probe(), SELF))
    sick.says(disk="down")
    sick.idle(5)
    sick.see(free())
    sick.idle(6)

    assert reason(sick) == Reason.SELF_PROBE_DOWN
    assert 50 < ends_in(sick) <= 60


def test_a_takeover_under_way_is_no_outage():
    """Mine, another member's, or one that EC2 shows."""
    mine = Bench(attached("alpha"))
    mine.says(web="down")
    mine.act(within=20)
    mine.accepted()
    assert mine.takeover is not None
    assert seen(mine) is None

    anothers = paused(Bench(attached("alpha")))
    downed(anothers)
    anothers.peers = (peer("alpha", role="taking"),)
    anothers.peek()
    assert seen(anothers) is None

    shown = paused(Bench(attached("alpha")))
    shown.see(detaching("alpha"))
    shown.look()
    assert seen(shown) is None


def test_an_eni_that_is_gone_or_a_strangers_is_an_outage():
    """Nobody's daemon can mend it."""
    gone = Bench(attached("alpha"), missing())
    gone.idle(5)
    assert (reason(gone), ends_in(gone)) == (Reason.ENI_MISSING, None)

    stolen = Bench(attached("alpha"), attached("mallory"))
    stolen.idle(5)
    assert (reason(stolen), ends_in(stolen)) == (Reason.FOREIGN_HOLDER, None)
    assert seen(stolen).remedy.startswith("every ENI of the group must exist")


def test_a_second_eni_that_was_left_behind_comes_by_itself_to_the_first():
    """Row 8, when the member that has the first is able."""
    bench = paused(Bench(attached("beta"), attached("beta")))
    bench.see(attached("beta"), free())
    bench.idle(15)
    assert reason(bench) == Reason.GROUP_SPLIT
    assert 500 < ends_in(bench) <= 600

    other = Bench(attached("alpha"), free())
    other.idle(3)
    assert (reason(other), ends_in(other)) == (Reason.GROUP_SPLIT, None)


def test_probes_that_are_down_while_ec2_is_silent_are_an_outage():
    """Unknown is never down, and a person must know."""
    bench = Bench(attached("alpha"))
    bench.ec2_answers = False
    downed(bench, 40)

    assert (reason(bench), ends_in(bench)) == (Reason.ENI_UNKNOWN, None)
    assert "EC2 API" in seen(bench).remedy


def test_ec2s_silence_alone_is_none():
    bench = Bench(attached("alpha"))
    bench.ec2_answers = False
    bench.idle(60)

    assert seen(bench) is None


def test_a_link_that_serves_nothing_is_an_outage():
    """EC2 says attached here; the kernel says no."""
    bench = Bench(attached("beta"))
    bench.link(present=True, missing=("address",))
    bench.idle(55)
    assert seen(bench) is None

    bench.idle(10)
    assert (reason(bench), ends_in(bench)) == (Reason.LINK_NOT_READY, None)


def test_a_holder_believes_what_the_others_say_of_it():
    """It asks no probe about itself; silence says nothing."""
    told = Outage(
        since_wall=EPOCH, reason="paused", ends_at_wall=EPOCH + 2000.0, remedy="eni-failover resume"
    )
    bench = Bench(attached("beta"))
    bench.peers = (peer("alpha", outage=told),)
    bench.peek()

    assert (reason(bench), seen(bench).ends_at_wall) == ("paused", EPOCH + 2000.0)
    assert seen(bench).remedy == "alpha: eni-failover resume"

    bench.peers = (peer("alpha", reachable=False, outage=told),)
    bench.peek()
    assert seen(bench) is None


def test_a_standby_does_not_pass_on_what_another_says():
    told = Outage(since_wall=EPOCH, reason="paused", ends_at_wall=None, remedy="eni-failover resume")
    bench = Bench(attached("alpha"), members=3)
    bench.peers = (peer("gamma", outage=told),)
    bench.idle(5)

    assert seen(bench) is None


def test_the_worst_case_is_that_of_the_probe_that_decides():
    """All of three must be down: the slowest; any: the fastest; none: nobody would find out."""
    probes = (probe(interval=1.0), probe("slow", interval=5.0), probe("slower", interval=9.0))

    assert detection(policy(probes=probes, down_needed=1)) == probes[0].worst_case
    assert detection(policy(probes=probes, down_needed=3)) == probes[2].worst_case
    assert detection(policy(probes=(SELF,))) is None
