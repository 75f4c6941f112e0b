"""Mistakes that exploration and simulation have found, each as the shortest story that shows it."""

from dataclasses import replace

from eni_failover.core.decision import Attach, Detach
from eni_failover.core.policy import FenceMode
from eni_failover.core.vocabulary import Reason, Role
from eni_failover.history import _woken
from tests.core.bench import Bench
from tests.core.builders import (
    WEB,
    WITNESS,
    attach,
    attached,
    detach,
    detaching,
    free,
    missing,
    takeover_request,
)


def test_an_operators_takeover_whose_detach_never_arrived_ends_with_its_daemon():
    """Killed between the intent and the call: a request lives until its timeout, never over a restart."""
    bench = Bench(attached("alpha"))
    bench.look(requests=(takeover_request(deadline=bench.now + 120),))
    bench.look()
    sent = bench.decision.calls
    after = Bench(attached("alpha"), durable=_woken(bench.state.durable), at=bench.now + 1, settle=False)
    after.idle(60)

    assert isinstance(sent[0], Detach)
    assert after.takeover is None


def test_a_fence_does_not_outlive_the_holders_next_start():
    """The detach was not answered, and meanwhile the instance was started: it is stopped again first."""
    bench = Bench(attached("alpha"), fence=FenceMode.STOP)
    bench.says(web="silent")
    bench.act(within=10)
    bench.machine("alpha", "stopping")
    bench.accepted()
    bench.machine("alpha", "stopped")
    first = bench.act(within=20).calls
    bench.machine("alpha", "running")
    bench.answered("unanswered", after=5.0)
    bench.run(30)

    assert isinstance(first[0], Detach)
    assert bench.decision.reason is Reason.FENCING


def test_a_refused_attach_is_asked_again_on_a_new_look_only():
    """The look that showed `available` that it was decided on has been overtaken."""
    bench = Bench(attached("alpha"))
    bench.says(web="down")
    bench.act(within=10)
    bench.see(free())
    bench.accepted()
    asked = bench.act(within=5).calls
    bench.answered("in_use")
    bench.now += 1.0
    stale = bench.peek().calls

    assert isinstance(asked[0], Attach)
    assert stale == ()
    assert bench.look().calls == (attach(),)


def test_the_first_answer_after_a_partition_does_not_move_the_eni():
    """Longer than cooldown, shorter than unproven_grace: the holder that was silent says up, once."""
    bench = Bench(attached("alpha"), local="alpha")
    bench.see(attached("beta", "att-9"))
    bench.says(web="silent")
    bench.idle(120)
    bench.says(web="up")
    bench.idle(30)

    assert bench.takeover is None


def test_a_holder_whose_newest_answer_is_up_is_not_taken_from():
    """Its verdict is down until `rise` ups; what held the takeover back ends just then."""
    bench = Bench(attached("alpha"), probes=(replace(WEB, rise=5), replace(WITNESS, rise=1)))
    bench.says(web="down", gateway="down")
    bench.idle(20)
    bench.says(web="up", gateway="up")
    bench.idle(20)

    assert bench.takeover is None


def test_a_link_lost_with_an_earlier_attachment_is_no_fault_of_this_one():
    """There and back: attached again, and the link is a moment away."""
    bench = Bench(attached("beta"))
    bench.link(present=True)
    bench.look()
    bench.link(present=False, lost_at=bench.now)
    bench.see(attached("alpha", "att-8"))
    bench.idle(30)
    bench.says(web="down")
    bench.act(within=120)
    bench.see(free())
    bench.accepted()
    bench.act(within=5)
    bench.see(attached("beta", "att-9"))
    bench.accepted()
    bench.look()
    waiting = bench.role
    bench.link(present=True)
    bench.peek()

    assert (waiting, bench.role) == (Role.TAKING, Role.ACTIVE)


def test_a_loss_counts_also_when_ec2_has_forgotten_the_eni_meanwhile():
    """The link goes, and the next answer does not have the ENI: what was active is a standby."""
    bench = Bench(attached("beta"))
    bench.link(present=True)
    bench.look()
    active = bench.role
    bench.link(present=False, lost_at=bench.now)
    bench.see(missing())
    bench.look()

    assert (active, bench.role) == (Role.ACTIVE, Role.STANDBY)


def test_a_detach_that_left_after_a_stall_unanswered_is_not_forced_early():
    """Stopped for 20 s with the call on its lips: EC2 has been detaching since a moment ago."""
    bench = Bench(attached("alpha"))
    bench.says(web="down")
    bench.act(within=10)
    bench.answered("unanswered", after=20.0)
    bench.see(detaching("alpha"))
    bench.look()
    soon = bench.decision.calls
    began = bench.now
    forced = bench.act(within=17).calls

    assert soon == ()
    assert forced == (detach(force=True),)
    assert bench.now - began >= 14.5


def test_an_answer_that_was_taken_after_a_stall_does_not_begin_the_force_ladder_before_it():
    """Asked 20 s ago and read now, "detaching" may have begun a moment ago."""
    bench = Bench(attached("alpha"))
    bench.says(web="down")
    bench.act(within=10)
    bench.see(detaching("alpha"))
    bench.ask()
    bench.answered("unanswered", after=20.0)
    bench.look()
    soon = bench.decision.calls
    began = bench.now
    forced = bench.act(within=17).calls

    assert soon == ()
    assert forced == (detach(force=True),)
    assert bench.now - began >= 14.5


def test_two_answers_that_a_stall_delivered_together_are_no_two_answers():
    """An ENI absent from an answer asked 20 s ago, and from the next: EC2 may have been stale for both."""
    bench = Bench(attached("alpha"), attached("alpha"))
    bench.see(missing(), attached("alpha"))
    bench.look(after=20.0)
    bench.look()
    soon = bench.view.unknown
    bench.now += 2.0
    bench.look()

    assert [eni.eni_id for eni in soon] == [bench.policy.eni_ids[0]]
    assert bench.view.unknown == ()


def test_an_instance_that_a_stall_delivered_twice_unseen_is_not_gone():
    """Its two answers have to be 2 s apart by the time of their reading."""
    bench = Bench(attached("alpha"))
    del bench.machines["alpha"]
    bench.look(after=20.0)
    bench.look()
    soon = bench.state.absent_holder.confirmed
    bench.now += 2.0
    bench.look()

    assert soon is False
    assert bench.state.absent_holder.confirmed
