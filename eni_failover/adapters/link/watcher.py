"""The kernel's links of our ENIs, followed by netlink events: whether what EC2 attached is usable.

Owns two netlink sockets and the wake-up when an ENI's link changed. Must not know EC2's calls, or what
is done about a link that is not ready. Does not guarantee to see every event: when the kernel's queue
overran, everything is read anew.

Nothing is polled and no program is called. Links are found by MAC: their names depend on the
distribution, and the instance metadata lags behind the kernel. Watching needs no privilege.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from eni_failover.adapters.link import families, needs, netlink, path, sieve
from eni_failover.adapters.link.choice import LinkChoice
from eni_failover.adapters.link.fib import Fib
from eni_failover.adapters.link.grace import Grace
from eni_failover.adapters.link.kernel import KernelLink, Message
from eni_failover.adapters.link.manager import LinkManager
from eni_failover.adapters.link.mirror import Mirror, Part
from eni_failover.adapters.link.mode import DetectedMode, LinkMode, decide_mode
from eni_failover.adapters.link.needs import Missing
from eni_failover.adapters.link.reader import read_links, read_rules
from eni_failover.core.model import Eni, Link, Presence
from eni_failover.core.policy import EniId
from eni_failover.errors import AdapterError, InvariantError, TransientError

if TYPE_CHECKING:
    from pyroute2 import AsyncIPRoute

# Links, and the addresses, routes and rules of IPv4 and IPv6: RTMGRP_* of linux/rtnetlink.h.
_GROUPS: Final = 0x1 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 0x40000
_REOPEN_AFTER: Final = 1.0
_PATH_RETRY: Final = 0.5
_CALM: Final = 60.0  # overruns that follow each other sooner are one trouble, reported once


@dataclass(slots=True)
class _Path:
    """Whether a link's path to its router was found, and the search while it was not."""

    link: KernelLink
    search: asyncio.Task[None] | None = None
    is_found: bool = False


