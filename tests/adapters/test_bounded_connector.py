"""What aiohttp's own bounds leave open: floods before the answer, and floods of packets."""

import asyncio
import socket
import threading
import time

import aiohttp
import pytest

from eni_failover.adapters import bounded_connector
from eni_failover.adapters.bounded_connector import BoundedConnector

HEAD = b"HTTP/1.1 200 OK\r\n"
OK = b"Content-Length: 2\r\n\r\nok"


def ask(url: str, *, within: float = 5.0) -> bytes:
    async def main() -> bytes:
        timeout = aiohttp.ClientTimeout(total=within)
        async with (
            aiohttp.ClientSession(connector=BoundedConnector(), timeout=timeout) as session,
            session.get(url) as response,
        ):
            return await response.read()

    return asyncio.run(main())


@pytest.fixture
def endless(serve):
    """Starts a server that says the first once and the piece for ever."""
    stopped = threading.Event()

    def start(first: bytes, piece: bytes):
        def handle(connection: socket.socket) -> None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(first)
            while not stopped.is_set():
                connection.sendall(piece)

        return serve(handle)

    yield start
    stopped.set()


@pytest.fixture
def packets(monkeypatch):
    """Counts what wakes the loop."""
    counted = []
    received = bounded_connector._BoundedHandler.data_received

    def data_received(self, data):
        if data:
            counted.append(len(data))
        received(self, data)

    monkeypatch.setattr(bounded_connector._BoundedHandler, "data_received", data_received)
    return counted


@pytest.mark.parametrize(
    "piece", [b"HTTP/1.1 100 Continue\r\n\r\n" * 100, b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" * 100]
)
def test_informational_answers_have_an_end(endless, packets, piece):
    """An answer that never comes is given up long before the deadline."""
    began = time.monotonic()

    with pytest.raises(aiohttp.ClientPayloadError, match="more head than is read"):
        ask(endless(b"", piece).url)

    assert time.monotonic() - began < 2
    assert sum(packets) < 1024 * 1024


@pytest.mark.parametrize("piece", [b"X: y\r\n" * 100, b"X: " + b"y" * 6000 + b"\r\n", b"y"])
def test_fields_have_an_end(endless, packets, piece):
    """By their number, by the length of one, or by that of all."""
    with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientResponseError)):
        ask(endless(HEAD + b"X: ", piece).url)

    assert sum(packets) < 1024 * 1024


def test_a_flood_of_small_packets_wakes_the_loop_a_thousand_times_a_second(endless, packets):
    """What comes meanwhile is read at once."""
    with pytest.raises(TimeoutError):
        ask(endless(HEAD + b"Content-Length: 999999999\r\n\r\n", b"x").url, within=0.5)

    assert len(packets) < 100 + 1000


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 3])
def test_an_answer_is_read_as_ever(serve, before):
    """With a few informational ones before it, and in packets of a byte."""

    def handle(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in before + HEAD + OK:
            connection.sendall(bytes([byte]))

    assert ask(serve(handle).url) == b"ok"
