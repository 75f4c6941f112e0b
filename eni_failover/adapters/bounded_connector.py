"""aiohttp's connections, for answers of strangers: so much head, and no flood of packets.

aiohttp bounds the number of fields and the length of each, but reads informational answers (1xx) without end,
and wakes the loop for every packet. Its connector has no other way in than the attribute that makes its
protocols.
"""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from eni_failover.adapters.probes.answer import MAX_INFORMATIONAL
from eni_failover.adapters.probes.wire import GATHER, READS_AT_ONCE

MAX_HEAD = 64 * 1024
_SLICE = 4 * 1024  # parsed at once: what is refused has not been taken apart before
_SWITCHING = 101


class _BoundedHandler(ResponseHandler):
    """One connection, which serves one request."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._packets = 0
        self._head_bytes = 0
        self._informational = 0
        self._has_head = False

    def feed_data(self, data: Any, size: int = 0) -> None:
        """A head has come, of the answer or of an informational one before it."""
        status = data[0].code
        if 100 <= status < 200 and status != _SWITCHING:
            self._informational += 1
        else:
            self._has_head = True
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        """Pass it on to the parser, as far as it is not too much. aiohttp itself calls it with nothing."""
        if not data:
            super().data_received(data)
            return
        self._packets += 1
        if self._packets > READS_AT_ONCE and self.transport is not None:
            self._buffer_paused = True  # else aiohttp resumes it with each piece that is taken
            self.transport.pause_reading()
            self._loop.call_later(GATHER, self._read_on)
        for start in range(0, len(data), _SLICE):
            if self._is_too_much():
                self._give_up()
                return
            piece = data[start : start + _SLICE]
            if not self._has_head:
                self._head_bytes += len(piece)
            super().data_received(piece)

    def _is_too_much(self) -> bool:
        return not self._has_head and (self._head_bytes > MAX_HEAD or self._informational > MAX_INFORMATIONAL)

    def _give_up(self) -> None:
        if self.exception() is None:
            self.set_exception(aiohttp.ClientPayloadError("more head than is read"))
        if self.transport is not None:
            self.transport.abort()

    def _read_on(self) -> None:
        self._buffer_paused = False
        # Unless aiohttp holds it, too: for a reader that is slower than what comes.
        if self.transport is not None and not self._reading_paused:
            self.transport.resume_reading()


class BoundedConnector(aiohttp.TCPConnector):
    """A new connection for each request; make it in a running loop."""

    def __init__(self) -> None:
        super().__init__(force_close=True)
        self._factory = functools.partial(_BoundedHandler, loop=self._loop)  # type: ignore[assignment]
