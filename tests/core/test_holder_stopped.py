"""Row 9: EC2's own word that the holder does not run."""

from dataclasses import replace

import pytest

from eni_failover.core.model import PauseKind, PauseRequest, Stall
from eni_failover.core.policy import TakeoverMode
from eni_failover.core.vocabulary import Action, Reason, Trigger
from tests.core.bench import Bench
from tests.core.builders import (
    LOCAL,
    SELF,
    WEB,
    WITNESS,
    attach,
    attached,
    attaching,
    attempt,
    detach,
    detaching,
    free,
    peer,
)


def stopped(state: str = "stopped", **changes) -> Bench:
    """EC2 shows the holder's instance so."""
    bench = Bench(attached("alpha"), **changes)
    bench.machine("alpha", state)
    bench.look()
    return bench


@pytest.mark.parametrize("state", ["stopping", "stopped", "shutting-down", "terminated"])
def test_a_holder_that_does_not_run_is_taken_from_without_waiting_for_fall(state):
    """No probe has failed yet."""
    bench = stopped(state)
    bench.act(within=1.5)

    assert bench.decision.calls == (detach(),)
    assert (bench.takeover.trigger, bench.takeover.reason) == (Trigger.EC2, Reason.HOLDER_STOPPED)


def test_a_member_that_ec2_shows_pending_acts_too():
    """It runs here: that is known better than by EC2."""
    bench = Bench(attached("alpha"))
    bench.machine("beta", "pending")
    bench.machine("alpha", "stopped")

    assert bench.act(within=25).calls == (detach(),)


@pytest.mark.parametrize("state", ["pending", "running", "unknown"])
def test_other_states_are_no_cause(state):
    """A word that this version does not know is unknown."""
    bench = stopped(state)

    assert bench.idle(30).reason is Reason.HOLDER_UP


def test_it_is_confirmed_by_both_describes():
    """The ENI still on the same attachment, the instance still not running."""
    bench = stopped()
    first = bench.decision.action
    bench.machine("alpha")
    bench.look()

    assert first is Action.CONFIRM
    assert bench.decision.calls == ()
    assert bench.takeover is None


def test_an_old_look_at_the_instances_confirms_nothing():
    """Both must have begun after the cause was seen."""
    bench = stopped()
    old = bench.view.obs.instances
    bench.look(instances=old)

    assert bench.decision.action is Action.CONFIRM


def test_an_unanswered_look_at_the_instances_confirms_nothing():
    """Unknown is not stopped."""
    bench = stopped()
    bench.instances_answer = False
    bench.look()

    assert bench.idle(20).calls == ()


# Gone ----------------------------------------------------------------------------------------------


def test_a_holder_that_two_answers_do_not_know_is_gone():
    """Two seconds apart, and both know this member."""
    bench = Bench(attached("alpha"))
    bench.forget("alpha")
    bench.look()
    began = bench.now
    bench.act(within=6)

    assert bench.takeover.reason is Reason.HOLDER_GONE
    assert 2.0 <= bench.now - began < 3.0


def test_one_answer_without_the_holder_is_no_death():
    """One empty stale read."""
    bench = Bench(attached("alpha"))
    bench.forget("alpha")
    bench.look()
    bench.machine("alpha")

    assert bench.idle(60).calls == ()


def test_answers_that_do_not_know_me_either_prove_nothing():
    """They are about other instances, or about none."""
    bench = Bench(attached("alpha"))
    bench.forget("alpha")
    bench.forget("beta")
    bench.look()

    assert bench.idle(60).calls == ()


def test_an_answer_that_knows_the_holder_ends_the_doubt():
    """Absent, present, absent: it begins again."""
    bench = Bench(attached("alpha"))
    bench.forget("alpha")
    bench.look()
    bench.machine("alpha")
    bench.now += 3
    bench.look()
    bench.forget("alpha")
    bench.look()

    assert bench.decision.action is Action.WAIT
    assert bench.state.absent_holder.confirmed is False


def test_a_failed_look_between_the_two_answers_changes_nothing():
    """The two answers are still two seconds apart."""
    bench = Bench(attached("alpha"))
    bench.forget("alpha")
    bench.look()
    bench.instances_answer = False
    bench.now += 1
    bench.look()
    bench.instances_answer = True
    bench.now += 1.1
    bench.look()

    assert bench.state.absent_holder.confirmed is True


