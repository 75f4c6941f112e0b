"""The commented example of a configuration file, read for what it says about each key.

Owns how comments belong to keys: those directly above it, whether the key is written, is a default
(`#key = value`) or is shown (`# example: key = value`). A blank line or a `#` alone parts the two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "deploy" / "examples" / "config.toml"

_HEADER = re.compile(r"(?:# example: |#)?\[+([a-z]+)\]+")
_KEY = re.compile(r"(#|# example: )?([a-z0-9_]+) = (.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A key as the example has it. `default` is the value as a user writes it, None when it has none."""

    meaning: str
    default: str | None


def read() -> Mapping[tuple[str, str], Shown]:
    """What the example says, by table and key; "" is the top of the file. A key's first place counts."""
    found: dict[tuple[str, str], Shown] = {}
    table, comment = "", ""
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if header := _HEADER.fullmatch(line):
            table, comment = header[1], ""
        elif key := _KEY.fullmatch(line):
            default = key[3] if key[1] == "#" else None
            found.setdefault((table, key[2]), Shown(meaning=comment, default=default))
            comment = ""
        elif line.startswith("# ") and not line.startswith("# example:"):
            comment = f"{comment} {line[2:].strip()}".strip()
        else:
            comment = ""
    return found
