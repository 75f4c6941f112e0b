"""Which way links are looked at on this host, and the links themselves.

Owns the choice of `[network] mode = "auto"`: it needs the MACs of this instance's own ENIs, which EC2
tells a moment after the start. Until the choice is made no ENI here counts as ready.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from eni_failover.adapters.link import LinkMode, LinkWatcher, detect_mode
from eni_failover.config import NetworkMode
from eni_failover.core.model import Eni, Link
from eni_failover.core.policy import EniId
from eni_failover.errors import AdapterError

RETRY_AFTER = 1.0


class Linking:
    """The links, as the reconciler asks for them.

    `own_macs` waits until EC2 has told the MACs of this instance's ENIs; `wake` asks for a pass;
    `on_lost` counts a link that the kernel took away.
    """

    def __init__(
        self,
        *,
        mode: NetworkMode,
        own_macs: Callable[[], Awaitable[tuple[str, ...]]],
        clock: Callable[[], float],
        wake: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._mode = mode
        self._own_macs = own_macs
        self._clock = clock
        self._wake = wake
        self._on_lost = on_lost
        self._changed = asyncio.Event()
        self._watcher: LinkWatcher | None = None
        self._lost: dict[EniId, float] = {}
        self._log = structlog.get_logger()

    def set_mode(self, mode: NetworkMode) -> None:
        """A reload: look at links this way from now on."""
        if mode is not self._mode:
            self._mode = mode
            self._changed.set()

    def state(self, eni: Eni) -> Link:
        """The link of this ENI, found by its MAC; nothing is ready before the mode is known."""
        if self._mode is NetworkMode.OFF:
            return Link(eni_id=eni.eni_id, watched=False)
        if self._watcher is None:
            return Link(eni_id=eni.eni_id, watched=True, is_known=False, missing=("mode_unknown",))
        link = self._watcher.state(eni)
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
        watcher = await self._started(await self._effective())
        self._watcher = watcher
        self._wake()
        try:
            await watcher.run()
        finally:
            self._watcher = None
            watcher.close()

    async def _started(self, mode: LinkMode) -> LinkWatcher:
        watcher = LinkWatcher(mode=mode, clock=self._clock, on_change=self._wake, on_error=self._report)
        while True:
            try:
                await watcher.start()
            except AdapterError as error:
                self._report(error)
                await asyncio.sleep(RETRY_AFTER)
            else:
                return watcher

    async def _effective(self) -> LinkMode:
        if self._mode is not NetworkMode.AUTO:
            return LinkMode.OFF if self._mode is NetworkMode.OFF else LinkMode.VERIFY
        macs = await self._own_macs()
        while True:
            try:
                found = await detect_mode(macs)
            except AdapterError as error:
                self._report(error)
                await asyncio.sleep(RETRY_AFTER)
                continue
            level = self._log.warning if found.mode is LinkMode.OFF else self._log.info
            level("network.mode_chosen", mode=str(found.mode), why=found.reason)
            return found.mode

    def _report(self, error: AdapterError) -> None:
        self._log.warning("network.links_unread", error=str(error))
