"""EC2 as values: what is true of each ENI, and what each call makes of it.

It keeps: one attachment at a time, atomic refusal, detach by attachment id only, a stopped instance that
keeps its ENIs and a terminated one that does not. How long anything takes is not known here: an ENI that
is attaching or detaching is `ripe` from the next tick on, and then goes on whenever the walk says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from eni_failover.core.decision import Attach, Detach
from eni_failover.core.model import (
    Attachment,
    AttachmentStatus,
    Eni,
    EniSurvey,
    Instance,
    InstanceState,
    InstanceSurvey,
    Presence,
    Verdict,
)
from eni_failover.core.policy import AttachmentId, EniId, InstanceId
from tests.core.builders import NAMES, ZONE

NOBODY = -1
STRANGER = -2
FREE = "free"
MISSING = "missing"
GONE = "gone"  # an instance that EC2's answers do not have any more


class Truth(NamedTuple):
    """One ENI. `ident` names this attachment, or this stretch of time on nobody; `status` as EC2 says it.

    `endless`: EC2 never ends this attach.
    """

    status: str
    ident: int
    member: int = NOBODY
    slot: int = 0
    ripe: bool = False
    endless: bool = False


Enis = tuple[Truth, ...]
Machines = tuple[str, ...]


class Effect(NamedTuple):
    """EC2's answer, and the ENI afterwards; `position` is which, None when the call named nothing known."""

    verdict: Verdict
    position: int | None = None
    truth: Truth | None = None


def eni_at(position: int) -> EniId:
    """The id of the ENI at this place of the file."""
    return EniId(f"eni-{position + 1}")


def place_of(eni_id: EniId) -> int:
    """The place in the file of this ENI."""
    return int(eni_id.removeprefix("eni-")) - 1


def instance_id(member: int) -> InstanceId:
    """The id of a member's instance, or of one that is no member."""
    return InstanceId("i-stranger" if member == STRANGER else f"i-{NAMES[member]}")


def detach(enis: Enis, call: Detach) -> Effect:
    """Detaches exactly this attachment; what is detaching already stays so."""
    for position, one in enumerate(enis):
        if one.status not in {FREE, MISSING} and f"att-{one.ident}" == call.attachment_id:
            if one.status == "detaching":
                return Effect(Verdict.ACCEPTED, position)
            return Effect(
                Verdict.ACCEPTED, position, one._replace(status="detaching", ripe=False, endless=False)
            )
    return Effect(Verdict.GONE)


def attach(enis: Enis, machines: Machines, call: Attach, member: int, ident: int) -> Effect:
    """Attaches what is on nobody to a member that runs, at an index that is free there."""
    position = place_of(call.eni_id)
    if enis[position].status != FREE:
        return Effect(Verdict.IN_USE, position)
    if machines[member] != "running":
        return Effect(Verdict.BAD_STATE, position)
    if call.device_index in {one.slot for one in enis if one.member == member}:
        return Effect(Verdict.INDEX_TAKEN, position)
    return Effect(Verdict.ACCEPTED, position, Truth("attaching", ident, member, call.device_index))


@cache
def bare(enis: Enis) -> Enis:
    """The same ENIs without what no describe shows."""
    return tuple(one._replace(ripe=False, endless=False) for one in enis)


@cache
def linked(enis: Enis, member: int) -> tuple[bool, ...]:
    """Which ENIs this member's kernel has."""
    return tuple(one.member == member and one.status in {"attached", "detaching"} for one in enis)


# What a describe shows -----------------------------------------------------------------------------


@cache
def _eni(position: int, status: str, ident: int, member: int, index: int) -> Eni:
    if status == MISSING:
        return Eni(eni_id=eni_at(position), presence=Presence.MISSING)
    if status == FREE:
        return Eni(eni_id=eni_at(position), zone=ZONE)
    attachment = Attachment(
        attachment_id=AttachmentId(f"att-{ident}"),
        instance_id=instance_id(member),
        status=AttachmentStatus(status),
        device_index=index,
    )
    return Eni(eni_id=eni_at(position), attachment=attachment, zone=ZONE)


@cache
def _shown(enis: Enis) -> tuple[Eni, ...]:
    return tuple(_eni(position, *one[:4]) for position, one in enumerate(enis))


def survey(enis: Enis, at: float) -> EniSurvey:
    """An answered describe of the ENIs that began then."""
    return EniSurvey(began_at=at, answered=True, enis=_shown(enis))


@cache
def _instances(enis: Enis, machines: Machines) -> tuple[Instance, ...]:
    found = []
    for member, machine in enumerate(machines):
        if machine == GONE:
            continue
        used = [(f"eni-{place}", eni.slot) for place, eni in enumerate(enis, start=1) if eni.member == member]
        found.append(
            Instance(
                instance_id=instance_id(member),
                state=InstanceState(machine),
                zone=ZONE,
                eni_indexes=(("eni-primary", 0), *used),
            )
        )
    return tuple(found)


def instances(enis: Enis, machines: Machines, at: float) -> InstanceSurvey:
    """An answered describe of the members' instances that began then."""
    return InstanceSurvey(began_at=at, answered=True, instances=_instances(enis, machines))


def is_lent(truth: Truth) -> bool:
    """Whether an instance that is no member has this ENI, or EC2 does not know it."""
    return truth.member == STRANGER or truth.status == MISSING


def is_underway(truth: Truth) -> bool:
    """Whether this ENI may be another way from the next tick on without any call of a member's."""
    return (truth.status in {"attaching", "detaching"} and not truth.endless) or is_lent(truth)


def unused(idents: Iterable[int]) -> int:
    """The lowest id that nobody remembers: a new attachment's, which keeps the states few."""
    taken, ident = set(idents), 1
    while ident in taken:
        ident += 1
    return ident
