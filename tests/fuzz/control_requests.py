"""What may be sent to the control socket, and is no order."""

BODY = b'{"reason": "drill"}'


def request(
    method: str = "POST",
    path: str = "/takeover",
    body: bytes = BODY,
    *,
    version: str = "HTTP/1.1",
    headers: bytes = b"",
    length: int | str | None = None,
) -> bytes:
    """One request; `headers` are lines with their ends, `length` what is announced instead of the truth."""
    announced = len(body) if length is None else length
    head = f"{method} {path} {version}\r\nHost: x\r\nContent-Length: {announced}\r\n"
    return head.encode() + headers + b"\r\n" + body


def unmeasured(headers: bytes, body: bytes) -> bytes:
    """An order that does not say how long it is."""
    return b"POST /takeover HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n" + body


def chunked(body: bytes) -> bytes:
    return unmeasured(b"Transfer-Encoding: chunked\r\n", body)


VERBS = {
    f"the verb {verb[:20]!r}": request(verb)
    for verb in (
        "FROB",
        "post",
        "P\u00f6ST",
        "A" * 10_000,
        "POST\0",
        "PUT",
        "DELETE",
        "PATCH",
        "OPTIONS",
        "TRACE",
    )
} | {
    "CONNECT": b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a view with POST": request(path="/status"),
    "an order with GET": request("GET", body=b""),
    "an order with HEAD": request("HEAD", body=b""),
    "another method in a header": request(path="/status", headers=b"X-HTTP-Method-Override: POST\r\n"),
}

BODIES = {
    f"the body {body[:24]!r}": request(body=body)
    for body in (
        b"{",
        b"[]",
        b"null",
        b'"drill"',
        b"reason=drill",
        b'{"reason": 1}',
        b'{"reason": "a\\nb"}',
        b'{"reason": "\\u0000"}',
        b'{"reason": "\\ud800"}',
        b'{"reason": "\xff"}',
        b'{"reason": "\\u202e"}',
        b'{"reason": "' + b"a" * 501 + b'"}',
        b'{"timeout_s": "1"}',
        b'{"timeout_s": true}',
        b'{"timeout_s": 0}',
        b'{"timeout_s": -1}',
        b'{"timeout_s": 3600.1}',
        b'{"timeout_s": NaN}',
        b'{"timeout_s": 1e999}',
        b'{"timeout_s": ' + b"9" * 5000 + b"}",
        b'{"unknown": 1}',
        b"[" * 16_000,
        b'{"reason": ' * 1400,
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b"{}" + request(),
    )
} | {
    "a pause of a number": request(path="/pause", body=b'{"for": 1}'),
    "a pause of no unit": request(path="/pause", body=b'{"for": "1 day"}'),
    "a pause of zero": request(path="/pause", body=b'{"for": "0s"}'),
    "a pause of years": request(path="/pause", body=b'{"for": "366d"}'),
    "a local that is text": request(path="/pause", body=b'{"local": "yes"}'),
    "an author": request(path="/pause", body=b'{"by": "root"}'),
    "a resume with a length": request(path="/resume", body=b'{"for": "1s"}'),
    "a reload of another file": request(path="/reload", body=b'{"path": "/etc/passwd"}'),
    "more than a body may be": request(body=b'{"reason": "' + b"a" * 20_000 + b'"}'),
}

LENGTHS = {
    "a body without a length": unmeasured(b"", BODY),
    "a gigabyte announced": request(length=1 << 30),
    "a gigabyte to be continued": request(body=b"", length=1 << 30, headers=b"Expect: 100-continue\r\n"),
    "a negative length": request(length=-1),
    "a length in words": request(length="x"),
    "a length with a sign": request(length="+2"),
    "a length of a hundred digits": request(length="9" * 100),
    "two lengths": request(headers=b"Content-Length: 3\r\n"),
    "a length and chunks": request(headers=b"Transfer-Encoding: chunked\r\n"),
    "chunks in chunks": unmeasured(b"Transfer-Encoding: chunked, chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
    "another transfer": unmeasured(b"Transfer-Encoding: frob\r\n", BODY),
    "a chunk that is none": chunked(b"zz\r\n{}\r\n0\r\n\r\n"),
    "a negative chunk": chunked(b"-2\r\n{}\r\n0\r\n\r\n"),
    "a chunk beyond its size": chunked(b"1\r\n{}\r\n0\r\n\r\n"),
    "an endless chunk": chunked(b"fffffffffffffff\r\n{}"),
    "an endless size": chunked(b"1" * 100_000),
    "a chunk that ends early": chunked(b"2\r\n{"),
    "chunks without an end": chunked(b"2\r\n{}\r\n"),
    "a chunk larger than a body": chunked(b"8000\r\n" + b" " * 0x8000 + b"\r\n0\r\n\r\n"),
}

PATHS = {
    f"the path {path[:30]!r}": request(path=path)
    for path in (
        "/../takeover",
        "/status/../takeover",
        "//takeover",
        "/./takeover",
        "/takeover/",
        "/TAKEOVER",
        "/takeover;x",
        "/takeover%00",
        "/takeover%0d%0aX:%20y",
        "/%2574akeover",
        "/status%2f..%2ftakeover",
        "/..%2f..%2fetc%2fpasswd",
        "/../../etc/passwd",
        "\\takeover",
        "/tak\u00e9over",
        "/%zz",
        "evil:1/takeover",
        "*",
        "",
        "/" + "a" * 7000,
        "/" + "a" * 100_000,
    )
}

GARBAGE = {
    "an unknown version": request(version="HTTP/9.9"),
    "another protocol": request(version="HTTX/1.1"),
    "the start of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "the start of TLS": bytes.fromhex("16030100a50100009f0303") + bytes(160),
    "line feeds only": request().replace(b"\r\n", b"\n"),
    "a blank in a header's name": request(headers=b"X : y\r\n"),
    "a folded header": request(headers=b"X: a\r\n b\r\n"),
    "NUL in a header": request(headers=b"X: a\0b\r\n"),
    "a header without a name": request(headers=b": a\r\n"),
    "a header without a colon": request(headers=b"abc\r\n"),
    "a header of 100 KB": request(headers=b"X: " + b"a" * 100_000 + b"\r\n"),
    "thousands of headers": request(headers=b"X: a\r\n" * 5000),
    "no host": b"POST /takeover HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
    "zeros": bytes(1000),
    "line ends": b"\r\n" * 1000,
    "every byte": bytes(range(256)) * 20,
    "half a head": b"POST /takeover HTTP/1.1\r\nHost: x\r\nContent-Len",
    "half a body": request()[:-5],
}

NO_ORDERS = VERBS | BODIES | LENGTHS | PATHS | GARBAGE

OLD = {
    "HTTP/0.9": b"POST /takeover\r\n\r\n",
    "HTTP/0.9 that says so": b"POST /takeover HTTP/0.9\r\nHost: x\r\n\r\n",
    "HTTP/2 that is none": request(version="HTTP/2.0"),
}
"""Versions of HTTP that no client of ours speaks."""
