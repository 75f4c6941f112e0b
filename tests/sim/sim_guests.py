"""What becomes of the guests: an instance that stops takes its daemon with it, an attachment becomes a link.

Owns what follows from EC2's changes inside the hosts. Must not know who made the change.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from eni_failover.lab.values import AttachmentStatus, Eni, InstanceState
from tests.sim.sim_host import Host, HotPlug, KernelLink, Service

if TYPE_CHECKING:
    from tests.sim.sim_world import World

BOOT_SECONDS = 8.0
UNPLUG_DELAY = 0.2


class Guests:
    """All hosts of a world, from power to links."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.is_sick = False
        """Whether a service that starts does not serve."""

    def instance_changed(self, name: str, state: InstanceState | None) -> None:
        """EC2 shows this member's instance in another state."""
        self._world.say("ec2", name, state or "vanished")
        if state is InstanceState.RUNNING:
            self.boot(name)
        elif state is not InstanceState.PENDING:
            self.power_off(name)

    def boot(self, name: str) -> None:
        """The guest starts; a while later its service and its daemon do."""
        host = self._world.hosts[name]
        host.boots += 1
        if host.is_clock_set:
            # Nobody can tell how long such a host was off.
            self._world.audit.forgive(name)
            host.is_clock_set = False
        host.is_on, host.is_hung = False, False
        boot = host.boots

        def up() -> None:
            if host.boots == boot and self._world.is_running(name):
                host.is_on = True
                host.service = Service.DOWN if self.is_sick else Service.UP
                self._plug_all(host)
                self._world.members[name].start()
                self._world.refresh()

        self._world.clockwork.after(BOOT_SECONDS, up)

    def power_off(self, name: str) -> None:
        """Nothing runs on this host any more."""
        host = self._world.hosts[name]
        if host.is_on:
            host.is_on = False
            self._world.members[name].kill()
            host.links.clear()
            self._world.refresh()

    def power_on(self, name: str) -> None:
        """Whoever looks after the machines starts what has stopped."""
        instance = self._world.lab.state.instances.get(self._world.hosts[name].instance_id)
        if instance is not None and instance.state is InstanceState.STOPPED:
            self._world.say("mend", name, "starts")
            self._world.lab.start_instance(name)
        elif instance is not None and instance.state is InstanceState.STOPPING:
            self._world.later(1.0, lambda: self.power_on(name))

    def hang(self, name: str, seconds: float) -> None:
        """Nothing on this host runs for so long, and it does not know."""
        host = self._world.hosts[name]
        if not host.is_alive:
            return
        self._world.say("fault", name, f"hangs for {seconds:.3f} s")
        self._stop_for(host, seconds, self._world.members[name].freeze)

    def _stop_for(self, host: Host, seconds: float, stop: Callable[[float], None]) -> None:
        host.is_hung, host.hung_until = True, self._world.now + seconds
        stop(seconds)
        self._world.refresh()
        boots = host.boots

        def again() -> None:
            late = self._world.now >= host.hung_until
            if host.boots == boots and host.is_hung and late:
                host.is_hung = False
                self._world.refresh()

        self._world.clockwork.after(seconds, again)

    def sleep(self, name: str, seconds: float) -> None:
        """The host sleeps for so long, and its clock goes on."""
        host = self._world.hosts[name]
        if host.is_alive:
            self._world.say("fault", name, f"sleeps for {seconds:.3f} s")
            self._stop_for(host, seconds, self._world.members[name].sleep)

    # Links -----------------------------------------------------------------------------------------

    def attachment_changed(self, eni_id: str, eni: Eni | None) -> None:
        """EC2 shows another attachment of this ENI, or another status of it."""
        attachment = eni.attachment if eni else None
        place = "missing" if eni is None else self._world.shown(eni)
        self._world.say("ec2", f"eni-{self._world.plan.eni_ids.index(eni_id) + 1}", place)
        holder = attachment.instance_id if attachment else None
        self._world.moves += attachment is not None and attachment.status is AttachmentStatus.ATTACHED
        self._world.audit.attachments.changed(eni_id, attachment, self._world.now)
        if attachment is not None and attachment.status is AttachmentStatus.ATTACHING:
            self._world.attaching_began(eni_id, self._world.name_of(holder))
        for host in self._world.hosts.values():
            if host.instance_id != holder:
                self._unplug(host, eni_id)
            elif attachment and attachment.status is AttachmentStatus.ATTACHED:
                self._world.clockwork.after(
                    self._world.plan.link_delay / 2, partial(self._plug, host, eni_id)
                )
            elif attachment and attachment.status is AttachmentStatus.DETACHING:
                self._world.clockwork.after(UNPLUG_DELAY, partial(self._unplug_if_leaving, host, eni_id))

    def _is_on(self, host: Host, eni_id: str, *, leaving: bool) -> bool:
        eni = self._world.lab.state.enis.get(eni_id)
        if eni is None or eni.attachment is None or eni.attachment.instance_id != host.instance_id:
            return False
        wanted = AttachmentStatus.DETACHING if leaving else AttachmentStatus.ATTACHED
        return eni.attachment.status is wanted

    def _plug_all(self, host: Host) -> None:
        for eni in self._world.floating():
            self._plug(host, eni.id)

    def _plug(self, host: Host, eni_id: str) -> None:
        """A link appears, and has its addresses a while later."""
        if not host.is_on or eni_id in host.links or not self._is_on(host, eni_id, leaving=False):
            return
        if host.hot_plug is HotPlug.NEVER:
            return
        half = self._world.plan.link_delay / 2
        ready_at = float("inf") if host.hot_plug is HotPlug.BARE else self._world.now + half
        attachment = self._world.lab.eni(eni_id).attachment
        assert attachment is not None
        host.links[eni_id] = KernelLink(attachment_id=attachment.id, ready_at=ready_at)
        member = self._world.members[host.name]
        member.link_came(eni_id)
        self._world.clockwork.after(half, member.wake)

    def replug(self, name: str) -> None:
        """The guest's hot plug works again: links appear, addresses are set."""
        host = self._world.hosts[name]
        host.hot_plug = HotPlug.WORKS
        if host.is_on:
            for eni_id, link in host.links.items():
                link.ready_at = min(link.ready_at, self._world.now)
                self._world.members[name].link_came(eni_id)
            self._plug_all(host)

    def _unplug_if_leaving(self, host: Host, eni_id: str) -> None:
        if self._is_on(host, eni_id, leaving=True) and not self._world.lab.eni(eni_id).detach_stuck:
            self._unplug(host, eni_id)

    def unplug(self, name: str, eni_id: str) -> None:
        """The kernel of this host loses the link."""
        self._unplug(self._world.hosts[name], eni_id)

    def _unplug(self, host: Host, eni_id: str) -> None:
        link = host.links.pop(eni_id, None)
        if link is not None:
            host.lost[eni_id] = link.attachment_id
            host.lost_at[eni_id] = self._world.now
            self._world.members[host.name].link_lost(eni_id)
