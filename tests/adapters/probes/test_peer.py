"""The peer probe: only silence and the peer's own word are down."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from eni_failover.adapters.probes.peer import PeerProbe
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import PeerSettings
from eni_failover.core.vocabulary import Answer, Role
from tests.adapters.probes.servers import LOCAL, NO_ROUTE, page, refused_port, resets, says, serving

UP, DOWN, UNKNOWN = Answer.UP, Answer.DOWN, Answer.UNKNOWN
STATUS = {"schema": 1, "version": "1.0.0", "group": "orders", "member": "alpha", "role": "active"}


def status(**changes) -> bytes:
    return json.dumps(STATUS | changes).encode()


def nameless(**changes) -> bytes:
    return json.dumps({key: one for key, one in (STATUS | changes).items() if key != "member"}).encode()


async def attempt(port: int, *, target=LOCAL) -> ProbeResult:
    probe = PeerProbe(PeerSettings(url=f"http://{{address}}:{port}/status", group="orders"))
    try:
        return await probe(target)
    finally:
        await probe.close()


def ask(handler) -> ProbeResult:
    async def main():
        async with serving(handler) as server:
            return await attempt(server.port)

    return asyncio.run(main())


def unclear(detail: str) -> ProbeResult:
    return ProbeResult(answer=UNKNOWN, answered=True, detail=detail)


@pytest.mark.parametrize("role", list(Role))
def test_a_peer_with_any_role_but_fault_is_up(role):
    """Active, standby and taking are up; fault is the peer's own word that it is down."""
    answer = DOWN if role is Role.FAULT else UP

    assert ProbeResult(answer=answer, answered=True, detail=f"role {role}") == ask(
        says(page(status(role=role)))
    )


def test_a_role_of_a_later_version_is_up():
    """Answered and not fault; a word that we do not know is not repeated."""
    assert ProbeResult(answer=UP, answered=True, detail="role unknown") == ask(
        says(page(status(role="resting")))
    )


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "no /status of ours"),
        (b'"active"', "no /status of ours"),
        (b'{"role": "fault"}', "no /status of ours"),
        (status(role=None), "no /status of ours"),
        (status(schema=2), "another schema or group"),
        (status(group="billing", role="fault"), "another schema or group"),
        (status(member="beta"), "another member"),
        (status(member="beta", role="fault"), "another member"),
        (status(member=None), "another member"),
        (status(member=["alpha"]), "another member"),
        (nameless(role="fault"), "another member"),
    ],
)
def test_what_is_not_our_answer_is_unknown(body, detail):
    """Another program on the port, another group, schema or member: a sign of life, and no word."""
    assert unclear(detail) == ask(says(page(body)))


@pytest.mark.parametrize(
    "answer",
    [
        page(status(role="fault"), headers=b"X: " + b"x" * 9_000 + b"\r\n"),
        page(status(role="fault"), headers=b"X: \x00\xff\r\nno colon\r\n"),
        b"HTTP/1.0 200\n\n" + status(role="fault"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + status(role="fault"),
        page(gzip.compress(status(role="fault")), headers=b"Content-Encoding: gzip\r\n"),
    ],
    ids=["long", "odd", "old", "cut", "packed"],
)
def test_what_stands_beside_the_document_does_not_matter(answer):
    """A proxy in between may add fields, or pack the answer: the word of the peer is heard."""
    assert ProbeResult(answer=DOWN, answered=True, detail="role fault") == ask(says(answer, close=True))


def test_an_answer_in_an_unknown_coding_is_unknown():
    """Not read is no word on the role."""
    answer = page(b"\x1b\x00", headers=b"Content-Encoding: br\r\n")

    assert unclear("body in a coding that is not read") == ask(says(answer))


def test_an_endless_answer_is_unknown():
    """At most 1 MiB is read; what is cut off there is no JSON."""

    async def endless(reader, writer):
        writer.write(b'HTTP/1.1 200 OK\r\n\r\n{"role": "')
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    assert unclear("more body than is read") == ask(endless)


@pytest.mark.parametrize(
    "line", ["503 Service Unavailable", "302 Found", "404 Not Found", "206 Partial Content"]
)
def test_another_status_is_unknown(line):
    """Even with our JSON in it: /status answers 200 only. No redirect is followed."""
    handler = says(page(status(role="fault"), line, b"Location: /status\r\n"))

    assert unclear(f"status {line[:3]}") == ask(handler)


@pytest.mark.parametrize(
    ("handler", "detail"),
    [
        (resets, "Connection reset by peer"),
        (says(close=True), "closed without an answer"),
        (says(b"SSH-2.0\r\n", close=True), "not HTTP"),
    ],
    ids=["reset", "closed", "not HTTP"],
)
def test_a_broken_answer_is_unknown(handler, detail):
    """A restarting daemon is no dead holder."""
    assert unclear(detail) == ask(handler)


def test_a_refused_connection_is_unknown_and_a_sign_of_life():
    """Upgrading the holder's daemon must move nothing, and its kernel is alive."""
    assert unclear("Connection refused") == asyncio.run(attempt(refused_port()))


def test_an_address_without_a_route_is_unknown_without_a_sign_of_life():
    """ENETUNREACH: this host could not send."""
    expected = ProbeResult(answer=UNKNOWN, answered=False, detail="Network is unreachable")

    assert expected == asyncio.run(attempt(80, target=NO_ROUTE))


def test_a_silent_peer_lasts_until_the_deadline():
    """The caller's deadline makes it down."""

    async def main():
        async with serving(says()) as server:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await attempt(server.port)
            await server.hung_up.wait()

    asyncio.run(main())