def test_the_doubt_is_about_one_instance():
    """Alpha was absent once; now beta holds, and is absent for the first time."""
    bench = Bench(attached("alpha"), local="gamma", members=3)
    bench.forget("alpha")
    bench.look()
    bench.see(attached("beta", "att-9"))
    bench.machine("alpha")
    bench.forget("beta")
    bench.now += 3
    bench.look()

    assert bench.state.absent_holder.instance_id == "i-beta"
    assert bench.state.absent_holder.confirmed is False


# What holds it back --------------------------------------------------------------------------------


def test_it_needs_a_fit_member():
    """The self probe is down: nothing is taken."""
    bench = Bench(attached("alpha"), probes=(WEB, SELF))
    bench.says(disk="down")
    bench.idle(4)
    bench.machine("alpha", "stopped")

    assert bench.idle(30).reason is Reason.SELF_PROBE_DOWN


def test_witnesses_cooldown_and_an_unproven_holder_do_not_hold_it_back():
    """EC2 says it: no probe and no network is believed or doubted."""
    bench = Bench(attached("alpha"), probes=(WEB, WITNESS))
    bench.says(gateway="down")
    bench.idle(4)
    bench.see(attached("alpha", "att-9"))
    bench.machine("alpha", "terminated")

    assert bench.act(within=25).calls == (detach(1, "att-9"),)


@pytest.mark.parametrize("shape", [attaching("alpha"), detaching("alpha")], ids=["attaching", "detaching"])
def test_nothing_starts_while_something_moves(shape):
    """Another member's takeover, or the holder's own attach, is under way."""
    bench = Bench(shape, settle=False)
    bench.machine("alpha", "stopped")

    assert bench.idle(14).reason is Reason.MOVING


def test_an_attach_that_hangs_on_a_stopped_holder_is_taken_over():
    """Moving lasts for the force bound, no longer."""
    bench = Bench(attaching("alpha"), settle=False)
    bench.machine("alpha", "stopped")

    assert bench.act(within=20).calls == (detach(),)


@pytest.mark.parametrize(("local", "delay"), [("beta", 0.0), ("gamma", 2.0), ("delta", 4.0)])
def test_the_nth_of_the_others_acts_n_staggers_later(local, delay):
    """Counted from when EC2's word was first seen."""
    bench = stopped(local=local, members=4)
    began = bench.now
    bench.act(within=8)

    assert delay <= bench.now - began < delay + 0.3


@pytest.mark.parametrize("what", ["describe", "stall", "pause"])
def test_a_break_starts_the_turn_over(what):
    """A describe that fails, a stall of our own, a pause and its end."""
    bench = stopped(local="gamma", members=3)
    bench.idle(1.9)
    if what == "describe":
        bench.ec2_answers = False
        bench.look()
        bench.ec2_answers = True
    elif what == "stall":
        bench.peek(stalls=(Stall(from_at=bench.now - 5, to_at=bench.now),))
        bench.idle(1.0)
    else:
        bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE),))
        bench.peek(requests=(PauseRequest(kind=PauseKind.RESUME),))
    bench.look()
    began = bench.now
    bench.act(within=5)

    assert bench.now - began >= 1.9


def test_a_pause_stops_it():
    """Row 7 comes first."""
    bench = stopped()
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE),))

    assert bench.idle(60).reason is Reason.PAUSED


def test_startup_grace_stops_it():
    """Nothing is taken from anybody during the grace."""
    bench = Bench(attached("alpha"), startup_grace=30.0)
    bench.machine("alpha", "stopped")
    bench.look()
    held_back = bench.idle(20)

    assert held_back.reason is Reason.STARTUP_GRACE
    assert bench.act(within=8).calls == (detach(),)


def test_observe_reports_it_once():
    """However long it lasts."""
    bench = stopped(takeover=TakeoverMode.OBSERVE)
    bench.idle(60)

    assert bench.would == [Trigger.EC2]


# Before its point of no return ---------------------------------------------------------------------


