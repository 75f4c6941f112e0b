"""The rows that start a takeover: is there a cause, and what holds this member back.

`block` of a cause is the first thing, other than the turn, that keeps
this member from acting on it. The rows of `decide` act on causes without a block whose turn has
come; the same causes, asked again, carry a takeover to its point of no return or end it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eni_failover.core.fitness import why_not_able, why_not_fit
from eni_failover.core.frozen import changed
from eni_failover.core.health import Health
from eni_failover.core.model import Attachment, AttachmentStatus, InstanceState
from eni_failover.core.policy import AttachmentId, FailbackMode, FenceMode
from eni_failover.core.state import Rest, State, Takeover, rests_until
from eni_failover.core.view import RESCUE_AFTER, View, is_operators
from eni_failover.core.vocabulary import Reason, Scope, Trigger

SPLIT_AFTER = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A cause to take over. `attachment_id` is the first ENI's, None when it is on nobody."""

    trigger: Trigger
    reason: Reason
    cause_at: float
    attachment_id: AttachmentId | None
    block: Reason | None = None


def why_rest_waits(view: View) -> Reason | None:
    """Rows 2 and 7: what keeps the rows after them from being asked at all."""
    if view.foreign_until > view.now:
        return Reason.FOREIGN_HOLDER
    if view.is_paused:
        return Reason.PAUSED
    return Reason.STARTUP_GRACE if view.in_grace else None


def unowned(view: View) -> Cause | None:
    """Row 6: the first ENI is unattached, or its move is stuck."""
    if not view.is_unowned or view.first is None:
        return None
    attachment = view.first.attachment
    return Cause(
        trigger=Trigger.UNOWNED,
        reason=_why_unowned(attachment),
        cause_at=view.state.unowned_since or view.now,
        attachment_id=None if attachment is None else attachment.attachment_id,
        block=_unowned_block(view),
    )


def _why_unowned(attachment: Attachment | None) -> Reason:
    if attachment is None:
        return Reason.ENI_UNOWNED
    detaching = attachment.status is AttachmentStatus.DETACHING
    return Reason.STUCK_DETACHING if detaching else Reason.ATTACH_STUCK


def _unowned_block(view: View) -> Reason | None:
    if rests_until(view.state, Rest.RESCUE) > view.now:
        return Reason.COOLDOWN
    me = view.state.me
    if is_rescue_due(view) and (me is None or not me.state.is_ended):
        return None
    if view.is_paused:
        return Reason.PAUSED
    if view.takeover is None and view.somebody_takes:
        return Reason.OTHER_TAKEOVER
    return why_not_fit(view)


def is_rescue_due(view: View) -> bool:
    """Row 6's last resort: unowned for 60 s, whoever's turn it is."""
    since = view.state.unowned_since
    return since is not None and view.now - since >= RESCUE_AFTER


def split(view: View) -> Cause | None:
    """Row 8: the first ENI is attached here, others are not."""
    if view.first is None or not view.is_attached_here(view.first) or view.all_here:
        return None
    moved_at = view.state.moved_at
    block = why_not_able(view)
    if view.is_moving or (moved_at is not None and view.now - moved_at < SPLIT_AFTER):
        block = Reason.MOVING
    elif rests_until(view.state, Rest.SPLIT) > view.now:
        block = Reason.COOLDOWN
    elif not peers_agree(view):
        block = Reason.PEERS_DIFFER
    return Cause(
        trigger=Trigger.SPLIT,
        reason=Reason.GROUP_SPLIT,
        cause_at=view.now if moved_at is None else moved_at,
        attachment_id=view.first.attachment.attachment_id if view.first.attachment else None,
        block=block,
    )


def ec2(view: View) -> Cause | None:
    """Row 9: EC2's own word that the holder does not run."""
    holder, attachment = view.holder, view.holder_attachment
    if holder is None or attachment is None or view.i_hold:
        return None
    survey, absent = view.instances, view.state.absent_holder
    if not survey.answered:
        return None
    instance = survey.find(holder.instance_id)
    if instance is not None and instance.state.is_ended:
        reason = Reason.HOLDER_STOPPED
    elif absent is not None and absent.confirmed and absent.instance_id == holder.instance_id:
        reason = Reason.HOLDER_GONE
    else:
        return None
    return Cause(
        trigger=Trigger.EC2,
        reason=reason,
        cause_at=view.state.turn_ec2 or view.now,
        attachment_id=attachment.attachment_id,
        block=_ec2_block(view),
    )


