"""The http probe against real loopback servers that say exactly what a case needs."""

from __future__ import annotations

import asyncio
import logging
import os
import socket

import pytest

from eni_failover.adapters.probes import names
from eni_failover.adapters.probes.http import HttpProbe
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import HttpSettings, Target
from eni_failover.core.words import Answer
from tests.adapters.probes.servers import (
    LOCAL,
    LOCAL6,
    NO_ROUTE,
    has_ipv6,
    page,
    refused_port,
    resets,
    says,
    serving,
)

UP, DOWN, UNKNOWN = Answer.UP, Answer.DOWN, Answer.UNKNOWN
OK = ProbeResult(answer=UP, answered=True, detail="status 200")
BAD_TOKEN = ProbeResult(
    answer=UNKNOWN, answered=False, detail="bearer_token_file is not readable, or holds no token"
)


def down(detail: str) -> ProbeResult:
    return ProbeResult(answer=DOWN, answered=True, detail=detail)


async def attempt(port: int, *, target: Target = LOCAL, times: int = 1, **settings) -> ProbeResult:
    """The last answer of a probe of `http://{address}:port/healthz`, asked some times."""
    settings.setdefault("url", f"http://{{address}}:{port}/healthz")
    probe = HttpProbe(HttpSettings(**settings))
    try:
        for _ in range(times):
            result = await probe(target)
    finally:
        await probe.close()
    return result


def ask(handler, *, host="127.0.0.1", **settings):
    """The answer about a server with this handler, and the server."""

    async def main():
        async with serving(handler, host=host) as server:
            return await attempt(server.port, **settings), server

    return asyncio.run(main())


def test_an_expected_status_is_up():
    """A 200 from a server that would keep the connection."""
    result, server = ask(says(page()))

    assert result == OK
    assert server.requests[0].startswith(b"GET /healthz HTTP/1.1\r\n")
    assert b"\r\nUser-Agent: eni-failover/" in server.requests[0]
    assert b"\r\nAccept-Encoding: identity\r\n" in server.requests[0]
    assert b"\r\nConnection: close\r\n" in server.requests[0]


@pytest.mark.parametrize(
    ("status", "expect", "answer"),
    [
        ("204 No Content", ((200, 399),), UP),
        ("302 Found", ((200, 399),), UP),
        ("404 Not Found", ((200, 399),), DOWN),
        ("503 Service Unavailable", ((200, 399),), DOWN),
        ("503 Service Unavailable", ((200, 299), (503, 503)), UP),
        ("200 OK", ((204, 204), (401, 403)), DOWN),
    ],
)
def test_any_other_status_is_down(status, expect, answer):
    """The ranges are inclusive, and a wrong status is an answer all the same."""
    result, _ = ask(says(page(b"", status)), expect_status=expect)

    assert ProbeResult(answer=answer, answered=True, detail=f"status {status[:3]}") == result


@pytest.mark.parametrize(
    ("body", "pattern", "answer"),
    [
        (b'{"status": "ok"}', r'"status":\s*"ok"', UP),
        (b'{"status": "failing"}', r'"status":\s*"ok"', DOWN),
        (b"", "ok", DOWN),
        (b"\xff\xfe ok", "ok$", UP),
    ],
)
def test_the_body_is_searched_for_the_pattern(body, pattern, answer):
    """`expect_body` is a search, in text; bytes that are none do not matter."""
    result, _ = ask(says(page(body)), expect_body=pattern)

    assert (answer, True) == (result.answer, result.answered)
    assert result.detail == ("status 200" if answer is UP else "status 200, body does not match")


def test_a_wrong_status_is_named_before_the_body():
    """One detail says one thing: the status decides first."""
    result, _ = ask(says(page(b"ok", "500 Oops")), expect_body="ok")

    assert down("status 500") == result


