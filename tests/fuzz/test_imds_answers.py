"""What may answer in IMDS's place: an identity comes out, or an AdapterError, and no other exception."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
from collections.abc import Callable

import aiohttp
import pytest

from eni_failover.adapters import imds
from eni_failover.adapters.imds import Identity, Imds
from eni_failover.errors import AdapterError
from tests.fuzz.raw_server import RawServer, http

TOKEN = "an-unguessable-session-token"
VALUES = {
    b"api/token": TOKEN,
    b"instance-id": "i-0bbbbbbbbbbbbbbb2",
    b"region": "eu-central-1",
    b"availability-zone": "eu-central-1a",
    b"instance-type": "m5.large",
}
BETA = Identity(
    instance_id="i-0bbbbbbbbbbbbbbb2", region="eu-central-1", zone="eu-central-1a", instance_type="m5.large"
)


def typed(kind: str) -> str:
    return f"Content-Type: text/plain; charset={kind}\r\n"


NO_ANSWER: dict[str, bytes] = {
    "closed at once": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "HTTP/0.9": b"i-0bbbbbbbbbbbbbbb2",
    "only continue": b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
    "nothing": http(""),
    "blanks": http(" \n\t "),
    "two lines": http("i-0bbbbbbbbbbbbbbb2\ni-0aaaaaaaaaaaaaaa1"),
    "a header in the value": http("i-0bbbbbbbbbbbbbbb2\r\nX: y"),
    "NUL": http("i-0bbbbbbbbbbbbbbb\0"),
    "no UTF-8": http(b"\xff\xfe\xfd"),
    "letters of another alphabet": http("\u0456-0bbbbbbbbbbbbbbb2"),
    "a hundred KB": http("a" * 100_000),
    "cut by its length": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ni-0bbbbbbbbbbbbbbb2",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\ni-0bbbbbbbbbbbbbbb2",
    "chunks that are none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n",
    "a header of 100 KB": http("a b", headers=f"X: {'a' * 100_000}\r\n"),
    "thousands of headers": http("a b", headers="X: a\r\n" * 5000),
    "no gzip though said": http(b"i-0bbbbbbbbbbbbbbb2", headers="Content-Encoding: gzip\r\n"),
    "gzip of garbage": http(gzip.compress(b"\0" * 100_000), headers="Content-Encoding: gzip\r\n"),
    "an encoding nobody knows": http(b"\xff", headers=typed("x-none")),
    "UTF-16": http("x".encode("utf-16"), headers=typed("utf-16")),
    "an odd cookie and type": http("a b", headers="Set-Cookie: \\;=\r\nContent-Type: ///;;;=\r\n"),
    **{
        f"status {status}": http("i-0bbbbbbbbbbbbbbb2", status=f"{status} X")
        for status in (101, 201, 204, 206, 301, 307, 400, 401, 403, 404, 418, 429, 500, 503, 599, 999)
    },
}

ODD_CODECS = ("undefined", "hex", "base64", "zlib", "rot13")


def identify(server: RawServer) -> Identity:
    return asyncio.run(Imds({"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url}).identity())


def says_for(path: bytes, answer: bytes) -> Callable[[socket.socket, bytes], None]:
    """A good IMDS but for this path."""

    def script(connection: socket.socket, asked: bytes) -> None:
        line = asked.split(b"\r\n")[0]
        known = next(name for name in VALUES if line.split(b" ")[1].endswith(name))
        connection.sendall(answer if known == path else http(VALUES[known]))

    return script


def error_of(server: RawServer) -> str:
    with pytest.raises(AdapterError) as caught:
        identify(server)
    return str(caught.value)


@pytest.fixture(autouse=True)
def _once(aws):
    """One attempt for each question, and no proxy."""


def test_the_whole_answers_are_understood(server):
    """What is spoiled below is a good IMDS to begin with."""
    server.follows(says_for(b"", b""))

    assert identify(server) == BETA


@pytest.mark.parametrize("path", VALUES, ids=bytes.decode)
@pytest.mark.parametrize("name", NO_ANSWER)
def test_an_answer_that_is_none_is_an_adapter_error(server, name, path):
    """Whichever of the five it is: one short line of ours, without the token and without what came."""
    server.follows(says_for(path, NO_ANSWER[name]))

    said = error_of(server)
    assert server.url in said
    assert TOKEN not in said
    assert said.isprintable()
    assert len(said) < 300


@pytest.mark.parametrize("codec", ODD_CODECS)
def test_no_charset_makes_another_exception(server, codec):
    """An exception that is none of ours would end the daemon at its start."""
    server.follows(says_for(b"instance-id", http(b"\xff\xfe-9", headers=typed(codec))))

    assert error_of(server)


@pytest.mark.parametrize("length", [1, 7, 20, 40])
def test_an_answer_that_drips_is_given_up(monkeypatch, server, length):
    """A byte now and then does not win time: each question has one deadline."""
    monkeypatch.setattr(imds, "_TIMEOUT", aiohttp.ClientTimeout(total=0.15))
    document = http(VALUES[b"instance-id"])
    stopped = threading.Event()

    def drip(connection: socket.socket, asked: bytes) -> None:
        if b"instance-id" not in asked.split(b"\r\n")[0]:
            says_for(b"", b"")(connection, asked)
            return
        connection.sendall(document[:length])
        try:
            for byte in document[length:]:
                if stopped.wait(0.05):
                    return
                connection.sendall(bytes([byte]))
        except OSError:
            return

    server.follows(drip)
    try:
        assert "no answer within" in error_of(server)
    finally:
        stopped.set()
