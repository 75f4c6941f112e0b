"""Which address families the kernel carries on a link: IPv6 may be switched off, for one link or for all."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final

BOTH: Final = frozenset({4, 6})
NEW_LINKS: Final = "default"
"""The name under which the kernel keeps the settings of links to come."""


def carried(link: str, *, proc: Path = Path("/proc")) -> frozenset[int]:
    """The IP versions that a link of this network namespace may have addresses of.

    What cannot be read is taken to be there: the kernel's refusal will tell.
    """
    settings = proc / "sys" / "net"
    try:
        if not settings.is_dir():
            return BOTH
        # A kernel without IPv6 has none of these, a link with too small an MTU has none of its own.
        switch = settings / "ipv6" / "conf" / link / "disable_ipv6"
        return BOTH if switch.read_text(encoding="ascii").strip() == "0" else frozenset({4})
    except FileNotFoundError:
        return frozenset({4})
    except OSError:
        return BOTH


def carried_by(index: int, *, proc: Path = Path("/proc")) -> frozenset[int]:
    """The IP versions that this link may have addresses of, under the name that it has by now."""
    try:
        return carried(socket.if_indextoname(index), proc=proc)
    except OSError:  # it has just left
        return BOTH


def hears_routers(link: str, *, proc: Path = Path("/proc")) -> bool:
    """Whether the kernel listens to IPv6 router advertisements on this link; unknown is yes."""
    settings = proc / "sys" / "net" / "ipv6" / "conf" / link
    try:
        accepts = (settings / "accept_ra").read_text(encoding="ascii").strip()
        forwards = (settings / "forwarding").read_text(encoding="ascii").strip()
    except OSError:
        return True
    return accepts == "2" or (accepts == "1" and forwards == "0")