def is_freed_by_ec2(view: View, takeover: Takeover) -> bool:
    """Whether the holder has ended before this takeover could detach from it, and EC2 has let its ENI go.

    No other member is at it then: waiting for the turn of row 6 would only lose time.
    """
    survey, last_had = view.obs.instances, view.state.durable.last_had
    if takeover.trigger not in {Trigger.PROBES, Trigger.EC2} or not survey.answered:
        return False
    if view.first is None or view.first.attachment is not None or view.somebody_takes:
        return False
    instance = survey.find(last_had)
    return instance is not None and instance.state.is_ended


def is_being_stopped(view: View) -> bool:
    """Whether the holder's instance is on its way to the stop that has to be seen before anything moves.

    Without this the stop that one member asks for would be the cause of another's takeover.
    """
    if view.policy.fence is not FenceMode.STOP or view.holder is None:
        return False
    instance = view.instances.find(view.holder.instance_id)
    return instance is not None and instance.state in {InstanceState.STOPPING, InstanceState.SHUTTING_DOWN}


def _ec2_block(view: View) -> Reason | None:
    if view.is_moving:
        return Reason.MOVING
    return Reason.FENCING if is_being_stopped(view) else why_not_fit(view)


def probes(view: View) -> Cause | None:
    """Row 10: the holder probes say that the holder is down."""
    attachment = view.holder_attachment
    if attachment is None or view.i_hold or attachment.status is not AttachmentStatus.ATTACHED:
        return None
    down = downs(view)
    if not down or len(down) < view.policy.down_needed:
        return None
    return Cause(
        trigger=Trigger.PROBES,
        reason=Reason.HOLDER_DOWN,
        cause_at=min(view.now if one.down_since is None else one.down_since for one in down),
        attachment_id=attachment.attachment_id,
        block=why_not_by_probes(view),
    )


def why_not_by_probes(view: View) -> Reason | None:
    """What would keep this member from a takeover by probes, were the holder judged down; None: nothing."""
    return next(_probes_blocks(view), None)


def downs(view: View) -> list[Health]:
    """The holder probes that are down by their newest answers."""
    return [health for health in view.state.health if health.probe.scope is Scope.HOLDER and health.is_down]


def too_old(view: View) -> tuple[str, ...]:
    """The probes to ask once more, because row 10 rests on old answers; none where enough are young."""
    down = downs(view)
    old = tuple(health.probe.name for health in down if not health.is_young(view.now))
    unsure = old if len(down) - len(old) < view.policy.down_needed else ()
    return (*unsure, *_old_witnesses(view, down))


def _old_witnesses(view: View, down: list[Health]) -> tuple[str, ...]:
    """The witnesses to ask once more: none of them was found up since the holder began to be down.

    What cuts this member off cuts off the holder and the witnesses in the same moment.
    """
    witnesses = [health for health in view.state.health if health.probe.scope is Scope.WITNESS]
    began = min((health.down_since for health in down if health.down_since is not None), default=view.now)
    if any(health.is_up and (health.newest_at or 0.0) >= began for health in witnesses):
        return ()
    return tuple(health.probe.name for health in witnesses)


def _probes_blocks(view: View) -> Iterator[Reason]:
    if view.is_moving:
        yield Reason.MOVING
    if view.takeover is None and is_being_stopped(view):
        yield Reason.FENCING
    if unproven_until(view) > view.now:
        yield Reason.UNPROVEN_HOLDER
    yield from _automatic_blocks(view)
    if rests_until(view.state, Rest.FENCE) > view.now:
        yield Reason.FENCE_REFUSED


def _automatic_blocks(view: View) -> Iterator[Reason]:
    unfit = why_not_fit(view)
    if unfit is not None:
        yield unfit
    if not view.witnesses_up:
        yield Reason.WITNESSES_DOWN
    if cooldown_until(view) > view.now:
        yield Reason.COOLDOWN
    if limit_until(view) > view.now:
        yield Reason.LIMIT_REACHED


