"""Who may change the configuration, or read the secrets that it names: likely mistakes are warnings."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from eni_failover.config.mistakes import Mistake
from eni_failover.config.schema import Document

_RUNS = "and names programs that the daemon runs"
_SECRETS = ("bearer_token_file", "client_key_file")


def oddities(found: os.stat_result) -> Iterator[str]:
    """What is odd about the owner and the mode of the configuration.

    A group of the owner's own number is the owner alone, as most distributions make one for each user.
    """
    if found.st_uid not in {0, os.geteuid()}:
        yield f"belongs to user {found.st_uid}, who is neither root nor the user of this process"
    if found.st_mode & stat.S_IWOTH:
        yield f"may be written by everybody on this host, {_RUNS}: chmod o-w"
    elif found.st_mode & stat.S_IWGRP and found.st_gid not in {0, found.st_uid}:
        yield f"may be written by group {found.st_gid}, {_RUNS}: chmod g-w"


def secrets_shown(document: Document) -> Iterator[Mistake]:
    """Each secret that everybody on this host may read."""
    for position, probe in enumerate(document.probe):
        for name in _SECRETS:
            path: Path | None = getattr(probe, name)
            if path is not None and _is_shown(path):
                text = f"{path} may be read by everybody on this host: chmod o="
                yield Mistake(key=("probe", position, name), text=text)


def _is_shown(path: Path) -> bool:
    """Whether others may read the file. One that is not there, or not for this user to see, is not."""
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
