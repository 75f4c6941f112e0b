"""The links of this host, as far as decisions go: which attached ENI cannot be served yet."""

from __future__ import annotations

from eni_failover.core.model import AttachmentStatus, Eni, Link
from eni_failover.core.policy import EniId
from eni_failover.core.view import View

LOSS_CONFIRM = 1.0  # seconds between the two describes that say that the group has left this host
READY_BOUND = 60.0  # seconds that an attached ENI's link may take before this is a fault


def link_of(view: View, eni_id: EniId) -> Link:
    """The link of this ENI; one that nobody has looked for yet counts as absent."""
    found = next((one for one in view.obs.links if one.eni_id == eni_id), None)
    return found or Link(eni_id=eni_id, watched=True)


def not_ready(view: View) -> tuple[Eni, ...]:
    """The ENIs attached here by EC2 whose link is not up, addressed and routed."""
    return tuple(
        eni for eni in view.usable if view.is_attached_here(eni) and not link_of(view, eni.eni_id).is_ready
    )


def are_late(view: View) -> bool:
    """Whether links have not been ready for so long that it is a fault.

    Said only on a look at EC2 from the end of that time, give or take a call: with a long observe interval
    the one before may show what is gone since.
    """
    since = view.state.not_ready_since
    if since is None or view.now - since < READY_BOUND:
        return False
    return view.obs.enis.began_at >= since + READY_BOUND - view.policy.call_timeout


def lost_at(view: View) -> float | None:
    """When the kernel took a link of the group's away from this host, None when it has them all.

    A loss from before the attachment that is here now was that of an earlier one.
    """
    times = [
        one.lost_at
        for one in view.obs.links
        if one.lost_at is not None and one.eni_id in view.state.here and one.lost_at >= _here_since(view, one)
    ]
    return max(times, default=None)


def doubted_until(view: View) -> float | None:
    """Until when a describe must begin that says again that the group has left this host; None without doubt.

    The kernel has all its links, and one describe, which may be a stale read, shows them elsewhere. A detach
    from this host is no stale read.
    """
    gone = [eni for eni in view.usable if not view.is_attached_here(eni)]
    if not gone or view.missing or lost_at(view) is not None:
        return None
    observed = [view.observed(eni.eni_id) for eni in gone]
    for eni in gone:
        link = link_of(view, eni.eni_id)
        is_leaving = eni.attachment is not None and eni.attachment.instance_id == view.policy.me.instance_id
        if not (link.watched and link.is_ready) or (is_leaving and not view.is_mine(eni)):
            return None
    until = min(seen_eni.since + LOSS_CONFIRM for seen_eni in observed if seen_eni is not None)
    return until if view.obs.enis.began_at < until else None


def _here_since(view: View, link: Link) -> float:
    """Since when the ENI is seen attached by the attachment that is here, by EC2."""
    seen_eni = view.observed(link.eni_id)
    if seen_eni is None or seen_eni.status != AttachmentStatus.ATTACHED:
        return float("-inf")
    return seen_eni.since
