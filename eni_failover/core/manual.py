"""Row 5, the manual takeover: what becomes of an operator's request.

It is answered once: held, joined to a takeover under way, refused with the reason, or started.
"""

from __future__ import annotations

from dataclasses import replace

from eni_failover.core.decision import Decision, RequestAnswer, RequestFate
from eni_failover.core.fitness import why_not_able
from eni_failover.core.model import TakeoverRequest
from eni_failover.core.starting import StepResult, begin
from eni_failover.core.triggers import Cause
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Action, Reason, Trigger


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
