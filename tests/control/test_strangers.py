"""What strangers may take of the servers: places, requests a second, bytes, streams. And what they cannot."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from eni_failover.control import Limits, guard
from eni_failover.control.callers import Caller
from tests.control.support import Client, FakeDesk, read_all, serve, wait_until

QUESTION = b"GET /active HTTP/1.1\r\nHost: x\r\n\r\n"
STREAM = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
STRANGER = "127.66.0.1"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(client: Client, source: str = STRANGER, *, sent: bytes = b"") -> Streams:
    """A connection to the status port from this address."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", client.servers.port, local_addr=(source, 0), limit=1024
    )
    client.opened.append(writer)
    writer.write(sent)
    return reader, writer


async def is_answered(client: Client, source: str = STRANGER) -> bool:
    """Whether /active has an answer for this address."""
    try:
        reader, _ = await connected(client, source, sent=QUESTION)
        return (await read_all(reader)).startswith(b"HTTP/1.1 503 ")
    except ConnectionError:
        return False


@contextlib.asynccontextmanager
async def sent_in_single_bytes(writer: asyncio.StreamWriter, piece: bytes) -> AsyncIterator[None]:
    """Sends the piece for as long as the block runs and somebody takes it."""

    async def send() -> None:
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)

    sending = asyncio.create_task(send())
    try:
        yield
    finally:
        sending.cancel()
        await asyncio.wait([sending])


@pytest.mark.parametrize(
    "declared",
    [b"Content-Length: 100000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n1\r\n \r\n"],
    ids=["a length", "chunks"],
)
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS"])
def test_a_question_ends_with_its_head(tmp_path: Path, declared: bytes, method: bytes) -> None:
    """A body on TCP is refused before it has come, and the connection is closed."""

    async def scenario(client: Client) -> None:
        reader, _ = await connected(client, sent=method + b" /status HTTP/1.1\r\nHost: x\r\n" + declared)
        answer = await read_all(reader)

        assert answer.startswith(b"HTTP/1.1 413 ")
        assert answer.count(b"HTTP/1.1") == 1

    serve(tmp_path, FakeDesk(), scenario)


def test_an_empty_body_is_no_body(tmp_path: Path) -> None:
    """A client that says so of each question is served."""

    async def scenario(client: Client) -> None:
        reader, _ = await connected(
            client, sent=b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        )

        assert (await read_all(reader)).startswith(b"HTTP/1.1 200 ")

    serve(tmp_path, FakeDesk(), scenario)


def test_bytes_after_a_question_are_not_read(tmp_path: Path) -> None:
    """What follows the head stays in the kernel: one read, however much a client sends meanwhile."""

    async def scenario(client: Client) -> None:
        _, writer = await connected(client, sent=STREAM)
        server = client.servers._readers._guard
        await wait_until(lambda: server.streams == 1)
        (connection,) = server._connections.values()
        async with sent_in_single_bytes(writer, b"x" * 4096):
            await wait_until(lambda: writer.transport.get_write_buffer_size() > 0)

        assert connection._reads <= 1

    serve(tmp_path, FakeDesk(), scenario)


