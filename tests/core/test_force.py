"""The force ladder: the same attachment id with force, when due and not before."""

import pytest

from eni_failover.core.model import Stall
from eni_failover.core.vocabulary import Reason
from tests.core.bench import Bench
from tests.core.builders import attached, attaching, detach, detaching, free


def detaching_bench(*shapes, **changes) -> Bench:
    """Beta has just sent its first detach, by probes."""
    bench = Bench(*(shapes or (attached("alpha"),)), **{"move_interval": 1.0, **changes})
    bench.says(web="down")
    bench.act(within=10)
    return bench


# Force ---------------------------------------------------------------------------------------------


def stuck(**changes) -> Bench:
    """The detach was accepted and hangs."""
    bench = detaching_bench(**changes)
    bench.see(detaching("alpha"))
    bench.accepted()
    return bench


def test_force_names_the_same_attachment_after_the_bound():
    """15 s since the first detach."""
    bench = stuck()
    began = bench.now
    bench.act(within=16)

    assert bench.decision.calls == (detach(force=True),)
    assert bench.decision.reason is Reason.FORCE_DETACH
    assert bench.now - began == pytest.approx(15.0, abs=0.5)


def test_never_means_never():
    """`force_detach_after = "never"`: EC2 is waited for."""
    bench = stuck(force_detach_after=None)

    assert bench.idle(120).reason is Reason.DETACHING


def test_force_is_repeated_slowly_while_nothing_happens():
    """Every five seconds, with the same attachment."""
    bench = stuck()
    bench.act(within=16)
    began = bench.now
    bench.accepted()
    bench.act(within=6)

    assert bench.decision.calls == (detach(force=True),)
    assert bench.now - began >= 5.0


@pytest.mark.parametrize(("verdict", "reason"), [("accepted", "force_detach"), ("busy", "ec2_refused")])
def test_what_follows_a_forced_detach_is_called_what_it_is(verdict, reason):
    """An accepted one is waited for: EC2 has refused nothing."""
    bench = stuck()
    bench.act(within=16)
    bench.answered(verdict)

    assert bench.idle(0.1).reason == reason


def test_force_without_an_answer_waits_for_a_describe():
    """An outage brings no force on an old look."""
    bench = stuck()
    bench.act(within=16)
    bench.ec2_answers = False
    old = bench.answered("unanswered", after=6.0)

    assert old.calls == ()
    assert bench.idle(60).reason is Reason.ENI_UNKNOWN


def test_a_detach_refused_as_incorrect_state_is_forced_after_the_bound():
    """Attached, and EC2 says IncorrectState each time: the ladder counts from the first refusal."""
    bench = detaching_bench()
    began = bench.now
    sent = []
    for _ in range(9):
        bench.answered("bad_state")
        sent.append((bench.act(within=6).calls[0].force, bench.now - began >= 15.0))

    assert (True, True) in sent
    assert all(force is late for force, late in sent)


def test_a_detach_refused_otherwise_is_never_forced():
    """A denial is no hung guest."""
    bench = detaching_bench()
    for _ in range(12):
        bench.answered("denied")
        bench.act(within=6)

    assert bench.decision.calls == (detach(),)


def test_force_counts_from_the_detach_that_ec2_took_not_from_one_it_never_saw():
    """A detach lost on the way is no detach: the next one gets its full time before force."""
    bench = detaching_bench()
    bench.answered("unanswered", after=5.0)
    again = bench.act(within=20)
    bench.see(detaching("alpha"))
    bench.accepted()

    assert again.calls == (detach(),)
    assert bench.idle(14).reason is Reason.DETACHING
    assert bench.act(within=2).calls == (detach(force=True),)


def test_force_does_not_count_throttled_attempts():
    """A throttled detach did nothing, however often it was tried."""
    bench = detaching_bench()
    for _ in range(8):
        bench.answered("busy")
        bench.act(within=10)
    bench.see(detaching("alpha"))
    bench.accepted()

    assert bench.idle(14).reason is Reason.DETACHING
    assert bench.act(within=2).calls == (detach(force=True),)


def test_a_detaching_eni_found_by_row_6_is_forced_at_once():
    """It has been detaching for the bound already, by somebody who is gone."""
    bench = Bench(detaching("alpha"))

    assert bench.act(within=30).calls == (detach(force=True),)
    assert bench.takeover.trigger == "unowned"


def test_each_eni_has_its_own_ladder():
    """Only the one that hangs is forced."""
    bench = detaching_bench(attached("alpha"), attached("alpha"))
    bench.accepted()
    bench.see(free(), detaching("alpha"))
    bench.accepted()
    bench.act(within=2)
    bench.see(attached("beta", "att-9"), detaching("alpha"))
    bench.accepted()

    assert bench.act(within=20).calls == (detach(2, force=True),)


def test_a_detach_that_left_late_is_not_forced_early():
    """This process stood still between the decision and the call: EC2 has been at it for a moment only."""
    bench = detaching_bench()
    late = bench.answered("accepted", after=20.0)
    bench.see(detaching("alpha"))
    bench.look()
    soon = bench.decision.calls
    forced = bench.act(within=16)

    assert (late.calls, soon) == ((), ())
    assert forced.calls == (detach(force=True),)
    assert bench.now >= 35.0


def test_force_needs_a_look_from_after_its_time():
    """Stood still since the last describe: the ENI may be free by now."""
    bench = detaching_bench()
    bench.accepted()
    bench.see(detaching("alpha"))
    bench.look()
    bench.now += 20
    stale = bench.peek().calls

    assert stale == ()
    assert bench.look().calls == (detach(force=True),)


def test_an_attach_is_undone_only_on_a_look_from_after_its_minute():
    """Stood still for longer than that: it may be attached by now."""
    bench = detaching_bench()
    bench.accepted()
    bench.see(free())
    bench.act(within=5)
    bench.accepted()
    bench.see(attaching("beta", "att-9"))
    bench.look()
    bench.now += 61
    stale = bench.peek().calls

    assert stale == ()
    assert bench.look().calls == (detach(1, "att-9"),)


def test_a_stall_does_not_make_a_link_late():
    """The link's minute begins anew: what came meanwhile has not been read yet."""
    bench = detaching_bench()
    bench.accepted()
    bench.see(free())
    bench.act(within=5)
    bench.accepted()
    bench.link(present=False)
    bench.see(attached("beta", "att-9"))
    bench.look()
    began = bench.now
    bench.now += 70
    bench.look(stalls=(Stall(from_at=began, to_at=bench.now),))

    assert bench.decision.calls == ()
    assert bench.idle(50).calls == ()