def test_a_body_in_chunks_is_read_whole():
    """The pattern may span chunks."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    result, _ = ask(says(head, b"3\r\nhel\r\n", b"2\r\nlo\r\n0\r\n\r\n"), expect_body="hello")

    assert result == OK


def test_only_the_first_64_kib_of_a_huge_body_are_read():
    """A body without an end is no reason to wait: 64 KiB decide."""

    async def endless(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async def late(reader, writer):
        writer.write(page(b"x" * 65536 + b"ok"))

    async def early(reader, writer):
        writer.write(page(b"x" * 65534 + b"ok" + b"x"))

    assert ask(endless)[0] == OK
    assert down("status 200, body does not match") == ask(late, expect_body="ok")[0]
    assert ask(early, expect_body="ok")[0] == OK


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (b"HTTP/1.1 200 OK\r\n",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b"ok"),
    ],
    ids=["silent", "half the headers", "half the body"],
)
def test_an_answer_that_does_not_end_lasts_until_the_deadline(parts):
    """Silence, half the headers and half a body are no answer; cut short, the connection is closed."""

    async def main():
        async with serving(says(*parts)) as server:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await attempt(server.port)
            await server.hung_up.wait()

    asyncio.run(main())


def test_a_refused_connection_is_down():
    """A refusal is a sign of life."""
    assert down("Connection refused") == asyncio.run(attempt(refused_port()))


@pytest.mark.parametrize(
    ("handler", "details"),
    [
        (resets, {"Connection reset by peer"}),
        (says(close=True), {"closed without an answer"}),
        (says(b"SSH-2.0-OpenSSH_9.2\r\n", close=True), {"not HTTP"}),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", close=True), {"broken body"}),
        (
            says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", close=True),
            {"broken body", "not HTTP"},
        ),
    ],
    ids=["reset", "closed", "not HTTP", "truncated", "bad chunk"],
)
def test_a_broken_answer_is_down_at_the_first_try(handler, details):
    """A reset, a close and what is no HTTP are wrong answers, and are not asked for a second time."""
    result, server = ask(handler)

    assert (result.answer, result.answered) == (DOWN, True)
    assert result.detail in details
    assert server.connections == 1


def test_each_attempt_is_a_new_connection_without_memory():
    """Three attempts are three connections, though the server would keep one; its cookie is not sent."""

    async def main():
        async with serving(says(page(headers=b"Set-Cookie: a=b; Path=/\r\n"))) as server:
            # By name: aiohttp's own jar would keep no cookie of an address.
            return await attempt(server.port, url=f"http://localhost:{server.port}/", times=3), server

    result, server = asyncio.run(main())

    assert result == OK
    assert server.connections == 3
    assert not any(b"Cookie" in request for request in server.requests)


def test_no_proxy_is_used(monkeypatch):
    """The environment's proxies are for AWS: a probe goes straight to the member."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{refused_port()}")

    assert ask(says(page()))[0] == OK


@pytest.mark.skipif(not has_ipv6(), reason="NO IPv6 LOOPBACK on this host: the IPv6 http probe is not tested")
def test_a_member_with_an_ipv6_address_is_asked():
    """The address comes in brackets by itself."""
    result, server = ask(says(page()), host="::1", target=LOCAL6)

    assert result == OK
    assert f"\r\nHost: [::1]:{server.port}\r\n".encode() in server.requests[0]


def test_an_address_without_a_route_is_unknown():
    """ENETUNREACH: this host could not send."""
    expected = ProbeResult(answer=UNKNOWN, answered=False, detail="Network is unreachable")

    assert expected == asyncio.run(attempt(80, target=NO_ROUTE))


def test_a_name_that_does_not_resolve_is_unknown():
    """The target was never asked."""
    result = asyncio.run(attempt(80, url="http://no-such-host.invalid/"))
    expected = ProbeResult(
        answer=UNKNOWN, answered=False, detail="name not resolved: Name or service not known"
    )

    assert expected == result


def test_a_name_is_resolved_by_our_own_lookup(monkeypatch):
    """Not by aiohttp's, which would take threads from the EC2 calls."""

    def look_up(host, port):
        return (names.Address(family=socket.AF_INET, sockaddr=("127.0.0.1", port)),)

    monkeypatch.setattr(names, "_look_up", look_up)

    async def main():
        async with serving(says(page())) as server:
            return await attempt(server.port, url=f"http://web.invalid:{server.port}/")

    assert asyncio.run(main()) == OK


def test_the_only_deadline_is_the_callers():
    """aiohttp's own timeouts (300 s, 30 s to connect) would cut a long one short, as another answer."""

    async def main():
        async with serving(says(page())) as server:
            probe = HttpProbe(HttpSettings(url=f"http://{{address}}:{server.port}/"))
            await probe(LOCAL)
            await probe.close()
            return probe._web._session.timeout

    limits = asyncio.run(main())

    assert (limits.total, limits.connect, limits.sock_connect, limits.sock_read) == (None,) * 4


def test_a_url_that_is_none_is_unknown():
    """A member's address that makes no URL is our mistake, and nothing was sent."""
    bad = Target(member="alpha", address="127.1", instance_id="i-0aaaaaaaaaaaaaaa1")
    expected = ProbeResult(answer=UNKNOWN, answered=False, detail="InvalidUrlClientError")

    assert expected == asyncio.run(attempt(80, target=bad))


