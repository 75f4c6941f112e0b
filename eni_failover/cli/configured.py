"""The configuration that a command's `--config` and `--group` name, and the daemon that serves it."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

from eni_failover.cli.terminal import complain
from eni_failover.client import Client, UnreachableError
from eni_failover.config import Config, load, path_for
from eni_failover.config.build import GROUP
from eni_failover.config.load import LARGEST
from eni_failover.config.schema import ControlTable
from eni_failover.errors import ConfigError
from eni_failover.files import open_regular

_DEFAULT_SOCKET = ControlTable().socket
_LINE = r"""^[ \t]*(?:control[ \t]*\.[ \t]*)?{}[ \t]*=[ \t]*(["'])([^"'\\\x00-\x1f]+)\1"""
_FIRST_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)


def config_of(config: Path | None, group: str | None) -> Config:
    """The checked file. Raises ConfigError with every problem in it."""
    return load(path_for(config, group, os.environ), os.environ)


def client_of(config: Path | None, group: str | None, *, mention: bool = True) -> Client:
    """A client of the daemon that serves this file on this host. Raises ConfigError.

    A file with mistakes, or with another group or socket by now, still finds the daemon that runs with
    the one before them: an operator must not lose sight of a group, or a takeover, because somebody is
    editing, also where it is no TOML at the moment. What is wrong is mentioned, unless the daemon will
    list it all or the command prints nothing.
    """
    path = path_for(config, group, os.environ)
    mistakes = None
    try:
        named, is_certain = load(path, os.environ).socket, True
    except ConfigError as error:
        text = _text_in(path)
        if text is None:
            raise
        mistakes = error
        named, is_certain = _socket_in(text)
    found = named if os.path.exists(named) else _former_socket(path, named)  # noqa: PTH110 - False where a look is forbidden
    if mistakes and not found and not is_certain:
        raise mistakes
    if mistakes and mention:
        complain(f"{mistakes.problems[0]} ({_count(mistakes)}; the daemon goes on with the file it had)")
    if found not in {None, named} and is_certain and mention:
        complain(f"{path}: the daemon that runs it listens at {found} until it is restarted, not at {named}")
    return Client(found or named)


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


def _text_in(path: Path) -> str | None:
    """What can be read of a file with mistakes; None when it cannot be read."""
    try:
        with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
            return file.read(LARGEST).decode("utf-8-sig", errors="replace")
    except (OSError, ValueError):
        return None


def _socket_in(text: str) -> tuple[Path, bool]:
    """Where a file with mistakes says that the socket is, and whether that is certain."""
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError):
        return _spelled_socket(text), False
    group, control = raw.get("group"), raw.get("control", {})
    written = control.get("socket") if isinstance(control, dict) else None
    if isinstance(written, str):
        return Path(written), True
    return (_default_socket(group), True) if isinstance(group, str) else (_DEFAULT_SOCKET, False)


def _spelled_socket(text: str) -> Path:
    """Where a line of what is no TOML says that it is: somebody may be in the middle of another line."""
    socket = re.search(_LINE.format("socket"), text, re.MULTILINE)
    if socket is not None:
        return Path(socket[2])
    group = re.search(_LINE.format("group"), _FIRST_TABLE.split(text, maxsplit=1)[0], re.MULTILINE)
    return _DEFAULT_SOCKET if group is None else _default_socket(group[2])


def _default_socket(group: str) -> Path:
    return Path(str(_DEFAULT_SOCKET).replace(GROUP, group))


def _count(error: ConfigError) -> str:
    more = len(error.problems) - 1
    return (
        f"and {more} more mistake{'s' if more > 1 else ''} in the file" if more else "a mistake in the file"
    )
