"""Real listeners on loopback that say exactly the bytes a test wants said."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from eni_failover.adapters.probes.spec import Target

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

LOCAL = Target(member="alpha", address="127.0.0.1", instance_id="i-0aaaaaaaaaaaaaaa1")
LOCAL6 = Target(member="alpha", address="::1", instance_id="i-0aaaaaaaaaaaaaaa1")
# A socket refuses to connect to a broadcast address with ENETUNREACH, and sends nothing (ip_output.c).
NO_ROUTE = Target(member="alpha", address="127.255.255.255", instance_id="i-0aaaaaaaaaaaaaaa1")


@dataclass
class Server:
    """One listener: its port, the requests it has read, and how many connections it has seen.

    One that `greets` does not wait for a request. `hung_up` is set when a client has gone.
    """

    handler: Handler | None
    port: int = 0
    connections: int = 0
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    greets: bool = False
    requests: list[bytes] = field(default_factory=list)
    tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.tasks[asyncio.current_task()] = writer
        try:
            if self.handler is not None:
                if not self.greets:
                    self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                await self.handler(reader, writer)
            # Whoever has been left alone waits here until the client goes.
            while await reader.read(4096):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # gone without a goodbye
        finally:
            self.hung_up.set()
            writer.close()


@contextlib.asynccontextmanager
async def serving(
    handler: Handler | None = None,
    *,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
    greets: bool = False,
) -> AsyncIterator[Server]:
    """Listen on a free port; `handler` is called after the request's headers, None stays silent."""
    state = Server(handler, greets=greets)
    server = await asyncio.start_server(state.serve, host, 0, ssl=tls)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for writer in state.tasks.values():
            writer.transport.abort()
        await asyncio.gather(*state.tasks)


def says(*parts: bytes, close: bool = False) -> Handler:
    """A handler that writes these parts, one write each, and closes or waits for the client."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
        if close:
            writer.close()

    return handle


def page(body: bytes = b"ok", status: str = "200 OK", headers: bytes = b"") -> bytes:
    """A whole HTTP/1.1 response that offers to keep the connection."""
    length = str(len(body)).encode()
    return (
        b"HTTP/1.1 " + status.encode() + b"\r\nContent-Length: " + length + b"\r\n" + headers + b"\r\n" + body
    )


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A handler that answers with RST: closing with no time to linger (socket(7))."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def refused_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as unused:
        unused.bind((host, 0))
        return unused.getsockname()[1]


def has_ipv6() -> bool:
    """Whether this host has an IPv6 loopback address."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as tried:
        tried.bind(("::1", 0))
        return True
    return False
