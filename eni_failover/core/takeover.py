"""A takeover from its cause to its end, but for the moves: confirmation, intent, fence, ending.

    begin          one more describe confirms the cause; then the intent is written
    pursue         before the point of no return: the fence, then the first detach
    end_takeover   what stays in memory, and the line for the history

`early_confirm` asks for the confirming describe before there is a cause. One more down would make the holder
down, and when that down comes is known: each attempt begins an interval after the one before it, and takes
about as long. It moves nothing by itself, and counts only for the member whose turn is the first: others must
see what the first one did. A detach names the attachment that was seen; what happens after the describe is
EC2's to refuse.

The fence stops the holder's instance, and sees it stopped, before anything is detached. Only takeovers by
probes stop it; EC2's word that it is being stopped, by whomever, moves nothing before the stop is over. A
refused fence moves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from eni_failover.core import moves, triggers
from eni_failover.core.decision import Call, Decision, StopInstance
from eni_failover.core.fitness import obstacles
from eni_failover.core.health import Health
from eni_failover.core.model import History, InstanceState
from eni_failover.core.pause import clear_limits
from eni_failover.core.policy import FenceMode, TakeoverMode
from eni_failover.core.state import Confirm, Move, RecentTakeover, Rest, Sent, State, Takeover, begin_rest
from eni_failover.core.triggers import Cause
from eni_failover.core.view import View
from eni_failover.core.vocabulary import NOBODY, Action, Answer, Phase, Reason, Result, Scope, Trigger

CONFIRMED_CALLS = 2  # of call_timeout: for so long the confirming describe is new enough to begin on
CONFIRM_LEAD = 0.25  # seconds before the deciding down: more than a describe takes, most of the time
CONFIRM_LATEST = 1.0  # seconds; a verdict that comes later than that asks for a describe of its own

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
    longest = CONFIRM_LATEST if confirm.early else CONFIRMED_CALLS * view.policy.call_timeout
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
        state, decision = end_takeover(view, takeover, Result.FAILED, Reason.FENCE_REFUSED)
        return begin_rest(state, Rest.FENCE, view.policy, view.now), decision
    if fenced.waits:
        decision = Decision(action=Action.MOVE, reason=Reason.FENCING, calls=fenced.calls)
        return view.with_takeover(takeover).state, decision
    step_ = moves.carry_on(view, takeover)
    decision = Decision(action=Action.TAKE_OVER, reason=takeover.reason, calls=step_.calls)
    if not step_.calls:
        decision = replace(decision, action=Action.MOVE, reason=step_.reason)
    return view.with_takeover(step_.takeover).state, decision


def end_takeover(view: View, takeover: Takeover, result: Result, reason: Reason) -> tuple[State, Decision]:
    """Ends the takeover. Nothing more is called; the next pass looks at the world as it then is."""
    durable = replace(view.state.durable, takeover=None)
    if takeover.is_committed and takeover.trigger is not Trigger.MANUAL:
        durable = replace(
            durable, past=(*durable.past, RecentTakeover(trigger=takeover.trigger, ended_at=view.now))
        )
    if result is Result.SUCCESS and takeover.trigger is Trigger.MANUAL:
        durable = clear_limits(durable)
    if result is Result.SUCCESS and takeover.trigger is Trigger.FAILBACK:
        durable = replace(durable, failback_at=view.now)
    state = replace(view.state, durable=durable)
    if result is Result.FAILED and takeover.trigger is Trigger.SPLIT:
        state = begin_rest(state, Rest.SPLIT, view.policy, view.now)
    ended = History(
        takeover_id=takeover.takeover_id,
        trigger=takeover.trigger,
        reason=reason,
        from_member=takeover.from_member,
        to_member=view.policy.me.name,
        started_wall=takeover.started_wall,
        ended_wall=takeover.started_wall + (view.now - takeover.started_at),
        result=result,
        phases=_phases(takeover, view.now),
        detail=takeover.detail,
    )
    return state, Decision(action=Action.END, reason=reason, ended=ended)


def phase(takeover: Takeover) -> Phase:
    """The phase that a takeover under way is in."""
    if takeover.attached_at is not None:
        return Phase.LINK
    if takeover.available_at is not None:
        return Phase.ATTACH
    if takeover.detach_at is not None:
        return Phase.DETACH
    if takeover.fence_began_at is not None and takeover.fenced_at is None:
        return Phase.FENCE
    return Phase.OBSERVE


def _phases(takeover: Takeover, now: float) -> tuple[tuple[Phase, float], ...]:
    """Each phase that happened, with its seconds, in order. Together: from the first sign to now."""
    waited = takeover.judged_at is not None and takeover.judged_at < takeover.matched_at
    ends = (
        (Phase.DETECT, takeover.judged_at if waited else takeover.matched_at),
        (Phase.WAIT, takeover.matched_at if waited else None),
        (Phase.OBSERVE, takeover.started_at),
        (Phase.FENCE, takeover.fenced_at),
        (Phase.DETACH, takeover.available_at if takeover.detach_at is not None else None),
        (Phase.ATTACH, takeover.attached_at),
        (phase(takeover), now),
    )
    spent: dict[Phase, float] = {}
    at = takeover.cause_at
    for name, end_at in ends:
        if end_at is not None:
            spent[name] = spent.get(name, 0.0) + max(0.0, end_at - at)
            at = max(at, end_at)
    return tuple(spent.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Fenced:
    """The takeover after this pass's look at the fence; `waits` while it is not done."""

    takeover: Takeover
    waits: bool
    calls: tuple[Call, ...] = ()


