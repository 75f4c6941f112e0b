"""Whatever answers on another member's port: it is heard, or not reachable, and nothing of it is repeated."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from eni_failover.adapters.peers import MAX_BODY, PeerWatcher
from eni_failover.core.model import Peer
from eni_failover.core.policy import Member
from eni_failover.status import peer_from_document
from tests.fuzz.peer_documents import GOOD
from tests.fuzz.raw_server import RawServer, http

ALPHA = Member(name="alpha", instance_id="i-alpha", address="127.0.0.1")
BETA = Member(name="beta", instance_id="i-beta", address="127.0.0.1")

NO_ANSWER = {
    "closed at once": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "HTTP/0.9": json.dumps(GOOD).encode(),
    "no JSON": http("<html>"),
    "half a document": http(json.dumps(GOOD)[:-20]),
    "brackets without end": http("[" * 100_000),
    "braces without end": http('{"a":' * 20_000),
    "digits without end": http("9" * 100_000),
    "NaN": http("NaN"),
    "no UTF-8": http(b'{"schema": 1, "member": "\xff"}'),
    "NUL": http(b"\0" * 100),
    "an odd charset": http(json.dumps({}), headers="Content-Type: application/json; charset=hex\r\n"),
    "gzip though nobody asked": http(b"\x1f\x8b\x08\0", headers="Content-Encoding: gzip\r\n"),
    "cut by its length": b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{}",
    "chunks that are none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a header of 100 KB": http("{}", headers=f"X: {'a' * 100_000}\r\n"),
    "more than any status": http(json.dumps({**GOOD, "holder": "a" * MAX_BODY})),
    "elsewhere": http("", status="302 Found", headers="Location: /status\r\n"),
    "starting": http(json.dumps(GOOD), status="503 Service Unavailable"),
    "an odd status": http(json.dumps(GOOD), status="999 Odd"),
}


def heard(server: RawServer) -> tuple[Peer, str]:
    """What the watcher of beta knows of alpha after one question, and what it logs of the problem."""

    async def main() -> tuple[Peer, str]:
        answered, problems = asyncio.Event(), []

        def parse(document: object, member: Member, heard_at: float) -> Peer:
            return peer_from_document(document, member, group="orders")

        watcher = PeerWatcher(
            (ALPHA, BETA),
            me=BETA,
            url_of=lambda _member: f"{server.url}/status",
            parse=parse,
            clock=time.monotonic,
            on_change=lambda: None,
            interval=60.0,
        )
        keep = watcher._keep

        def kept(member: Member, answer: Peer, problem: str) -> None:
            keep(member, answer, problem)
            problems.append(problem)
            answered.set()

        watcher._keep = kept
        async with asyncio.timeout(10):
            watching = asyncio.ensure_future(watcher.run())
            await asyncio.wait(
                [watching, waiting := asyncio.ensure_future(answered.wait())], return_when="FIRST_COMPLETED"
            )
            ended = watching.done()
            for task in (watching, waiting):
                task.cancel()
            await asyncio.gather(watching, waiting, return_exceptions=True)
        assert not ended
        return watcher.peers()[0], problems[0]

    return asyncio.run(main())


def test_a_good_peer_is_heard(server):
    """What is spoiled below is a good peer to begin with."""
    server.says(http(json.dumps(GOOD)))

    peer, problem = heard(server)
    assert (peer.role, problem) == ("active", "")


@pytest.mark.parametrize("name", NO_ANSWER)
def test_an_answer_that_is_none_ends_nothing(server, name):
    """The watcher goes on, and the peer is not reachable."""
    server.says(NO_ANSWER[name])

    peer, problem = heard(server)
    assert peer == Peer(member="alpha", instance_id="i-alpha", reachable=False)
    assert problem


SECRET = "never-to-be-shown"
WITH_SECRETS = {
    "text": http(SECRET),
    "JSON": http(json.dumps({"schema": 1, "password": SECRET}), headers=f"Set-Cookie: s={SECRET}\r\n"),
    "a redirect": http("", status="302 Found", headers=f"Location: http://user:{SECRET}@127.0.0.1/\r\n"),
    "a refusal": http(SECRET, status=f"401 {SECRET}"),
    "no HTTP": f"password={SECRET}\r\n\r\n".encode(),
    "a bad header": f"HTTP/1.1 200 OK\r\nX-Password : {SECRET}\r\n\r\n".encode(),
    "a bad length": f"HTTP/1.1 200 OK\r\nContent-Length: {SECRET}\r\n\r\n".encode(),
}


@pytest.mark.parametrize("name", WITH_SECRETS)
def test_what_a_stranger_says_is_not_logged(server, name):
    """Another service on the peer's port may answer with anything: what it says is not repeated."""
    server.says(WITH_SECRETS[name])

    _, problem = heard(server)
    assert problem
    assert SECRET not in problem
