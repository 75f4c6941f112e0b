"""The bound on connections: who gets one, how many bytes are read from it, and how long each may take.

aiohttp's server has no limit on any of these. The guard accepts by itself and reads the head by itself: a
connection is first a place, and only a whole head makes a handler of aiohttp's. Whoever is over his bounds is
cut off before he costs more than an accept. One connection carries one request, so there is no idle state.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections import Counter
from collections.abc import Callable

import structlog

from eni_failover.control.callers import Caller
from eni_failover.control.limits import Limits

_CLOSING_BOUND = 1.0
_SILENT_FOR = 60.0
"""Seconds between two lines of the log about what was refused: strangers must not fill it."""
_CALLERS_KEPT = 1024
_SELDOM = 0.9
"""Of a caller's burst, which is then left."""
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_NO_ROOM_PAUSE = 1.0
# These say that the listening socket is none: a mistake of ours.
_NO_LISTENER = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EOPNOTSUPP})
# close(2) then sends a reset: no state of a refused connection stays in the kernel.
_RESET = struct.pack("ii", 1, 0)
_HEAD_ENDS = (b"\r\n\r\n", b"\n\n")
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nServer: eni-failover\r\nConnection: close\r\n"
    b"Content-Type: application/json\r\nContent-Length: 35\r\n\r\n"
    b'{"error": "the header is too long"}'
)


class Rate:
    """So many a second in the long run, and so many at once."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._at = burst, now

    def take(self, now: float, *, leaving: float = 0.0) -> bool:
        """Whether one more may be, which leaves so many; then it is counted."""
        self._left, self._at = min(self._burst, self._left + (now - self._at) * self._rate), now
        if self._left < 1 + leaving:
            return False
        self._left -= 1
        return True

    def share_left(self, now: float) -> float:
        """How much of the burst could be taken now: 1 is all of it, nothing of late is left to remember."""
        return min(1.0, (self._left + (now - self._at) * self._rate) / self._burst)


class Guard:
    """Accepts one server's connections, and ends those that are too many, too slow or too long.

    `reads_bodies` is false where a request ends with its head: what follows is not read.
    """

    def __init__(
        self,
        make_handler: Callable[[], asyncio.Protocol],
        limits: Limits,
        *,
        caller_of: Callable[[socket.socket], Caller],
        reads_bodies: bool,
    ) -> None:
        self.make_handler = make_handler
        self.limits = limits
        self.body_bytes = limits.body_wire_bytes if reads_bodies else 0
        self._caller_of = caller_of
        self._connections: dict[asyncio.BaseTransport, _Connection] = {}  # the oldest first
        self._rates: dict[Caller, Rate] = {}
        self._strangers = Rate(limits.strangers_rate, limits.strangers_burst, 0.0)
        self._told_at: dict[str, float] = {}
        self._refused = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self._log = structlog.get_logger("eni_failover.control")

    def __len__(self) -> int:
        """How many connections there are, streams included."""
        return len(self._connections)

    @property
    def streams(self) -> int:
        """How many of them are event streams."""
        return sum(connection.is_stream for connection in self._connections.values())

    async def accept(self, sock: socket.socket) -> None:
        """Take connections from this listening socket, until cancelled.

        Raises OSError when it is no listening socket.
        """
        loop = asyncio.get_running_loop()
        sock.setblocking(False)
        while True:
            for _ in range(self.limits.accepts_at_once):
                try:
                    client, _ = await loop.sock_accept(sock)
                except OSError as error:
                    if error.errno in _NO_LISTENER:
                        raise
                    if error.errno in _NO_ROOM:
                        self._tell("control.accept_failed", error=str(error))
                        await asyncio.sleep(_NO_ROOM_PAUSE)
                    continue  # any other is of that one connection: accept(2), Error handling
                await self._take(client)
            await asyncio.sleep(self.limits.accept_pause)

    async def _take(self, client: socket.socket) -> None:
        """Give this connection a place, or cut it off."""
        loop = asyncio.get_running_loop()
        try:
            caller = self._caller_of(client)
            if self._may_enter(caller, loop.time()):
                await loop.connect_accepted_socket(lambda: _Connection(self, caller), client)
                return
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        except OSError:
            pass  # it has gone by itself
        client.close()

    def _may_enter(self, caller: Caller, now: float) -> bool:
        if not self._is_slow_enough(caller, now):
            return self._refuse(caller, "rate")
        present = [other for other in self._connections.values() if not other.is_stream]
        own = [other for other in present if other.caller == caller]
        if len(own) >= (self.limits.per_known if caller.is_known else self.limits.per_stranger):
            return self._make_room(own) or self._refuse(caller, "places of one caller")
        strangers = [other for other in present if not other.caller.is_known]
        if not caller.is_known and len(strangers) >= self.limits.connections:
            return self._make_room(strangers) or self._refuse(caller, "places")
        return True

    def _is_slow_enough(self, caller: Caller, now: float) -> bool:
        rate = self._rates.get(caller)
        if rate is None:
            if len(self._rates) >= _CALLERS_KEPT:
                for forgotten in list(self._rates)[: _CALLERS_KEPT // 2]:
                    del self._rates[forgotten]
            known, limits = caller.is_known, self.limits
            rate = self._rates[caller] = Rate(
                limits.known_rate if known else limits.stranger_rate,
                limits.known_burst if known else limits.stranger_burst,
                now,
            )
        if not rate.take(now):
            return False
        if caller.is_known:
            return True
        # Who asks seldom comes first: a load balancer is served beside strangers with many addresses.
        asks_seldom = rate.share_left(now) >= _SELDOM
        return self._strangers.take(now, leaving=0 if asks_seldom else self.limits.strangers_burst / 2)

    def _make_room(self, present: list[_Connection]) -> bool:
        """End the oldest that has sent no whole head, or else the oldest that does not read its answer."""
        headless = [connection for connection in present if connection.awaits_head]
        unread = [connection for connection in present if connection.is_unread]
        for connection in (*headless, *unread):
            if connection.transport is not None:
                self.leave(connection.transport)
                connection.abort()
                return True
        return False

    def _refuse(self, caller: Caller, bound: str) -> bool:
        self._refused += 1
        if self._tell("control.connections_refused", bound=bound, caller=caller.key, refused=self._refused):
            self._refused = 0
        return False

    def _tell(self, event: str, **facts: object) -> bool:
        """Log it, unless the same was logged within the minute."""
        now = asyncio.get_running_loop().time()
        if event in self._told_at and now < self._told_at[event] + _SILENT_FOR:
            return False
        self._told_at[event] = now
        self._log.warning(event, **facts)
        return True

    def enter(self, connection: _Connection, transport: asyncio.Transport) -> None:
        """The connection is open."""
        self._connections[transport] = connection
        self._empty.clear()

    def leave(self, transport: asyncio.BaseTransport) -> None:
        """The connection is gone, or as good as gone."""
        self._connections.pop(transport, None)
        if not self._connections:
            self._empty.set()

    def prolong(self, transport: asyncio.BaseTransport | None) -> None:
        """A part of a stream has gone out: the exchange is due anew."""
        if transport in self._connections:
            self._connections[transport].arm(self.limits.exchange)

    def stream(self, transport: asyncio.BaseTransport | None) -> bool:
        """Give this connection one of the streams' places. False: there is none for it."""
        connection = None if transport is None else self._connections.get(transport)
        if connection is None:
            return False
        of = Counter(other.caller for other in self._connections.values() if other.is_stream)
        if of.total() >= self.limits.streams or of[connection.caller] >= self.limits.streams_per_caller:
            return False
        connection.is_stream = True
        return True

    async def close(self) -> None:
        """Abort what is left. Bounded: a transport that does not go within a second is left to its fate."""
        for connection in tuple(self._connections.values()):
            connection.abort()
        try:
            async with asyncio.timeout(_CLOSING_BOUND):
                await self._empty.wait()
        except TimeoutError:
            self._log.warning("control.connections_not_closed", count=len(self._connections))


