"""Where the daemon would listen, and whether it can, or does already.

Owns the tries. Nothing stays open, and nothing is taken from a daemon that runs: its own answer is what
makes a place ours. Does not guarantee that a place that was free stays so.
"""

from __future__ import annotations

import errno
import socket
import stat

from eni_failover.client import Client, StartingError, UnreachableError
from eni_failover.config import Config
from eni_failover.core.policy import Member
from eni_failover.preflight.aside import Aside
from eni_failover.preflight.facts import Place, PortState
from eni_failover.preflight.neighbours import status_at

_ASK_WITHIN = 6.0


async def http(config: Config, me: Member) -> Place:
    """The HTTP side."""
    host, port = config.listen_at(me.address)
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    what = f"[server] listen {shown}"
    try:
        # Listening as the daemon does; a name is looked up here, as it is there.
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return Place(what=what, state=PortState.FREE)
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                asked = host if host not in {"0.0.0.0", "::"} else me.address  # noqa: S104 - compared only
                url = f"http://{f'[{asked}]' if ':' in asked else asked}:{port}/status"
                found, _ = await status_at(url, me, group=config.group)
                return Place(what=what, state=PortState.OURS if found.reachable else PortState.TAKEN)
            case errno.EADDRNOTAVAIL:
                return Place(what=what, state=PortState.NO_ADDRESS)
            case _:
                return Place(what=what, state=PortState.REFUSED, detail=error.strerror or str(error))


async def control(config: Config) -> Place:
    """The control socket."""
    path = config.socket
    what = f"[control] socket {path}"
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        if path.parent.is_dir():
            return Place(what=what, state=PortState.FREE)
        return Place(what=what, state=PortState.NO_ADDRESS, detail=f"{path.parent} does not exist")
    except OSError as error:
        return Place(what=what, state=PortState.REFUSED, detail=error.strerror or str(error))
    if not stat.S_ISSOCK(mode):
        return Place(what=what, state=PortState.TAKEN, detail="exists and is no socket")
    asking: Aside[str] = Aside()
    try:
        group = await asking.run(lambda: _group_at(config), within=_ASK_WITHIN)
    except (UnreachableError, TimeoutError) as error:
        return _silent(what, error)
    ours = group == config.group
    return Place(
        what=what,
        state=PortState.OURS if ours else PortState.TAKEN,
        detail="" if ours else f"the daemon of {group} answers there",
    )


def _group_at(config: Config) -> str:
    """The group of the daemon on the control socket. Raises UnreachableError."""
    try:
        return str(Client(config.socket).status().document.get("group", ""))
    except StartingError:
        return config.group  # it has taken the socket, and nobody else makes one there


def _silent(what: str, error: Exception) -> Place:
    match error.__cause__:
        case ConnectionRefusedError() | FileNotFoundError():
            return Place(what=what, state=PortState.FREE)  # of a dead daemon: the next one replaces it
        case PermissionError():
            return Place(what=what, state=PortState.REFUSED, detail="not allowed to ask who has it")
        case _:
            return Place(what=what, state=PortState.TAKEN, detail=str(error) or "no answer")