def begins_on_instances(view: View, trigger: Trigger) -> bool:
    """Whether a takeover for this cause is begun only on a new look at the instances."""
    return trigger is Trigger.EC2 or (trigger is Trigger.PROBES and view.policy.fence is FenceMode.STOP)


def why_fence_gone(view: View, takeover: Takeover) -> Reason | None:
    """Why a takeover whose stop was asked for ends before it has moved anything, None while it goes on.

    The stop is a point of no return as far as pauses, and our own stalls and restarts, go: the holder serves
    nobody any more, and nobody else would act before the resume. Only a holder that answers again ends it,
    and after an accepted stop only one that EC2 still shows running: it may answer for as long as it stops.
    """
    unable = next((why for why in obstacles(view) if why is not Reason.EC2_SILENT), None)
    if takeover.fence is Sent.ACCEPTED and not _is_without_effect(view, takeover):
        return unable
    asked = [health for health in view.state.health if health.probe.scope is Scope.HOLDER]
    silent = sum(health.streak is not Answer.UP for health in asked)
    return Reason.CAUSE_GONE if silent < view.policy.down_needed else unable


def fence(view: View, takeover: Takeover) -> Fenced:
    """Stops the holder's instance if the policy says so, and waits until EC2 shows it stopped."""
    due = view.policy.fence is FenceMode.STOP and takeover.trigger is Trigger.PROBES
    if not due or view.holder is None:
        return Fenced(takeover=takeover, waits=False)
    state = _state_since(view, takeover)
    if state in {InstanceState.PENDING, InstanceState.RUNNING}:
        takeover = replace(takeover, fenced_at=None, fence_began_at=None, fence=Sent.NO, fence_sent_at=None)
    elif state in {InstanceState.STOPPING, InstanceState.SHUTTING_DOWN}:
        takeover = replace(takeover, fenced_at=None)  # started meanwhile, and already on its way to a stop
    if takeover.fenced_at is not None:
        return Fenced(takeover=takeover, waits=_may_have_started(view, takeover))
    if takeover.fence_began_at is None:
        takeover = replace(takeover, fence_began_at=view.now, fence_instance=view.holder.instance_id)
    if _is_stopped(view, takeover):
        return Fenced(takeover=replace(takeover, fenced_at=view.now), waits=False)
    if takeover.fence_refused or not _may_ask(view, takeover):
        return Fenced(takeover=takeover, waits=True)
    call = StopInstance(instance_id=view.holder.instance_id)
    asked = replace(takeover, fence=Sent.UNANSWERED, fence_sent_at=view.now, fence_retry_at=None)
    return Fenced(takeover=asked, waits=True, calls=(call,))


def _is_stopped(view: View, takeover: Takeover) -> bool:
    """Whether EC2, asked after the fence was begun, says that the instance runs no more."""
    absent = view.state.absent_holder
    if absent is not None and absent.confirmed and absent.instance_id == takeover.fence_instance:
        return True
    survey, began_at = view.obs.instances, takeover.fence_began_at
    if not survey.answered or began_at is None or survey.began_at < began_at:
        return False
    instance = survey.find(takeover.fence_instance)
    return instance is not None and instance.state in {InstanceState.STOPPED, InstanceState.TERMINATED}


def _state_since(view: View, takeover: Takeover) -> InstanceState | None:
    """What the instance is by a look from after it was seen stopped; None without such a look."""
    fenced_at, survey = takeover.fenced_at, view.obs.instances
    if fenced_at is None or not survey.answered or survey.began_at <= fenced_at:
        return None
    instance = survey.find(takeover.fence_instance)
    return None if instance is None else instance.state


def _may_have_started(view: View, takeover: Takeover) -> bool:
    """Whether a detach has been tried since the instance was last looked at, and moved nothing."""
    tried = [move.detach_sent_at for move in takeover.moves if move.detach_sent_at is not None]
    return bool(tried) and view.obs.instances.began_at <= max(tried)


def _may_ask(view: View, takeover: Takeover) -> bool:
    if takeover.fence_retry_at is not None and view.now < takeover.fence_retry_at:
        return False
    if takeover.fence is Sent.NO:
        return True
    # StopInstances is idempotent: it may be asked for again.
    return _is_without_effect(view, takeover)


def _is_without_effect(view: View, takeover: Takeover) -> bool:
    """Whether EC2 shows the instance running, long enough after it was asked to stop it."""
    sent_at, survey = takeover.fence_sent_at, view.obs.instances
    settled = sent_at is not None and survey.began_at >= sent_at + view.policy.call_timeout
    instance = survey.find(takeover.fence_instance)
    return settled and instance is not None and instance.state is InstanceState.RUNNING


def early_confirm(view: View) -> Confirm | None:
    """What is being confirmed before there is a cause; None while nothing is foreseen, or too far away."""
    attachment, begin_at = view.holder_attachment, confirm_due_at(view)
    if attachment is None or begin_at is None or begin_at > view.now:
        return None
    known = view.state.confirm
    if known is not None and known.early and known.attachment_id == attachment.attachment_id:
        return known
    return Confirm(trigger=Trigger.PROBES, attachment_id=attachment.attachment_id, since=view.now, early=True)


def confirm_due_at(view: View) -> float | None:
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
    return expected[needed - 1] - CONFIRM_LEAD


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
