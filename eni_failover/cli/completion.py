"""What a shell is offered for an option's value: the names of groups and members.

Owns the guess. It answers on every press of a key, so it reads a file at most, and a file that it cannot read
offers nothing: no error of it reaches the terminal. Shells evaluate what they are offered: only what may be a
name is.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer


def groups(incomplete: str) -> list[str]:
    """The groups that have a file of their own, as `--group` wants them."""
    from eni_failover.config.load import groups_present  # noqa: PLC0415 - only when it is asked for

    return [name for name in groups_present() or () if name.startswith(incomplete)]


def members(context: typer.Context, incomplete: str) -> list[str]:
    """The members that the file of this command line lists, in its order."""
    from eni_failover.config import path_for  # noqa: PLC0415 - only when it is asked for
    from eni_failover.config.identity import member_name  # noqa: PLC0415 - likewise
    from eni_failover.errors import ConfigError  # noqa: PLC0415 - likewise
    from eni_failover.files import open_regular  # noqa: PLC0415 - likewise

    written = context.params.get("config")
    try:
        path = path_for(Path(written) if written else None, context.params.get("group"), os.environ)
        with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
            listed: Any = tomllib.load(file).get("member", [])
    except (ConfigError, OSError, ValueError, RecursionError):
        return []
    names = [one.get("name") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    texts = [name for name in names if isinstance(name, str)]
    return [name for name in texts if name.startswith(incomplete) and _is(member_name, name)]


def _is(judge: Callable[[str], str], text: str) -> bool:
    """Whether this validator accepts the text."""
    try:
        judge(text)
    except ValueError:
        return False
    return True
