"""The bound on connections: how many there are, and how long each may take.

aiohttp's server has no limit on either: a client that sends one header byte a minute, or never reads
its answer, keeps its connection. The guard stands between the event loop and aiohttp's protocol: a
connection above the limit is aborted, and each has a deadline, first for the whole request head, then
for body and answer together. One connection carries one request, so there is no idle state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

_CLOSING_BOUND = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one server. Times in seconds.

    `head` is from the connection to the end of the request's header, `body` from there to the end of
    its body, `answer` is what the daemon may take to answer an order, `exchange` is everything after
    the header: a client that does not read its answer is cut off then. A stream has so long for each part.
    """

    connections: int = 64
    head: float = 5.0
    body: float = 5.0
    answer: float = 15.0
    exchange: float = 30.0
    body_bytes: int = 16 * 1024


class Guard:
    """Counts the connections of one server, and ends those that are too many or too slow."""

    def __init__(self, make_handler: Callable[[], asyncio.Protocol], limits: Limits) -> None:
        self._make_handler = make_handler
        self._limits = limits
        self._deadlines: dict[asyncio.BaseTransport, asyncio.TimerHandle] = {}
        self._is_full = False
        self._empty = asyncio.Event()
        self._empty.set()
        self._log = structlog.get_logger("eni_failover.control")

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return _Connection(self, self._make_handler())

    def admit(self, transport: asyncio.Transport) -> bool:
        """Whether this new connection may stay; its head is then due."""
        if len(self._deadlines) >= self._limits.connections:
            if not self._is_full:
                self._log.warning("control.connections_exhausted", limit=self._limits.connections)
            self._is_full = True
            return False
        self._arm(transport, self._limits.head)
        self._empty.clear()
        return True

    def answering(self, transport: asyncio.BaseTransport | None) -> None:
        """The head has come in full, or a part of a stream has gone out: from now on the exchange is due."""
        if isinstance(transport, asyncio.Transport) and transport in self._deadlines:
            self._deadlines[transport].cancel()
            self._arm(transport, self._limits.exchange)

    def leave(self, transport: asyncio.BaseTransport) -> None:
        """The connection is gone."""
        self._deadlines.pop(transport).cancel()
        if len(self._deadlines) <= self._limits.connections // 2:
            self._is_full = False
        if not self._deadlines:
            self._empty.set()

    async def close(self) -> None:
        """Abort what is left. Bounded: a transport that does not go within a second is left to its fate."""
        for transport in tuple(self._deadlines):
            if isinstance(transport, asyncio.Transport):
                transport.abort()
        try:
            async with asyncio.timeout(_CLOSING_BOUND):
                await self._empty.wait()
        except TimeoutError:
            self._log.warning("control.connections_left", count=len(self._deadlines))

    def _arm(self, transport: asyncio.Transport, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._deadlines[transport] = loop.call_later(seconds, transport.abort)


class _Connection(asyncio.Protocol):
    """Passes one connection's events on to aiohttp's handler, once it was admitted."""

    def __init__(self, guard: Guard, handler: asyncio.Protocol) -> None:
        self._guard = guard
        self._handler = handler
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"a stream transport, not {transport!r}")
        if not self._guard.admit(transport):
            transport.abort()
            return
        self._transport = transport
        self._handler.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._guard.leave(self._transport)
            self._handler.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._handler.data_received(data)

    def eof_received(self) -> bool | None:
        return self._handler.eof_received() if self._transport is not None else None

    def pause_writing(self) -> None:
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._handler.resume_writing()
