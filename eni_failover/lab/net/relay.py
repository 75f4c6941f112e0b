"""Delay: frames between two links, carried by hand, each a little later than it came.

Owns: two packet sockets and a thread. Must not know: whose links they are. Does not guarantee: precision
below a few milliseconds, or much throughput. (A queueing discipline, netem, would do the same within the
kernel, but not every kernel has it.)
"""

import select
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Final

_PATIENCE: Final = 10.0
_FRAME: Final = 1 << 17
_BUFFER: Final = 1 << 22
_ETH_P_ALL: Final = 3
_SOL_PACKET: Final = 263
_PACKET_VNET_HDR: Final = 15
_PACKET_IGNORE_OUTGOING: Final = 23
_SO_RCVBUFFORCE: Final = 33


def open_link(name: str) -> socket.socket:
    """A socket for the frames that come in by a link of this thread's namespace, and to send some by it.

    Each frame has a header that says which checksums and segments are still to be made (virtio's, see
    PACKET_VNET_HDR in packet(7)): veth leaves them to whoever needs them, and here nobody does.
    """
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    link.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    link.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    link.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    link.bind((name, _ETH_P_ALL))
    link.setblocking(False)
    return link


class Relay:
    """Carries frames both ways between two links until `close`, and closes their sockets then."""

    def __init__(self, ends: tuple[socket.socket, socket.socket], seconds: float) -> None:
        one, other = ends
        self.seconds = seconds
        self._to = {one: other, other: one}
        self._waiting: deque[tuple[float, socket.socket, bytes]] = deque()
        self._wakeup, self._waker = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it; what is under way is lost."""
        self._waker.close()
        self._thread.join(_PATIENCE)
        for end in (*self._to, self._wakeup):
            end.close()

    def _run(self) -> None:
        while True:
            timeout = max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None
            readable, _, _ = select.select([*self._to, self._wakeup], [], [], timeout)
            if self._wakeup in readable:
                return
            for link in readable:
                with suppress(OSError):  # the link is down
                    self._waiting.append((time.monotonic() + self.seconds, self._to[link], link.recv(_FRAME)))
            self._send()

    def _send(self) -> None:
        """Send what is due; all wait equally long, so the first to come is the first to go."""
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, link, frame = self._waiting.popleft()
            with suppress(OSError):  # the link is down, or its queue is full: the frame is lost
                link.send(frame)
