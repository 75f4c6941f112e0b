"""Observe mode, and what ends an intent of each trigger before its point of no return."""

from dataclasses import replace

import pytest

from eni_failover.core.model import PauseKind, PauseRequest
from eni_failover.core.policy import FailbackMode, TakeoverMode
from eni_failover.core.state import Durable
from eni_failover.core.vocabulary import Answer, Reason, Trigger
from tests.core.bench import Bench
from tests.core.builders import LOCAL, SELF, WEB, WITNESS, attached, attempt, detaching, foreign, free, peer

OBSERVE = {"takeover": TakeoverMode.OBSERVE}
A, B = attached("alpha"), attached("beta")
RECOVERED = {
    "local": "alpha",
    "failback": FailbackMode.AUTOMATIC,
    "failback_delay": 2.0,
    "durable": Durable(last_had="i-beta", lost_at=900.0, unfit_since_loss=True),
}


def detached(answer: str, *, shape=None) -> Bench:
    """Beta's takeover by probes: the first detach answered so, then EC2 shows this."""
    bench = Bench(A)
    bench.says(web="down")
    bench.act(within=10)
    bench.see(shape or A)
    bench.answered(answer)
    bench.look()
    return bench


# Observe mode --------------------------------------------------------------------------------------


def test_observe_reports_a_cause_once():
    """However long it lasts."""
    bench = Bench(A, **OBSERVE)
    bench.says(web="down")
    bench.idle(60)

    assert bench.would == [Trigger.PROBES]


def test_an_api_outage_in_between_is_no_new_cause():
    """The same holder by the same attachment is down for the same reason."""
    bench = Bench(A, **OBSERVE)
    bench.says(web="down")
    bench.idle(20)
    bench.ec2_answers = False
    bench.idle(20)
    bench.ec2_answers = True
    bench.idle(20)

    assert bench.would == [Trigger.PROBES]


def test_probes_without_an_answer_in_between_are_no_new_cause():
    """A host that stalls loses its verdicts: nobody has seen the holder up meanwhile."""
    bench = Bench(A, **OBSERVE)
    bench.says(web="down")
    bench.idle(20)
    bench.says(web="unknown")
    bench.idle(20)
    assert bench.state.health[0].verdict is Answer.UNKNOWN
    bench.says(web="down")
    bench.idle(20)

    assert bench.would == [Trigger.PROBES]


def test_an_up_in_between_makes_it_another_outage():
    bench = Bench(A, **OBSERVE)
    bench.says(web="down")
    bench.idle(20)
    bench.says(web="up")
    bench.idle(20)
    bench.says(web="down")
    bench.idle(20)

    assert bench.would == [Trigger.PROBES, Trigger.PROBES]


def test_a_turn_that_starts_over_is_no_new_cause():
    """Gamma's stagger begins afresh after the outage; the cause does not."""
    bench = Bench(A, local="gamma", members=3, **OBSERVE)
    bench.says(web="down")
    bench.idle(20)
    bench.ec2_answers = False
    bench.idle(20)
    bench.ec2_answers = True
    bench.idle(20)

    assert bench.would == [Trigger.PROBES]


def test_a_cause_that_went_and_came_back_is_reported_again():
    """Down, up, down."""
    bench = Bench(A, **OBSERVE)
    for answer in ("down", "up", "down"):
        bench.says(web=answer)
        bench.idle(10)

    assert bench.would == [Trigger.PROBES, Trigger.PROBES]


def test_another_cause_is_reported_too():
    """First the probes, then EC2's own word."""
    bench = Bench(A, **OBSERVE)
    bench.says(web="down")
    bench.idle(10)
    bench.machine("alpha", "stopped")
    bench.idle(30)

    assert bench.would == [Trigger.PROBES, Trigger.EC2]


def test_observe_carries_on_what_is_past_its_point_of_no_return():
    """A reload to observe leaves no ENI on the floor."""
    bench = detached("accepted", shape=detaching("alpha"))
    bench.set_policy(**OBSERVE)
    bench.see(free())
    bench.act(within=1.5)

    assert bench.decision.reason is Reason.ATTACHING


def test_observe_ends_what_has_moved_nothing():
    """A reload to observe is obeyed before the first detach."""
    bench = detached("busy")
    bench.set_policy(**OBSERVE)
    bench.peek()

    assert [(one.result, one.reason) for one in bench.ended] == [("failed", Reason.CAUSE_GONE)]


# Before the point of no return, for each trigger ---------------------------------------------------


def intent(trigger: str) -> Bench:
    """A takeover by this trigger, whose first call was refused."""
    if trigger == "probes":
        bench = Bench(A, probes=(WEB, SELF, WITNESS))
        bench.says(web="down")
    elif trigger == "ec2":
        bench = Bench(A, probes=(WEB, SELF, WITNESS))
        bench.machine("alpha", "stopped")
        bench.look()
    elif trigger == "split":
        bench = Bench(B, A, probes=(WEB, SELF, WITNESS), settle=False)
    else:
        bench = Bench(B, settle=False, **{**RECOVERED, "probes": (WEB, SELF, WITNESS)})
        bench.peers = (peer("beta"),)
    bench.act(within=20)
    assert bench.takeover.trigger == trigger
    bench.answered("busy")
    return bench


ALL = ("probes", "ec2", "split", "failback")


@pytest.mark.parametrize("trigger", ALL)
def test_a_pause_ends_an_intent(trigger):
    """The starting row is asked again, and row 7 comes before it."""
    bench = intent(trigger)
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE),))

    assert [(one.trigger, one.result, one.reason) for one in bench.ended] == [(trigger, "failed", "paused")]


@pytest.mark.parametrize("trigger", ALL)
def test_a_lost_permission_ends_an_intent(trigger):
    """Nothing is detached that could not be attached."""
    bench = intent(trigger)
    bench.local = replace(LOCAL, attach_allowed=False)
    bench.peek()

    assert [one.reason for one in bench.ended] == ["attach_denied"]


@pytest.mark.parametrize(
    ("trigger", "ends"), [("probes", True), ("ec2", False), ("split", False), ("failback", True)]
)
def test_witnesses_that_go_down_end_the_intents_that_need_them(trigger, ends):
    """Rows 10 and 11 ask for them."""
    bench = intent(trigger)
    local = bench.policy.me.name
    bench.peek(attempts=tuple(attempt("gateway", "down", about=local, at=bench.now) for _ in range(3)))

    assert ends is (bench.ended != [])


@pytest.mark.parametrize("trigger", ["probes", "ec2", "failback"])
def test_a_foreign_eni_ends_an_intent(trigger):
    """Row 2: the rest waits."""
    bench = intent(trigger)
    bench.see(foreign("att-9"))
    bench.look()

    assert [one.reason for one in bench.ended] == ["foreign_holder"]


@pytest.mark.parametrize("trigger", ALL)
def test_an_unknown_eni_keeps_an_intent_waiting(trigger):
    """Nothing already intended goes on, and nothing is given up for want of an answer."""
    bench = intent(trigger)
    bench.ec2_answers = False

    assert bench.idle(60).reason is Reason.ENI_UNKNOWN
    assert bench.ended == []


@pytest.mark.parametrize("trigger", ALL)
def test_an_intent_goes_on_when_its_row_still_matches(trigger):
    """The refused call is made again."""
    bench = intent(trigger)
    calls = bench.act(within=3).calls

    assert len(calls) == 1
    assert bench.ended == []
