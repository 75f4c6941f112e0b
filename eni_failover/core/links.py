"""The links of this host, as far as decisions go: which attached ENI cannot be served yet."""

from __future__ import annotations

from eni_failover.core.group import View
from eni_failover.core.model import AttachmentStatus, Eni, Link
from eni_failover.core.policy import EniId

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


def _here_since(view: View, link: Link) -> float:
    """Since when the ENI is seen attached by the attachment that is here, by EC2."""
    sight = view.sight(link.eni_id)
    if sight is None or sight.status != AttachmentStatus.ATTACHED:
        return float("-inf")
    return sight.since
