"""The terms of the decision table: who has what, which ENI is the lock, what is moving, whose turn.

Owns the meaning of the words; the rules only combine them. A member *has* an ENI while its
attachment is attaching or attached; one that is detaching is no longer had.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import assert_never
from zlib import crc32

from eni_failover.core.model import (
    Attachment,
    AttachmentStatus,
    Eni,
    InstanceSurvey,
    Link,
    Observation,
    Peer,
    Presence,
)
from eni_failover.core.policy import EniId, InstanceId, Member, Policy
from eni_failover.core.state import EniObservation, State, Takeover
from eni_failover.core.vocabulary import Answer, Role, Scope, Trigger

CONFIRM_AFTER = 2.0  # two answers this far apart before an absence is believed (row 9)
RESCUE_AFTER = 60.0  # row 6: from then on whoever is running attaches
LAST_HOLDER_AFTER = 10.0  # row 6: the member that last had the ENI comes after all others
ANSWER_INTERVALS = 3  # of observe_interval: for so long an answer of EC2 is still knowledge
ANSWER_CALLS = 2  # or of call_timeout, where that is longer
SHORT_MEMORY = 60.0  # for so long after a refusal the account counts as short of calls
QUOTA_PATIENCE = 60.0  # for so long it is, too, where a takeover waits for the account's quota
STUCK_ATTACHING_AFTER = 180.0  # row 6: EC2 does not end the attach of a member that has died
FOREIGN_AFTER = 60.0  # row 2: from then on the rest of the group goes on without that ENI
FIRST_TURN_AFTER = 2.0  # row 6: a takeover of another member may be between detach and attach
LOSS_CONFIRM = 1.0  # seconds between the two describes that say that the group has left this host
READY_BOUND = 60.0  # seconds that an attached ENI's link may take before this is a fault


@dataclass(frozen=True)
class View:
    """One pass's values side by side, with the terms as properties. Never changed, never kept."""

    state: State
    obs: Observation
    policy: Policy

    @property
    def now(self) -> float:
        """The pass's time, monotonic seconds."""
        return self.obs.now

    @property
    def takeover(self) -> Takeover | None:
        """This member's takeover under way."""
        return self.state.durable.takeover

    @property
    def is_at_work(self) -> bool:
        """Whether a takeover, an operator's request or a confirmation of this member's waits for EC2."""
        state = self.state
        return self.takeover is not None or state.request is not None or state.confirm is not None

    def with_state(self, state: State) -> View:
        """The same pass with this state; the same view, with all it has worked out, when it is no other."""
        return self if state is self.state else View(state, self.obs, self.policy)

    def with_takeover(self, takeover: Takeover | None) -> View:
        """The same pass, with this takeover in the state."""
        durable = replace(self.state.durable, takeover=takeover)
        return self.with_state(replace(self.state, durable=durable))

    @property
    def instances(self) -> InstanceSurvey:
        """The newest look at the instances; a failed one does not take back the answer before it at once."""
        newest, known = self.obs.instances, self.state.instances
        if newest.answered or known is None:
            return newest
        return known if self.is_recent(known.began_at) else newest

    def peer(self, instance_id: InstanceId) -> Peer | None:
        """What this other member last said of itself, None when it never has."""
        return next((peer for peer in self.obs.peers if peer.instance_id == instance_id), None)

    @property
    def somebody_takes(self) -> bool:
        """Whether a reachable member says that it is taking the group."""
        return any(peer.reachable and peer.role == Role.TAKING for peer in self.obs.peers)

    def is_recent(self, answered_at: float) -> bool:
        """Whether what EC2 said then still counts as known."""
        intervals = ANSWER_INTERVALS * self.policy.observe_interval
        return self.now - answered_at <= max(intervals, ANSWER_CALLS * self.policy.call_timeout)

    @property
    def are_enis_known(self) -> bool:
        """Whether EC2 has shown the ENIs of late, or the holder has confirmed of late what it showed.

        While a takeover waits for quota, longer: its detach names the attachment that it means, and EC2
        compares. Looks would take the very calls that others of the account wait for.
        """
        answered_at, confirmed_at = self.state.last_answer_at, self.state.confirmed_at
        times = [moment for moment in (answered_at, confirmed_at) if moment is not None]
        if answered_at is None:
            return False
        return self.is_recent(max(times)) or (
            self.waits_for_quota and self.now - answered_at <= QUOTA_PATIENCE
        )

    @property
    def is_short_of_calls(self) -> bool:
        """Whether EC2 has refused a call of late for want of quota: each one counts then."""
        throttled_at = self.state.throttled_at
        return throttled_at is not None and self.now - throttled_at < SHORT_MEMORY

    @property
    def waits_for_quota(self) -> bool:
        """Whether this member's takeover has moved nothing yet because EC2 has no quota for it."""
        takeover = self.takeover
        if takeover is None or takeover.is_committed or self.is_moving:
            return False
        if any(move.bad_state for move in takeover.moves):
            return False
        return any(move.throttled for move in takeover.moves)

    @property
    def look_fraction(self) -> float:
        """A number from 0 to 1, another one for each member and look, the same between two looks."""
        seed = f"{self.policy.me.instance_id} {self.obs.enis.began_at:.6f}"
        return crc32(seed.encode()) / 0xFFFFFFFF

    def observed(self, eni_id: EniId) -> EniObservation | None:
        """Since when this ENI has been as it is."""
        return next((one for one in self.state.observed if one.eni_id == eni_id), None)

    @cached_property
    def enis(self) -> tuple[Eni, ...]:
        """The ENIs in file order; one absent from a single answer is unknown, not missing."""
        return tuple(self._believed(eni) for eni in self.obs.enis.enis)

    def _believed(self, eni: Eni) -> Eni:
        if eni.presence is not Presence.MISSING:
            return eni
        seen_eni = self.observed(eni.eni_id)
        if seen_eni and self.obs.enis.began_at - seen_eni.seen_at >= CONFIRM_AFTER:
            return eni
        return Eni(eni_id=eni.eni_id, presence=Presence.UNKNOWN)

    @property
    def unknown(self) -> tuple[Eni, ...]:
        """The ENIs whose state this pass does not know (row 1)."""
        return tuple(eni for eni in self.enis if eni.presence is Presence.UNKNOWN)

    @property
    def missing(self) -> tuple[Eni, ...]:
        """The ENIs that EC2 says do not exist (row 2)."""
        return tuple(eni for eni in self.enis if eni.presence is Presence.MISSING)

    @property
    def foreign(self) -> tuple[Eni, ...]:
        """The ENIs on an instance that is no member (row 2)."""
        return tuple(eni for eni in self.enis if self.is_foreign(eni))

    @cached_property
    def usable(self) -> tuple[Eni, ...]:
        """The ENIs that are known, exist, and are on a member or on nobody."""
        return tuple(eni for eni in self.enis if eni.presence is Presence.KNOWN and not self.is_foreign(eni))

    @property
    def foreign_until(self) -> float:
        """Until when an ENI on a foreign instance keeps the rest of the group waiting (row 2)."""
        observed = (self.observed(eni.eni_id) for eni in self.foreign)
        return max((seen_eni.seen_at + FOREIGN_AFTER for seen_eni in observed if seen_eni), default=0.0)

    def is_foreign(self, eni: Eni) -> bool:
        """Whether an instance that is no member has, or is losing, this ENI."""
        attachment = eni.attachment
        return attachment is not None and self.policy.member_of(attachment.instance_id) is None

    @cached_property
    def first(self) -> Eni | None:
        """The group's lock: the first that exists and is not foreign; None when that is not known."""
        for eni in self.enis:
            if eni.presence is Presence.UNKNOWN:
                return None
            if eni.presence is Presence.KNOWN and not self.is_foreign(eni):
                return eni
        return None

    def owner(self, eni: Eni) -> Member | None:
        """The member that has this ENI, None when it is on nobody or detaching."""
        attachment = eni.attachment
        if attachment is None or attachment.status is AttachmentStatus.DETACHING:
            return None
        return self.policy.member_of(attachment.instance_id)

    def is_mine(self, eni: Eni) -> bool:
        """Whether this member has the ENI (attaching or attached)."""
        owner = self.owner(eni)
        return owner is not None and owner.instance_id == self.policy.me.instance_id

    def is_attached_to(self, eni: Eni, member: Member) -> bool:
        """Whether the ENI is attached to this member, by EC2."""
        owner = self.owner(eni)
        return (
            owner is not None
            and owner.instance_id == member.instance_id
            and eni.attachment is not None
            and eni.attachment.status is AttachmentStatus.ATTACHED
        )

    def is_attached_here(self, eni: Eni) -> bool:
        """Whether the ENI is attached to this very member, by EC2."""
        return self.is_attached_to(eni, self.policy.me)

    @cached_property
    def holder(self) -> Member | None:
        """The member that has the first ENI now."""
        return self.owner(self.first) if self.first else None

    @property
    def holder_attachment(self) -> Attachment | None:
        """The attachment by which the holder has the first ENI."""
        return self.first.attachment if self.first and self.holder else None

    @property
    def i_hold(self) -> bool:
        """Whether this member is the holder."""
        return self.holder is not None and self.holder.instance_id == self.policy.me.instance_id

    @property
    def all_here(self) -> bool:
        """Whether every usable ENI, and at least one, is attached here."""
        return bool(self.usable) and all(self.is_attached_here(eni) for eni in self.usable)

    @property
    def moving_until(self) -> float | None:
        """Until when the group counts as moving, None when nothing moves."""
        ends = [
            seen_eni.seen_at + self.policy.moving_bound
            for eni in self.usable
            if eni.attachment is not None
            and eni.attachment.status in {AttachmentStatus.ATTACHING, AttachmentStatus.DETACHING}
            and (seen_eni := self.observed(eni.eni_id)) is not None
        ]
        latest = max(ends, default=None)
        return latest if latest is not None and latest >= self.now else None

    @property
    def is_moving(self) -> bool:
        """Whether an ENI of the group is attaching or detaching, and not for too long."""
        return self.moving_until is not None

    @property
    def stuck_at(self) -> float | None:
        """From when on the first ENI's move counts as stuck; None when no move of it can.

        One that is attaching to another member, which no holder probe finds up, counts later: EC2 may never
        end it, and only the member itself would see that.
        """
        first = self.first
        if first is None or first.attachment is None or (seen_eni := self.observed(first.eni_id)) is None:
            return None
        match first.attachment.status:
            case AttachmentStatus.DETACHING:
                force_after = self.policy.force_detach_after
                return None if force_after is None else seen_eni.seen_at + force_after
            case AttachmentStatus.ATTACHING:
                waits = self.is_mine(first) or Answer.UP in self.verdicts(Scope.HOLDER)
                return None if waits else seen_eni.seen_at + STUCK_ATTACHING_AFTER
            case AttachmentStatus.ATTACHED:
                return None
            case _:
                assert_never(first.attachment.status)

    @property
    def is_unowned(self) -> bool:
        """Row 6's condition: the first ENI is unattached, or its move is stuck."""
        if self.first is None:
            return False
        if self.first.attachment is None:
            return True
        return self.stuck_at is not None and self.stuck_at < self.now

    @property
    def turn(self) -> int | None:
        """This member's place among those that may act, from 0; None for the one left out.

        Left out is the member that has the first ENI, else the one that last had it: a living
        daemon on a holder with a dead service would else take the ENI back each time. Where no member had
        it, because another ENI was the first until now, the one that has that other comes before all.
        """
        durable = self.state.durable
        is_same_lock = self.first is None or durable.lock in {None, self.first.eni_id}
        last_had = durable.last_had if is_same_lock else None
        out = self.holder.instance_id if self.holder else last_had
        others = [member.instance_id for member in self.policy.members if member.instance_id != out]
        if not is_same_lock:
            others.sort(key=lambda instance_id: instance_id != durable.last_had)
        return others.index(self.policy.me.instance_id) if self.policy.me.instance_id in others else None

    @property
    def unowned_wait(self) -> float:
        """Row 6: for how long the ENI must have been on nobody before this member acts."""
        turn, stagger = self.turn, self.policy.stagger
        if turn is None:
            return max(LAST_HOLDER_AFTER, len(self.policy.members) * stagger)
        return max(FIRST_TURN_AFTER, (turn + 1) * stagger)

    def verdicts(self, scope: Scope) -> tuple[Answer, ...]:
        """The verdicts of this scope's probes, in file order."""
        return tuple(health.verdict for health in self.state.health if health.probe.scope is scope)

    @property
    def witnesses_up(self) -> bool:
        """Whether the network between is known to work: no witness configured, or one is up."""
        verdicts = self.verdicts(Scope.WITNESS)
        return not verdicts or Answer.UP in verdicts

    @property
    def is_paused(self) -> bool:
        """Whether an operator's pause, the group's or this member's own, is in force."""
        return self.paused_until is not None

    @property
    def paused_until(self) -> float | None:
        """When the pause in force ends, monotonic seconds; infinity without an end, None without pause."""
        ends = [
            float("inf") if record.ends_at is None else record.ends_at
            for record in (self.state.durable.pause, self.state.durable.local_pause)
            if record is not None and record.kind == "pause"
        ]
        latest = max(ends, default=None)
        return latest if latest is not None and latest > self.now else None

    @property
    def in_grace(self) -> bool:
        """Whether the daemon's start-up grace is still running."""
        return self.now - self.state.started_at < self.policy.startup_grace


def is_operators(peer: Peer) -> bool:
    """Whether this member says that an operator brought the group to it."""
    return (peer.takeover_trigger or peer.last_takeover_trigger) == Trigger.MANUAL


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