def test_the_row_is_asked_again_on_fresh_answers():
    """While the detach is refused, the instances are looked at every second."""
    bench = stopped()
    bench.act(within=1.5)
    bench.machine("alpha")
    bench.jitter = 1.0
    for _ in range(2):
        bench.answered("busy")
        bench.run(1.2)

    assert [(one.result, one.reason) for one in bench.ended] == [("failed", Reason.CAUSE_GONE)]


def terminated(bench: Bench) -> None:
    """EC2 ends the holder's instance, and lets its ENI go."""
    bench.machine("alpha", "terminated")
    bench.see(free())
    bench.look()


@pytest.mark.parametrize("verdict", ["busy", "denied", "bad_state", "gone"])
def test_a_holder_that_ends_while_its_detach_is_refused_is_replaced_at_once(verdict):
    """Its ENI is unattached before this member could detach it: no other is at it, no turn is waited for."""
    bench = stopped("shutting-down")
    bench.act(within=1.5)
    bench.answered(verdict)
    terminated(bench)

    assert bench.decision.calls == (attach(),)
    assert bench.takeover.trigger is Trigger.EC2
    assert bench.ended == []


def test_so_is_one_that_the_probes_had_found_down():
    """Trigger probes, and EC2's word comes on top."""
    bench = Bench(attached("alpha"))
    bench.says(web="down")
    bench.act(within=10)
    bench.answered("busy")
    terminated(bench)

    assert bench.decision.calls == (attach(),)
    assert bench.takeover.trigger is Trigger.PROBES


def test_but_not_while_another_member_is_at_it():
    """Then it is a race: row 6 comes in its time."""
    bench = stopped("shutting-down", members=3)
    bench.act(within=1.5)
    bench.answered("busy")
    bench.peers = (peer("gamma", role="taking"),)
    terminated(bench)

    assert [(one.result, one.reason) for one in bench.ended] == [("failed", Reason.CAUSE_GONE)]


@pytest.mark.parametrize("word", ["running", "no word"])
def test_and_not_without_ec2s_word_that_it_has_ended(word):
    """An ENI that is unattached for another reason may be somebody's move."""
    bench = stopped("shutting-down")
    bench.act(within=1.5)
    bench.answered("busy")
    bench.machine("alpha")
    bench.instances_answer = word == "running"
    bench.see(free())
    bench.look()

    assert [(one.result, one.reason) for one in bench.ended] == [("failed", Reason.CAUSE_GONE)]


def test_an_unfit_member_does_not_attach_it():
    """It is left to the others, as by row 6."""
    bench = stopped("shutting-down")
    bench.act(within=1.5)
    bench.answered("busy")
    bench.local = replace(LOCAL, attach_allowed=False)
    terminated(bench)

    assert [(one.result, one.reason) for one in bench.ended] == [("failed", Reason.ATTACH_DENIED)]


def test_all_of_the_group_that_it_has_let_go_is_brought():
    """The lock first."""
    bench = Bench(attached("alpha"), attached("alpha"))
    bench.machine("alpha", "shutting-down")
    bench.look()
    bench.act(within=1.5)
    bench.answered("busy")
    bench.machine("alpha", "terminated")
    bench.see(free(), free())
    bench.look()
    lock = bench.decision.calls

    assert lock == (attach(1),)
    assert bench.accepted().calls == (attach(2),)


def test_the_probes_have_no_say_in_it():
    """The service still answers while its instance is stopping."""
    bench = stopped("stopping")
    bench.act(within=1.5)
    bench.answered("busy")
    bench.peek(attempts=(attempt(at=bench.now), attempt(at=bench.now)))

    assert bench.ended == []
    assert bench.act(within=2).calls == (detach(),)


def test_every_second_look_at_the_instances_fails():
    """An answer of a moment ago stays an answer, and the confirming one is waited for."""
    bench = Bench(attached("alpha"))
    bench.says(web="unknown")
    bench.machine("alpha", "stopped")
    answers = iter(range(1000))

    def flaky() -> None:
        bench.instances_answer = next(answers) % 2 == 0
        describe()

    describe, bench._describe_instances = bench._describe_instances, flaky

    assert bench.act(within=30).calls == (detach(),)
