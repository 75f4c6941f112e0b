"""The http probe against real loopback servers that say exactly what a case needs."""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
import socket
import zlib

import pytest

from eni_failover.adapters.probes import names
from eni_failover.adapters.probes.http import HttpProbe
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import HttpSettings, Target
from eni_failover.core.vocabulary import Answer
from eni_failover.errors import ConfigError
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


CUT = ProbeResult(answer=UNKNOWN, answered=True, detail="status 200, more body than is read")


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


def test_gzip_of_several_members_is_read_whole():
    """As `cat a.gz b.gz` makes it (RFC 1952, section 2.2)."""
    body = gzip.compress(b"first ") + gzip.compress(b"ok") + b"and what is none"
    result, _ = ask(says(page(body, headers=b"Content-Encoding: gzip\r\n")), expect_body="^first ok$")

    assert result == OK


@pytest.mark.parametrize(
    ("encoding", "word"), [("utf-16", "bereit: jä"), ("ISO-8859-1", "jä"), ("punycode", "ja"), ("none", "ja")]
)
def test_the_body_is_read_in_the_encoding_that_it_names(encoding, word):
    """A usual one; any other is taken for UTF-8."""
    body = word.encode(encoding if encoding not in {"punycode", "none"} else "utf-8")
    field = f'Content-Type: text/plain; charset="{encoding}"\r\n'.encode()
    result, _ = ask(says(page(body, headers=field)), expect_body=f"^{word}$")

    assert result == OK


def test_an_expression_that_backtracks_without_end_is_given_up():
    """Nothing is known of the body then, and everything else has gone on meanwhile."""
    beats = []

    async def beat():
        while True:
            beats.append(await asyncio.sleep(0.01))

    async def main():
        async with serving(says(page(b"a" * 60_000 + b"b"))) as server:
            beating = asyncio.create_task(beat())
            result = await attempt(server.port, expect_body="(a+)+$")
            beating.cancel()
            return result

    detail = "status 200, the search for expect_body takes too long"

    assert asyncio.run(main()) == ProbeResult(answer=UNKNOWN, answered=True, detail=detail)
    assert len(beats) > 3


def test_what_only_the_search_does_not_understand_is_a_mistake_of_the_file():
    """The configuration asks `re`, the search is `regex`."""
    with pytest.raises(ConfigError, match="expect_body is no regular expression"):
        HttpProbe(HttpSettings(url="http://{address}/", expect_body="(?V1)[a--"))


def test_a_wrong_status_is_named_before_the_body():
    """One detail says one thing: the status decides first."""
    result, _ = ask(says(page(b"ok", "500 Oops")), expect_body="ok")

    assert down("status 500") == result


ODD_ANSWERS = {
    "a long field": page(headers=b"Content-Security-Policy: " + b"x" * 9_000 + b"\r\n"),
    "a very long field": page(headers=b"X: " + b"x" * 200_000 + b"\r\n"),
    "many fields": page(headers=b"".join(b"X-%d: 1\r\n" % number for number in range(1000))),
    "odd bytes in a field": page(headers=b"X: a\x00b\x80\xff\r\n"),
    "no field name": page(headers=b": x\r\nno colon\r\n two\r\n"),
    "a folded field": page(headers=b"X: a\r\n b\r\n"),
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok",
    "length and chunks": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
    ),
    "a length that is too long": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok",
    "wrong chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok",
    "cut chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nok",
    "an unknown transfer coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok",
    "line feeds alone": b"HTTP/1.1 200 OK\nX: y\n\nok",
    "blank lines first": b"\r\n\r\n" + page(),
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nok",
    "HTTP/2 in words": b"HTTP/2 200\r\n\r\nok",
    "small letters": b"http/1.1 200 ok\r\n\r\nok",
    "no reason": b"HTTP/1.1 200\r\n\r\nok",
    "a reason in another language": b"HTTP/1.1 200 \xc3\xa4\xff\x00\r\n\r\nok",
    "a long reason": b"HTTP/1.1 200 " + b"x" * 20_000 + b"\r\n\r\nok",
    "informational answers": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + page(),
    "gzip": page(gzip.compress(b"ok"), headers=b"Content-Encoding: gzip\r\n"),
    "deflate": page(zlib.compress(b"ok"), headers=b"Content-Encoding: deflate\r\n"),
    "raw deflate": page(zlib.compress(b"ok", wbits=-15), headers=b"Content-Encoding: deflate\r\n"),
    "gzip twice": page(gzip.compress(gzip.compress(b"ok")), headers=b"Content-Encoding: gzip, x-gzip\r\n"),
    "cut gzip": page(gzip.compress(b"ok" * 50_000)[:-9], headers=b"Content-Encoding: gzip\r\n"),
}


