"""What systemd is told: sd_notify(3) over a datagram socket, and its watchdog's interval.

Owns the protocol's spelling. Must not know what the daemon does. Never raises and never waits: without
a NOTIFY_SOCKET, or with a systemd that does not read, a message is simply not delivered.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

_LONGEST_STATUS = 1000


class Notifier:
    """Tells systemd about this service. `environment` has NOTIFY_SOCKET when systemd wants to know."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))

    def ready(self) -> None:
        """The start, or a reload, is done."""
        self._send("READY=1")

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it (Type=notify-reload needs the time, in its clock)."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """The stop has begun."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """What `systemctl status` shows, on one line."""
        self._send("STATUS=" + " ".join(text.split())[:_LONGEST_STATUS])

    def watchdog(self) -> None:
        """The daemon is alive."""
        self._send("WATCHDOG=1")

    def extend_timeout(self, seconds: float) -> None:
        """The start, or the stop, needs so many more seconds from now."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def watchdog_interval(self) -> float | None:
        """Within how many seconds systemd wants the next `watchdog`; None when it does not watch.

        Half of it is a good distance between two (sd_watchdog_enabled(3)).
        """
        usec, pid = (self._environment.get(name, "") for name in ("WATCHDOG_USEC", "WATCHDOG_PID"))
        if not usec.isascii() or not usec.isdigit() or int(usec) == 0:
            return None
        return int(usec) / 1e6 if pid in {"", str(os.getpid())} else None

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.sendto(message.encode(errors="replace"), socket.MSG_DONTWAIT, self._address)
        except OSError:
            return


def _address(name: str) -> str:
    """The socket's address: a path, or after `@` an abstract name; empty for what is neither (vsock)."""
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else ""
