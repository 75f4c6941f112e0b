"""Bytes over one connection, with or without TLS.

Not asyncio's streams: their transports close later, and an attempt frees its socket before it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")
_PIECE = 16 * 1024
# A flood of tiny packets would wake the loop for each: after so many it is let gather for a moment.
READS_AT_ONCE = 64
GATHER = 0.001  # seconds


class Wire:
    """A connected socket, which this object closes."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._reads = 0

    @property
    def socket(self) -> socket.socket:
        """The socket below."""
        return self._socket

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """Shake hands. Raises OSError (`ssl.SSLError`), and ValueError for a name that is none."""
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        try:
            await self._drive(self._tls.do_handshake)
        except ssl.SSLError:
            self._send_alert()
            raise

    async def send(self, data: bytes) -> None:
        """Send all of it. Raises OSError."""
        if self._tls is None:
            await asyncio.get_running_loop().sock_sendall(self._socket, data)
        else:
            tls = self._tls
            await self._drive(lambda: tls.write(data))

    async def receive(self) -> bytes:
        """What comes next; empty at the end. Raises OSError."""
        if self._tls is None:
            return await self._read()
        tls = self._tls
        try:
            return await self._drive(lambda: tls.read(_PIECE))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):  # many a server ends without close_notify
            return b""

    def close(self) -> None:
        """Close the connection; over TLS with a close_notify when there is room for it."""
        if self._tls is not None:
            with contextlib.suppress(OSError, ValueError):
                self._tls.unwrap()
            self._send_alert()
        self._socket.close()

    async def _read(self) -> bytes:
        self._reads += 1
        if self._reads > READS_AT_ONCE:
            await asyncio.sleep(GATHER)
        return await asyncio.get_running_loop().sock_recv(self._socket, _PIECE)

    async def _drive(self, call: Callable[[], _T]) -> _T:
        """Call until it does not want more bytes from the other side."""
        while True:
            try:
                result = call()
            except ssl.SSLWantReadError:
                await self._flush()
                received = await self._read()
                if received:
                    self._incoming.write(received)
                else:
                    self._incoming.write_eof()
            else:
                await self._flush()
                return result

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await asyncio.get_running_loop().sock_sendall(self._socket, self._outgoing.read())

    def _send_alert(self) -> None:
        """Say what OpenSSL has to say at the end, without waiting."""
        if self._outgoing.pending:
            with contextlib.suppress(OSError):
                self._socket.send(self._outgoing.read())