@pytest.mark.parametrize("answer", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
@pytest.mark.parametrize("expect_body", [None, "ok"])
def test_what_stands_beside_the_status_is_no_reason_to_be_down(answer, expect_body):
    """Our own strictness is not the target's death: size, fields and coding decide nothing."""
    result, _ = ask(says(answer, close=True), expect_body=expect_body)

    assert result == OK


@pytest.mark.parametrize(
    "rest",
    [
        b"",
        b"X: y\r\n",
        b"Content-Encoding: br\r\n\r\n\x00",
        b"Content-Encoding: gzip\r\n\r\nnot gzip",
        b"\r\n" + b"x" * 100_000,
        b"X: " + b"x" * 1_000_000,
        b"Content-Length: 10\r\n\r\n",
    ],
)
def test_the_status_alone_decides_where_no_body_is_expected(rest):
    """What comes after the status, and whether it comes, does not matter."""
    for status, answer in (("200 OK", UP), ("500 Oops", DOWN)):
        result, _ = ask(says(f"HTTP/1.1 {status}\r\n".encode() + rest))
        assert (answer, f"status {status[:3]}") == (result.answer, result.detail)


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (page(b"?", headers=b"Content-Encoding: br\r\n"), "body in a coding that is not read"),
        (page(b"?", headers=b"Content-Encoding: gzip\r\n"), "body is not in the coding that its fields name"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000, "more header than is read"),
    ],
    ids=["unknown coding", "not the coding", "endless fields"],
)
def test_a_body_that_we_cannot_read_is_unknown(answer, detail):
    """Whether it matches is not known; the status was right."""
    result, _ = ask(says(answer, close=True), expect_body="ok")

    assert ProbeResult(answer=UNKNOWN, answered=True, detail=f"status 200, {detail}") == result


def test_a_packed_body_grows_no_further_than_the_bound():
    """A few bytes may unpack to gigabytes."""
    body = gzip.compress(b"x" * 64 * 1024 + b"ok")

    result, _ = ask(says(page(body, headers=b"Content-Encoding: gzip\r\n")), expect_body="ok")

    assert result == CUT


@pytest.mark.parametrize(
    ("status", "method", "headers"),
    [("204 No Content", "GET", b""), ("304 X", "GET", b""), ("200 OK", "HEAD", b"Content-Length: 2\r\n")],
)
def test_an_answer_without_a_body_has_an_empty_one(status, method, headers):
    """It is not waited for."""
    answer = f"HTTP/1.1 {status}\r\n".encode() + headers + b"\r\n"

    assert ask(says(answer), method=method, expect_body="^$")[0].answer is UP
    assert ask(says(answer), method=method, expect_body="ok")[0].answer is DOWN


def test_a_wrong_status_does_not_wait_for_a_body():
    """500 and a body that never ends is down at once."""
    answer = b"HTTP/1.1 500 Oops\r\nContent-Length: 10\r\n\r\n"

    assert down("status 500") == ask(says(answer), expect_body="ok")[0]


def test_a_server_that_answers_before_it_has_read_is_heard():
    """An answer in the very first packet counts, also when the connection is closed behind it."""

    async def main():
        async with serving(says(page(), close=True)) as server:
            server.greets = True
            return await attempt(server.port)

    assert asyncio.run(main()) == OK


