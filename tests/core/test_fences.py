"""The fence: the holder's instance is stopped, and seen stopped, before anything is detached."""

from dataclasses import replace
from functools import partial
from itertools import pairwise
from unittest.mock import ANY

import pytest

from eni_failover.core.model import PauseKind, PauseRecord, PauseRequest
from eni_failover.core.policy import FailbackMode, FenceMode
from eni_failover.core.state import Durable, Sent, State
from eni_failover.core.takeover import Fenced, fence
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Action, Reason, Trigger
from tests.core.bench import Bench
from tests.core.builders import (
    SELF,
    WEB,
    attached,
    attempt,
    detach,
    detaching,
    free,
    instance,
    instances,
    intent,
    obs,
    peer,
    policy,
    stop,
    takeover_request,
)

FencedBench = partial(Bench, fence=FenceMode.STOP)


def fencing(*shapes, **changes) -> Bench:
    """Beta has just asked for the stop of alpha's instance."""
    bench = FencedBench(*(shapes or (attached("alpha"),)), **changes)
    bench.says(web="down")
    bench.act(within=10)
    return bench


def test_the_first_call_is_the_stop():
    """Nothing is detached from a holder that still runs."""
    bench = fencing()

    assert bench.decision.calls == (stop("alpha"),)
    assert bench.decision.reason is Reason.FENCING


@pytest.mark.parametrize("state", ["running", "stopping"])
def test_the_detach_waits_until_the_instance_is_seen_stopped(state):
    """An accepted stop takes up to a minute."""
    bench = fencing()
    bench.machine("alpha", state)
    bench.accepted()
    waiting = bench.run(4)

    assert waiting.calls == ()
    assert waiting.reason is Reason.FENCING


@pytest.mark.parametrize("state", ["stopped", "terminated"])
def test_a_stopped_or_gone_instance_lets_the_detach_go(state):
    """Seen by a look at the instances begun after the fence."""
    bench = fencing()
    bench.accepted()
    bench.machine("alpha", state)

    assert bench.act(within=2).calls == (detach(),)


def test_an_instance_that_two_answers_do_not_know_is_gone():
    """Two seconds apart, both knowing this member."""
    bench = fencing()
    bench.forget("alpha")
    bench.accepted()
    one = bench.run(1.5)

    assert one.calls == ()
    assert bench.act(within=3).calls == (detach(),)


def test_an_answer_from_before_the_fence_proves_nothing():
    """`stopped` read before the stop was asked for is another stop, long over."""
    bench = FencedBench(attached("alpha"))
    old = bench.view.obs.instances
    bench.machine("alpha", "stopped")
    stopped = bench.machines["alpha"]
    bench.machine("alpha")
    bench.says(web="down")
    bench.act(within=10)
    stale = replace(old, instances=(stopped, bench.machines["beta"]))
    bench.peek(instances=stale)

    assert bench.decision.calls == ()


@pytest.mark.parametrize("verdict", ["denied", "refused", "limit"])
def test_a_refused_fence_moves_nothing(verdict):
    """The takeover ends; the next by probes comes a cooldown later at the earliest."""
    bench = fencing()
    bench.answered(verdict)
    ended = bench.ended[0]
    began = bench.now
    held_back = bench.idle(59)
    again = bench.act(within=5)

    assert (ended.result, ended.reason) == ("failed", Reason.FENCE_REFUSED)
    assert held_back.reason is Reason.FENCE_REFUSED
    assert again.calls == (stop("alpha"),)
    assert bench.now - began > 60


@pytest.mark.parametrize("verdict", ["busy", "bad_state"])
def test_a_throttled_fence_is_asked_again(verdict):
    """With a growing delay."""
    bench = fencing()
    waiting = bench.answered(verdict)
    again = bench.act(within=2)

    assert waiting.calls == ()
    assert again.calls == (stop("alpha"),)


def test_an_unanswered_fence_is_asked_again_when_it_shows_no_effect():
    """StopInstances is idempotent; a look begun after the call timeout still shows it running."""
    bench = fencing()
    sent = bench.now
    bench.answered("unanswered", after=1.0)
    again = bench.act(within=10)

    assert again.calls == (stop("alpha"),)
    assert bench.now - sent > 5.0


def test_an_accepted_fence_that_shows_no_effect_is_asked_again():
    """EC2 said yes, and five seconds later the instance still runs."""
    bench = fencing()
    bench.accepted()

    assert bench.idle(4).reason is Reason.FENCING
    assert bench.act(within=4).calls == (stop("alpha"),)


def test_a_stopping_instance_is_not_asked_again():
    """The stop has begun: it is waited for."""
    bench = fencing()
    bench.machine("alpha", "stopping")
    bench.accepted()

    assert bench.idle(60).reason is Reason.FENCING