class _Connection(asyncio.Protocol):
    """One connection: reads its head, then passes that, and what a body may be, on to aiohttp's handler."""

    def __init__(self, guard: Guard, caller: Caller) -> None:
        self.caller = caller
        self.is_stream = False
        self.is_unread = False
        self._guard = guard
        self.transport: asyncio.Transport | None = None
        self._handler: asyncio.Protocol | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._head = b""
        self._reads = 0
        self._body_left = guard.body_bytes

    @property
    def awaits_head(self) -> bool:
        """Whether the whole head has not come yet."""
        return self._handler is None

    def arm(self, seconds: float) -> None:
        """From now on it has so long."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self.abort)

    def abort(self) -> None:
        """End it at once."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"a stream transport, not {transport!r}")
        self.transport = transport
        transport.set_write_buffer_limits(high=0)  # is_unread then says that something waits to be read
        self._guard.enter(self, transport)
        self.arm(self._guard.limits.head)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        if self.transport is not None:
            self._guard.leave(self.transport)
        if self._handler is not None:
            self._handler.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._reads += 1
        if self._handler is None:
            self._read_head(data)
        else:
            self._hand_on(data)

    def _read_head(self, data: bytes) -> None:
        limits = self._guard.limits
        searched = max(0, len(self._head) - len(_HEAD_ENDS[0]))
        # An empty line before the request is no head: RFC 9112, section 2.2.
        self._head = (self._head + data) if self._head else data.lstrip(b"\r\n")
        ends = [at + len(end) for end in _HEAD_ENDS if (at := self._head.find(end, searched)) >= 0]
        if ends and min(ends) <= limits.head_bytes:
            self._begin(self._head[: min(ends)], self._head[min(ends) :])
        elif self._head and not self._head[:1].isalpha():
            self._begin(self._head[: limits.head_bytes], b"")  # not HTTP, as aiohttp will say
        elif len(self._head) >= limits.head_bytes and self.transport is not None:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif self._reads >= limits.head_reads:
            self.abort()

    def _begin(self, head: bytes, rest: bytes) -> None:
        """The head is whole: answering begins."""
        if self.transport is None:
            return
        self._head = b""
        self._reads = 0
        self.arm(self._guard.limits.exchange)
        self._handler = self._guard.make_handler()
        self._handler.connection_made(self.transport)
        self._hand_on(rest, after=head)

    def _hand_on(self, data: bytes, *, after: bytes = b"") -> None:
        """What follows the head, within its bounds; more than that stays unread in the kernel.

        What came with the head goes with it (`after`): of what follows a head that announces no body the
        handler makes a bad request.
        """
        part = data[: self._body_left]
        self._body_left -= len(part)
        if self._handler is not None and (after or part):
            self._handler.data_received(after + part)
        is_over = data and (not self._body_left or self._reads >= self._guard.limits.body_reads)
        if is_over and self.transport is not None and not self.transport.is_closing():
            self._body_left = 0
            self.transport.pause_reading()

    def eof_received(self) -> bool | None:
        return self._handler.eof_received() if self._handler is not None else None

    def pause_writing(self) -> None:
        self.is_unread = True
        if self._handler is not None:
            self._handler.pause_writing()

    def resume_writing(self) -> None:
        self.is_unread = False
        if self._handler is not None:
            self._handler.resume_writing()
