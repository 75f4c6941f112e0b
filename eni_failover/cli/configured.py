"""The configuration that a command's `--config` and `--group` name, and the daemon that serves it."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from eni_failover.cli.terminal import complain
from eni_failover.client import Client, UnreachableError
from eni_failover.config import Config, load, path_for
from eni_failover.config.build import GROUP
from eni_failover.config.schema import ControlTable
from eni_failover.errors import ConfigError

_DEFAULT_SOCKET = ControlTable().socket


def config_of(config: Path | None, group: str | None) -> Config:
    """The checked file. Raises ConfigError with every problem in it."""
    return load(path_for(config, group, os.environ), os.environ)


def client_of(config: Path | None, group: str | None, *, mention: bool = True) -> Client:
    """A client of the daemon that serves this file on this host. Raises ConfigError.

    A file with mistakes, or with another group or socket by now, still finds the daemon that runs with
    the one before them: an operator must not lose sight of a group, or a takeover, because somebody is
    editing. What is wrong is mentioned, unless the daemon will list it all or the command prints nothing.
    """
    path = path_for(config, group, os.environ)
    try:
        socket = load(path, os.environ).socket
    except ConfigError as error:
        written = _socket_in(path)
        if written is None:
            raise
        if mention:
            complain(f"{error.problems[0]} ({_count(error)}; the daemon goes on without them)")
        socket = written
    former = None if os.path.exists(socket) else _former_socket(path, socket)  # noqa: PTH110 - False where a look is forbidden
    if former is None:
        return Client(socket)
    if mention:
        complain(
            f"{path}: the daemon that runs it listens at {former} until it is restarted, not at {socket}"
        )
    return Client(former)


def _former_socket(path: Path, named: Path) -> Path | None:
    """Where a daemon listens that was started with this file, of the places where sockets of ours are."""
    places = {named.parent, _DEFAULT_SOCKET.parent}
    for socket in sorted(one for place in places for one in place.glob("*.sock")):
        try:
            runs = Client(socket).config_path()
        except UnreachableError:
            continue
        if runs is not None and runs.resolve() == path.resolve():
            return socket
    return None


def _socket_in(path: Path) -> Path | None:
    """Where a file with mistakes says that the socket is, None when it cannot be told."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    group, control = raw.get("group"), raw.get("control", {})
    written = control.get("socket") if isinstance(control, dict) else None
    if isinstance(written, str):
        return Path(written)
    return Path(str(_DEFAULT_SOCKET).replace(GROUP, group)) if isinstance(group, str) else None


def _count(error: ConfigError) -> str:
    more = len(error.problems) - 1
    return (
        f"and {more} more mistake{'s' if more > 1 else ''} in the file" if more else "a mistake in the file"
    )