@pytest.mark.parametrize("paused", [False, True], ids=["", "in a pause"])
def test_a_holder_that_answers_while_it_is_being_stopped_ends_nothing(paused):
    """The stop was accepted and goes on: in a pause nobody else would act once it is over."""
    bench = fencing()
    bench.accepted()
    if paused:
        pause(bench)
    bench.says(web="up")
    bench.machine("alpha", "stopping")
    bench.idle(20)
    bench.machine("alpha", "stopped")

    assert bench.act(within=3).calls == (detach(),)


@pytest.mark.parametrize("paused", [False, True], ids=["", "in a pause"])
def test_a_holder_that_answers_and_runs_on_keeps_the_enis(paused):
    """The stop had no effect: EC2 shows it running, long enough after it was asked."""
    bench = fencing()
    bench.accepted()
    if paused:
        pause(bench)
    bench.says(web="up")
    bench.idle(10)

    assert [(one.result, one.reason) for one in bench.ended] == [("failed", Reason.CAUSE_GONE)]


def test_silence_about_the_instances_after_a_restart_does_not_end_it():
    """The new process knows nothing of this member yet: no reason to leave a stopped holder to nobody."""
    bench = fencing()
    bench.accepted()
    after = FencedBench(attached("alpha"), durable=bench.state.durable, at=bench.now + 1, settle=False)
    after.says(web="up")
    after.instances_answer = False
    after.idle(30)
    after.instances_answer = True
    after.machine("alpha", "stopped")

    assert after.act(within=3).calls == (detach(),)


@pytest.mark.parametrize("state", ["stopping", "shutting-down"])
def test_an_instance_that_was_started_meanwhile_and_stops_again_is_waited_for(state):
    """It was seen stopped, and is not: a detach now would take the ENI from a machine that runs."""
    bench = fencing()
    bench.accepted()
    bench.machine("alpha", "stopped")
    bench.act(within=3)
    bench.answered("busy")
    bench.machine("alpha", state)
    bench.look()
    bench.idle(5)
    bench.machine("alpha", "stopped" if state == "stopping" else "terminated")

    assert bench.act(within=3).calls == (detach(),)


@pytest.mark.parametrize("verdict", ["unanswered", "busy"])
def test_a_holder_that_recovers_before_the_stop_is_accepted_keeps_the_enis(verdict):
    """The fence is before the point of no return: row 10 is asked again, every pass."""
    bench = fencing()
    bench.answered(verdict)
    bench.peek(attempts=(attempt(at=bench.now), attempt(at=bench.now)))

    assert [(one.result, one.reason) for one in bench.ended] == [("failed", Reason.CAUSE_GONE)]


@pytest.mark.parametrize("state", ["running", "stopping"])
def test_the_instances_are_looked_at_every_second_during_the_fence(state):
    """The stop is seen soon after it has happened, and that it has not begun."""
    bench = fencing()
    bench.machine("alpha", state)
    bench.accepted()
    before = len(bench.instance_describes)
    bench.idle(4)

    assert len(bench.instance_describes) - before == 4


def test_failed_looks_at_the_instances_are_repeated_every_second_during_the_fence():
    """A takeover waits for them, and moves on the first answer."""
    bench = fencing()
    bench.accepted()
    bench.instances_answer = False
    bench.idle(10)
    gaps = [later - earlier for earlier, later in pairwise(bench.instance_describes[-6:])]

    assert gaps == pytest.approx([1.0] * 5, abs=0.05)


def test_without_a_fence_nothing_is_stopped():
    """`fence = "none"` is the default."""
    bench = Bench(attached("alpha"))
    bench.says(web="down")

    assert bench.act(within=10).calls == (detach(),)


def stopped(*, looked_at: float, sent_at: float | None) -> Fenced:
    """The fence of a holder once seen stopped, after this last look and this last detach."""
    bench = fencing()
    moves = tuple(replace(one, detach_sent_at=sent_at) for one in bench.takeover.moves)
    seen = instances(instance("alpha", "stopped"), instance("beta"), at=looked_at)
    view = replace(bench.view, obs=bench.obs(instances=seen))
    return fence(view, replace(bench.takeover, fenced_at=900.0, moves=moves))


@pytest.mark.parametrize(
    ("looked_at", "sent_at", "waits"),
    [(1000.0, None, False), (1000.0, 999.0, False), (1000.0, 1000.0, True), (1000.0, 1001.0, True)],
)
def test_a_detach_that_moved_nothing_wants_one_more_look_at_the_instance(looked_at, sent_at, waits):
    """It may have been started since; before the first detach the look that saw it stopped is enough."""
    assert stopped(looked_at=looked_at, sent_at=sent_at) == Fenced(takeover=ANY, waits=waits)


