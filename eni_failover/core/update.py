"""Taking in an observation: from the state before the pass to what is known at its start.

Owns memory, decides nothing. Each function takes in one kind of fact.
"""

from __future__ import annotations

from dataclasses import replace

from eni_failover.core import health as healths
from eni_failover.core import outcomes, pause, polls
from eni_failover.core.fitness import is_impaired, why_not_fit
from eni_failover.core.frozen import changed
from eni_failover.core.health import Health
from eni_failover.core.idle import is_idle, shown
from eni_failover.core.model import (
    AttachmentStatus,
    Attempt,
    Eni,
    Observation,
    PauseKind,
    Presence,
    Stall,
    TakeoverRequest,
    Verdict,
)
from eni_failover.core.policy import AttachmentId, InstanceId, Member, Policy, question_of
from eni_failover.core.state import AbsentHolder, Durable, EniObservation, HolderRecord, State
from eni_failover.core.view import CONFIRM_AFTER, View, is_operators, not_ready
from eni_failover.core.vocabulary import Answer, Scope

# An ENI that is detaching is had by nobody any more.
_UNOWNED = {AttachmentStatus.DETACHING, Presence.MISSING, Presence.KNOWN}


def update(state: State, obs: Observation, policy: Policy) -> State:
    """The state with everything this observation says, before any rule is asked."""
    view = View(state, obs, policy)
    for take in _TAKES:
        view = view.with_state(take(view))
    return view.state


def _operators(view: View) -> State:
    state = changed(view.state, durable=pause.adopt(view.state.durable, view.obs))
    paused = view.with_state(state).is_paused
    if state.was_paused and not paused:
        # When a pause ends, probes and turns start afresh: nothing seen meanwhile may act.
        kept = tuple(healths.forget_downs(health, view.now) for health in state.health)
        state = replace(state, health=kept, turn_unowned=None, turn_ec2=None, turn_probes=None)
    request = next((one for one in view.obs.requests if isinstance(one, TakeoverRequest)), None)
    if request is not None and state.request is None:
        state = replace(state, request=request)
    if state.durable.pause != view.state.durable.pause and _is_resumed(state.durable):
        state = changed(state, barred_at=None)  # an operator has looked
    return changed(state, was_paused=paused)


def _is_resumed(durable: Durable) -> bool:
    """Whether the group's newest word is a resume."""
    return durable.pause is not None and durable.pause.kind is PauseKind.RESUME


def _stalls(view: View) -> State:
    """A stall of our own spoils what the probes did not find up; after a long one all starts over."""
    state = view.state
    for stall in view.obs.stalls:
        state = changed(state, health=tuple(_spoilt(health, stall, view) for health in state.health))
    long = [stall for stall in view.obs.stalls if _seconds(stall) > view.policy.max_loop_lag]
    if not long:
        return state
    durable = state.durable
    if durable.takeover is not None and durable.takeover.link_since is not None:
        # What the kernel told meanwhile has not been read yet.
        durable = replace(durable, takeover=replace(durable.takeover, link_since=view.now))
    return replace(
        state,
        durable=durable,
        stalled_at=max(stall.to_at for stall in long),
        not_ready_since=None,
        turn_unowned=None,
        turn_ec2=None,
        turn_probes=None,
        confirm=None,
    )


def _seconds(stall: Stall) -> float:
    return stall.to_at - stall.from_at


def _spoilt(health: Health, stall: Stall, view: View) -> Health:
    """The standing after a stall: half the timeout of an attempt is too much to lose."""
    shortest = min(view.policy.max_loop_lag, health.probe.timeout / 2)
    return healths.forget_downs(health, stall.to_at) if _seconds(stall) > shortest else health


def _survey(view: View) -> State:
    survey = view.obs.enis
    if view.state.surveyed_at == survey.began_at:
        return view.state
    if not survey.answered:
        failures = view.state.describe_failures + 1
        throttled_at = view.now if survey.throttled else view.state.throttled_at
        return replace(
            view.state,
            describe_failures=failures,
            throttled_at=throttled_at,
            surveyed_at=survey.began_at,
        )
    observed = tuple(_observation(view, eni) for eni in survey.enis)
    moved = observed != view.state.observed
    return replace(
        view.state,
        observed=observed,
        moved_at=view.now if moved else view.state.moved_at,
        describe_failures=0,
        surveyed_at=survey.began_at,
    )


