"""The confirming describe, begun while the answer that will decide is still out.

    down     down     (third attempt ......... timeout) DOWN -> detach
                                    describe ----->

One more down would make the holder down, and when that down comes is known: each attempt begins an interval
after the one before it, and takes about as long. A describe begun LEAD before it is there in time.

It moves nothing by itself, and counts only for the member whose turn is the first: others wait for theirs,
and must see what the first one did. A detach names the attachment that was seen: what happens after this
describe is EC2's to refuse.
"""

from __future__ import annotations

from eni_failover.core import triggers
from eni_failover.core.health import Health
from eni_failover.core.policy import TakeoverMode
from eni_failover.core.state import Confirm
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Answer, Scope, Trigger

LEAD = 0.25  # seconds before the deciding down: more than a describe takes, most of the time
LATEST = 1.0  # seconds; a verdict that comes later than that asks for a describe of its own


def confirm(view: View) -> Confirm | None:
    """What is being confirmed before there is a cause; None while nothing is foreseen, or too far away."""
    attachment, begin_at = view.holder_attachment, due_at(view)
    if attachment is None or begin_at is None or begin_at > view.now:
        return None
    known = view.state.confirm
    if known is not None and known.early and known.attachment_id == attachment.attachment_id:
        return known
    return Confirm(trigger=Trigger.PROBES, attachment_id=attachment.attachment_id, since=view.now, early=True)


def due_at(view: View) -> float | None:
    """When the confirming describe is to begin; None when no single further down would start a takeover."""
    holders = [one for one in view.state.health if one.probe.scope is Scope.HOLDER]
    needed = view.policy.down_needed - sum(one.is_down for one in holders)
    expected = sorted(_decided_at(one) for one in holders if _is_nearly_down(one))
    if not 0 < needed <= len(expected):
        return None  # at rest that is all
    if view.unknown or _is_busy(view) or view.turn != 0 or view.is_short_of_calls:
        return None
    if view.policy.takeover is TakeoverMode.OBSERVE:
        return None
    if triggers.why_rest_waits(view) is not None or triggers.why_not_by_probes(view) is not None:
        return None
    return expected[needed - 1] - LEAD


def _is_nearly_down(health: Health) -> bool:
    """Whether one more down decides."""
    return health.streak is Answer.DOWN and health.consecutive == health.probe.fall - 1


def _decided_at(health: Health) -> float:
    """When the next answer is expected."""
    asked_at = 0.0 if health.newest_at is None else health.newest_at
    return asked_at + max(health.probe.fast_interval, health.took) + health.took


def _is_busy(view: View) -> bool:
    """Whether a takeover or an operator's request comes first."""
    return view.takeover is not None or view.state.request is not None
