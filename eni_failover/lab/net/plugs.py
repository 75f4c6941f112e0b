"""Where an ENI's link belongs, from what EC2 says about its attachment.

Owns: that one decision, as a function of values. Must not know: hosts, links. Does not guarantee: that AWS
unplugs at the same moment: when a guest loses its link is not documented, so both moments are options.
"""

from dataclasses import dataclass
from enum import StrEnum

from eni_failover.lab.values import AttachmentStatus, Eni


class PlugAt(StrEnum):
    """When an ENI's link comes into the guest: as soon as its attachment is in this status."""

    ATTACHING = "attaching"
    ATTACHED = "attached"


class UnplugAt(StrEnum):
    """When it leaves a guest that cooperates; one that is hung keeps it until a forced detach."""

    DETACHING = "detaching"
    AWAY = "away"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plug:
    """Where a link is: in which instance, and by which attachment. None: on nobody."""

    instance_id: str | None = None
    attachment_id: str | None = None


def plug_of(eni: Eni, was: Plug, *, plug_at: PlugAt, unplug_at: UnplugAt) -> Plug:
    """Where the link of an ENI belongs that was there before.

    Another attachment is another plug, also to the same instance: the guest sees its link leave and come.
    """
    attachment = eni.attachment
    if attachment is None:
        return Plug()
    stays = was if was.attachment_id == attachment.id else Plug()
    if attachment.status is AttachmentStatus.ATTACHING and plug_at is PlugAt.ATTACHED:
        return stays
    if attachment.status is AttachmentStatus.DETACHING:
        is_stuck = eni.detach_stuck and not attachment.forced
        return stays if is_stuck or unplug_at is UnplugAt.AWAY else Plug()
    return Plug(instance_id=attachment.instance_id, attachment_id=attachment.id)
