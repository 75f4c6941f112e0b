"""The role file: this member's role as one word, for a systemd .path unit or a script to follow.

Owns the file's form: one line, replaced whole, readable by everybody. Does not guarantee that it is
true while no daemon runs: it says what the last one said.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from eni_failover.core.vocabulary import Role
from eni_failover.files import open_fresh

_MODE = 0o644


class RoleFile:
    """Writes the role to this path."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new = path.with_name(f".{path.name}.new")

    def write(self, role: Role) -> str:
        """Replace the file. Returns what went wrong, empty when nothing did; never raises OSError.

        A reader sees the old line or the new one: the file is made beside the old one and renamed.
        """
        try:
            self._make(f"{role}\n".encode())
            self._new.replace(self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._new.unlink()
            return f"{self._path}: {error.strerror or error}"
        return ""

    def give_way(self, successor: RoleFile) -> str:
        """Remove the file, as `successor` has been written and has the role from now on.

        Both may be one file by two names, /run and /var/run: then it stays. Returns what went wrong, empty
        when nothing did; never raises OSError.
        """
        try:
            if not self._path.samefile(successor._path):
                self._path.unlink()
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"{self._path}: {error.strerror or error}"
        return ""

    def _make(self, data: bytes) -> None:
        descriptor = open_fresh(self._new)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, _MODE)
            file.write(data)
