"""The configuration that a command's `--config` and `--group` name, and the daemon that serves it."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from eni_failover.cli.terminal import complain
from eni_failover.client import Client
from eni_failover.config import Config, load, path_for
from eni_failover.config.build import GROUP
from eni_failover.config.schema import ControlTable
from eni_failover.errors import ConfigError


def config_of(config: Path | None, group: str | None) -> Config:
    """The checked file. Raises ConfigError with every problem in it."""
    return load(path_for(config, group, os.environ), os.environ)


def client_of(config: Path | None, group: str | None, *, mention: bool = True) -> Client:
    """A client of the daemon that serves this file on this host. Raises ConfigError.

    A file with mistakes still finds the daemon that runs with the one before them: an operator must
    not lose sight of a group, or a takeover, because somebody is editing. The mistake is mentioned,
    unless the daemon will list them all.
    """
    path = path_for(config, group, os.environ)
    try:
        return Client(load(path, os.environ).socket)
    except ConfigError as error:
        socket = _socket_in(path)
        if socket is None:
            raise
        if mention:
            complain(f"{error.problems[0]} ({_count(error)}; the daemon goes on without them)")
        return Client(socket)


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
    return Path(str(ControlTable().socket).replace(GROUP, group)) if isinstance(group, str) else None


def _count(error: ConfigError) -> str:
    more = len(error.problems) - 1
    return (
        f"and {more} more mistake{'s' if more > 1 else ''} in the file" if more else "a mistake in the file"
    )
