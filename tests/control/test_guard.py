"""Whom the servers cut off: too many, too slow, not HTTP."""

import asyncio
from pathlib import Path

import pytest

from eni_failover.control import Limits
from tests.control.support import Client, FakeDesk, read_all, serve, wait_until


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nHost: x\r\nX: "],
    ids=["silent", "half a line", "half a header"],
)
@pytest.mark.parametrize("unix", [False, True])
def test_head_that_does_not_come_is_cut_off(tmp_path: Path, sent: bytes, unix: bool) -> None:
    """A client that does not send its whole header in time loses its connection."""

    async def scenario(client: Client) -> None:
        reader, writer = await client.raw(unix=unix)
        writer.write(sent)

        assert await read_all(reader) == b""

    serve(tmp_path, FakeDesk(), scenario, limits=Limits(head=0.1))


def test_head_in_single_bytes_is_cut_off(tmp_path: Path) -> None:
    """Bytes that keep coming do not win time: the head has one deadline."""

    async def scenario(client: Client) -> None:
        reader, writer = await client.raw()
        writer.write(b"GET /livez HTTP/1.1\r\nX: ")
        gone = asyncio.ensure_future(read_all(reader))
        while not gone.done():
            writer.write(b"x")
            await asyncio.wait([gone], timeout=0.01)

        assert await gone == b""

    serve(tmp_path, FakeDesk(), scenario, limits=Limits(head=0.1))


def test_deadline_of_the_head_ends_with_the_head(tmp_path: Path) -> None:
    """An answer may come later than the head had to: it has its own deadline."""

    class Slow(FakeDesk):
        async def reload(self) -> tuple[str, ...]:
            await asyncio.sleep(0.3)
            return ()

    async def scenario(client: Client) -> None:
        assert await client.post("/reload") == (200, {"errors": []})

    serve(tmp_path, Slow(), scenario, limits=Limits(head=0.1))


def test_body_that_does_not_come_is_408(tmp_path: Path) -> None:
    """A client that announces a body and does not send it is told so and let go."""
    desk = FakeDesk()

    async def scenario(client: Client) -> None:
        reader, writer = await client.raw(unix=True)
        writer.write(b"POST /takeover HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        answer = await reader.read()

        assert answer.startswith(b"HTTP/1.1 408 ")
        assert desk.asked == []

    serve(tmp_path, desk, scenario, limits=Limits(body=0.05, exchange=1.5))


def test_body_that_ends_early_is_no_error_of_the_daemon(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that announces a body and leaves: no order is given, and nothing fills the log."""
    desk = FakeDesk()

    async def scenario(client: Client) -> None:
        _, writer = await client.raw(unix=True)
        writer.write(b"POST /pause HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n{")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()
        await asyncio.sleep(0.1)
        assert (await client.get("/status"))[0] == 200

    serve(tmp_path, desk, scenario)

    assert desk.asked == []
    assert caplog.records == []


def test_answer_that_is_not_read_is_cut_off(tmp_path: Path) -> None:
    """A client that does not read a large answer loses its connection; others are served meanwhile."""
    desk = FakeDesk()
    desk.page = b"#" * (32 * 1024 * 1024)

    async def scenario(client: Client) -> None:
        reader, writer = await client.raw()
        writer.transport.pause_reading()
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")

        assert (await client.get("/livez"))[0] == 200
        await wait_until(lambda: not len(client.servers._readers._guard))
        writer.transport.resume_reading()
        assert len(await read_all(reader)) < len(desk.page)

    serve(tmp_path, desk, scenario, limits=Limits(exchange=0.2))


def test_close_does_not_wait_for_a_client_that_does_not_read(tmp_path: Path) -> None:
    """At the daemon's stop an answer that is not read is cut off long before its own deadline."""
    desk = FakeDesk()
    desk.page = b"#" * (32 * 1024 * 1024)

    async def scenario(client: Client) -> None:
        reader, writer = await client.raw()
        writer.transport.pause_reading()
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        await wait_until(lambda: bool(len(client.servers._readers._guard)))
        await client.servers.close()

        assert not len(client.servers._readers._guard)
        writer.transport.resume_reading()
        assert len(await read_all(reader)) < len(desk.page)

    serve(tmp_path, desk, scenario, limits=Limits(head=600, exchange=600))


def test_one_connection_carries_one_request(tmp_path: Path) -> None:
    """A second request on the same connection is not answered: there is no idle state to hold open."""

    async def scenario(client: Client) -> None:
        reader, writer = await client.raw()
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        answer = await reader.read()

        assert answer.count(b"HTTP/1.1 200 OK") == 1

    serve(tmp_path, FakeDesk(), scenario)


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n", b"\0" * 100_000],
    ids=["tls", "long line", "zeros"],
)
def test_what_is_not_http_is_400_and_closed(tmp_path: Path, sent: bytes) -> None:
    """Garbage is answered with 400 at most, and the servers live on."""

    async def scenario(client: Client) -> None:
        reader, writer = await client.raw()
        writer.write(sent)
        answer = await read_all(reader)

        assert answer.startswith(b"HTTP/1.0 400 ")

        assert (await client.get("/livez"))[0] == 200

    serve(tmp_path, FakeDesk(), scenario)
