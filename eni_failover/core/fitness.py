"""Able and fit: whether this member could hold the group, and whether it should.

Able is about EC2 (instance, zone, slots, permission); fit adds this member's own probes and its own
timeliness. Nothing is detached that this member could not attach.
"""

from __future__ import annotations

from collections.abc import Iterator

from eni_failover.core.group import CONFIRM_AFTER, View
from eni_failover.core.model import Eni, Instance, InstanceState, TypeLimits
from eni_failover.core.policy import EniId
from eni_failover.core.state import Takeover
from eni_failover.core.words import Answer, Reason, Scope

LEAST_INTERFACES = 2  # every EC2 instance type allows at least this many (DescribeInstanceTypes)
LAST_INDEX = 31  # beyond any instance type's limit on one network card
STALL_MEMORY = 1.0  # a stall this recent leaves doubt about everything seen since


def me(view: View) -> Instance | None:
    """This member's own instance in the newest answer, None when it is not in it."""
    return view.instances.find(view.policy.me.instance_id)


def why_not_able(view: View) -> Reason | None:
    """The first thing that keeps this member from holding the group, None when it is able."""
    return next(obstacles(view), None)


def obstacles(view: View) -> Iterator[Reason]:
    """Everything that keeps this member from holding the group."""
    instance = me(view)
    answered_at = view.state.last_answer_at
    is_told = view.instances.answered
    if answered_at is None or not view.is_recent(answered_at) or not is_told:
        yield Reason.EC2_SILENT
    if is_told and (instance is None or instance.state is not InstanceState.RUNNING):
        yield Reason.INSTANCE_NOT_RUNNING
    wanted = [eni for eni in view.usable if not view.is_mine(eni)]
    for eni in wanted:
        yield from _obstacles_of(eni, view)
    if instance is not None:
        limit = view.obs.local.limits.interfaces or LEAST_INTERFACES
        if instance.interface_count - len(_left(view)) + len(wanted) > limit:
            yield Reason.NO_SLOT
        if any(index is None for index in planned_indexes(view, view.takeover).values()):
            yield Reason.NO_INDEX
    if view.obs.local.attach_allowed is False:
        yield Reason.ATTACH_DENIED


def _obstacles_of(eni: Eni, view: View) -> Iterator[Reason]:
    """What about this ENI makes EC2 refuse to attach it here, wherever it is now."""
    if eni.unmovable is not None:
        yield eni.unmovable
    instance = me(view)
    zone = instance.zone if instance and instance.zone else view.obs.local.zone
    if eni.zone and zone and eni.zone != zone:
        yield Reason.OTHER_ZONE
    if _has_too_many_addresses(eni, view.obs.local.limits):
        yield Reason.TOO_MANY_ADDRESSES


def _has_too_many_addresses(eni: Eni, limits: TypeLimits) -> bool:
    """Whether EC2 would refuse to attach it to this instance type; what EC2 did not say refuses nothing."""
    counts = (eni.ipv4_count, limits.ipv4_per_interface), (eni.ipv6_count, limits.ipv6_per_interface)
    return any(limit is not None and count > limit for count, limit in counts)


def _left(view: View) -> list[int | None]:
    """The indexes here of those ENIs of the group that the last look at the instances still counts.

    A describe since then shows them elsewhere: who has just lost an ENI has room for it.
    """
    instance = me(view)
    if instance is None or view.obs.enis.began_at < view.instances.began_at:
        return []
    gone = {eni.eni_id for eni in view.usable if not _is_on(eni, instance)}
    return [index for eni_id, index in instance.eni_indexes if eni_id in gone]


def _is_on(eni: Eni, instance: Instance) -> bool:
    """Whether the ENI takes a place of this instance: also while it is detaching."""
    return eni.attachment is not None and eni.attachment.instance_id == instance.instance_id


def planned_indexes(view: View, takeover: Takeover | None) -> dict[EniId, int | None]:
    """A distinct free device index for each usable ENI not here; None where there is none.

    An index that EC2 refused in this takeover is skipped, an index of an attach on its way is kept.
    """
    instance = me(view)
    used = set(instance.used_indexes) - set(_left(view)) if instance else {0}
    moves = takeover.moves if takeover else ()
    refused = {index for move in moves for index in move.refused_indexes}
    used |= {eni.attachment.device_index for eni in view.usable if eni.attachment and view.is_mine(eni)}
    planned: dict[EniId, int | None] = {}
    for position, eni in enumerate(view.enis):
        if eni not in view.usable or view.is_mine(eni):
            continue
        planned[eni.eni_id] = index = _index(view, position=position, used=used, refused=refused)
        if index is not None:
            used.add(index)
    return planned


def _index(view: View, *, position: int, used: set[int], refused: set[int]) -> int | None:
    fixed = view.policy.device_index
    if fixed is not None:
        index = fixed + position
        return None if index in used else index
    free = [index for index in range(1, LAST_INDEX + 1) if index not in used]
    fresh = [index for index in free if index not in refused]
    # When EC2 has refused every free index, start over rather than stop trying.
    return next(iter(fresh or free), None)


def why_not_fit(view: View) -> Reason | None:
    """The first thing that keeps this member from starting anything by itself."""
    obstacle = why_not_able(view)
    if obstacle is not None:
        return obstacle
    if any(verdict is not Answer.UP for verdict in view.verdicts(Scope.SELF)):
        return Reason.SELF_PROBE_DOWN
    stalled_at = view.state.stalled_at
    if stalled_at is not None and view.now - stalled_at < STALL_MEMORY:
        return Reason.LOOP_LAG
    return None


def is_impaired(view: View) -> bool:
    """Whether this member is known unfit, as opposed to not yet known fit after a start.

    Row 11 forgives a loss to a member that was unfit. A daemon that has just started knows nothing
    of its probes or of EC2 yet, its own stalls are its own, and a look at the instances from before
    the last move still counts the ENI that has just left: none may undo an operator's takeover.
    """
    if Answer.DOWN in view.verdicts(Scope.SELF):
        return True
    if view.state.last_answer_at is None or me(view) is None:
        return False
    moved_at = view.state.moved_at
    counted = moved_at is None or view.instances.began_at >= moved_at + CONFIRM_AFTER
    room = set() if counted and not view.is_moving else {Reason.NO_SLOT, Reason.NO_INDEX}
    return any(one not in room for one in obstacles(view))
