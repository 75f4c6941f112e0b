"""What a shell is offered for an option's value: the names of groups and members.

Owns the guess. It answers on every press of a key, so it reads a file at most, and a file that it cannot read
offers nothing: no error of it reaches the terminal.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import typer


def groups(incomplete: str) -> list[str]:
    """The groups that have a file of their own, as `--group` wants them."""
    from eni_failover.config.load import DEFAULT_PATH, DIRECTORY  # noqa: PLC0415 - only when it is asked for

    files = sorted(DIRECTORY.glob("*.toml"))
    return [file.stem for file in files if file != DEFAULT_PATH and file.stem.startswith(incomplete)]


def members(context: typer.Context, incomplete: str) -> list[str]:
    """The members that the file of this command line lists, in its order."""
    from eni_failover.config import path_for  # noqa: PLC0415 - only when it is asked for
    from eni_failover.errors import ConfigError  # noqa: PLC0415 - likewise

    written = context.params.get("config")
    try:
        path = path_for(Path(written) if written else None, context.params.get("group"), os.environ)
        listed: Any = tomllib.loads(path.read_text(encoding="utf-8")).get("member", [])
    except (ConfigError, OSError, ValueError, RecursionError):
        return []
    names = [one.get("name") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return [name for name in names if isinstance(name, str) and name.startswith(incomplete)]
