"""AWS without AWS: a clean environment, an EC2 client whose answers are scripted, and loopback servers."""

import asyncio
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl

import pytest
from botocore.awsrequest import AWSResponse

from eni_failover.adapters.ec2 import Ec2
from tests.whole_request import whole_request

OURS = ("AWS_", "BOTO")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
STATIC = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "never-to-be-seen",
    "AWS_CONFIG_FILE": "/nonexistent/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_REGION": "eu-central-1",
}


def clean_environment(patch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's AWS settings and proxies is left; static credentials are there."""
    for name in list(os.environ):
        if name.startswith(OURS) or name.lower() in PROXIES:
            patch.delenv(name)
    for name in ("no_proxy", "NO_PROXY"):
        # Set and deleted, so that what the code under test writes there is undone as well.
        patch.setenv(name, "")
        patch.delenv(name)
    for name, value in STATIC.items():
        patch.setenv(name, value)


@pytest.fixture
def aws_environment(monkeypatch) -> pytest.MonkeyPatch:
    clean_environment(monkeypatch)
    return monkeypatch


class _Body:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self, *_: object) -> Iterator[bytes]:
        yield self._data


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


class ScriptedEc2:
    """A real boto3 client below a real Ec2; what would go to the network is answered from a script.

    Its timeouts are half a second each.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.reports: list[tuple[str, str]] = []
        self._answers: deque[tuple[int, bytes] | Exception] = deque()
        self._url = ""
        self.ec2 = Ec2(
            region=None,
            group="orders",
            version="1.2.3",
            connect_timeout=0.5,
            read_timeout=0.5,
            on_request=lambda report: self.reports.append((report.operation, report.code)),
            endpoint_url="http://127.0.0.1:9",
        )

    def start(self) -> None:
        asyncio.run(self.ec2.warm())
        self.ec2._calls.client.meta.events.register("before-send.ec2", self._on_send)

    def reset(self) -> None:
        self.requests.clear()
        self.headers.clear()
        self.reports.clear()
        self._answers.clear()
        self._url = ""

    def redirect(self, url: str) -> None:
        """Send what has no scripted answer to this server."""
        self._url = url

    def will_answer(self, status: int, body: str | bytes) -> None:
        self._answers.append((status, body if isinstance(body, bytes) else body.encode()))

    def will_refuse(self, status: int, code: str, message: str = "because") -> None:
        error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        self.will_answer(status, f"<Response><Errors>{error}</Errors><RequestID>r-1</RequestID></Response>")

    def will_accept(self, action: str, inner: str = "") -> None:
        self.will_answer(200, f"<{action}Response><requestId>r-1</requestId>{inner}</{action}Response>")

    def will_fail(self, error: Exception) -> None:
        self._answers.append(error)

    def _on_send(self, request, **_: object) -> AWSResponse | None:
        self.requests.append(dict(parse_qsl(_text(request.body))))
        self.headers.append({name: _text(value) for name, value in request.headers.items()})
        if self._url and not self._answers:
            request.url = self._url
            return None
        answer = self._answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return AWSResponse(request.url, answer[0], {}, _Body(answer[1]))


@pytest.fixture(scope="session")
def _scripted() -> Iterator[ScriptedEc2]:
    one = ScriptedEc2()
    with pytest.MonkeyPatch.context() as patch:
        clean_environment(patch)
        one.start()
    yield one
    one.ec2.close()


@pytest.fixture
def scripted(_scripted) -> ScriptedEc2:
    """Building a client takes boto3 a third of a second: one serves all tests."""
    _scripted.reset()
    return _scripted


class Server:
    """A loopback server that hands each connection, in a thread, to `handle`; counts connections."""

    def __init__(self, handle: Callable[[socket.socket], None]) -> None:
        self._handle = handle
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests: list[bytes] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                received = whole_request(connection)
                if received:
                    self.requests.append(received)
                    self._handle(connection)
            except OSError:
                return

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._acceptor.join(5)
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[socket.socket], None]], Server]]:
    """Starts a server around a function of one connection."""
    servers: list[Server] = []

    def start(handle: Callable[[socket.socket], None]) -> Server:
        servers.append(Server(handle))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def answering(serve) -> Callable[..., Server]:
    """Starts a server that answers each request with this status and body, then closes."""

    def start(status: int, body: bytes, *, length: int | None = None) -> Server:
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body) if length is None else length}\r\n"
        return serve(lambda connection: connection.sendall(f"{head}\r\n".encode() + body))

    return start


@pytest.fixture
def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture
def make_ec2(aws_environment) -> Iterator[Callable[..., Ec2]]:
    """Makes warmed Ec2 objects; `reports` on each has (operation, code) of every attempt."""
    made: list[Ec2] = []

    def make(**options) -> Ec2:
        reports: list[tuple[str, str]] = []
        ec2 = Ec2(
            **{
                "region": None,
                "group": "orders",
                "version": "1.2.3",
                "connect_timeout": 1.0,
                "read_timeout": 1.0,
                "on_request": lambda report: reports.append((report.operation, report.code)),
                **options,
            }
        )
        ec2.reports = reports
        made.append(ec2)
        asyncio.run(ec2.warm())
        return ec2

    yield make
    for ec2 in made:
        ec2.close()
