"""Able and fit: whether this member could hold the group, and whether it should.

Able is about EC2 (instance, zone, slots, permission); fit adds this member's own probes and its own
timeliness. Nothing is detached that this member could not attach.
"""

from __future__ import annotations

from collections.abc import Iterator

from eni_failover.core.model import Eni, TypeLimits
from eni_failover.core.policy import EniId
from eni_failover.core.state import Takeover
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Answer, Reason, Scope

BARRED_FOR = 600.0  # what EC2 refuses for good it would refuse again
LAST_INDEX = 31  # beyond any instance type's limit on one network card
STALL_MEMORY = 1.0  # a stall this recent leaves doubt about everything seen since


def why_not_able(view: View) -> Reason | None:
    """The first thing that keeps this member from holding the group, None when it is able."""
    return next(obstacles(view), None)


def obstacles(view: View) -> Iterator[Reason]:
    """Everything that keeps this member from holding the group.

    Facts about this instance stay known however old they are: DescribeInstances may fail just when a whole
    zone does. That it runs is known by running here; only EC2's word that it ends counts against that.
    A limit that EC2 has not said refuses nothing.
    """
    me = view.state.me
    if not view.are_enis_known or me is None:
        yield Reason.EC2_SILENT
    if me is not None and me.state.is_ended:
        yield Reason.INSTANCE_NOT_RUNNING
    wanted = [eni for eni in view.usable if not view.is_mine(eni)]
    for eni in wanted:
        yield from _obstacles_of(eni, view)
    limit = view.obs.local.limits.interfaces
    if me is not None and limit is not None and len(_taken_indexes(view)) + len(wanted) > limit:
        yield Reason.NO_SLOT
    if me is not None and None in planned_indexes(view, view.takeover).values():
        yield Reason.NO_INDEX
    if view.obs.local.attach_allowed is False:
        yield Reason.ATTACH_DENIED
    if barred_until(view) > view.now:
        yield Reason.ATTACH_REFUSED


def barred_until(view: View) -> float:
    """Until when EC2's refusal of an attach here counts: it would refuse the next one as well."""
    barred_at, same_index = view.state.barred_at, view.state.barred_index == view.policy.device_index
    return barred_at + BARRED_FOR if barred_at is not None and same_index else 0.0


def _obstacles_of(eni: Eni, view: View) -> Iterator[Reason]:
    """What about this ENI makes EC2 refuse to attach it here, wherever it is now."""
    if eni.unmovable is not None:
        yield eni.unmovable
    me = view.state.me
    zone = me.zone if me and me.zone else view.obs.local.zone
    if eni.zone and zone and eni.zone != zone:
        yield Reason.OTHER_ZONE
    if _has_too_many_addresses(eni, view.obs.local.limits):
        yield Reason.TOO_MANY_ADDRESSES


def _has_too_many_addresses(eni: Eni, limits: TypeLimits) -> bool:
    """Whether EC2 would refuse to attach it to this instance type; what EC2 did not say refuses nothing."""
    counts = (eni.ipv4_count, limits.ipv4_per_interface), (eni.ipv6_count, limits.ipv6_per_interface)
    return any(limit is not None and count > limit for count, limit in counts)


def _taken_indexes(view: View) -> list[int | None]:
    """The device indexes taken here: the group's by the newest describe, all others as last known."""
    me = view.policy.me.instance_id
    group = {eni.eni_id for eni in view.usable}
    facts = view.state.me.eni_indexes if view.state.me else ((EniId(""), 0),)
    others = [index for eni_id, index in facts if eni_id not in group]
    attachments = (eni.attachment for eni in view.usable)
    return others + [found.device_index for found in attachments if found and found.instance_id == me]


def planned_indexes(view: View, takeover: Takeover | None) -> dict[EniId, int | None]:
    """A distinct free device index for each usable ENI not here; None where there is none.

    An index that EC2 refused in this takeover is skipped, an index of an attach on its way is kept.
    """
    used = {index for index in _taken_indexes(view) if index is not None}
    moves = takeover.moves if takeover else ()
    refused = {index for move in moves for index in move.refused_indexes}
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

    Row 11 forgives a loss to a member that was unfit. Neither a start, nor EC2's silence, nor a stall of its
    own makes it so: none may undo an operator's takeover.
    """
    if Answer.DOWN in view.verdicts(Scope.SELF):
        return True
    return any(obstacle is not Reason.EC2_SILENT for obstacle in obstacles(view))