def unproven_until(view: View) -> float:
    """Until when a holder that this member has never seen up is not judged down."""
    holder_record = view.state.holder_record
    if holder_record is None or holder_record.since is None or holder_record.proven:
        return 0.0
    grace = 0.0 if holder_record.answered else view.policy.unproven_grace
    return holder_record.since + max(view.policy.cooldown, grace)


def cooldown_until(view: View) -> float:
    """Until when this member's last automatic takeover keeps it from the next."""
    ends = [one.ended_at for one in view.state.durable.past]
    return max(ends) + view.policy.cooldown if ends and view.policy.cooldown else 0.0


def limit_until(view: View) -> float:
    """Until when the takeover limit holds this member back."""
    counted = sorted(
        one.ended_at
        for one in view.state.durable.past
        if one.trigger in {Trigger.PROBES, Trigger.FAILBACK} and not one.forgiven
    )
    if len(counted) < view.policy.max_takeovers:
        return 0.0
    return counted[-view.policy.max_takeovers] + view.policy.max_takeovers_window


def failback(view: View) -> Cause | None:
    """Row 11: the primary has recovered and takes back, where it is told to."""
    holder, attachment, durable = view.holder, view.holder_attachment, view.state.durable
    if view.policy.failback is not FailbackMode.AUTOMATIC or not view.policy.is_primary:
        return None
    if holder is None or attachment is None or view.i_hold:
        return None
    # Lost while this daemon was down: the holder itself says whether an operator wanted that.
    heir = view.peer(holder.instance_id)
    was_absent = durable.lost_unseen and heir is not None and heir.reachable and not is_operators(heir)
    if durable.lost_at is None or not (durable.unfit_since_loss or was_absent):
        return None
    return Cause(
        trigger=Trigger.FAILBACK,
        reason=Reason.PRIMARY_RECOVERED,
        cause_at=failback_at(view) or view.now,
        attachment_id=attachment.attachment_id,
        block=next(_failback_blocks(view), None),
    )


def _failback_blocks(view: View) -> Iterator[Reason]:
    if view.is_moving:
        yield Reason.MOVING
    yield from _automatic_blocks(view)
    if view.state.durable.failback_blocked:
        yield Reason.LIMIT_REACHED
    ripe_at = failback_at(view)
    if ripe_at is None or view.now < ripe_at:
        yield Reason.FAILBACK_DELAY
    if not peers_agree(view):
        yield Reason.PEERS_DIFFER


def failback_at(view: View) -> float | None:
    """When the failback delay is over, None while this member is not fit."""
    if view.state.fit_since is None:
        return None
    changed_at = view.state.holder_changed_at
    since = view.state.fit_since if changed_at is None else max(view.state.fit_since, changed_at)
    return since + view.policy.failback_delay


def peers_agree(view: View) -> bool:
    """Whether no reachable member shows another hash of [eni] and [[member]]."""
    return all(peer.config_hash in {"", view.policy.config_hash} for peer in view.obs.peers if peer.reachable)


def turn_at(view: View, trigger: Trigger) -> float:
    """When this member's turn comes (or came) to act on this cause; infinity when it never does."""
    state, turn = view.state, view.turn
    match trigger:
        case Trigger.UNOWNED:
            since, wait = state.turn_unowned, view.unowned_wait
        case Trigger.EC2:
            since, wait = state.turn_ec2, view.policy.stagger * (turn or 0)
        case Trigger.PROBES:
            since, wait = state.turn_probes, view.policy.stagger * (turn or 0)
        case _:
            return view.now
    return float("inf") if since is None else since + wait


def turns(view: View) -> State:
    """The state with the clocks of the turns: since when each row's condition holds without a break."""

    def held(cause: Cause | None, since: float | None) -> float | None:
        if cause is None or cause.block is not None:
            return None
        return view.now if since is None else since

    state = view.state
    if view.unknown:
        return changed(state, turn_unowned=None, turn_ec2=None, turn_probes=None)
    causes = unowned(view), ec2(view), probes(view)
    is_caused = any(cause is not None for cause in causes)
    return changed(
        state,
        caused_at=(view.now if state.caused_at is None else state.caused_at) if is_caused else None,
        turn_unowned=held(causes[0], state.turn_unowned),
        turn_ec2=held(causes[1], state.turn_ec2),
        turn_probes=held(causes[2], state.turn_probes),
    )
