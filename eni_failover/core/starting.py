"""Starting a takeover: the confirmation, the intent, and the calls before the point of no return.

Owns what stands between a cause and the first detach. Which cause, and whose turn, is decided before.
"""

from __future__ import annotations

from dataclasses import replace

from eni_failover.core import endings, foreseen, moves, rests, triggers
from eni_failover.core.decision import Decision
from eni_failover.core.fences import begins_on_instances, fence
from eni_failover.core.policy import TakeoverMode
from eni_failover.core.snapshot import NOBODY
from eni_failover.core.state import Confirm, Move, Rest, Sent, State, Takeover
from eni_failover.core.triggers import Cause
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Action, Reason, Result, Trigger

CONFIRMED_CALLS = 2  # of call_timeout: for so long the confirming describe is new enough to begin on

StepResult = tuple[State, Decision]

_JUDGED = {Trigger.UNOWNED, Trigger.EC2, Trigger.PROBES}


def begin(view: View, cause: Cause) -> StepResult:
    """Confirms the cause by one more describe, then writes the intent and makes the first call."""
    trigger, request = cause.trigger, view.state.request
    too_old = triggers.too_old(view) if trigger is Trigger.PROBES else ()
    if trigger is not Trigger.MANUAL and view.policy.takeover is TakeoverMode.OBSERVE:
        return _would(view, cause, too_old)
    confirm = view.state.confirm
    is_same = confirm and (confirm.trigger, confirm.attachment_id) == (trigger, cause.attachment_id)
    if confirm is None or not is_same or confirm.since < cause.cause_at < view.now:
        confirm = Confirm(trigger=trigger, attachment_id=cause.attachment_id, since=view.now)
    age = view.now - view.obs.enis.began_at
    longest = foreseen.LATEST if confirm.early else CONFIRMED_CALLS * view.policy.call_timeout
    if view.obs.enis.began_at > confirm.since and age > longest:
        confirm = replace(confirm, since=view.now, early=False)  # an answer was waited for meanwhile
    fresh = view.obs.enis.began_at > confirm.since
    if begins_on_instances(view, trigger):
        fresh = fresh and view.obs.instances.answered and view.obs.instances.began_at > confirm.since
    if not fresh or too_old:
        state = replace(view.state, confirm=confirm, asked=too_old)
        return state, Decision(action=Action.CONFIRM, reason=cause.reason)
    takeover = Takeover(
        takeover_id=f"{int(view.obs.wall * 1000):x}-{view.policy.me.name}",
        trigger=trigger,
        reason=cause.reason,
        from_member=_from_member(view),
        started_at=view.now,
        started_wall=view.obs.wall,
        cause_at=min(cause.cause_at, confirm.since),
        matched_at=_matched_at(view, confirm),
        judged_at=view.state.caused_at if trigger in _JUDGED else None,
        moves=tuple(_intent(view, eni_id) for eni_id in view.policy.eni_ids),
        deadline_at=request.deadline if request and trigger is Trigger.MANUAL else None,
        request_id=request.request_id if request and trigger is Trigger.MANUAL else "",
        detail=request.reason if request and trigger is Trigger.MANUAL else "",
    )
    return pursue(view, takeover)


def _matched_at(view: View, confirm: Confirm) -> float:
    """When the row matched; the confirmation may have begun before it."""
    matched_at = view.state.turn_probes if confirm.early else None
    return confirm.since if matched_at is None else matched_at


def _intent(view: View, eni_id: str) -> Move:
    eni = next(one for one in view.enis if one.eni_id == eni_id)
    usable = eni in view.usable and not view.is_mine(eni)
    recorded = eni.attachment.attachment_id if usable and eni.attachment else None
    return Move(eni_id=eni.eni_id, recorded=recorded)


def _from_member(view: View) -> str:
    attachment = view.first.attachment if view.first else None
    member = view.policy.member_of(attachment.instance_id) if attachment else None
    return member.name if member else NOBODY


def _would(view: View, cause: Cause, too_old: tuple[str, ...]) -> StepResult:
    """Observe mode: the decision is reported once for each cause, and not acted on."""
    if too_old:
        state = replace(view.state, asked=too_old)
        return state, Decision(action=Action.CONFIRM, reason=cause.reason)
    key = cause_of(cause)
    would = cause.trigger if view.state.reported_cause != key else None
    state = replace(view.state, reported_cause=key)
    return state, Decision(action=Action.WOULD_TAKE_OVER, reason=cause.reason, would=would)


def cause_of(cause: Cause) -> str:
    """One word for the cause: as long as it stays the same, it is the same outage."""
    return f"{cause.trigger}:{cause.attachment_id}:{cause.reason}"


def _rests_on_probes(view: View, takeover: Takeover) -> bool:
    """Whether only the probes say that the holder is down: its instance has not been asked to stop."""
    return takeover.trigger is Trigger.PROBES and takeover.fence is Sent.NO and view.holder is not None


def is_word_old(view: View, takeover: Takeover) -> bool:
    """Whether EC2's word about the holder, on which this takeover rests, is from before a refused detach."""
    if takeover.trigger is not Trigger.EC2:
        return False
    refused = [
        one.detach_sent_at for one in takeover.moves if one.throttled and one.detach_sent_at is not None
    ]
    return any(view.instances.began_at <= sent_at for sent_at in refused)


def pursue(view: View, takeover: Takeover) -> StepResult:
    """The next calls of a takeover that has moved nothing yet: the fence, then the first detach."""
    too_old = triggers.too_old(view) if _rests_on_probes(view, takeover) else ()
    if too_old:
        state = replace(view.with_takeover(takeover).state, asked=too_old)
        return state, Decision(action=Action.CONFIRM, reason=takeover.reason)
    if is_word_old(view, takeover):
        return view.with_takeover(takeover).state, Decision(action=Action.CONFIRM, reason=takeover.reason)
    fenced = fence(view, takeover)
    takeover = fenced.takeover
    if takeover.fence_refused:
        state, decision = endings.end(view, takeover, Result.FAILED, Reason.FENCE_REFUSED)
        return rests.begin(state, Rest.FENCE, view.policy, view.now), decision
    if fenced.waits:
        decision = Decision(action=Action.MOVE, reason=Reason.FENCING, calls=fenced.calls)
        return view.with_takeover(takeover).state, decision
    step_ = moves.carry_on(view, takeover)
    decision = Decision(action=Action.TAKE_OVER, reason=takeover.reason, calls=step_.calls)
    if not step_.calls:
        decision = replace(decision, action=Action.MOVE, reason=step_.reason)
    return view.with_takeover(step_.takeover).state, decision
