"""The decision table: an ordered list of rules, the first that applies acts.

Every rule is `rule(view) -> (state, decision) | None`. Rules only read the view; nothing else decides. The
table with its rows, terms and reasons, and a member's states, are in docs/design/decision-table.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from eni_failover.core import moves, triggers
from eni_failover.core.decision import Call, Decision, KeepOnTermination, RequestAnswer, RequestFate
from eni_failover.core.fitness import why_not_able, why_not_fit
from eni_failover.core.frozen import changed
from eni_failover.core.model import Eni, Observation, TakeoverRequest
from eni_failover.core.policy import Policy, TakeoverMode
from eni_failover.core.schedule import schedule
from eni_failover.core.state import Rest, Sent, State, Takeover, begin_rest, rests_until
from eni_failover.core.takeover import (
    StepResult,
    begin,
    cause_of,
    early_confirm,
    end_takeover,
    pursue,
    why_fence_gone,
)
from eni_failover.core.triggers import Cause
from eni_failover.core.update import update
from eni_failover.core.view import READY_BOUND, View, are_late, not_ready
from eni_failover.core.vocabulary import Action, Answer, Reason, Result, Scope, Trigger

Rule = Callable[[View], StepResult | None]


def step(state: State, obs: Observation, policy: Policy) -> StepResult:
    """One pass: takes the observation in, asks the rules, says when to look again.

    `state` is never changed; the returned one must be on disk (its durable part) before any of the
    decision's calls is made.
    """
    view = View(update(state, obs, policy), obs, policy)
    view = view.with_state(triggers.turns(view))
    view, answers = answer_early(view)
    state, decision = next(turnout for rule in RULES if (turnout := rule(view)) is not None)
    if decision.action is not Action.CONFIRM and not view.unknown:
        # A describe that failed is no news: the confirmation goes on waiting for one that does not.
        state = changed(state, confirm=early_confirm(view.with_state(state)), asked=())
    if state.reported_cause and not _may_go_on(view.with_state(state)):
        state = replace(state, reported_cause="")
    decision = changed(decision, answers=(*answers, *decision.answers))
    return state, schedule(view.with_state(state), decision)


def _wait(view: View, reason: Reason, action: Action = Action.WAIT) -> StepResult:
    return view.state, Decision(action=action, reason=reason)


def hold_attached(view: View) -> StepResult | None:
    """Row 3. All ENIs are attached here: done once the links are ready, undone once if they never are."""
    if view.unknown or not view.all_here:
        return None
    state = view.state
    answers: tuple[RequestAnswer, ...] = ()
    if state.request is not None and not not_ready(view):
        answer = RequestAnswer(request_id=state.request.request_id, fate=RequestFate.HELD, reason=Reason.HELD)
        answers, state = (answer,), replace(state, request=None)
        view = view.with_state(state)
    state, decision = _hold(view)
    keep = _keep(view, decision.calls)
    if keep:
        state = begin_rest(state, Rest.KEEP, view.policy, view.now)
    return state, changed(decision, answers=answers, calls=(*decision.calls, *keep))


def _hold(view: View) -> StepResult:
    takeover, waiting = view.takeover, not_ready(view)
    if takeover is not None:
        return _arrive(view, takeover, waiting)
    if not waiting:
        return _wait(view, Reason.HELD, Action.HOLD)
    return _wait(view, Reason.LINK_NOT_READY if are_late(view) else Reason.LINK_WAIT)


def _arrive(view: View, takeover: Takeover, waiting: tuple[Eni, ...]) -> StepResult:
    undoing = moves.undoing(view, takeover, waiting)
    if undoing:
        return _undo(view, takeover, undoing)
    if not waiting:
        return end_takeover(view, takeover, Result.SUCCESS, takeover.reason)
    if takeover.link_since is None or view.now - takeover.link_since < READY_BOUND:
        return _wait(view, Reason.LINK_WAIT, Action.MOVE)
    if takeover.repaired:
        return end_takeover(view, takeover, Result.FAILED, Reason.LINK_NOT_READY)
    return _undo(view, replace(takeover, repaired=True), waiting)


def _undo(view: View, takeover: Takeover, enis: tuple[Eni, ...]) -> StepResult:
    undone = moves.undo(view, takeover, enis)
    decision = Decision(action=Action.MOVE, reason=Reason.LINK_NOT_READY, calls=undone.calls)
    return view.with_takeover(undone.takeover).state, decision


def _keep(view: View, calls: tuple[Call, ...]) -> tuple[Call, ...]:
    """DeleteOnTermination found true is set false: terminating this instance would destroy the ENI.

    Asked once a minute, answered or not: a describe may go on showing the old value for a while.
    """
    if calls or rests_until(view.state, Rest.KEEP) > view.now:
        return ()
    return tuple(
        KeepOnTermination(eni_id=eni.eni_id, attachment_id=eni.attachment.attachment_id)
        for eni in view.usable
        if eni.attachment is not None and eni.attachment.delete_on_termination
    )


def carry_on_takeover(view: View) -> StepResult | None:
    """Row 4. Past the point of no return: carried on whatever pause, probes, limits or fitness say."""
    takeover = view.takeover
    if takeover is None or not takeover.is_committed:
        return None
    lost = moves.why_lost(view, takeover)
    if lost is not None:
        return end_takeover(view, takeover, Result.LOST, lost)
    if view.missing and not view.usable and not view.unknown and not view.foreign:
        return end_takeover(view, takeover, Result.FAILED, Reason.ENI_MISSING)
    barred = moves.why_barred(view, takeover)
    if barred is not None:
        return _give_up(view, takeover, barred)
    if moves.has_hung_twice(view, takeover):
        takeover = replace(takeover, failing=True)
    hanging = any(view.is_mine(eni) and not view.is_attached_here(eni) for eni in view.usable)
    if takeover.failing and not hanging and not view.unknown:
        return _give_up(view, takeover, Reason.ATTACH_STUCK)
    step_ = moves.carry_on(view, takeover)
    reason = Reason.ENI_UNKNOWN if view.unknown and not step_.calls else step_.reason
    decision = Decision(action=Action.MOVE, reason=reason, calls=step_.calls)
    return view.with_takeover(step_.takeover).state, decision


def _give_up(view: View, takeover: Takeover, reason: Reason) -> StepResult:
    """EC2 will not let this member have the first ENI: who can have it must be free to take it."""
    state, decision = end_takeover(view, takeover, Result.FAILED, reason)
    if reason in {Reason.NO_INDEX, Reason.INSTANCE_NOT_RUNNING}:
        return state, decision  # it is not able for as long as that is so
    return begin_rest(state, Rest.RESCUE, view.policy, view.now), decision


def wait_for_ec2(view: View) -> StepResult | None:
    """Row 1. An ENI's state is unknown: nothing may start, and nothing already intended may go on.

    An operator waits for the next answer, but not where none has come for so long that this member is
    not able.
    """
    if not view.unknown:
        return None
    obstacle = why_not_able(view)
    if obstacle is not None and view.state.request is not None and view.takeover is None:
        return refuse(view, view.state.request, obstacle)
    return _wait(view, Reason.ENI_UNKNOWN)


def recheck_intent(view: View) -> StepResult | None:
    """Row 4. Before the point of no return the starting row is asked again, every pass."""
    takeover = view.takeover
    if takeover is None:
        return None
    gone = _why_gone(view, takeover)
    if gone is not None:
        return end_takeover(view, takeover, Result.FAILED, gone)
    barred = moves.why_barred(view, takeover)
    if barred is Reason.ATTACH_REFUSED:
        return _give_up(view, takeover, barred)
    return pursue(view, takeover)


def _why_gone(view: View, takeover: Takeover) -> Reason | None:
    if takeover.trigger is Trigger.MANUAL:
        return _why_manual_gone(view, takeover)
    if _is_replaced(view, takeover):
        return Reason.CAUSE_GONE
    if takeover.fence is not Sent.NO and view.holder is not None:
        return why_fence_gone(view, takeover)
    waits = None if takeover.trigger is Trigger.UNOWNED else triggers.why_rest_waits(view)
    if waits is not None:
        return waits
    if triggers.is_freed_by_ec2(view, takeover):
        return why_not_fit(view)
    cause = _starter_of(takeover.trigger)(view)
    return Reason.CAUSE_GONE if cause is None else cause.block


def _is_replaced(view: View, takeover: Takeover) -> bool:
    """Whether it is about another attachment, or a reload wants another group moved, or none."""
    same_group = {move.eni_id for move in takeover.moves} == set(view.policy.eni_ids)
    observes = view.policy.takeover is TakeoverMode.OBSERVE
    return observes or not same_group or not _is_recorded(view, takeover)


def _why_manual_gone(view: View, takeover: Takeover) -> Reason | None:
    if takeover.deadline_at is not None and view.now >= takeover.deadline_at:
        return Reason.REQUEST_EXPIRED
    other = view.holder is not None and not view.i_hold and not _is_recorded(view, takeover)
    return Reason.OTHER_TAKEOVER if other else why_not_able(view)


def _is_recorded(view: View, takeover: Takeover) -> bool:
    first = view.first
    if first is None or first.attachment is None or view.is_mine(first):
        return True
    return first.attachment.attachment_id == takeover.move(first.eni_id).recorded


def answer_operator(view: View) -> StepResult | None:
    """Row 5. An operator asked: start, or refuse at once and say why."""
    request = view.state.request
    if request is None:
        return None
    refusal = _why_rest_refused(view)
    if refusal is not None:
        return refuse(view, request, refusal)
    attachment = view.holder_attachment
    cause = Cause(
        trigger=Trigger.MANUAL,
        reason=Reason.OPERATOR,
        cause_at=view.now,
        attachment_id=attachment.attachment_id if attachment else None,
    )
    state, decision = begin(view, cause)
    if decision.action is Action.CONFIRM:
        return state, decision
    answer = RequestAnswer(request_id=request.request_id, fate=RequestFate.STARTED, reason=Reason.OPERATOR)
    return replace(state, request=None), replace(decision, answers=(answer,))


def refuse(view: View, request: TakeoverRequest, reason: Reason) -> StepResult:
    """The request is over, for this reason."""
    answer = RequestAnswer(request_id=request.request_id, fate=RequestFate.REFUSED, reason=reason)
    decision = Decision(action=Action.REFUSE, reason=reason, answers=(answer,))
    return replace(view.state, request=None), decision


def _why_rest_refused(view: View) -> Reason | None:
    if view.foreign_until > view.now or (view.first is None and view.foreign):
        return Reason.FOREIGN_HOLDER
    if view.first is None:
        return Reason.ENI_MISSING
    if view.is_moving:
        return Reason.OTHER_TAKEOVER
    return why_not_able(view)


def _causes(view: View) -> set[str]:
    """The causes that are there, acted on or not: one of them that was reported stays reported."""
    found = (starter(view) for starter in (triggers.unowned, *_STARTERS.values()))
    return {cause_of(cause) for cause in found if cause is not None}


def _may_go_on(view: View) -> bool:
    """Whether the cause that was reported is there still, or nobody knows: silence ends no outage."""
    verdicts = view.verdicts(Scope.HOLDER)
    is_known = not view.unknown and (not verdicts or any(one is not Answer.UNKNOWN for one in verdicts))
    return not is_known or view.state.reported_cause in _causes(view)


def attach_unattached(view: View) -> StepResult | None:
    """Row 6. The first ENI is unattached: some member must have it."""
    cause = triggers.unowned(view)
    if cause is None or cause.block is not None:
        return None
    if triggers.is_rescue_due(view) or triggers.turn_at(view, Trigger.UNOWNED) <= view.now:
        return begin(view, cause)
    return None


def hold_back(view: View) -> StepResult | None:
    """Rows 2 and 7. A foreign instance took an ENI of late, a pause, or the start-up grace: wait."""
    reason = triggers.why_rest_waits(view)
    return None if reason is None else _wait(view, reason)


def _starter_of(trigger: Trigger) -> Callable[[View], Cause | None]:
    return triggers.unowned if trigger is Trigger.UNOWNED else _STARTERS[trigger]


_STARTERS: dict[Trigger, Callable[[View], Cause | None]] = {
    Trigger.SPLIT: triggers.split,
    Trigger.EC2: triggers.ec2,
    Trigger.PROBES: triggers.probes,
    Trigger.FAILBACK: triggers.failback,
}


def start_takeover(view: View) -> StepResult | None:
    """Rows 8 to 11. Split, EC2, probes, failback: the first whose cause is there, unblocked, in its turn."""
    for trigger, starter in _STARTERS.items():
        cause = starter(view)
        if cause is None or cause.block is not None:
            continue
        if triggers.turn_at(view, trigger) <= view.now:
            return begin(view, cause)
    return None


def explain_wait(view: View) -> StepResult:
    """Row 12. Say what holds a cause back, what is wrong with the group, or that all is well."""
    for starter in (triggers.unowned, *_STARTERS.values()):
        cause = starter(view)
        if cause is not None:
            return _wait(view, cause.block or Reason.NOT_MY_TURN)
    if view.foreign or view.missing:
        return _wait(view, Reason.FOREIGN_HOLDER if view.foreign else Reason.ENI_MISSING)
    if view.is_moving:
        return _wait(view, Reason.MOVING)
    verdicts = view.verdicts(Scope.HOLDER)
    if view.i_hold or Answer.UP in verdicts:
        return _wait(view, Reason.HOLDER_UP)
    return _wait(view, Reason.PROBE_UNKNOWN if verdicts else Reason.NO_HOLDER_PROBE)


def answer_early(view: View) -> tuple[View, tuple[RequestAnswer, ...]]:
    """A request joins a takeover that is under way, and ends with its deadline."""
    request = view.state.request
    if request is None:
        return view, ()
    if view.takeover is not None:
        fate, reason = RequestFate.JOINED, view.takeover.reason
    elif request.deadline <= view.now:
        fate, reason = RequestFate.REFUSED, Reason.REQUEST_EXPIRED
    else:
        return view, ()
    answer = RequestAnswer(request_id=request.request_id, fate=fate, reason=reason)
    return view.with_state(replace(view.state, request=None)), (answer,)


RULES: tuple[Rule, ...] = (
    hold_attached,
    carry_on_takeover,
    wait_for_ec2,
    recheck_intent,
    answer_operator,
    attach_unattached,
    hold_back,
    start_takeover,
    explain_wait,
)