NOW = 2000.0
INTENT = intent(began_at=NOW - 40)
BEGUN = replace(INTENT, fence_began_at=NOW - 10, fence_instance="i-alpha", fence_sent_at=NOW - 10)
PENDING = replace(BEGUN, fence=Sent.UNANSWERED)
OVER = replace(PENDING, fence=Sent.ACCEPTED, fenced_at=NOW - 8)


@pytest.mark.parametrize(
    ("before", "alpha", "looked_at", "after", "does"),
    [
        (INTENT, "running", NOW, {"fence_began_at": NOW}, "asks"),
        (PENDING, "stopped", NOW - 10.5, {}, "waits"),
        (PENDING, "stopped", NOW - 10, {"fenced_at": NOW}, "goes on"),
        (PENDING, "terminated", NOW, {"fenced_at": NOW}, "goes on"),
        (PENDING, "stopping", NOW, {}, "waits"),
        (PENDING, "shutting-down", NOW, {}, "waits"),
        (PENDING, "running", NOW - 5.5, {}, "waits"),
        (PENDING, "running", NOW - 5, {}, "asks"),
        (replace(BEGUN, fence=Sent.NO), "running", NOW - 9, {}, "asks"),
        (replace(BEGUN, fence=Sent.NO, fence_retry_at=NOW), "running", NOW - 9, {}, "asks"),
        (replace(BEGUN, fence=Sent.NO, fence_retry_at=NOW + 1), "running", NOW - 9, {}, "waits"),
        (replace(BEGUN, fence_refused=True), "running", NOW, {}, "waits"),
        (OVER, "running", NOW - 8, {}, "goes on"),
        (OVER, "stopped", NOW, {}, "goes on"),
        (OVER, "running", NOW - 7, {"fence_began_at": NOW, "fenced_at": None}, "asks"),
        (OVER, "pending", NOW - 7, {"fence_began_at": NOW, "fenced_at": None}, "asks"),
    ],
)
def test_each_look_at_the_fence(before, alpha, looked_at, after, does):
    """What is asked, what is waited for, and what is remembered of it."""
    found = instances(instance("alpha", alpha), instance("beta"), at=looked_at)
    view = View(
        State(started_at=0.0),
        obs(attached("alpha"), now=NOW, instances=found),
        policy(fence=FenceMode.STOP),
    )
    asked = {"fence": Sent.UNANSWERED, "fence_sent_at": NOW, "fence_retry_at": None} if does == "asks" else {}

    assert fence(view, before) == Fenced(
        takeover=replace(before, **{"fence_instance": "i-alpha", **after, **asked}),
        waits=does != "goes on",
        calls=(stop("alpha"),) if does == "asks" else (),
    )


# A pause meanwhile ---------------------------------------------------------------------------------


def pause(bench: Bench) -> None:
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE),))


def stop_asked(verdict: str = "accepted") -> Bench:
    """The stop was asked for, and answered so."""
    bench = fencing()
    bench.answered(verdict)
    return bench


@pytest.mark.parametrize("verdict", ["accepted", "unanswered"])
@pytest.mark.parametrize("state", ["running", "stopping"])
def test_a_pause_does_not_end_a_takeover_whose_stop_was_asked_for(verdict, state):
    """The holder is being stopped: with nobody to act the group would have none until the resume."""
    bench = stop_asked(verdict)
    bench.machine("alpha", state)
    pause(bench)
    bench.run(3)
    bench.machine("alpha", "stopped")
    waiting = bench.ended

    assert waiting == []
    assert bench.act(within=8).calls == (detach(),)


def test_it_is_carried_to_its_end_in_the_pause():
    """The group has a holder, paused as it is."""
    bench = stop_asked()
    pause(bench)
    bench.machine("alpha", "stopped")
    bench.act(within=8)
    bench.see(free())
    bench.accepted()
    bench.act(within=2)
    bench.see(attached("beta", "att-9"))
    bench.accepted()
    bench.idle(2)

    assert [(one.trigger, one.result) for one in bench.ended] == [("probes", "success")]
    assert bench.view.is_paused


def test_a_pause_before_the_stop_is_asked_for_ends_it():
    """Nothing has happened yet."""
    bench = FencedBench(attached("alpha"))
    bench.says(web="down")
    bench.idle(2.2)
    bench.peek(attempts=(attempt("web", "down", at=bench.now),))
    pause(bench)

    assert bench.idle(60).reason is Reason.PAUSED


