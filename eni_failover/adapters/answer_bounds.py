"""Bounds of every answer that boto3 reads: the calls to EC2, and what the chain of credentials asks.

botocore's `read_timeout` is for each read: a byte a second holds a thread for ever; and it reads answers of
any size. Here it is for the whole answer, from the end of the request to the last byte, and the bytes are
counted as they come, head and informational answers included.

The way in is `response_class` of http.client's connections, with which botocore's are made: there is none
that is offered (`before-send` replaces the whole sending). botocore does not unpack what is packed.
"""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.parsers import expat

from botocore import awsrequest
from urllib3.exceptions import ConnectTimeoutError

from eni_failover.adapters.ec2_errors import CONNECTION
from eni_failover.errors import UnansweredError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_KIB, _MIB = 1024, 1024 * 1024
LARGEST_HEAD = 64 * _KIB
LARGEST_OF_EC2 = 4 * _MIB
"""A page of a describe; an instance is some 10 KB, with fifteen full ENIs 300 KB."""
LARGEST_OF_OTHERS = 256 * _KIB
"""IMDS, a container's agent, STS, IAM Identity Center: a few KB each."""
MOST_ELEMENTS = 100_000
"""What 4 MiB of EC2's XML have; each costs a hundred bytes and more when it is parsed."""
# For a connection without a timeout: botocore's own default.
_WITHIN = 60.0


class _Allowance(NamedTuple):
    """What the thread's calls may take: until when, of a monotonic clock, and bytes of a body."""

    until: float = float("inf")
    largest: int = LARGEST_OF_OTHERS


class _Allowances(threading.local):
    current = _Allowance()


_allowances = _Allowances()


@contextlib.contextmanager
def allowing(until: float, *, largest: int = LARGEST_OF_OTHERS) -> Iterator[None]:
    """Within it, what this thread asks ends at `until` (`time.monotonic`), with bodies of `largest` bytes."""
    before = _allowances.current
    _allowances.current = _Allowance(until, largest)
    try:
        yield
    finally:
        _allowances.current = before


def bound_answers() -> None:
    """From now on botocore's connections, also of clients that exist, read bounded answers."""
    awsrequest.AWSHTTPConnectionPool.ConnectionCls = _HttpConnection
    awsrequest.AWSHTTPSConnectionPool.ConnectionCls = _HttpsConnection


def refuse_bombs(body: bytes) -> None:
    """Raise UnansweredError for XML that may grow while it is parsed: none of AWS's declares a document type.

    What is not well-formed is left to its parser.
    """
    if body.count(b"<") > 2 * MOST_ELEMENTS:
        raise UnansweredError(f"the answer has more than {MOST_ELEMENTS} elements", code=CONNECTION)
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_document_type
    # It stands before the first element or nowhere (XML 1.0, section 2.8): others parse the rest.
    parser.StartElementHandler = _end
    with contextlib.suppress(_PrologEnds, expat.ExpatError, ValueError, LookupError):
        parser.Parse(body, True)


class _PrologEnds(Exception):  # noqa: N818 - it is none
    """The first element has come."""


def _end(*_: object) -> None:
    raise _PrologEnds


def _refuse_document_type(*_: object) -> None:
    raise UnansweredError("the answer declares a document type, which EC2's never do", code=CONNECTION)


class _Bounded(io.RawIOBase):
    """What comes on a connection, until a moment and up to a number of bytes."""

    def __init__(self, raw: io.RawIOBase, connection: socket.socket, within: float) -> None:
        self._raw = raw
        self._connection = connection
        self._until = min(time.monotonic() + within, _allowances.current.until)
        self._left = self._most = LARGEST_HEAD

    def allow_body(self) -> None:
        """The head has come."""
        self._left = self._most = _allowances.current.largest

    def readable(self) -> bool:
        """A reader that is asked whether it is one."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        """Raises TimeoutError, and UnansweredError when more comes than is allowed."""
        timeout = self._connection.gettimeout()
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the whole answer did not come in time")
        self._connection.settimeout(left)
        try:
            count = self._raw.readinto(buffer)
        finally:
            self._connection.settimeout(timeout)
        self._left -= count or 0
        if self._left < 0:
            raise UnansweredError(f"the answer has more than {_size(self._most)}", code=CONNECTION)
        return count

    def close(self) -> None:
        """Close it; the socket itself is closed with its connection."""
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        timeout = sock.gettimeout()
        self._bounded = _Bounded(self.fp.detach(), sock, _WITHIN if timeout is None else timeout)
        self.fp = io.BufferedReader(self._bounded)

    def begin(self) -> None:
        super().begin()
        self._bounded.allow_body()


class _Ending:
    """A connection that is not made, or not used, after the call's deadline: then nothing was sent."""

    response_class = _Response
    timeout: float | None

    def connect(self) -> None:
        left = self._left()
        self.timeout = left if self.timeout is None else min(left, self.timeout)
        super().connect()  # type: ignore[misc]
        self._left()

    def _left(self) -> float:
        left = _allowances.current.until - time.monotonic()
        if left <= 0:
            raise ConnectTimeoutError("no connection within the time of the call")
        return left


class _HttpConnection(_Ending, awsrequest.AWSHTTPConnection):  # type: ignore[misc]
    pass


class _HttpsConnection(_Ending, awsrequest.AWSHTTPSConnection):  # type: ignore[misc]
    pass


def _size(count: int) -> str:
    return f"{count // _MIB} MiB" if count >= _MIB else f"{count // _KIB} KiB"
