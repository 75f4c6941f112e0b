"""The kernel's links of our ENIs, followed by netlink events: whether what EC2 attached is usable.

Owns two netlink sockets and the wake-up when an ENI's link changed. Must not know EC2, or what is done
about a link that is not ready. Does not guarantee to see every event: when the kernel's queue overran,
everything is read anew.

Nothing is polled, no program is called, and no privilege is needed. Links are found by MAC: their
names depend on the distribution, and the instance metadata lags behind the kernel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from eni_failover.adapters.link.mirror import Message, Mirror, Part
from eni_failover.adapters.link.mode import DetectedMode, LinkMode, decide_mode
from eni_failover.core.model import Eni, Link
from eni_failover.core.policy import EniId
from eni_failover.errors import AdapterError, InvariantError, TransientError

if TYPE_CHECKING:
    from pyroute2 import AsyncIPRoute

# Links, and the addresses, routes and rules of IPv4 and IPv6: RTMGRP_* of linux/rtnetlink.h.
_GROUPS: Final = 0x1 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 0x40000
_READ_TIMEOUT: Final = 5.0
_REOPEN_AFTER: Final = 1.0


class LinkWatcher:
    """Follows the links of the ENIs that `state` was asked for.

    `clock` is monotonic, in seconds. `on_change` is called in the event loop when such a link became
    present, ready, unready or lost; `on_error` when the kernel could not be followed for a while.
    """

    def __init__(
        self,
        *,
        mode: LinkMode,
        clock: Callable[[], float],
        on_change: Callable[[], None],
        on_error: Callable[[AdapterError], None],
    ) -> None:
        self._mode = mode
        self._clock = clock
        self._on_change = on_change
        self._on_error = on_error
        self._mirror = Mirror()
        self._events: AsyncIPRoute | None = None
        self._queries: AsyncIPRoute | None = None
        self._enis: dict[EniId, Eni] = {}
        self._links: dict[EniId, Link] = {}

    @property
    def kernel_macs(self) -> frozenset[str]:
        """The MACs of all links of this kernel, or rather of this network namespace."""
        return self._mirror.macs

    async def start(self) -> None:
        """Read the kernel's state once, so that `state` has an answer; raises TransientError."""
        if self._mode is LinkMode.OFF:
            return
        try:
            await self._open()
        except _netlink_errors() as error:
            self.close()
            raise TransientError(f"the kernel's links cannot be read: {error!r}") from error

    async def run(self) -> None:
        """Follow the kernel until cancelled; call `start` before."""
        if self._mode is LinkMode.OFF:
            await asyncio.Event().wait()
        while True:
            try:
                if self._events is None:
                    await self._open()
                    self._look_again()
                await self._follow()
            except _netlink_errors() as error:
                # An overrun queue is the usual cause: the socket is of no use any more.
                self.close()
                self._on_error(TransientError(f"the kernel's links are read anew: {error!r}"))
                await asyncio.sleep(_REOPEN_AFTER)

    def state(self, eni: Eni) -> Link:
        """The link of this ENI now; from then on its changes call `on_change`.

        An ENI that EC2's last answer did not describe is looked for by what is known of it.
        """
        if self._mode is LinkMode.OFF:
            return Link(eni_id=eni.eni_id, watched=False)
        if eni.mac:
            self._enis[eni.eni_id] = eni
        return self._look(eni.eni_id)

    def close(self) -> None:
        """Close the sockets."""
        for socket in (self._events, self._queries):
            if socket is not None:
                socket.close()
        self._events = self._queries = None

    async def _open(self) -> None:
        """Open the sockets and read everything; events from before the reading only repeat it."""
        # Not at the top: it takes 20 MB and a tenth of a second, which mode `off` can do without.
        from pyroute2 import AsyncIPRoute  # noqa: PLC0415 - see above

        self.close()
        self._events, self._queries = AsyncIPRoute(), AsyncIPRoute()
        await self._events.bind(groups=_GROUPS)
        mirror = Mirror()
        for message in [*await self._read("get_links"), *await self._read("get_addr")]:
            mirror.apply(message)
        await self._read_parts(mirror, set(Part))
        self._mirror = mirror

    async def _follow(self) -> None:
        """Take events as they come, as many at a time as have come, and look at the outcome of all."""
        while True:
            stale = {self._mirror.apply(message) for message in await self._next_events()}
            await self._read_parts(self._mirror, {part for part in stale if part is not None})
            self._look_again()

    async def _next_events(self) -> list[Message]:
        """Wait for events; then also the ones that are there already."""
        if self._events is None:
            raise InvariantError("the link events are not open")
        messages = [message async for message in self._events.get()]
        try:
            async with asyncio.timeout(0):
                while True:
                    messages += [message async for message in self._events.get()]
        except TimeoutError:
            return messages

    async def _read_parts(self, mirror: Mirror, parts: Iterable[Part]) -> None:
        for part in parts:
            match part:
                case Part.RULES:
                    mirror.read_rules(await self._read("get_rules"))
                case Part.ROUTES:
                    mirror.read_routes(await self._read("get_routes"))

    async def _read(self, dump: str) -> list[Message]:
        """One dump, by a socket without events: another program's answer cannot cut it short."""
        async with asyncio.timeout(_READ_TIMEOUT):
            return [message async for message in await getattr(self._queries, dump)()]

    def _look(self, eni_id: EniId) -> Link:
        """The ENI's link now, and since when it is lost if it was here before."""
        before = self._links.get(eni_id, Link(eni_id=eni_id, watched=True))
        eni = self._enis.get(eni_id)
        found = self._mirror.find(eni.mac) if eni else None
        if eni and found:
            missing = self._mirror.missing(eni, found)
            link = Link(eni_id=eni_id, watched=True, present=True, missing=missing)
        else:
            lost_at = self._clock() if before.present else before.lost_at
            link = replace(before, present=False, missing=(), lost_at=lost_at)
        self._links[eni_id] = link
        return link

    def _look_again(self) -> None:
        """Look at all ENIs asked for, and wake the reconciler when something changed for one."""
        before = dict(self._links)
        for eni_id in self._enis:
            self._look(eni_id)
        if before != self._links:
            self._on_change()


async def detect_mode(own_macs: Iterable[str], *, root: Path = Path("/")) -> DetectedMode:
    """What mode `auto` means here; `own_macs` are those of this instance's ENIs, by EC2.

    Raises TransientError when the kernel's links cannot be read.
    """
    watcher = LinkWatcher(
        mode=LinkMode.VERIFY, clock=lambda: 0.0, on_change=lambda: None, on_error=lambda _: None
    )
    await watcher.start()
    watcher.close()
    return decide_mode(own_macs=own_macs, kernel_macs=watcher.kernel_macs, root=root)


def _netlink_errors() -> tuple[type[Exception], ...]:
    """What pyroute2 raises, imported as late as pyroute2 is."""
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415 - see `LinkWatcher._open`

    return NetlinkError, OSError  # a TimeoutError is an OSError