@pytest.mark.parametrize("verdict", ["busy", "bad_state"])
def test_a_pause_ends_a_takeover_whose_stop_was_refused(verdict):
    """The holder was not stopped: it may be left alone."""
    bench = stop_asked(verdict)
    pause(bench)

    assert [(one.result, one.reason) for one in bench.ended] == [("failed", Reason.PAUSED)]
    assert bench.idle(60).reason is Reason.PAUSED


def test_a_pause_on_another_member_does_not_end_it_either():
    """It is adopted like one of this member's own."""
    bench = stop_asked()
    record = PauseRecord(kind=PauseKind.PAUSE, at=bench.view.obs.wall, ends_at=bench.now + 999.0)
    bench.peers = (peer("alpha", pause=record),)
    bench.machine("alpha", "stopped")

    assert bench.act(within=8).calls == (detach(),)
    assert bench.view.is_paused


# Who does not fence --------------------------------------------------------------------------------


def test_an_operators_takeover_never_fences():
    """The holder may be healthy: it is not to be stopped."""
    bench = FencedBench(attached("alpha"))
    bench.peek(requests=(takeover_request(deadline=bench.now + 60),))

    assert bench.act(within=2).calls == (detach(),)
    assert bench.takeover.trigger is Trigger.MANUAL


def test_a_failback_never_fences():
    """It takes back from a holder that is up."""
    bench = FencedBench(
        attached("beta"),
        local="alpha",
        durable=Durable(last_had="i-beta", lost_at=900.0, unfit_since_loss=True),
        probes=(WEB, SELF),
        failback=FailbackMode.AUTOMATIC,
        failback_delay=1.0,
        settle=False,
    )
    bench.peers = (peer("beta"),)

    assert bench.act(within=10).calls == (detach(),)
    assert bench.takeover.trigger is Trigger.FAILBACK


def test_a_split_never_fences():
    """It takes from a member that has a part of the group."""
    bench = FencedBench(attached("beta"), attached("alpha"), settle=False)

    assert bench.act(within=10).calls == (detach(2),)
    assert bench.takeover.trigger is Trigger.SPLIT


def test_a_takeover_by_ec2s_word_never_fences():
    """The instance does not run: there is nothing to stop."""
    bench = FencedBench(attached("alpha"))
    bench.machine("alpha", "stopped")
    bench.look()

    assert bench.act(within=5).calls == (detach(),)
    assert bench.takeover.trigger is Trigger.EC2


@pytest.mark.parametrize("state", ["stopping", "shutting-down"])
def test_ec2s_word_waits_for_the_stop_to_be_over(state):
    """Else the stop that a member has asked for, and died or gave up over, would itself move the ENI."""
    bench = FencedBench(attached("alpha"))
    bench.machine("alpha", state)
    bench.look()
    waiting = bench.idle(30)
    gaps = [later - earlier for earlier, later in pairwise(bench.instance_describes[-10:])]
    bench.machine("alpha", "stopped")

    assert waiting.reason is Reason.FENCING
    assert gaps == pytest.approx([1.0] * 9, abs=0.05)
    assert bench.act(within=3).calls == (detach(),)
    assert bench.takeover.trigger is Trigger.EC2


def test_what_another_member_has_begun_to_stop_is_not_stopped_again():
    """Its fence is under way; the turn of the next standby comes meanwhile."""
    bench = FencedBench(attached("alpha"), local="gamma", members=3)
    bench.says(web="down")
    bench.run(3)
    bench.machine("alpha", "stopping")

    assert bench.idle(20).reason is Reason.FENCING


def test_a_takeover_with_a_fence_begins_on_a_new_look_at_the_instances():
    """It shows whether the stop has been asked for already."""
    bench = FencedBench(attached("alpha"))
    old = bench.view.obs.instances
    bench.peek(attempts=tuple(attempt("web", "down", at=bench.now) for _ in range(3)))
    due = bench.decision.instances_at
    bench.look(instances=old)
    waits = bench.decision.action
    bench.look()

    assert due <= bench.now
    assert waits is Action.CONFIRM
    assert bench.decision.calls == (stop("alpha"),)


def test_an_eni_on_nobody_is_attached_without_a_fence():
    """Nobody holds it."""
    bench = FencedBench(free(), settle=False)

    assert bench.act(within=10).calls[0].device_index == 1


def test_a_holder_that_let_go_during_the_fence_ends_it():
    """The ENI is detaching: the cause of row 10 is gone, row 6 comes in its time."""
    bench = fencing()
    bench.see(detaching("alpha"))
    bench.accepted()
    bench.idle(1)
    bench.see(free())

    assert [one.reason for one in bench.ended] == [Reason.CAUSE_GONE]
    assert bench.act(within=5).calls[0].device_index == 1