def _observation(view: View, eni: Eni) -> EniObservation:
    known = view.observed(eni.eni_id)
    if eni.presence is Presence.UNKNOWN and known is not None:
        return known
    attachment = eni.attachment
    status = eni.presence.value if attachment is None else attachment.status.value
    attachment_id = None if attachment is None else attachment.attachment_id
    if known is not None and (known.status, known.attachment_id) == (status, attachment_id):
        return known
    began_at = view.obs.enis.began_at
    before = None if known is None else known.unowned_since
    return EniObservation(
        eni_id=eni.eni_id,
        status=status,
        attachment_id=attachment_id,
        since=began_at,
        seen_at=view.now,
        unowned_since=(began_at if before is None else before) if status in _UNOWNED else None,
    )


def _holder(view: View) -> State:
    state, survey = view.state, view.obs.enis
    if not survey.answered or view.unknown:
        if survey.answered:
            state = changed(state, last_answer_at=survey.began_at)
        return state
    at_start = state.known_at is None
    known_at = survey.began_at if state.known_at is None else state.known_at
    here = tuple(eni.eni_id for eni in view.usable if view.is_attached_here(eni))
    state = changed(state, last_answer_at=survey.began_at, known_at=known_at, here=here)
    attachment = view.holder_attachment
    if view.holder is None or attachment is None:
        return changed(state, holder_record=None)
    record = state.holder_record
    if record is None or record.attachment_id != attachment.attachment_id:
        record = _new_record(view, view.holder.instance_id, attachment.attachment_id, at_start=at_start)
    is_another = state.durable.last_had != view.holder.instance_id
    return changed(
        state,
        holder_record=record,
        holder_changed_at=view.now if is_another else state.holder_changed_at,
        durable=_had(view, view.holder.instance_id, at_start=at_start),
    )


def _new_record(
    view: View, holder: InstanceId, attachment_id: AttachmentId, *, at_start: bool
) -> HolderRecord:
    """What is known of a holder by another attachment than a moment ago.

    One stale read shows another holder for a moment, and another first ENI is no other holder: what was seen
    of this one before still holds.
    """
    state, before = view.state, view.state.holder_record
    lock = view.first.eni_id if view.first else None
    is_other_lock = state.durable.lock not in {None, lock}
    if before is not None and before.instance_id == holder and is_other_lock:
        return replace(before, attachment_id=attachment_id)
    asked = question_of(view.policy.probes)
    is_known = attachment_id == state.durable.last_up and state.durable.last_up_by in {"", asked}
    since = None if is_known else state.started_at if at_start else view.now
    return HolderRecord(instance_id=holder, attachment_id=attachment_id, since=since, asked=asked)


def _had(view: View, holder: InstanceId, *, at_start: bool) -> Durable:
    durable, local = view.state.durable, view.policy.me.instance_id
    durable = changed(durable, lock=view.first.eni_id if view.first else None)
    if holder == local:
        return changed(durable, last_had=holder, lost_at=None, unfit_since_loss=False, lost_unseen=False)
    if durable.last_had != local:
        return changed(durable, last_had=holder)
    heir = view.peer(holder)
    soon = (
        durable.failback_at is not None
        and view.now - durable.failback_at <= view.policy.max_takeovers_window
        and not (heir is not None and is_operators(heir))
    )
    return replace(
        durable,
        last_had=holder,
        lost_at=view.now,
        lost_unseen=at_start,
        unfit_since_loss=durable.unfit_since_loss or is_impaired(view),
        failback_blocked=durable.failback_blocked or soon,
    )


def _target(view: View, scope: Scope) -> Member | None:
    if scope is not Scope.HOLDER:
        return view.policy.me
    record = view.state.holder_record
    if record is None or record.instance_id == view.policy.me.instance_id:
        return None
    return view.policy.member_of(record.instance_id)


def _probes(view: View) -> State:
    state, record, asked = view.state, view.state.holder_record, question_of(view.policy.probes)
    if record is not None and record.asked != asked:
        # What proved the holder was another question: the new one may never be answered at all.
        record = replace(record, since=view.now, proven=False, answered=False, asked=asked)
    known = {(health.probe, health.member): health for health in state.health}
    standing = []
    for probe in view.policy.probes:
        target = _target(view, probe.scope)
        health = known.get((probe, target)) or healths.fresh(probe, target, view.now)
        for attempt in view.obs.attempts:
            if (attempt.probe, attempt.member) != (probe, target):
                continue
            health = healths.advance(health, attempt)
            if probe.scope is Scope.HOLDER and record is not None:
                record = changed(record, answered=record.answered or _is_refusal(attempt))
        standing.append(healths.lapse(health, view.now))
    durable = state.durable
    if record is not None and _is_seen_up(view.policy, record, standing):
        record = changed(record, proven=True)
        durable = changed(durable, last_up=record.attachment_id, last_up_by=asked)
    return changed(state, health=tuple(standing), holder_record=record, durable=durable)