def test_an_orders_body_comes_in_few_pieces(tmp_path: Path) -> None:
    """Chunks of one byte on the socket are not read for ever: so many reads, then 408."""
    desk = FakeDesk()

    async def scenario(client: Client) -> None:
        reader, writer = await client.raw(unix=True)
        writer.write(b"POST /resume HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        server = client.servers._operators._guard
        await wait_until(lambda: len(server) == 1)
        (connection,) = server._connections.values()
        async with sent_in_single_bytes(writer, b"1\r\n \r\n"):
            answer = await read_all(reader)

        assert not answer or answer.startswith(b"HTTP/1.1 408 ")
        assert connection._reads <= server.limits.body_reads + 1  # aiohttp reads on once, when it answers
        assert desk.asked == []

    serve(tmp_path, desk, scenario, limits=Limits(body=0.5))


def test_a_head_comes_in_few_pieces(tmp_path: Path) -> None:
    """A head in single bytes is cut off long before its deadline."""

    async def scenario(client: Client) -> None:
        reader, writer = await connected(client, sent=b"GET / HTTP/1.1\r\nX: ")
        async with sent_in_single_bytes(writer, b"x"):
            assert await read_all(reader) == b""

    serve(tmp_path, FakeDesk(), scenario, limits=Limits(head=600))


def test_a_head_by_hand_is_answered(tmp_path: Path) -> None:
    """Line by line, with an empty one before, as a person or a slow network sends it."""

    async def scenario(client: Client) -> None:
        reader, writer = await connected(client)
        for line in (b"\r\n", b"GET /livez HTTP/1.1\r", b"\nHost: x\r\n", b"\r", b"\n"):
            writer.write(line)
            await writer.drain()
            await asyncio.sleep(0.01)

        assert (await read_all(reader)).startswith(b"HTTP/1.1 200 ")

    serve(tmp_path, FakeDesk(), scenario)


def test_a_head_of_a_megabyte_is_not_kept(tmp_path: Path) -> None:
    """More than 16 KiB of headers, each short enough, is 431."""

    async def scenario(client: Client) -> None:
        reader, writer = await connected(client, sent=b"GET / HTTP/1.1\r\n")
        for number in range(5):
            writer.write(b"X%d: %s\r\n" % (number, b"x" * 4000))
            await writer.drain()
            await asyncio.sleep(0.01)

        assert (await read_all(reader)).startswith(b"HTTP/1.1 431 ")

    serve(tmp_path, FakeDesk(), scenario)


def test_pipelined_questions_pile_up_no_answers(tmp_path: Path) -> None:
    """Of a thousand questions sent at once one is answered, and what waits to be read is that one answer."""
    desk = FakeDesk()
    desk.page = b"#" * (8 * 1024 * 1024)

    async def scenario(client: Client) -> None:
        _, writer = await connected(client)
        writer.transport.pause_reading()
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        server = client.servers._readers._guard
        await wait_until(lambda: any(connection.is_unread for connection in server._connections.values()))
        (connection,) = server._connections.values()

        assert connection.transport.get_write_buffer_size() <= len(desk.page) + 1000
        assert not connection.transport.is_reading()

    serve(tmp_path, desk, scenario)


def test_silence_from_one_address_takes_from_nobody(tmp_path: Path) -> None:
    """64 silent connections: the same address, another one, this host and the socket are all served."""

    async def scenario(client: Client) -> None:
        for _ in range(64):
            await connected(client)
        server = client.servers._readers._guard
        await wait_until(lambda: len(server) == server.limits.per_stranger)

        assert await is_answered(client, STRANGER)
        assert await is_answered(client, "127.66.0.2")
        assert await is_answered(client, "127.0.0.1")
        assert (await client.get("/livez", unix=True))[0] == 200

    serve(tmp_path, FakeDesk(), scenario, limits=Limits(stranger_burst=100))


def test_silence_from_many_addresses_takes_from_nobody(tmp_path: Path) -> None:
    """All places are taken: who has sent no whole head for longest goes, and the newcomer is served."""

    async def scenario(client: Client) -> None:
        oldest, _ = await connected(client, "127.66.1.0")
        for number in range(1, 20):
            await connected(client, f"127.66.1.{number}", sent=b"GET / HTTP/1.1\r\n")

        assert await is_answered(client)
        assert await read_all(oldest) == b""
        assert len(client.servers._readers._guard) <= 8

    serve(tmp_path, FakeDesk(), scenario, limits=Limits(connections=8))


def test_answers_that_are_not_read_take_from_nobody(tmp_path: Path) -> None:
    """All places are taken by clients that do not read: the oldest of them goes."""
    desk = FakeDesk()
    desk.page = b"#" * (16 * 1024 * 1024)

    async def scenario(client: Client) -> None:
        server = client.servers._readers._guard
        for number in range(3):
            _, writer = await connected(
                client, f"127.66.1.{number}", sent=b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
            )
            writer.transport.pause_reading()
        await wait_until(
            lambda: sum(connection.is_unread for connection in server._connections.values()) == 3
        )

        assert await is_answered(client)

    serve(tmp_path, desk, scenario, limits=Limits(connections=3))


def test_whoever_is_served_is_not_ended_for_another(tmp_path: Path) -> None:
    """Where every place is one of an order under way, the newcomer is refused, and told of in one line."""
    desk = FakeDesk()
    desk.hangs = True

    async def scenario(client: Client) -> None:
        _, writer = await client.raw(unix=True)
        writer.write(b"POST /takeover HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        await wait_until(lambda: bool(desk.asked))
        with structlog.testing.capture_logs() as logs:
            for _ in range(2):
                reader, _ = await client.raw(unix=True)
                assert await read_all(reader) == b""

        assert [(line["event"], line["bound"]) for line in logs] == [
            ("control.connections_refused", "places of one caller")
        ]

    serve(tmp_path, desk, scenario, limits=Limits(per_known=1))


def test_a_user_of_the_group_takes_nothing_from_root(tmp_path: Path) -> None:
    """Silent connections and requests without end of one user of the socket leave root's places alone."""

    async def scenario(client: Client) -> None:
        server = client.servers._operators._guard
        own, server._caller_of = server._caller_of, lambda _sock: Caller("uid 1000", is_known=False)
        for _ in range(30):
            await client.raw(unix=True)
        await wait_until(lambda: len(server) >= 4)
        server._caller_of = own

        assert (await client.get("/livez", unix=True))[0] == 200

    serve(tmp_path, FakeDesk(), scenario, limits=Limits(connections=4, stranger_burst=20))


def test_a_stranger_who_asks_without_end_is_cut_off(tmp_path: Path) -> None:
    """Beyond his rate nothing of his is answered; others, and members, are."""

    async def scenario(client: Client) -> None:
        assert [await is_answered(client) for _ in range(4)] == [True, True, False, False]
        assert await is_answered(client, "127.66.0.2")
        assert [await is_answered(client, "127.0.0.1") for _ in range(4)] == [True] * 4

    serve(tmp_path, FakeDesk(), scenario, limits=Limits(stranger_rate=0.001, stranger_burst=2))


def test_who_asks_seldom_is_served_beside_many_who_ask_without_end(tmp_path: Path) -> None:
    """The strangers' common rate is used up by those who ask often: the rest of it is for the others."""

    async def scenario(client: Client) -> None:
        often = [await is_answered(client, f"127.66.1.{number % 3}") for number in range(30)]

        assert sum(often) < 20
        assert await is_answered(client)

    serve(
        tmp_path,
        FakeDesk(),
        scenario,
        limits=Limits(stranger_rate=0.001, stranger_burst=10, strangers_rate=0.001, strangers_burst=20),
    )


def test_streams_have_places_of_their_own(tmp_path: Path) -> None:
    """Streams of strangers take neither questions' places nor the socket's streams, and one caller few."""

    async def scenario(client: Client) -> None:
        server = client.servers._readers._guard
        for number in range(2):
            await connected(client, sent=STREAM)
            await wait_until(lambda number=number: server.streams == number + 1)
        reader, _ = await connected(client, sent=STREAM)
        assert (await read_all(reader)).startswith(b"HTTP/1.1 503 ")
        await connected(client, "127.66.0.2", sent=STREAM)
        await wait_until(lambda: server.streams == 3)
        reader, _ = await connected(client, "127.66.0.3", sent=STREAM)
        assert (await read_all(reader)).startswith(b"HTTP/1.1 503 ")

        assert await is_answered(client)
        async with client.unix.get("/events") as response:
            assert response.status == 200

    serve(
        tmp_path,
        FakeDesk(),
        scenario,
        limits=Limits(connections=1, per_stranger=1, streams=3, streams_per_caller=2),
    )


def test_what_is_remembered_of_callers_is_bounded(tmp_path: Path) -> None:
    """A connection from each of many addresses leaves no more than a thousand behind."""

    async def scenario(client: Client) -> None:
        server = client.servers._readers._guard
        for number in range(3000):
            server._may_enter(Caller(f"10.0.{number // 250}.{number % 250}", is_known=False), 1.0)

        assert len(server._rates) <= 1024

    serve(tmp_path, FakeDesk(), scenario)


def test_no_descriptor_left_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that cannot be accepted ends nothing; when there is room again the next is served."""
    monkeypatch.setattr(guard, "_NO_ROOM_PAUSE", 0.01)
    failures = [OSError(errno.ECONNABORTED, "gone"), OSError(errno.EMFILE, "too many open files")]

    async def scenario(client: Client) -> None:
        loop = asyncio.get_running_loop()
        accept = loop.sock_accept

        async def failing(sock: object) -> object:
            if failures:
                raise failures.pop()
            return await accept(sock)

        monkeypatch.setattr(loop, "sock_accept", failing)
        with structlog.testing.capture_logs() as logs:
            assert await is_answered(client, "127.0.0.1")
            assert await is_answered(client, "127.0.0.1")

        assert failures == []
        assert [line["event"] for line in logs] == ["control.accept_failed"]

    serve(tmp_path, FakeDesk(), scenario)


def test_a_listener_that_is_none_ends_the_server(tmp_path: Path) -> None:
    """A mistake of ours is raised: a daemon that nobody can ask must not live on unseen."""

    async def scenario(client: Client) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = listener.getsockname()
        with socket.socket() as none:
            none.bind(address)
            with pytest.raises(OSError, match="Invalid argument"):
                await client.servers._readers._guard.accept(none)

    serve(tmp_path, FakeDesk(), scenario)


def test_a_server_that_ends_is_told_to_who_runs_it(tmp_path: Path) -> None:
    """What ended one of the two ends the task that waits for both."""

    async def scenario(client: Client) -> None:
        async def ended() -> None:
            raise OSError(errno.EINVAL, "not listening")

        site = client.servers._readers
        accepting, site._accepting = site._accepting, asyncio.create_task(ended())
        try:
            with pytest.raises(ExceptionGroup):
                await client.servers.run()
        finally:
            site._accepting = accepting

    serve(tmp_path, FakeDesk(), scenario)
