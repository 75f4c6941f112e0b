"""A loopback server that says exactly the bytes it is told, whatever it is asked."""

import socket
import socketserver
import threading
from collections.abc import Callable

from tests.whole_request import whole_request

Script = Callable[[socket.socket, bytes], None]

_PATIENCE = 10.0


def http(body: str | bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole HTTP answer with this body; `headers` are lines, each with its line end."""
    data = body if isinstance(body, bytes) else body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n{headers}\r\n"
    return head.encode() + data


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = False  # joined at the close: no socket of a test outlives it
    allow_reuse_address = True
    script: Script

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up in the middle is what some tests are about."""


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.settimeout(_PATIENCE)
        asked = _read_request(self.request)
        if asked:
            self.server.script(self.request, asked)


def _read_request(connection: socket.socket) -> bytes:
    head, ended, _ = whole_request(connection).partition(b"\r\n\r\n")
    return head if ended else b""


class RawServer:
    """Answers each connection by `script(connection, request's head)`, until closed."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = _Server((host, port), _Handler)
        self._server.script = lambda _connection, _asked: None
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()
        self.port = self._server.server_address[1]
        self.url = f"http://{host}:{self.port}"

    def says(self, answer: bytes) -> None:
        """From now on each request is answered with these bytes, and the connection closed."""
        self._server.script = lambda connection, _asked: connection.sendall(answer)

    def follows(self, script: Script) -> None:
        """From now on each request is answered by this."""
        self._server.script = script

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_PATIENCE)
