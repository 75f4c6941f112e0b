"""What an answer to a probe may cost this daemon, and what a body without an end is worth."""

from __future__ import annotations

import asyncio
import time

import pytest

from eni_failover.adapters.probes.http import HttpProbe
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import HttpSettings
from eni_failover.adapters.probes.waiting import within
from eni_failover.core.vocabulary import Answer
from tests.adapters.probes.servers import LOCAL, says, serving

OK = ProbeResult(answer=Answer.UP, answered=True, detail="status 200")
HEAD = b"HTTP/1.1 200 OK\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def again_and_again(piece: bytes, *, first: bytes = b"", every: float = 0.0):
    async def handle(reader, writer):
        writer.write(first)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(every)

    return handle


def ask(handler, *, timeout: float = 5.0, **settings) -> ProbeResult:
    """What the prober would take down: a timeout is down."""

    async def main() -> ProbeResult:
        async with serving(handler) as server:
            probe = HttpProbe(HttpSettings(url=f"http://{{address}}:{server.port}/", **settings))
            try:
                async with within(timeout):
                    return await probe(LOCAL)
            except TimeoutError:
                return ProbeResult(answer=Answer.DOWN, answered=True, detail="timeout")
            finally:
                await probe.close()

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("piece", "detail"),
    [
        (b"HTTP/1.1 102 Wait\r\n\r\n" * 100, "more than 32 informational answers"),
        (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" * 100, "more than 32 informational answers"),
        (b"\r\n" * 1000, "no status in the first 256 KiB"),
    ],
)
def test_what_comes_before_the_status_has_an_end(piece, detail):
    """No status is a wrong answer, said long before the timeout."""
    began = time.monotonic()

    result = ask(again_and_again(piece))

    assert result == ProbeResult(answer=Answer.DOWN, answered=True, detail=detail)
    assert time.monotonic() - began < 2


FLOODS = {
    "informational answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "fields": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "a field": (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
    "chunks": (CHUNKED, b"1\r\nx\r\n"),
    "the body": (HEAD, b"x"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_small_packets_costs_little(name):
    """However many packets come: a whole attempt takes less than a fifth of its time in this process."""
    first, piece = FLOODS[name]

    async def main() -> tuple[int, float]:
        reads = 0

        async def handle(reader, writer):
            writer.write(first)
            await writer.drain()
            while True:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)

        async with serving(handle) as server:
            settings = HttpSettings(url=f"http://{{address}}:{server.port}/", expect_body="never")
            probe = HttpProbe(settings)
            loop = asyncio.get_running_loop()
            receive = loop.sock_recv

            async def counted(*args):
                nonlocal reads
                reads += 1
                return await receive(*args)

            loop.sock_recv = counted
            began = loop.time()
            try:
                async with within(0.5):
                    await probe(LOCAL)
            except TimeoutError:
                pass
            took = loop.time() - began
            await probe.close()
            return reads, took

    reads, took = asyncio.run(main())

    # At first as they come, then one a millisecond.
    assert reads < 100 + 1000 * (took + 0.3)


def test_a_body_in_very_many_chunks_is_cut():
    """As one that is too long: what is not read says nothing."""
    chunks = b"1\r\nx\r\n" * 20_000 + b"2\r\nok\r\n0\r\n\r\n"

    result = ask(says(CHUNKED + chunks), expect_body="ok")

    detail = "status 200, more body than is read"
    assert result == ProbeResult(answer=Answer.UNKNOWN, answered=True, detail=detail)


@pytest.mark.parametrize(
    "first", [HEAD + b"status: ok\n", CHUNKED + b"b\r\nstatus: ok\n\r\n"], ids=["until closed", "chunked"]
)
def test_a_body_that_never_ends_is_up_when_it_has_what_is_expected(first):
    """A stream of events: that it has no end does not make it down."""
    piece = b"1\r\n.\r\n" if first.startswith(CHUNKED) else b"."

    result = ask(again_and_again(piece, first=first, every=0.02), timeout=0.8, expect_body="ok")

    assert result == OK


@pytest.mark.parametrize("expect_body", ["ok", "^$", "^(?!.*error)s", "s(?=tatus: $)", "status: $"])
def test_the_beginning_of_a_body_is_up_only_for_sure(expect_body):
    """What may still be contradicted by the rest waits for it, until the timeout."""
    result = ask(says(HEAD + b"status: "), timeout=0.2, expect_body=expect_body)

    assert (result.answer, result.detail) == (Answer.DOWN, "timeout")


def test_a_slow_body_has_the_whole_timeout():
    """The early look takes nothing from it."""

    async def late(reader, writer):
        writer.write(HEAD)
        await writer.drain()
        await asyncio.sleep(0.82)  # the look is at 0.8
        writer.write(b"ok")
        writer.close()

    assert ask(late, timeout=1.0, expect_body="^ok$") == OK
