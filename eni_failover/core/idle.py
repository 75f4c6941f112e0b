"""Idle: what EC2 said last is confirmed without asking EC2, which is then asked rarely.

The kernel of the member that holds the ENIs reports a lost link at once, and that member's daemon shows the
others that it is active, and by which attachments. Any doubt ends it: a first down, a silent peer, one that
shows something else, a lost link, a takeover anywhere, an operator. EC2's request buckets belong to the whole
account: a thousand idle pairs should barely be seen in them.
"""

from __future__ import annotations

from eni_failover.core.model import Peer
from eni_failover.core.state import PeerView
from eni_failover.core.view import View, link_of, lost_at, not_ready
from eni_failover.core.vocabulary import Answer, Role, Scope

VOUCHED_FACTOR = 5  # idle intervals of a holder for whom another member asks EC2
ROSTER_EVERY = 3  # observe intervals, while anything is in doubt
SPREAD = 0.25  # of an interval: members that were started together do not ask together


def is_idle(view: View) -> bool:
    """Whether nothing is in doubt, and the member that holds confirms it by its kernel."""
    if not _is_settled(view):
        return False
    return _is_confirmed_here(view) if view.all_here else _is_confirmed_by_holder(view)


def look_interval(view: View) -> float:
    """How long after a look at the ENIs the next one is due, while no ENI moves, in seconds."""
    policy, changed_at = view.policy, view.state.peers_changed_at
    is_news = changed_at is not None and view.obs.enis.began_at <= changed_at
    if is_news or not is_idle(view):
        return policy.observe_interval
    longest = max(policy.idle_interval, policy.observe_interval)
    if view.all_here and _are_watched(view) and any(_vouches(view, peer) for peer in view.obs.peers):
        longest *= VOUCHED_FACTOR
    return longest * (1 + SPREAD * view.look_fraction)


def roster_interval(view: View) -> float:
    """How long after a look for the members by their tag the next one is due, in seconds."""
    doubtful = ROSTER_EVERY * view.policy.observe_interval
    if not is_idle(view):
        return doubtful
    return max(doubtful, view.policy.idle_interval * (1 + SPREAD * view.look_fraction))


def shown(view: View) -> tuple[PeerView, ...]:
    """What of the other members' words is a reason to look at EC2 when it changes."""
    return tuple((peer.instance_id, peer.reachable, peer.role, peer.enis) for peer in view.obs.peers)


def _is_settled(view: View) -> bool:
    """Whether all ENIs of the group are attached to one member, and nobody is at work or says otherwise."""
    holder = view.holder
    if view.is_at_work or not view.obs.enis.answered or holder is None:
        return False
    if len(view.usable) != len(view.policy.eni_ids):
        return False
    if not all(view.is_attached_to(eni, holder) for eni in view.usable):
        return False
    return not view.somebody_takes and not any(_differs(view, peer) for peer in view.obs.peers)


def _is_confirmed_here(view: View) -> bool:
    if not_ready(view) or lost_at(view) is not None:
        return False
    return _are_watched(view) or any(_agrees(view, peer) for peer in view.obs.peers)


def _are_watched(view: View) -> bool:
    return all(link_of(view, eni.eni_id).watched for eni in view.usable)


def _is_confirmed_by_holder(view: View) -> bool:
    peer = view.peer(view.holder.instance_id) if view.holder else None
    if (
        peer is None
        or peer.role != Role.ACTIVE
        or not _agrees(view, peer)
        or view.state.absent_holder is not None
    ):
        return False
    return not any(
        health.probe.scope is Scope.HOLDER and health.streak is Answer.DOWN for health in view.state.health
    )


def _agrees(view: View, peer: Peer) -> bool:
    """Whether this member answers, and shows the same attachments as EC2 showed here."""
    return peer.reachable and _attachments(peer) == _own_attachments(view)


def _differs(view: View, peer: Peer) -> bool:
    """Whether this member has seen EC2 show something else."""
    return peer.reachable and bool(peer.enis) and not _agrees(view, peer)


def _vouches(view: View, peer: Peer) -> bool:
    """Whether this standby, which asks EC2 itself, shows the same attachments and addresses."""
    own = {eni.eni_id: frozenset(eni.private_addresses) for eni in view.usable}
    shown = {eni.eni_id: frozenset(eni.addresses) for eni in peer.enis}
    return peer.role == Role.STANDBY and _agrees(view, peer) and shown == own


def _attachments(peer: Peer) -> dict[str, str | None]:
    return {eni.eni_id: eni.attachment_id for eni in peer.enis}


def _own_attachments(view: View) -> dict[str, str | None]:
    return {eni.eni_id: eni.attachment.attachment_id if eni.attachment else None for eni in view.usable}
