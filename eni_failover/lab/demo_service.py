"""The service that the demo protects: an HTTP server that says whose it is.

Runs as a script of its own, without this package, so that it is up at once and can be killed like a
service. Ends when its standard input does: it never outlives the demo.

    python -I demo_service.py NAME FD      serves on the listening socket it has inherited as FD
"""

from __future__ import annotations

import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Handler(BaseHTTPRequestHandler):
    name = ""

    def do_GET(self) -> None:
        body = f"{self.name}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Nobody reads a log of this."""


def main() -> None:
    """Serves until standard input ends."""
    _Handler.name = sys.argv[1]
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler, bind_and_activate=False) as server:
        server.socket.close()
        server.socket = socket.socket(fileno=int(sys.argv[2]))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()


if __name__ == "__main__":
    main()