def test_method_and_headers_are_sent_as_configured():
    """HEAD has no body to wait for; header values are templates."""
    headers = (("X-Member", "{member}"), ("User-Agent", "mine"))
    result, server = ask(
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"), method="HEAD", headers=headers
    )

    assert result == OK
    assert server.requests[0].startswith(b"HEAD /healthz HTTP/1.1\r\n")
    assert b"\r\nX-Member: alpha\r\n" in server.requests[0]
    assert server.requests[0].count(b"User-Agent: ") == server.requests[0].count(b"User-Agent: mine\r\n") == 1


def test_redirects_are_followed_only_when_asked_for():
    """Unfollowed, the 302 is the answer; followed, the page behind it, on a connection of its own."""

    async def main(*, follow):
        async with serving(None) as server:
            answers = [page(b"", "302 Found", b"Location: /other\r\n"), page(b"", "503 No")]

            async def handle(reader, writer):
                writer.write(answers[server.connections - 1])

            server.handler = handle
            result = await attempt(server.port, follow_redirects=follow)
            return result, server.connections

    assert (ProbeResult(answer=UP, answered=True, detail="status 302"), 1) == asyncio.run(main(follow=False))
    assert (down("status 503"), 2) == asyncio.run(main(follow=True))


@pytest.mark.parametrize("location", [b"/healthz", b"ftp://127.0.0.1/", b"http://[bad/"])
def test_a_redirect_that_leads_nowhere_is_down(location):
    """A loop, another scheme, no URL at all: wrong answers, and the location is not shown."""
    result, _ = ask(says(page(b"", "302 Found", b"Location: " + location + b"\r\n")), follow_redirects=True)

    assert down("bad redirect") == result


def test_the_token_does_not_follow_a_redirect_to_another_origin(tmp_path):
    """The bearer token is for the member only."""
    token = tmp_path / "token"
    token.write_text("s3cret")

    async def main():
        async with serving(says(page())) as other:
            location = f"Location: http://127.0.0.1:{other.port}/\r\n".encode()
            async with serving(says(page(b"", "307 There", location))) as server:
                result = await attempt(server.port, bearer_token_file=token, follow_redirects=True)
                return result, server.requests[0], other.requests[0]

    result, first, second = asyncio.run(main())

    assert result == OK
    assert b"\r\nAuthorization: Bearer s3cret\r\n" in first
    assert b"Authorization" not in second


def test_the_token_is_read_at_each_attempt(tmp_path):
    """Tokens rotate: the next attempt sends the new one, without its newline."""
    token = tmp_path / "token"

    async def main():
        async with serving(says(page())) as server:
            url = f"http://{{address}}:{server.port}/"
            probe = HttpProbe(HttpSettings(url=url, bearer_token_file=token))
            for text in ("first\n", "second\n"):
                token.write_text(text)
                await probe(LOCAL)
            await probe.close()
            return server.requests

    first, second = asyncio.run(main())

    assert b"\r\nAuthorization: Bearer first\r\n" in first
    assert b"\r\nAuthorization: Bearer second\r\n" in second


@pytest.mark.parametrize("content", [None, b"", b" \n", b"two\r\nlines", b"\xc3\xa9"])
def test_without_a_usable_token_nothing_is_sent(tmp_path, content):
    """No file, no token in it, or one that is no header value: unknown, and the target is not asked."""
    token = tmp_path / "token"
    if content is not None:
        token.write_bytes(content)
    result, server = ask(says(page()), bearer_token_file=token)

    assert result == BAD_TOKEN
    assert server.connections == 0


def test_a_fifo_as_a_token_file_does_not_stall_the_loop(tmp_path):
    """Opening a FIFO waits for a writer; the daemon must not."""
    token = tmp_path / "token"
    os.mkfifo(token)
    result, _ = ask(says(page()), bearer_token_file=token)

    assert result == BAD_TOKEN


@pytest.mark.parametrize("handler", [says(page(b"", "401 No")), resets, says(b"junk\r\n\r\n", close=True)])
def test_the_token_is_in_no_detail_and_no_log(tmp_path, caplog, handler):
    """Whatever the server does, neither the answer nor aiohttp's own log has the token."""
    caplog.set_level(logging.DEBUG)
    token = tmp_path / "token"
    token.write_text("s3cret")
    result, server = ask(handler, bearer_token_file=token)

    assert b"s3cret" in server.requests[0]
    assert "s3cret" not in result.detail
    assert "s3cret" not in caplog.text


def test_closing_a_probe_that_never_asked_is_nothing():
    """The session is opened by the first attempt."""
    assert asyncio.run(HttpProbe(HttpSettings(url="http://{address}/")).close()) is None