class LinkWatcher:
    """Follows the links of the ENIs that `state` was asked for.

    `clock` is monotonic, in seconds. `on_change` is called in the event loop when such a link became
    present, ready, unready or lost; `on_error` when the kernel could not be followed for a while. With a
    `manager` the links are also set up. `path_check`: a link is ready only when its router was found.
    `is_here` reads from an answer of EC2 whether the ENI is attached to this instance. `on_doubt` is called
    once with the link that was chosen for an ENI and with the others that have its MAC.
    """

    def __init__(
        self,
        *,
        mode: LinkMode,
        clock: Callable[[], float],
        on_change: Callable[[], None],
        on_error: Callable[[AdapterError], None],
        manager: LinkManager | None = None,
        path_check: bool = False,
        is_here: Callable[[Eni], bool] = lambda _: True,
        on_doubt: Callable[[Eni, KernelLink | None, tuple[KernelLink, ...]], None] = lambda *_: None,
    ) -> None:
        self._mode = mode
        self._clock = clock
        self._on_change = on_change
        self._on_error = on_error
        self._manager = manager
        self._path_check = path_check
        self._is_here = is_here
        self._on_doubt = on_doubt
        self._choice = LinkChoice(clock)
        self._doubts: dict[EniId, tuple[int, ...]] = {}
        self._own_macs: set[str] = set()
        self._mirror = Mirror(self._own_macs)
        self._events: AsyncIPRoute | None = None
        self._queries: AsyncIPRoute | None = None
        self._fib: Fib | None = None
        self._sieved: frozenset[int] = frozenset()
        self._enis: dict[EniId, Eni] = {}
        self._links: dict[EniId, Link] = {}
        self._paths: dict[EniId, _Path] = {}
        self._grace = Grace(clock)
        self._failed_at = float("-inf")
        self._stale: set[Part] = set()
        self._is_poked = False
        self._waiting: asyncio.Timeout | None = None

    @property
    def mirror(self) -> Mirror:
        """What the kernel has, or rather this network namespace, as far as it was read."""
        return self._mirror

    async def start(self) -> None:
        """Read the kernel's state once, so that `state` has an answer; raises TransientError."""
        if self._mode is LinkMode.OFF:
            return
        try:
            await self._open()
        except netlink.errors() as error:
            self.close()
            raise TransientError(f"the kernel's links cannot be read: {error!r}") from error

    async def run(self) -> None:
        """Follow the kernel until cancelled; call `start` before."""
        if self._mode is LinkMode.OFF:
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    if self._events is None:
                        await self._open()
                    await self._follow(group)
                except netlink.errors() as error:
                    # An overrun queue is the usual cause: the socket is of no use any more.
                    self.close()
                    await self._rest(error)

    def state(self, eni: Eni, *, asked_at: float = float("-inf")) -> Link:
        """The link of this ENI now; from then on its changes call `on_change`.

        An ENI that EC2's last answer did not describe is looked for by what is known of it. `asked_at` is
        when EC2 was asked.
        """
        if self._mode is LinkMode.OFF:
            return Link(eni_id=eni.eni_id, watched=False)
        if eni.mac and eni.presence is Presence.KNOWN:
            self._choice.hear(eni, self._mirror, is_here=self._is_here(eni), asked_at=asked_at)
        if eni.mac and self._enis.get(eni.eni_id) != eni:
            self._enis[eni.eni_id] = eni
            if eni.mac not in self._own_macs:
                self._own_macs.add(eni.mac)
                self._stale.add(Part.ROUTES)
                self._read_routes()
            self.poke()
        return self._look(eni.eni_id)

    def poke(self) -> None:
        """Compare links with what they should be now, without waiting for an event."""
        self._is_poked = True
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(asyncio.get_running_loop().time())

    def close(self) -> None:
        """Close the sockets."""
        for socket in (self._events, self._queries, self._fib):
            if socket is not None:
                socket.close()
        self._events = self._queries = self._fib = None

    async def _open(self) -> None:
        """Open the sockets and read everything; events from before the reading only repeat it."""
        self.close()
        self._events, self._queries = netlink.open_socket(), netlink.open_socket()
        self._fib = Fib()
        sieve.attach(self._events, ())
        await self._events.bind(groups=_GROUPS)
        mirror = Mirror(self._own_macs)
        await read_links(self._queries, mirror)
        mirror.inherit(self._mirror)
        self._stale, self._sieved = set(Part), frozenset()
        await self._read_stale(mirror)
        self._mirror = mirror

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        """Take events as they come, as many at a time as have come, and look at the outcome of all."""
        while True:
            await self._read_stale(self._mirror)
            if self._manager is not None and self._queries is not None:
                await self._manager.bring(self._enis.values(), self._mirror, self._queries, self._find)
            self._look_again()
            self._search_paths(group)
            for message in await self._next_events():
                part = self._mirror.apply(message)
                if part is not None:
                    self._stale.add(part)

    async def _next_events(self) -> list[Message]:
        """Wait for events, a poke or the manager's turn; then take the events that are there already."""
        messages: list[Message] = []
        try:
            async with asyncio.timeout(self._until()) as self._waiting:
                messages += await self._some_events()
            self._waiting = None
            async with asyncio.timeout(0):
                while True:
                    messages += await self._some_events()
        except TimeoutError:
            return messages
        finally:
            self._waiting = None
            self._is_poked = False

    def _until(self) -> float | None:
        """For how many seconds to wait for an event, None for ever."""
        if self._is_poked:
            return 0.0
        dues = (self._grace.due, self._manager.due if self._manager is not None else None)
        due = min((due for due in dues if due is not None), default=None)
        return None if due is None else max(0.0, due - self._clock())

    async def _some_events(self) -> list[Message]:
        if self._events is None:
            raise InvariantError("the link events are not open")
        return [message async for message in self._events.get()]

    def _read_routes(self) -> None:
        """Read the routes of a link that was there before anybody asked for its ENI."""
        if self._fib is not None and self._mirror.own:
            with contextlib.suppress(OSError):  # it is stale: read again, and reported, by `run`
                self._mirror.routes = self._fib.routes(self._mirror.own, self._mirror.beside)

    async def _read_stale(self, mirror: Mirror) -> None:
        if self._events is None or self._queries is None or self._fib is None:
            raise InvariantError("the kernel's sockets are not open")
        if mirror.own != self._sieved:  # first the events, then the reading: none is missed between
            self._sieved = mirror.own
            sieve.attach(self._events, self._sieved)
            self._stale.add(Part.ROUTES)
        stale, self._stale = self._stale, set()
        for part in stale:
            match part:
                case Part.RULES:
                    await read_rules(self._queries, mirror)
                case Part.ROUTES:
                    mirror.routes = self._fib.routes(mirror.own, mirror.beside)

    async def _rest(self, error: Exception) -> None:
        """Report an error, and wait before the sockets are opened anew; an overrun needs no rest."""
        gap, self._failed_at = self._clock() - self._failed_at, self._clock()
        is_overrun = netlink.is_overrun(error)
        why = "events came faster than they were read" if is_overrun else repr(error)
        if not is_overrun or gap > _CALM:
            self._on_error(TransientError(f"the kernel's links are read anew: {why}"))
        if not is_overrun or gap < _REOPEN_AFTER:
            await asyncio.sleep(_REOPEN_AFTER)

    def _look(self, eni_id: EniId) -> Link:
        """The ENI's link now, and since when it is lost if it was here before."""
        before = self._links.get(eni_id, Link(eni_id=eni_id, watched=True))
        eni = self._enis.get(eni_id)
        found = self._find(eni) if eni else None
        if eni and found:
            link = Link(eni_id=eni_id, watched=True, present=True, missing=self._missing(eni, found))
        else:
            lost_at = self._clock() if before.present else before.lost_at
            link = replace(before, present=False, missing=(), lost_at=lost_at)
        self._links[eni_id] = link
        return link

    def _find(self, eni: Eni) -> KernelLink | None:
        return self._choice.find(eni, self._mirror)

    def _missing(self, eni: Eni, link: KernelLink) -> tuple[str, ...]:
        kernel = needs.Kernel(
            carried=families.carried_by(link.index),
            way=self._fib.way if self._fib is not None else None,
            takes_in=self._fib.takes_in if self._fib is not None else None,
            refused=self._manager.refused(eni.eni_id) if self._manager is not None else frozenset(),
        )
        try:
            lacks = needs.lacking(self._mirror, eni, link, kernel)
        except OSError as error:  # unknown is not missing
            self._on_error(TransientError(f"the kernel does not say where answers go: {error!r}"))
            lacks = needs.lacking(self._mirror, eni, link, replace(kernel, way=None, takes_in=None))
        missing = self._grace.missing(eni.eni_id, link.index, lacks)
        if missing and self._manager is not None and self._manager.lacks_subnet(eni):
            return (Missing.SUBNET, *missing)
        known = self._paths.get(eni.eni_id)
        if (
            not missing
            and self._path_check
            and not (known is not None and known.is_found and known.link.is_same_as(link))
        ):
            return (Missing.PATH,)
        return missing

    def _look_again(self) -> None:
        """Look at all ENIs asked for, and wake the reconciler when something changed for one."""
        before = dict(self._links)
        for eni_id, eni in self._enis.items():
            self._look(eni_id)
            self._report_doubt(eni)
        if before != self._links:
            self._on_change()

    def _report_doubt(self, eni: Eni) -> None:
        """Report the links that share an ENI's MAC, once for each set of them."""
        others = self._choice.doubtful(eni, self._mirror)
        births = tuple(link.born for link in others)
        if births != self._doubts.get(eni.eni_id, ()):
            self._doubts[eni.eni_id] = births
            if others:
                self._on_doubt(eni, self._find(eni), others)

    def _search_paths(self, group: asyncio.TaskGroup) -> None:
        """Have a search under way for each link that lacks nothing but its path, and no other."""
        for eni_id, eni in self._enis.items():
            link = self._find(eni)
            known = self._paths.get(eni_id)
            if known is not None and (link is None or not link.is_same_as(known.link)):
                if known.search is not None:
                    known.search.cancel()
                del self._paths[eni_id]
            if (
                link is not None
                and eni_id not in self._paths
                and self._links[eni_id].missing == (Missing.PATH,)
            ):
                sought = self._paths[eni_id] = _Path(link=link)
                sought.search = group.create_task(self._search(eni, sought), name=f"path of {eni_id}")

    async def _search(self, eni: Eni, sought: _Path) -> None:
        while True:
            routers = needs.gateways(self._mirror, eni, sought.link)
            try:
                if routers:
                    await path.find(sought.link.index, routers)
                    sought.is_found, sought.search = True, None
                    self._look_again()
                    return
            except netlink.errors() as error:
                self._on_error(TransientError(f"the router of {eni.eni_id} cannot be asked: {error!r}"))
            await asyncio.sleep(_PATH_RETRY)


async def links_with(macs: Iterable[str]) -> dict[str, tuple[KernelLink, ...]]:
    """The links of this kernel that have these MACs; raises TransientError when they cannot be read."""
    mirror = await _read_links()
    return {mac: mirror.with_mac(mac) for mac in macs}


async def _read_links() -> Mirror:
    watcher = LinkWatcher(
        mode=LinkMode.VERIFY, clock=lambda: 0.0, on_change=lambda: None, on_error=lambda _: None
    )
    await watcher.start()
    watcher.close()
    return watcher.mirror


async def detect_mode(own_macs: Iterable[str], *, may_manage: bool, root: Path = Path("/")) -> DetectedMode:
    """What mode `auto` means here; see `decide_mode`.

    Raises TransientError when the kernel's links cannot be read.
    """
    mirror = await _read_links()
    return decide_mode(own_macs=own_macs, kernel_macs=mirror.macs, may_manage=may_manage, root=root)
