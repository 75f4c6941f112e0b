"""Whatever a probed service answers: a status or an error of ours, a bounded body, and however it is cut."""

from __future__ import annotations

import re
from collections.abc import Coroutine
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from eni_failover.adapters.probes.answer import AnswerReader, Body, HeadTooLongError, NotHttpError
from eni_failover.adapters.probes.names import Address, literal_address
from eni_failover.adapters.probes.place import parse, redirected
from eni_failover.adapters.probes.places_kept_out import is_kept_out, is_localhost
from tests.fuzz.efforts import QUICK

LIMIT = 200
_T = TypeVar("_T")

_LINES = [
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 100 Continue",
    b"HTTP/1.1 101 Switching",
    b"HTTP/1.1 204 No",
    b"HTTP/1.1 302 Found",
    b"HTTP/1.1 2000",
    b"HTTP/1.1 20",
    b"HTTP/99 999",
    b"http/1.0\t503",
    b"HTTP/",
    b"SSH-2.0",
    b"",
    b" ",
    b":",
    b"X: y",
    b" folded",
    b"X\x00: \xff",
    b"Content-Length: 5",
    b"content-length : 5, 5",
    b"Content-Length: -1",
    b"Content-Length: 99999999999999999999999",
    b"Content-Length: \xd9\xa3",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Content-Encoding: gzip",
    b"Content-Encoding: br",
    b"Content-Type: text/plain; charset=utf-16",
    b"Content-Type: text/plain; charset=hex",
    b'Content-Type: text/plain; charset="',
    b"Location: /there",
    b"5",
    b"5;x=y",
    b"0",
    b"fffffffffffffff",
    b"hello",
    b"\x1f\x8b\x08\0\0\0\0\0\0\x03",
]
ends = st.sampled_from([b"\r\n", b"\n", b"\r", b"\n\n", b"\r\n\r\n", b""])
lines = st.sampled_from(_LINES) | st.binary(max_size=12)
answers = st.lists(st.tuples(lines, ends), max_size=12).map(lambda found: b"".join(map(b"".join, found)))
begun = st.one_of(answers, answers.map(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest))


def read(data: bytes, size: int, method: str) -> tuple[int, Body] | str:
    """What the reader makes of these bytes when they come so many at a time."""

    async def main() -> tuple[int, Body] | str:
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        reader = AnswerReader(lambda: _next(pieces))
        try:
            status = await reader.status()
            head = await reader.head()
        except (NotHttpError, HeadTooLongError) as error:
            return str(error)
        return status, await reader.body(head, status=status, method=method, limit=LIMIT)

    return _drive(main())


def _drive(work: Coroutine[object, None, _T]) -> _T:
    """Run what waits for nothing, without the cost of a loop."""
    try:
        while True:
            work.send(None)
    except StopIteration as ended:
        return ended.value


async def _next(pieces: list[bytes]) -> bytes:
    return pieces.pop(0) if pieces else b""


def check_head(data: bytes, size: int, method: str) -> None:
    found = read(data, size, method)
    if isinstance(found, str):
        assert found in {"not HTTP", "closed without an answer"}
    else:
        status, body = found
        assert 200 <= status <= 999 or status == 101 or status < 100
        assert len(body.content) <= LIMIT
        assert isinstance(body.text, str)
    assert found == read(data, 10_000, method)


@QUICK
@given(begun, st.integers(1, 9), st.sampled_from(["GET", "HEAD"]))
def test_any_answer(data, size, method):
    """It is read the same, however the network cuts it."""
    check_head(data, size, method)


_PLACES = [
    "/",
    "//",
    "///",
    "http:",
    "http://",
    "https://",
    "ftp://h/",
    "?a=b",
    "#",
    "..",
    "\\\\h\\",
    "http://user:secret@h/",
    "http://[::1]",
    "http://[::ffff:127.0.0.1]:80/",
    "http://127.1",
    "http://2130706433",
    "http://0x7f.1/",
    "http://localhost./",
    "http://h:0/",
    "http://h:99999/",
    "http://h:\uff11/",
    "%0d%0a",
    "\t",
    "\x00",
    "\u2028",
    "\r\nX-Injected: y",
    "@169.254.169.254/",
    "[fe80::1%25lo]",
]
locations = st.lists(st.sampled_from(_PLACES) | st.text(max_size=6), min_size=1, max_size=4).map("".join)
HOME = Address(family=2, sockaddr=("10.0.1.11", 80))


@QUICK
@given(locations)
def test_any_location(location):
    """It leads to a place that fits into one request line, or nowhere, and not to this host."""
    home = parse("http://10.0.1.11:8080/healthz")
    try:
        place = redirected(home, location, home)
    except ValueError:
        return
    assert re.fullmatch(r"[!-~]+", place.target)
    assert not re.search(r"[\r\n\0 ]", place.host_header)
    assert 0 < place.port < 65536
    literal = literal_address(place.host.partition("%")[0], place.port)
    if literal is not None and literal.sockaddr[0].startswith(("127.", "169.254.", "::1", "fe80:")):
        assert is_kept_out(literal, (HOME,))
    assert is_localhost(place.host) == (place.host.rstrip(".").lower().rpartition(".")[2] == "localhost")
