"""The start of a takeover: what is confirmed, and all that the intent says."""

import pytest

from eni_failover.core.policy import TakeoverMode
from eni_failover.core.state import Confirm, Move, Sent, Takeover
from eni_failover.core.takeover import begin
from eni_failover.core.triggers import Cause
from eni_failover.core.vocabulary import Action, Reason, Trigger
from tests.core.bench import Bench
from tests.core.builders import EPOCH, WEB, attached, detach, free, instances, probe, survey, takeover_request

ASKED = {"requests": (takeover_request("r-7", deadline=1100.0),)}


def test_an_intent_says_who_from_whom_why_since_when_and_what():
    """Each ENI of the file with the attachment that it may be detached by; one on nobody has none."""
    bench = Bench(attached("alpha", "att-7"), free(), attached("beta"))
    bench.says(web="down")
    bench.act(within=10)
    since = bench.state.health[0].down_since
    wall = EPOCH + bench.now

    assert bench.takeover == Takeover(
        takeover_id=f"{int(wall * 1000):x}-beta",
        trigger=Trigger.PROBES,
        reason=Reason.HOLDER_DOWN,
        from_member="alpha",
        started_at=bench.now,
        started_wall=wall,
        cause_at=since,
        matched_at=bench.takeover.matched_at,
        judged_at=bench.takeover.matched_at,
        moves=(
            Move(
                eni_id="eni-1",
                recorded="att-7",
                detach=Sent.UNANSWERED,
                detach_sent_at=bench.now,
                detach_began_at=bench.now,
            ),
            Move(eni_id="eni-2", recorded=None),
            Move(eni_id="eni-3", recorded=None),
        ),
        detach_at=bench.now,
    )
    assert since < bench.takeover.matched_at <= bench.now


def test_an_operators_intent_has_its_request():
    """And its deadline; it was matched when it was asked for."""
    bench = Bench(attached("alpha"))
    bench.look(**ASKED)
    asked_at, confirm = bench.now, bench.state.confirm
    bench.look()

    assert confirm == Confirm(trigger=Trigger.MANUAL, attachment_id="att-1", since=asked_at)
    assert (bench.takeover.trigger, bench.takeover.reason) == (Trigger.MANUAL, Reason.OPERATOR)
    assert (bench.takeover.request_id, bench.takeover.deadline_at) == ("r-7", 1100.0)
    assert bench.takeover.cause_at == bench.takeover.matched_at == asked_at
    assert bench.state.request is None
    assert bench.state.confirm is None


def test_another_takeover_does_not_take_up_an_operators_deadline():
    """The request is still waiting, and what begins is no takeover of its own."""
    bench = Bench(free(), settle=False)
    bench.act(within=10)

    assert (bench.takeover.request_id, bench.takeover.deadline_at) == ("", None)
    assert bench.takeover.from_member == "none"


@pytest.mark.parametrize("again", ["att-2", "att-1"])
def test_what_is_confirmed_is_about_one_attachment(again):
    """The holder got the ENI anew in between: that is another cause, to be confirmed for itself."""
    bench = Bench(attached("alpha"))
    bench.look(**ASKED)
    bench.see(attached("alpha", again))
    bench.look()

    assert bench.decision.action is (Action.TAKE_OVER if again == "att-1" else Action.CONFIRM)
    assert bench.decision.calls == ((detach(),) if again == "att-1" else ())


def test_what_is_confirmed_is_about_one_trigger():
    """An operator's word and the probes' are two causes."""
    bench = Bench(attached("alpha"))
    bench.look(**ASKED)
    probes = Cause(
        trigger=Trigger.PROBES, reason=Reason.HOLDER_DOWN, cause_at=bench.now, attachment_id="att-1"
    )
    state, decision = begin(bench.view, probes)

    assert decision.action is Action.CONFIRM
    assert state.confirm == Confirm(trigger=Trigger.PROBES, attachment_id="att-1", since=bench.now)


def test_observe_says_what_it_would_do_once_for_each_cause():
    """And remembers which it has told, until it is gone."""
    bench = Bench(attached("alpha"), takeover=TakeoverMode.OBSERVE)
    bench.says(web="down")
    bench.idle(10)

    told = bench.state.reported_cause
    decided = (bench.decision.action, bench.decision.reason)
    bench.says(web="up")
    bench.idle(5)

    assert decided == (Action.WOULD_TAKE_OVER, Reason.HOLDER_DOWN)
    assert bench.would == [Trigger.PROBES]
    assert told == "probes:att-1:holder_down"
    assert bench.state.reported_cause == ""


@pytest.mark.parametrize("late", [False, True])
def test_a_look_that_began_with_the_match_confirms_nothing(late):
    """It may be the one that matched; the next one confirms."""
    bench = Bench(attached("alpha"))
    bench.look(**ASKED)
    since = bench.state.confirm.since
    decision = bench.peek(enis=survey(attached("alpha"), at=since + (0.001 if late else 0.0)))

    assert decision.action is (Action.TAKE_OVER if late else Action.CONFIRM)


@pytest.mark.parametrize("late", [False, True])
def test_ec2s_word_is_confirmed_by_a_later_look_at_the_instances(late):
    """Likewise: a stopped instance may have been started since."""
    bench = Bench(attached("alpha"))
    bench.machine("alpha", "stopped")
    while bench.decision.action is not Action.CONFIRM:
        bench.look()
    since = bench.state.confirm.since
    seen = instances(*bench.machines.values(), at=since + (0.001 if late else 0.0))
    decision = bench.peek(enis=survey(attached("alpha"), at=since + 0.001), instances=seen)

    assert decision.action is (Action.TAKE_OVER if late else Action.CONFIRM)


def test_a_takeover_that_waited_for_an_answer_looks_once_more():
    """The describe that confirmed it is half a minute old by then."""
    slow = probe("gateway", "witness", interval=60.0, fast_interval=1.0)
    bench = Bench(attached("alpha"), probes=(WEB, slow), call_timeout=1.0)
    bench.says(web="down", gateway="not asked")
    bench.idle(30)
    bench.says(gateway="up")
    bench.act(within=5)

    assert bench.now - bench.describes[-1] <= 2


def waiting_for_a_describe() -> Bench:
    """The holder is judged down; the describe that is to confirm it, and some after it, have failed."""
    bench = Bench(attached("alpha"))
    bench.says(web="down")
    bench.ec2_answers = False
    bench.idle(8)
    return bench


def test_a_describe_that_failed_is_no_news_for_the_confirmation():
    """The first one that is answered confirms the cause: it began after it."""
    bench = waiting_for_a_describe()
    bench.ec2_answers = True
    bench.describes.clear()
    bench.act(within=10)

    assert len(bench.describes) == 1


def test_a_cause_that_came_anew_meanwhile_is_confirmed_anew():
    """Nothing is known of the ENIs while a holder comes back and dies once more."""
    bench = waiting_for_a_describe()
    bench.says(web="up")
    bench.idle(4)
    bench.says(web="down")
    bench.idle(8)
    bench.ec2_answers = True
    first = bench.look()

    assert (first.action, first.calls) == (Action.CONFIRM, ())
    assert bench.act(within=10).calls