def test_a_server_that_still_writes_is_not_reset():
    """The rest of the answer is read for a moment, beside the attempt."""
    seen = asyncio.Event()

    async def slowly(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(b"cd")
        await writer.drain()
        assert await reader.read(1) == b""
        seen.set()

    async def main():
        async with serving(slowly) as server:
            probe = HttpProbe(HttpSettings(url=f"http://{{address}}:{server.port}/"))
            result = await probe(LOCAL)
            await asyncio.wait_for(seen.wait(), 5)
            await probe.close()
            return result

    assert asyncio.run(main()) == OK


def test_a_body_in_chunks_is_read_whole():
    """The pattern may span chunks."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    result, _ = ask(says(head, b"3\r\nhel\r\n", b"2\r\nlo\r\n0\r\n\r\n"), expect_body="hello")

    assert result == OK


def test_only_the_first_64_kib_of_a_huge_body_are_read():
    """A body without an end is no reason to wait, and what is not read says nothing."""

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
    assert ask(late, expect_body="ok")[0] == CUT
    assert ask(early, expect_body="ok")[0] == OK


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (b"HTTP/1.1 20",),
        (b"HTTP/1.1 200 OK\r\n",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b"ok"),
    ],
    ids=["silent", "half the status", "half the headers", "half the body"],
)
def test_what_is_asked_for_and_does_not_come_lasts_until_the_deadline(parts):
    """With `expect_body` the body must come as well; cut short, the connection is closed."""

    async def main():
        async with serving(says(*parts)) as server:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await attempt(server.port, expect_body="ok")
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
        (says(b"HTTP/1.1 twohundred OK\r\n", close=True), {"not HTTP"}),
        (says(b"HTTP/1.1 2", close=True), {"not HTTP"}),
    ],
    ids=["reset", "closed", "not HTTP", "no status", "half a status"],
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

    def look_up(host, port, family):
        return (names.Address(family=socket.AF_INET, sockaddr=("127.0.0.1", port)),)

    monkeypatch.setattr(names, "_look_up", look_up)

    async def main():
        async with serving(says(page())) as server:
            return await attempt(server.port, url=f"http://web.invalid:{server.port}/")

    assert asyncio.run(main()) == OK


@pytest.mark.parametrize("url", ["http://[bad/", "http://{address}:99999/", "ftp://{address}/"])
def test_a_url_that_is_none_is_unknown(url):
    """What makes no URL is our mistake, and nothing was sent."""
    expected = ProbeResult(answer=UNKNOWN, answered=False, detail="not a URL")

    assert expected == asyncio.run(attempt(80, url=url))


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


@pytest.mark.parametrize(
    ("location", "detail"),
    [
        (b"Location: /healthz\r\n", "more than 5 redirects"),
        (b"Location: ftp://127.0.0.1/\r\n", "status 302, a redirect to no http or https URL"),
        (b"Location: http://[bad/\r\n", "status 302, a redirect to no http or https URL"),
        (b"Location: http://127.0.0.1:99999/\r\n", "status 302, a redirect to no http or https URL"),
        (b"Location: https:///nowhere\r\n", "status 302, a redirect to no http or https URL"),
        (b"Location: http://no-such-host.invalid/\r\n", "redirect to a name that does not resolve"),
        (b"Location: http://two..dots/\r\n", "redirect to a name that does not resolve"),
        (b"Location:\r\n", "status 302, a redirect without a Location"),
        (b"", "status 302, a redirect without a Location"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_down(location, detail):
    """The target has answered, and wrongly. The location is not shown."""
    result, _ = ask(says(page(b"", "302 Found", location)), follow_redirects=True)

    assert down(detail) == result


@pytest.mark.parametrize("code", [socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_SYSTEM])
def test_a_redirect_to_a_name_that_our_resolver_cannot_look_up_is_unknown(monkeypatch, code):
    """A resolver that is out of order is this host's trouble, not the target's."""

    def look_up(host, port, family):
        raise socket.gaierror(code, "resolver trouble")

    monkeypatch.setattr(names, "_look_up", look_up)
    result, _ = ask(says(page(b"", "302 X", b"Location: http://web.invalid/\r\n")), follow_redirects=True)

    assert (result.answer, result.answered) == (UNKNOWN, True)
    assert result.detail == "redirect: name not resolved: resolver trouble"


@pytest.mark.parametrize(
    ("status", "method", "second"),
    [
        ("301 X", "GET", b"GET"),
        ("302 X", "POST", b"GET"),
        ("303 X", "POST", b"GET"),
        ("303 X", "HEAD", b"HEAD"),
        ("307 X", "POST", b"POST"),
        ("308 X", "OPTIONS", b"OPTIONS"),
    ],
)
def test_a_redirect_keeps_or_changes_the_method_as_browsers_do(status, method, second):
    """303 is always a GET, 301 and 302 of a POST as well."""

    async def main():
        async with serving(says(page())) as other:
            location = f"Location: http://127.0.0.1:{other.port}/there?a=b#part\r\n".encode()
            async with serving(says(page(b"", status, location))) as server:
                result = await attempt(server.port, method=method, follow_redirects=True)
                return result, other.requests[0]

    result, request = asyncio.run(main())

    assert result == OK
    assert request.startswith(second + b" /there?a=b HTTP/1.1\r\n")


def test_a_status_that_is_no_redirect_is_not_followed():
    """304 and 300 are answers, whatever else stands there."""
    for status in ("300 X", "304 X"):
        result, server = ask(says(page(b"", status, b"Location: /other\r\n")), follow_redirects=True)
        assert (result.answer, server.connections) == (UP, 1)


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
