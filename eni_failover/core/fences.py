"""The fence: the holder's instance is stopped, and seen stopped, before anything is detached.

Only takeovers by probes stop it; EC2's word that it is being stopped, by whomever, moves nothing before the
stop is over. A refused fence moves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from eni_failover.core.decision import Call, StopInstance
from eni_failover.core.fitness import obstacles
from eni_failover.core.model import InstanceState
from eni_failover.core.policy import FenceMode
from eni_failover.core.state import Sent, Takeover
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Answer, Reason, Scope, Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Fenced:
    """The takeover after this pass's look at the fence; `waits` while it is not done."""

    takeover: Takeover
    waits: bool
    calls: tuple[Call, ...] = ()


def is_being_stopped(view: View) -> bool:
    """Whether the holder's instance is on its way to the stop that has to be seen before anything moves.

    Without this the stop that one member asks for would be the cause of another's takeover.
    """
    if view.policy.fence is not FenceMode.STOP or view.holder is None:
        return False
    instance = view.instances.find(view.holder.instance_id)
    return instance is not None and instance.state in {InstanceState.STOPPING, InstanceState.SHUTTING_DOWN}


def begins_on_instances(view: View, trigger: Trigger) -> bool:
    """Whether a takeover for this cause is begun only on a new look at the instances."""
    return trigger is Trigger.EC2 or (trigger is Trigger.PROBES and view.policy.fence is FenceMode.STOP)


def why_gone(view: View, takeover: Takeover) -> Reason | None:
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
