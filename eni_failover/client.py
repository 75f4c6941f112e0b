"""The client of a daemon's control socket: one HTTP exchange over a Unix socket, with the standard library.

Owns the exchange, its deadline, and the wording of "nobody answers". Must not know typer, rich or any
third-party library: commands start in the time that Python itself takes. Does not guarantee that an
order without an answer was not carried out.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eni_failover.errors import EniFailoverError

SCHEMA = 1
"""The schema of `/status` that this version reads."""

VIEW_TIMEOUT = 5.0
GLANCE_TIMEOUT = 1.0
# The daemon gives itself 15 s to answer an order.
ORDER_TIMEOUT = 20.0
_CONNECT_AGAIN = 0.005
_LARGEST_ANSWER = 4 * 1024 * 1024


class UnreachableError(EniFailoverError):
    """No daemon answers on the socket, or what answers is not this version's."""


class StartingError(UnreachableError):
    """The daemon answers, and no pass of it has ended yet: there is nothing to show."""


class BadOrderError(EniFailoverError):
    """The daemon did not understand the order: a text is too long, or a number out of range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer: the HTTP status, and the body's JSON object with its text as it came."""

    status: int
    text: str
    document: dict[str, Any]


class Client:
    """Talks to the daemon at this control socket. Every method raises UnreachableError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def is_active(self) -> bool:
        """Whether this member holds everything with its links ready."""
        reply = self._exchange("GET", "/active", timeout=VIEW_TIMEOUT)
        if reply.status not in {200, 503}:
            raise UnreachableError(f"what answers at {self._path} does not know /active")
        return reply.status == 200

    def status(self) -> Reply:
        """The daemon's `/status`. Raises StartingError before the first pass has ended."""
        reply = self._exchange("GET", "/status", timeout=VIEW_TIMEOUT)
        if reply.status == 503:
            raise StartingError(f"the daemon at {self._path} is starting: no pass has ended yet")
        if reply.status != 200 or reply.document.get("schema") != SCHEMA:
            raise UnreachableError(
                f"the daemon at {self._path} is of another version: its status is not schema {SCHEMA}"
            )
        return reply

    def config_path(self) -> Path | None:
        """The file that the daemon runs, where it is on the daemon's host; None when it does not say."""
        reply = self._exchange("GET", "/config", timeout=GLANCE_TIMEOUT)
        path = reply.document.get("path")
        return Path(path) if isinstance(path, str) else None

    def order(self, path: str, body: dict[str, Any]) -> Reply:
        """An operator's order; the answer's status is 200, 202, 409 or 422.

        Raises BadOrderError when the daemon calls the order itself wrong.
        """
        reply = self._exchange("POST", path, timeout=ORDER_TIMEOUT, body=json.dumps(body).encode())
        if reply.status in {200, 202, 409, 422}:
            return reply
        said = reply.document.get("error") or f"HTTP status {reply.status}"
        if reply.status == 400:
            raise BadOrderError(f"the daemon refused the request: {said}")
        raise UnreachableError(f"the daemon at {self._path} did not take the order: {said}")

    def _exchange(self, method: str, path: str, *, timeout: float, body: bytes | None = None) -> Reply:
        connection = _UnixConnection(self._path, timeout=timeout)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            text = response.read(_LARGEST_ANSWER).decode()
            document = json.loads(text)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UnreachableError(self._why(error, timeout)) from error
        finally:
            connection.close()
        if not isinstance(document, dict):
            raise UnreachableError(f"what answers at {self._path} is not eni-failover")
        return Reply(status=response.status, text=text, document=document)

    def _why(self, error: Exception, timeout: float) -> str:
        match error:
            case FileNotFoundError() | NotADirectoryError() | ConnectionRefusedError():
                return f"no daemon answers at {self._path}: is it running on this host?"
            case PermissionError():
                return (
                    f"not allowed to talk to the daemon at {self._path}: use sudo, or join the socket's group"
                )
            case TimeoutError():
                return f"the daemon at {self._path} did not answer within {timeout:g} s"
            case OSError():
                return f"the daemon at {self._path}: {error.strerror or error}"
            case _:
                return f"what answers at {self._path} is not eni-failover"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the control socket. `timeout` bounds each wait for the socket, in seconds."""

    def __init__(self, path: Path, *, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket's path, where http.client would look up a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        ends_at = time.monotonic() + (self.timeout or 0.0)
        while True:
            try:
                self.sock.connect(str(self._path))
            except BlockingIOError:
                # Others wait to be accepted, more than the kernel keeps: unix(7), EAGAIN. It does not wait.
                if time.monotonic() >= ends_at:
                    raise
                time.sleep(_CONNECT_AGAIN)
            else:
                return
