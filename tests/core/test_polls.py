"""How often a moving ENI is looked at: not before EC2 can be done, and few calls while there is no quota."""

from __future__ import annotations

import pytest

from eni_failover.core.decision import Attach
from eni_failover.core.state import Durable
from eni_failover.core.vocabulary import Action, Reason
from tests.core.bench import QUICK_MOVES, Bench
from tests.core.builders import attached, attaching, detaching, free, peer

NEVER_TIMED = Durable(last_up="att-1")


def moving(durable: Durable = NEVER_TIMED, **changes) -> Bench:
    """Its detach was accepted a moment ago; the looks from here on are counted."""
    bench = Bench(attached("alpha"), durable=durable, **changes)
    bench.says(web="down")
    bench.act(within=20)
    bench.see(detaching("alpha"))
    bench.accepted()
    bench.describes.clear()
    return bench


def looks(bench: Bench, seconds: float) -> list[float]:
    """When the looks of so many seconds began, counted from now."""
    began = bench.now
    bench.describes.clear()
    bench.run(seconds)
    return [round(at - began, 2) for at in bench.describes]


def test_the_first_look_comes_after_two_seconds_and_then_closer_ones():
    """EC2 is never done at once: the answer of the call is where its own time begins."""
    assert looks(moving(), 5) == [2.0, 2.5, 3.0, 3.25, 3.5, 3.75, 4.0, 4.5, 5.0]


def test_later_there_is_one_look_a_second():
    """EC2 is not waiting for us."""
    bench = moving(force_detach_after=None)
    bench.run(10)

    assert len(looks(bench, 10)) == 10


@pytest.mark.parametrize(
    ("took", "first"),
    [
        ((3.0, 3.5, 3.2), [2.25, 3.0]),
        ((5.0, 2.4, 9.0), [1.8, 2.4]),
        ((9.0,), [2.0, 2.5]),
        ((9.0, 9.0), [2.0, 2.5]),
        ((-5.0, 0.0, 500.0, 1e9, 9.0), [2.0, 2.5]),
    ],
)
def test_the_shortest_of_the_last_moves_says_when_looks_are_worth_a_call(took, first):
    """One that once took long does not make the next one late, nor does what a journal makes up."""
    assert looks(moving(Durable(last_up="att-1", detach_took=took)), 11)[:2] == first


def test_it_learns_that_ec2_has_become_faster():
    """A look that came before its time showed the detach done."""
    bench = moving(Durable(last_up="att-1", detach_took=(4.0,) * 3))
    bench.see(free())
    bench.act(within=3.5)

    assert bench.state.durable.detach_took == (pytest.approx(3.0, abs=0.01), 4.0, 4.0, 4.0)


def test_what_came_late_for_other_reasons_is_no_measure():
    """An outage of the describes, or an account that is short of calls."""
    bench = moving()
    bench.see(free())
    bench.ec2_answers = False
    bench.run(15)
    bench.ec2_answers = True
    bench.act(within=10)

    assert bench.state.durable.detach_took == ()


def test_what_a_move_took_is_remembered():
    """From the answer of the call to the look that showed it done; five of each kind."""
    bench = moving()
    bench.run(2.9)
    bench.see(free())
    bench.act(within=1)
    bench.see(attaching("beta", "att-9"))
    bench.accepted()
    bench.run(2.9)
    bench.see(attached("beta", "att-9"))
    bench.run(1)
    durable = bench.state.durable

    assert bench.ended
    assert durable.detach_took == (pytest.approx(3.0, abs=0.01),)
    assert durable.attach_took == (pytest.approx(3.0, abs=0.01),)


def test_the_kernel_ends_the_wait_for_an_attach():
    """Its link is there before EC2 would be asked again."""
    bench = moving()
    bench.see(free())
    bench.act(within=3)
    bench.see(attached("beta", "att-9"))
    bench.accepted()
    bench.run(1)
    before = bench.decision.describe_at
    bench.link(present=True)
    bench.peek()

    assert before > bench.now
    assert bench.decision.describe_at == bench.now


def test_a_force_and_an_attach_that_hangs_are_looked_at_when_they_are_due():
    """Bounds count from looks: one that comes a second late makes the takeover a second longer."""
    bench = moving(force_detach_after=15.0)
    began = bench.now
    bench.run(14.9)
    bench.act(within=2)

    assert bench.now - began < 15.1


def test_the_moves_of_another_member_are_looked_at_once_a_second():
    """There is no answer to count from, and nothing to do."""
    bench = Bench(attached("alpha"), members=3, at=1000.0137)
    bench.peers = (peer("gamma", role="taking"),)
    bench.see(detaching("alpha"))
    bench.look()

    assert len(looks(bench, 5)) in {4, 5}


# While the account has no quota --------------------------------------------------------------------


