"""Both servers, from socket to handler: start, and a close that is bounded."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from eni_failover.control.callers import Names, TcpCallers, unix_caller
from eni_failover.control.desk import Desk
from eni_failover.control.events import Events
from eni_failover.control.limits import Limits
from eni_failover.control.listen import UnixListener, listen_tcp, listen_unix
from eni_failover.control.orders import Orders
from eni_failover.control.page import Pages
from eni_failover.control.pulse import Pulse
from eni_failover.control.site import Site
from eni_failover.control.views import Views
from eni_failover.core.policy import Member


class Servers:
    """The read-only server on TCP and the operators' server on the Unix socket.

    `config` is the file that the daemon runs, for operators who have changed it and ask whose it is.
    `interval` is the observe interval in seconds, from which liveness is judged; the daemon sets it
    anew after a reload.
    """

    def __init__(
        self,
        *,
        desk: Desk,
        host: str,
        port: int,
        socket_path: Path,
        interval: float,
        config: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits | None = None,
        members: Callable[[], Iterable[Member]] = tuple,
    ) -> None:
        self.interval = interval
        self.port = port
        self._host = host
        self._socket_path = socket_path
        limits = limits or Limits()
        pulse = Pulse(desk=desk, interval=lambda: self.interval, clock=clock)
        views = Views(desk=desk, pulse=pulse)
        pages = Pages(desk=desk, pulse=pulse)
        orders = Orders(desk=desk, limits=limits, config=config)
        self._events = Events(desk=desk, pulse=pulse, fragment=pages.fragment)
        reading = (*views.routes(), *pages.routes(), *self._events.routes())
        self._readers = Site(
            reading, limits, caller_of=TcpCallers(members), read_only=True, names=Names(members)
        )
        self._operators = Site([*reading, *orders.routes()], limits, caller_of=unix_caller, read_only=False)
        self._unix: UnixListener | None = None
        self._tcp: socket.socket | None = None
        self._log = structlog.get_logger("eni_failover.control")

    async def start(self) -> None:
        """Listen. `port` is then the real one, also when 0 was asked for.

        Raises StartError when a socket cannot be had (SocketTaken: another daemon is running); then
        nothing is left open.
        """
        started = False
        try:
            self._unix = listen_unix(self._socket_path)
            self._tcp = listen_tcp(self._host, self.port)
            await self._operators.serve(self._unix.sock)
            await self._readers.serve(self._tcp)
            self.port = self._tcp.getsockname()[1]
            started = True
        finally:
            if not started:
                await self.close()

    async def run(self) -> None:
        """Until both servers have ended. Raises what ended one of them."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._operators.run(), name="control socket")
            group.create_task(self._readers.run(), name="status port")

    async def close(self) -> None:
        """Stop listening, end every exchange, remove the socket's file. Takes a few seconds at most."""
        self._events.close()
        if self._unix is not None:
            try:
                self._unix.unlink()
            except OSError as error:
                self._log.warning("control.socket_not_removed", path=str(self._socket_path), error=str(error))
        try:
            await self._operators.close()
            await self._readers.close()
        finally:
            for sock in (self._unix.sock if self._unix else None, self._tcp):
                if sock is not None:
                    sock.close()
            self._unix = self._tcp = None
