"""Which way links are looked at on this host, and the links themselves.

Owns the choice of `[network] mode = "auto"`: it needs the MACs of this instance's own ENIs, which EC2
tells a moment after the start. Until the choice is made no ENI here counts as ready. Owns as well what
is told of repairs: one is a line in the log; the same one again and again names who may undo it, and is
only counted for ten minutes then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from eni_failover.adapters.link import (
    Capability,
    KernelLink,
    LinkManager,
    LinkMode,
    LinkWatcher,
    Refusal,
    announce,
    awaits_name,
    detect_mode,
    find_manager,
    has,
)
from eni_failover.config import NetworkMode, NetworkSettings
from eni_failover.core.model import AttachmentStatus, Eni, EniSurvey, Link, Subnet
from eni_failover.core.policy import EniId, InstanceId
from eni_failover.errors import AdapterError, StartError

RETRY_AFTER = 1.0
REPEATED = 3  # the same thing put back so often within the window is undone by somebody
REPEAT_WINDOW = 600.0


class Subnets(Protocol):
    """What EC2 has told of subnets."""

    async def own_macs(self) -> tuple[str, ...]:
        """The MACs of this instance's ENIs, as soon as EC2 has told them."""
        ...

    @property
    def enis(self) -> EniSurvey:
        """The newest answer about the group's ENIs."""
        ...

    async def follow_subnets(self, changed: Callable[[], None]) -> None:
        """Asks EC2 for the subnets of the group's ENIs, until cancelled."""
        ...

    @property
    def subnets(self) -> Mapping[str, Subnet]:
        """The subnets known, by id."""
        ...


def refuse_unprivileged(settings: NetworkSettings) -> None:
    """Raises StartError when the file wants links set up and this process may not do that."""
    if settings.mode is NetworkMode.MANAGE and not has(Capability.NET_ADMIN):
        raise StartError(
            '[network] mode = "manage" needs CAP_NET_ADMIN: in the unit, AmbientCapabilities=CAP_NET_ADMIN; '
            "for a container, --cap-add NET_ADMIN without no-new-privileges"
        )