def _is_seen_up(policy: Policy, record: HolderRecord, standing: list[Health]) -> bool:
    """Whether so many holder probes have found this holder up that the others do not make it down."""
    of_holder = [health for health in standing if health.probe.scope is Scope.HOLDER]
    since = float("-inf") if record.since is None else record.since
    ups = [health for health in of_holder if health.is_up and (health.newest_at or since) >= since]
    return bool(ups) and len(of_holder) - len(ups) < policy.down_needed


def _is_refusal(attempt: Attempt) -> bool:
    """Whether the holder gave a sign of life, and not a good one: it is no partition that it is down."""
    return attempt.answered and attempt.answer is not Answer.UP


def _looked_at_instances(view: View) -> State:
    survey, state = view.obs.instances, view.state
    if survey.answered:
        me = survey.find(view.policy.me.instance_id) or state.me
        # Something else about this instance may make EC2 think otherwise of an attach.
        barred_at = state.barred_at if me == state.me else None
        return changed(state, instances=survey, instances_failures=0, me=me, barred_at=barred_at)
    if survey.began_at == state.instances_failed_at:
        return state
    failures = state.instances_failures + 1
    return replace(state, instances_failures=failures, instances_failed_at=survey.began_at)


def _instances(view: View) -> State:
    survey, holder, state = view.obs.instances, view.holder, _looked_at_instances(view)
    if holder is None or view.i_hold:
        return changed(state, absent_holder=None)
    if not survey.answered or survey.find(view.policy.me.instance_id) is None:
        return state
    if survey.find(holder.instance_id) is not None:
        return changed(state, absent_holder=None)
    absent = state.absent_holder
    if absent is None or absent.instance_id != holder.instance_id:
        return replace(state, absent_holder=AbsentHolder(instance_id=holder.instance_id, since=view.now))
    confirmed = absent.confirmed or survey.began_at - absent.since >= CONFIRM_AFTER
    return replace(state, absent_holder=replace(absent, confirmed=confirmed))


def _confirmed(view: View) -> State:
    state, peers = view.state, shown(view)
    if peers != state.peers:
        state = replace(state, peers=peers, peers_changed_at=view.now)
    return changed(state, confirmed_at=view.now) if is_idle(view) else state


def _unowned(view: View) -> State:
    if view.first is None and view.unknown:
        return view.state
    since = (view.state.unowned_since or view.now) if view.is_unowned else None
    return changed(view.state, unowned_since=since)


def _links(view: View) -> State:
    if view.unknown:
        return view.state
    waiting = view.all_here and not_ready(view)
    return changed(view.state, not_ready_since=(view.state.not_ready_since or view.now) if waiting else None)


def _calls(view: View) -> State:
    state = view.state
    answered = [outcome.ended_at for outcome in view.obs.outcomes]
    if answered:
        state = changed(state, polled_from_at=max(answered))
    if any(outcome.verdict is Verdict.THROTTLED for outcome in view.obs.outcomes):
        state = changed(state, throttled_at=view.now)
    takeover = state.durable.takeover
    refused = [outcome for outcome in view.obs.outcomes if outcomes.is_barred(view.policy, outcome)]
    # A denial counts as long as no DryRun is allowed (`Local.attach_allowed`).
    if any(outcome.verdict is not Verdict.DENIED for outcome in refused):
        state = changed(state, barred_at=view.now, barred_index=view.policy.device_index)
    if takeover is None:
        return state
    learned = outcomes.learn(view, takeover)
    durable = polls.timed(view.with_state(state), takeover, learned)
    return changed(state, durable=changed(durable, takeover=learned))


def _is_without(view: View) -> bool:
    """Whether this member had the first ENI last, and has it no more; row 11 asks how it was since."""
    durable, record, local = view.state.durable, view.state.holder_record, view.policy.me.instance_id
    left = view.state.known_at is not None and (record is None or record.instance_id != local)
    return durable.lost_at is not None or (durable.last_had == local and left)


def _fitness(view: View) -> State:
    state, durable = view.state, view.state.durable
    fit_since = None if why_not_fit(view) else (state.fit_since or view.now)
    if _is_without(view) and not durable.unfit_since_loss and is_impaired(view):
        durable = replace(durable, unfit_since_loss=True)
    horizon = view.now - max(view.policy.max_takeovers_window, view.policy.cooldown)
    if any(one.ended_at < horizon for one in durable.past):
        durable = replace(durable, past=tuple(one for one in durable.past if one.ended_at >= horizon))
    return changed(state, fit_since=fit_since, durable=durable)


_TAKES = (
    _operators,
    _stalls,
    _survey,
    _holder,
    _probes,
    _instances,
    _confirmed,
    _unowned,
    _links,
    _calls,
    _fitness,
)
