"""When the next look at EC2 is due, to the very moment: what one has shown is not asked again."""

from typing import Any

import pytest

from eni_failover.core import schedule
from eni_failover.core.decision import Decision, Detach
from eni_failover.core.health import Health
from eni_failover.core.model import Eni, Link
from eni_failover.core.state import Confirm, EniObservation, State
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Action, Answer, Reason, Trigger
from tests.core.builders import (
    MEMBERS,
    WEB,
    attached,
    detaching,
    enis,
    instance,
    instances,
    missing,
    obs,
    policy,
    survey,
)

NOW = 2000.0
STEADY = NOW + 10.0  # one observe interval after a describe of now
INSTANCES_STEADY = NOW + 20.0


def view(*, shape: Eni | None = None, described_at: float = NOW, links: Any = (), **state: Any) -> View:
    """Beta stands by, and has looked at the ENI and at both instances at that moment."""
    seen = obs(
        now=NOW,
        enis=survey(shape or attached("alpha"), at=described_at),
        instances=instances(instance("alpha"), instance("beta"), at=described_at),
        links=links,
    )
    known = {"last_answer_at": NOW, "instances": seen.instances, **state}
    return View(State(started_at=0.0, **known), seen, policy())


def due(seen: View, action: Action = Action.WAIT) -> tuple[float, float]:
    """When the ENIs and when the instances are looked at next."""
    decision = schedule.schedule(seen, Decision(action=action, reason=Reason.HOLDER_UP))
    return decision.describe_at, decision.instances_at


def test_nothing_special():
    """One observe interval, and two, after the last."""
    assert due(view()) == (STEADY, INSTANCES_STEADY)


def lost_link(lost_at: float) -> dict[str, Any]:
    """The first ENI was here, and the kernel took its link."""
    (one,) = enis(attached("beta"))
    return {
        "shape": attached("beta"),
        "here": (one.eni_id,),
        "links": (Link(eni_id=one.eni_id, watched=True, lost_at=lost_at),),
    }


def waits_for(trigger: Trigger, since: float) -> dict[str, Any]:
    return {"confirm": Confirm(trigger=trigger, attachment_id="att-1", since=since)}


def absent_since(seen_at: float) -> dict[str, Any]:
    seen_eni = EniObservation(
        eni_id="eni-1", status="missing", attachment_id=None, since=seen_at, seen_at=seen_at
    )
    return {"shape": missing(), "observed": (seen_eni,)}


@pytest.mark.parametrize(
    ("before", "there", "moment"),
    [
        (waits_for(Trigger.PROBES, NOW), waits_for(Trigger.PROBES, NOW - 1), NOW),
        (lost_link(NOW), lost_link(NOW - 1), NOW),
        (absent_since(NOW - 1), absent_since(NOW - 2), NOW + 1),
        ({"not_ready_since": NOW - 59}, {"not_ready_since": NOW - 60}, NOW + 1),
    ],
    ids=["a row to be confirmed", "a lost link", "an absent ENI", "a link that is not ready"],
)
def test_a_describe_is_asked_for_until_one_is_new_enough(before, there, moment):
    """What needs a describe from its own moment on has its date, and none once that is there."""
    assert due(view(**before))[0] == moment
    assert due(view(**there))[0] == STEADY


def test_the_date_of_a_late_link_is_its_sixtieth_second():
    """Whatever the observe interval would say."""
    assert due(view(not_ready_since=NOW - 55))[0] == NOW + 5


@pytest.mark.parametrize(
    ("before", "there", "moment"),
    [
        ({"moved_at": NOW - 1}, {"moved_at": NOW - 2}, NOW + 1),
        (waits_for(Trigger.EC2, NOW), waits_for(Trigger.EC2, NOW - 1), NOW),
    ],
    ids=["a move", "EC2's word to be confirmed"],
)
def test_the_instances_are_asked_for_until_a_look_is_new_enough(before, there, moment):
    """Likewise."""
    assert due(view(**before))[1] == moment
    assert due(view(**there))[1] == INSTANCES_STEADY


def test_a_first_down_asks_for_the_instances_once():
    """A look from that very moment is new enough."""

    def down_since(moment: float) -> View:
        return view(
            health=(
                Health(
                    probe=WEB,
                    member=MEMBERS["alpha"],
                    verdict=Answer.UP,
                    streak=Answer.DOWN,
                    consecutive=1,
                    down_since=moment,
                ),
            )
        )

    assert due(down_since(NOW + 1))[1] == NOW + 1
    assert due(down_since(NOW))[1] == INSTANCES_STEADY


@pytest.mark.parametrize(("age", "moment"), [(9.5, NOW - 9.5 + 20), (10.0, NOW), (10.5, NOW)])
def test_before_a_takeover_the_instances_are_looked_at_unless_just_seen(age, moment):
    """Within an observe interval of the last look there is none: the first down had one."""
    assert due(view(described_at=NOW - age), Action.CONFIRM)[1] == moment


def test_no_look_is_taken_while_a_call_is_out():
    """The next pass comes with its answer: what a look shows before is not read by anybody."""
    calls = (Detach(eni_id="eni-1", attachment_id="att-1", force=False),)
    seen = view(shape=detaching("alpha"), described_at=NOW - 9.5)
    decision = Decision(action=Action.TAKE_OVER, reason=Reason.HOLDER_DOWN, calls=calls)
    without = Decision(action=Action.MOVE, reason=Reason.DETACHING)

    assert schedule.schedule(seen, decision).describe_at == NOW + policy().call_timeout
    assert schedule.schedule(seen, without).describe_at < NOW + 1.0