class Linking:
    """The links, as the reconciler asks for them.

    `facts` waits for what EC2 knows; `wake` asks for a pass; `on_lost` counts a link that the kernel took
    away, `on_repair` something that was put back.
    """

    def __init__(
        self,
        *,
        settings: NetworkSettings,
        instance_id: InstanceId,
        facts: Subnets,
        clock: Callable[[], float],
        wake: Callable[[], None],
        on_lost: Callable[[], None],
        on_repair: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._instance_id = instance_id
        self._facts = facts
        self._clock = clock
        self._wake = wake
        self._on_lost = on_lost
        self._on_repair = on_repair
        self._changed = asyncio.Event()
        self._watcher: LinkWatcher | None = None
        self._lost: dict[EniId, float] = {}
        self._repairs: dict[tuple[EniId, str], deque[float]] = {}
        self._blamed: dict[tuple[EniId, str], float] = {}
        self._log = structlog.get_logger()

    def set_network(self, settings: NetworkSettings) -> None:
        """A reload: look at links this way from now on."""
        if settings != self._settings:
            self._settings = settings
            self._changed.set()

    def state(self, eni: Eni) -> Link:
        """The link of this ENI, found by its MAC; nothing is ready before the mode is known."""
        if self._settings.mode is NetworkMode.OFF:
            return Link(eni_id=eni.eni_id, watched=False)
        if self._watcher is None:
            return Link(eni_id=eni.eni_id, watched=True, is_known=False, missing=("mode_unknown",))
        link = self._watcher.state(eni, asked_at=self._facts.enis.began_at)
        if link.lost_at is not None and self._lost.get(eni.eni_id) != link.lost_at:
            self._lost[eni.eni_id] = link.lost_at
            self._on_lost()
        return link

    async def run(self) -> None:
        """Chooses the mode and follows the kernel, until cancelled."""
        while True:
            self._changed.clear()
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._watch(), name="link watch")
                await self._changed.wait()
                watching.cancel()

    async def _watch(self) -> None:
        mode = await self._effective()
        watcher = await self._started(mode)
        self._watcher = watcher
        self._wake()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(watcher.run(), name="links")
                if mode is LinkMode.MANAGE:
                    group.create_task(self._facts.follow_subnets(watcher.poke), name="subnets")
        finally:
            self._watcher = None
            watcher.close()

    async def _started(self, mode: LinkMode) -> LinkWatcher:
        watcher = LinkWatcher(
            mode=mode,
            clock=self._clock,
            on_change=self._wake,
            on_error=self._report,
            manager=self._manager() if mode is LinkMode.MANAGE else None,
            path_check=self._settings.path_check,
            is_here=self._is_here,
            on_doubt=self._doubted,
        )
        while True:
            try:
                await watcher.start()
            except AdapterError as error:
                self._report(error)
                await asyncio.sleep(RETRY_AFTER)
            else:
                return watcher

    def _manager(self) -> LinkManager:
        return LinkManager(
            clock=self._clock,
            subnet_of=self._facts.subnets.get,
            is_elsewhere=self._is_elsewhere,
            ipv6_router=self._settings.ipv6_router,
            on_set_up=self._set_up,
            on_repair=self._repaired,
            on_refused=self._refused,
            awaits_name=awaits_name,
        )

    async def _effective(self) -> LinkMode:
        if self._settings.mode is not NetworkMode.AUTO:
            return LinkMode(self._settings.mode.value)
        macs = await self._facts.own_macs()
        while True:
            try:
                found = await detect_mode(macs, may_manage=has(Capability.NET_ADMIN))
            except AdapterError as error:
                self._report(error)
                await asyncio.sleep(RETRY_AFTER)
                continue
            level = self._log.warning if found.mode is LinkMode.OFF else self._log.info
            level("network.mode_chosen", mode=str(found.mode), why=found.reason)
            return found.mode

    def _is_here(self, eni: Eni) -> bool:
        return eni.attachment is not None and eni.attachment.instance_id == self._instance_id

    def _is_elsewhere(self, eni: Eni) -> bool:
        attachment = eni.attachment
        return (
            attachment is not None
            and attachment.status is AttachmentStatus.ATTACHED
            and attachment.instance_id != self._instance_id
        )

    def _set_up(self, eni: Eni, link: KernelLink) -> None:
        """A link has become complete; without CAP_NET_RAW nobody is told, which a VPC can do without."""
        self._log.info("network.link_set_up", eni_id=eni.eni_id, link=link.name)
        if has(Capability.NET_RAW):
            try:
                announce(link, eni.private_addresses)
            except OSError as error:
                self._log.warning("network.announce_failed", eni_id=eni.eni_id, error=str(error))

    def _repaired(self, eni_id: EniId, what: str) -> None:
        self._on_repair(what)
        now = self._clock()
        times = self._repairs.setdefault((eni_id, what), deque(maxlen=REPEATED))
        times.append(now)
        if now - self._blamed.get((eni_id, what), float("-inf")) <= REPEAT_WINDOW:
            return
        if len(times) < REPEATED or now - times[0] > REPEAT_WINDOW:
            self._log.info("network.link_repaired", eni_id=eni_id, what=what)
            return
        self._blamed[eni_id, what] = now
        manager = find_manager()
        self._log.warning(
            "network.repair_conflict",
            eni_id=eni_id,
            what=what,
            suspect=str(manager) if manager else "an unknown program or person",
            remedy=manager.truce if manager else "see who removes it: ip monitor address route rule",
        )

    def _refused(self, eni_id: EniId | None, link: KernelLink | None, refusal: Refusal) -> None:
        self._log.warning(
            "network.change_refused",
            eni_id=eni_id or "",
            link=link.name if link is not None else "",
            what=refusal.what,
            error=refusal.why,
        )

    def _doubted(self, eni: Eni, chosen: KernelLink | None, others: tuple[KernelLink, ...]) -> None:
        """Other links have the ENI's MAC: a client may be answered by none of them."""
        self._log.warning(
            "network.mac_shared",
            eni_id=eni.eni_id,
            mac=eni.mac,
            link=chosen.name if chosen is not None else "",
            links=", ".join(f"{link.name} ({link.kind or 'device'})" for link in others),
            remedy="give those links another MAC, or remove them",
        )

    def _report(self, error: AdapterError) -> None:
        self._log.warning("network.read_failed", error=str(error))
