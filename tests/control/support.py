"""The servers under test on real sockets, a daemon that writes down what it was asked, and a client."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import aiohttp

from eni_failover.control import Limits, Servers, TakeoverAnswer, TakeoverState
from eni_failover.core.model import PauseRecord, PauseRequest
from eni_failover.core.policy import MemberName
from eni_failover.core.snapshot import Check, Snapshot
from eni_failover.core.vocabulary import CheckResult, Role

WALL = 1_795_000_000.0
READY = Snapshot(
    version="0.1.0",
    group="orders",
    member=MemberName("beta"),
    instance_id="i-0bbbbbbbbbbbbbbb2",
    config_hash="c0ffee",
    role=Role.STANDBY,
    holder="alpha",
    at_wall=WALL,
    ready=True,
)
UNFIT = replace(
    READY,
    ready=False,
    checks=(
        Check(name="zone", result=CheckResult.PASS),
        Check(name="slot", result=CheckResult.FAIL, detail="no_slot", remedy="free a slot"),
        Check(name="paused", result=CheckResult.WARN, detail="paused"),
    ),
)
STARTED = TakeoverAnswer(state=TakeoverState.STARTED, reason="operator", request_id="r1")


class FakeDesk:
    """A daemon that writes down what it was asked."""

    def __init__(self, snapshot: Snapshot | None = READY) -> None:
        self.shown = snapshot
        self.ended_at = 100.0
        self.asked: list[object] = []
        self.answer = STARTED
        self.problems: tuple[str, ...] = ()
        self.hangs = False
        self.page = b"# TYPE up gauge\nup 1\n"

    def snapshot(self) -> Snapshot | None:
        return self.shown

    def last_pass_ended(self) -> float:
        return self.ended_at

    def metrics_page(self) -> bytes:
        return self.page

    async def takeover(self, *, reason: str, timeout: float) -> TakeoverAnswer:  # noqa: ASYNC109 - the protocol
        self.asked.append(("takeover", reason, timeout))
        if self.hangs:
            await asyncio.Event().wait()
        return self.answer

    async def pause(self, request: PauseRequest) -> PauseRecord | None:
        self.asked.append(request)
        until = None if request.duration is None else WALL + request.duration
        return PauseRecord(
            kind=request.kind,
            at=WALL,
            until=until,
            ends_at=request.duration,  # the snapshots here are of the moment 0
            reason=request.reason,
            by=request.by,
            local=request.local,
        )

    async def reload(self) -> tuple[str, ...]:
        self.asked.append("reload")
        return self.problems


class Client:
    """Asks the servers under test."""

    def __init__(self, servers: Servers, path: Path) -> None:
        self.servers = servers
        self.opened: list[asyncio.StreamWriter] = []
        self.path = path
        self.tcp = aiohttp.ClientSession(f"http://127.0.0.1:{servers.port}")
        self.unix = aiohttp.ClientSession("http://localhost", connector=aiohttp.UnixConnector(str(path)))

    async def get(self, path: str, *, unix: bool = False) -> tuple[int, object]:
        async with (self.unix if unix else self.tcp).get(path) as response:
            return response.status, await response.json()

    async def post(self, path: str, body: object = None) -> tuple[int, object]:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        async with self.unix.post(path, data=data) as response:
            return response.status, await response.json()

    async def raw(self, *, unix: bool = False) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if unix:
            reader, writer = await asyncio.open_unix_connection(self.path)
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.servers.port)
        self.opened.append(writer)
        return reader, writer

    async def close(self) -> None:
        await self.tcp.close()
        await self.unix.close()
        for writer in self.opened:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """What the other side sent until it closed or cut the connection off."""
    received = bytearray()
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(65536):
            received += chunk
    return bytes(received)


def serve(
    tmp_path: Path,
    desk: FakeDesk,
    scenario: Callable[[Client], Awaitable[None]],
    *,
    limits: Limits | None = None,
    now: float = 100.0,
) -> None:
    """Run the scenario against both servers."""

    @contextlib.asynccontextmanager
    async def running() -> AsyncIterator[Client]:
        path = tmp_path / "control.sock"
        servers = Servers(
            desk=desk,
            host="127.0.0.1",
            port=0,
            socket_path=path,
            interval=10.0,
            config=tmp_path / "orders.toml",
            clock=lambda: now,
            limits=limits,
        )
        await servers.start()
        client = Client(servers, path)
        try:
            yield client
        finally:
            await client.close()
            await servers.close()

    async def main() -> None:
        async with asyncio.timeout(20), running() as client:
            await scenario(client)

    asyncio.run(main())


def servers_at(path: Path, *, port: int = 0) -> Servers:
    """Servers that nobody has started."""
    return Servers(desk=FakeDesk(), host="127.0.0.1", port=port, socket_path=path, interval=10.0)


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; the test's own deadline is the bound."""
    while not condition():  # noqa: ASYNC110 - the condition is in another task, or in the kernel
        await asyncio.sleep(0.01)
