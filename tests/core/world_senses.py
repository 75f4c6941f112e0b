"""What a member of a `World` sees beside EC2: its links, its peers, and what its probes answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from eni_failover.core.frozen import rebase
from eni_failover.core.model import Attempt, InstanceState, Link, Peer, PeerEni
from eni_failover.core.policy import Member, MemberName, Policy, ProbePolicy
from eni_failover.core.state import State
from eni_failover.core.vocabulary import Answer, Scope

if TYPE_CHECKING:
    from tests.core.group_world import World
    from tests.core.world_node import Node

LINK_DELAY = 0.3  # from EC2's `attached` to a link that serves


class Senses:
    """The part of a node that looks at the kernel, at its peers and, by probes, at the holder."""

    world: World
    policy: Policy
    name: MemberName
    state: State | None
    clock: Callable[[], float]
    wake: Callable[[], None]
    after: Callable[[float, Callable[[], None]], None]
    attempts: list[Attempt]
    has: set[str]
    lost: dict[str, float]

    def kernel_changed(self) -> None:
        """The kernel tells of a link that went, at once."""
        if self.state is None:
            return
        has = self.world.ec2.attached_to(self.policy.me.instance_id)
        for eni_id in self.has - has:
            self.lost[eni_id] = self.clock()
        for eni_id in has - self.has:
            self.lost.pop(eni_id, None)
            self.after(LINK_DELAY, self.wake)
        if has != self.has:
            self.has = has
            self.wake()

    def link(self, eni_id: str) -> Link:
        attachment = self.world.ec2.enis[eni_id]
        present = eni_id in self.has
        since = self.world.ec2.attached_at.get(attachment.attachment_id, 0.0) if attachment else 0.0
        ready = present and self.world.now >= since + LINK_DELAY and self.name not in self.world.broken
        return Link(
            eni_id=eni_id,
            watched=True,
            present=present,
            missing=() if ready or not present else ("address",),
            lost_at=self.lost.get(eni_id),
        )

    def peer(self, other: Node) -> Peer:
        if other.state is None or not self.world.reaches(self.name, other.name):
            return Peer(member=other.name, instance_id=other.policy.me.instance_id, reachable=False)
        durable, last = other.state.durable, other.history[-1] if other.history else None
        return Peer(
            member=other.name,
            instance_id=other.policy.me.instance_id,
            reachable=True,
            role=str(other.role),
            config_hash=other.policy.config_hash,
            enis=tuple(
                PeerEni(eni_id=seen_eni.eni_id, attachment_id=seen_eni.attachment_id)
                for seen_eni in other.state.observed
            ),
            # It travels as the time that remains.
            pause=rebase(durable.pause, self.clock() - other.clock()),
            takeover_trigger=str(durable.takeover.trigger) if durable.takeover else "",
            last_takeover_trigger=str(last.trigger) if last else "",
            last_takeover_ended_wall=last.ended_wall if last else None,
        )

    def probe(self) -> None:
        self.after(1.0, self.probe)
        holder_record = self.state.holder_record
        for probe in self.policy.probes:
            member: Member | None = self.policy.me
            if probe.scope is Scope.HOLDER:
                if holder_record is None or holder_record.instance_id == self.policy.me.instance_id:
                    continue
                member = self.policy.member_of(holder_record.instance_id)
            self._attempt(probe, member)

    def _attempt(self, probe: ProbePolicy, member: Member) -> None:
        world, scope, about = self.world, probe.scope, member.name
        silent = scope is Scope.HOLDER and (
            not world.reaches(self.name, about)
            or world.ec2.instances[f"i-{about}"] is not InstanceState.RUNNING
        )
        if scope is Scope.WITNESS:
            silent = not world.reaches(self.name, "world")
        up = not silent if scope is Scope.WITNESS else world.services[about]
        if scope is Scope.SELF:
            up = world.fit.get(about, up)
        said = Answer.DOWN if silent or not up else Answer.UP
        answer = Answer.UNKNOWN if self.name in world.deaf else said
        started_at = self.clock()

        def ended() -> None:
            self.attempts.append(
                Attempt(
                    probe=probe,
                    member=member,
                    answer=answer,
                    answered=answer is not Answer.UNKNOWN and not silent,
                    started_at=started_at,
                    ended_at=self.clock(),
                )
            )
            self.wake()

        self.after(probe.timeout if silent else 0.01, ended)