def throttled(**changes) -> Bench:
    """EC2 has refused the first detach for want of quota."""
    bench = Bench(attached("alpha"), durable=Durable(last_up="att-1", **QUICK_MOVES), **changes)
    bench.jitter = 0.5
    bench.says(web="down")
    bench.act(within=20)
    bench.answered("throttled")
    return bench


def test_a_throttled_detach_is_repeated_without_a_look():
    """It names its attachment, and EC2 compares: looks would take the calls that others wait for."""
    bench = throttled()
    attempts, waits, began = 1, [], bench.now
    bench.describes.clear()
    while bench.now - began < 40:
        before = bench.now
        bench.act(within=9)
        waits.append(bench.now - before)
        attempts += 1
        bench.answered("throttled")

    assert waits == pytest.approx([0.5, 1.0, 2.0, *[4.0] * (len(waits) - 3)], abs=0.1)
    assert len(bench.describes) <= 2
    assert bench.decision.action is Action.MOVE


def test_the_wait_that_ec2_asks_for_is_kept():
    """Retry-After."""
    bench = throttled()
    bench.act(within=9)
    bench.answered("throttled", retry_after=20.0)

    assert bench.idle(19.5).reason is Reason.EC2_REFUSED
    assert bench.act(within=1).calls


def test_a_holder_that_answers_again_ends_the_wait():
    """The probes are asked all the while."""
    bench = throttled()
    bench.says(web="up")
    for _ in range(5):
        if bench.run(1).calls:
            bench.answered("throttled")

    assert [(one.result, one.reason) for one in bench.ended] == [("failed", "cause_gone")]


def test_a_throttled_attach_is_repeated_without_a_look():
    """A refusal for want of quota says nothing about the ENI."""
    bench = moving(Durable(last_up="att-1", **QUICK_MOVES))
    bench.jitter = 0.5
    bench.see(free())
    bench.act(within=1)
    bench.answered("throttled")
    bench.describes.clear()
    bench.act(within=2)

    assert bench.describes == []


def test_a_call_that_was_not_answered_is_looked_for_though_the_one_before_was_throttled():
    """It may have taken effect."""
    bench = throttled()
    bench.act(within=9)
    bench.see(detaching("alpha"))
    bench.answered("unanswered")
    bench.describes.clear()
    bench.run(3)

    assert bench.describes


def test_a_second_eni_without_quota_does_not_keep_the_first_on_nobody():
    """The detach of the first is accepted: its looks go on."""
    bench = Bench(attached("alpha"), attached("alpha"), durable=Durable(last_up="att-1"))
    bench.jitter = 0.5
    bench.says(web="down")
    bench.act(within=20)
    bench.see(detaching("alpha"), attached("alpha", "att-2"))
    bench.accepted()
    if not bench.decision.calls:
        bench.act(within=3)
    bench.answered("throttled")
    accepted_at = bench.now
    bench.see(free(), attached("alpha", "att-2"))
    for _ in range(20):
        if any(isinstance(call, Attach) for call in bench.decision.calls):
            break
        if bench.decision.calls:
            bench.answered("throttled")
        bench.run(5)

    assert any(isinstance(call, Attach) for call in bench.decision.calls)
    assert bench.now - accepted_at < 8


def test_a_force_without_quota_is_repeated_soon():
    """Its looks go on, too."""
    bench = moving(force_detach_after=5.0)
    bench.jitter = 0.5
    bench.act(within=6)
    bench.answered("throttled")
    refused_at = bench.now
    bench.act(within=10)

    assert bench.now - refused_at < 6


def test_ec2s_word_is_asked_again_before_a_throttled_detach_is_repeated():
    """A holder that was stopped, and runs again, keeps its ENI."""
    bench = Bench(attached("alpha"), durable=Durable(last_up="att-1", **QUICK_MOVES))
    bench.jitter = 0.5
    bench.machine("alpha", "stopping")
    bench.act(within=30)
    bench.answered("throttled", retry_after=14.0)
    bench.machine("alpha")
    bench.idle(30)

    assert [(one.result, one.reason) for one in bench.ended] == [("failed", "cause_gone")]


def test_without_ec2s_word_a_throttled_detach_is_not_repeated():
    """The last one is older than the refusal."""
    bench = Bench(attached("alpha"), durable=Durable(last_up="att-1", **QUICK_MOVES))
    bench.jitter = 0.5
    bench.machine("alpha", "stopping")
    bench.act(within=30)
    bench.answered("throttled")
    bench.instances_answer = False
    bench.idle(10)

    assert bench.decision.calls == ()


def test_a_throttled_undoing_looks_before_it_is_repeated():
    """What hung may have arrived by now: it is this member's own."""
    bench = moving(Durable(last_up="att-1", **QUICK_MOVES))
    bench.jitter = 0.5
    bench.see(free())
    bench.act(within=3)
    bench.see(attaching("beta", "att-9"))
    bench.accepted()
    bench.act(within=70)
    bench.see(attached("beta", "att-9"))
    bench.answered("throttled")
    bench.idle(5)

    assert [one.result for one in bench.ended] == ["success"]
