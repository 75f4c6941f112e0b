"""The journal's lines: their form, and the takeovers in them for those who run no daemon.

Two kinds of line: `memory` (the whole durable state; the last one counts) and `history` (a takeover that
ended). Must not write. Does not guarantee that a line is true: whoever may write the file may have made it
up, so all that comes out of one has been checked.
"""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from eni_failover.core.snapshot import History
from eni_failover.core.state import Durable

FILE = "journal.jsonl"
FUTURE_TOLERANCE = 2.0

DURABLE: TypeAdapter[Durable] = TypeAdapter(Durable)
HISTORY: TypeAdapter[History] = TypeAdapter(History)

# Python's calendar: a time outside cannot be shown. Monotonic times and counts are far within.
_EARLIEST = datetime(1, 1, 2, tzinfo=UTC).timestamp()
_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()

T = TypeVar("T")


def boot_id() -> str:
    """The kernel's id of this boot, empty where there is none (proc(5), random/boot_id)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def read_history(directory: Path, *, group: str) -> tuple[History, ...]:
    """The group's ended takeovers, oldest first, without a daemon. Raises OSError.

    A directory without a journal has an empty history.
    """
    path = directory / FILE
    if not path.exists():
        directory.stat()
        return ()
    lines = (decoded(raw) for raw in path.read_bytes().splitlines())
    ours = (line for line in lines if line and line["kind"] == "history" and line["group"] == group)
    return tuple(one for line in ours if (one := parsed(HISTORY, line, [])) is not None)


def decoded(raw: bytes) -> dict[str, Any] | None:
    """The line, or None. Every number in it is finite and within the calendar."""
    with contextlib.suppress(ValueError, RecursionError):
        line = json.loads(raw, parse_float=_number, parse_int=_whole, parse_constant=_number)
        strings, numbers = ("kind", "group", "instance_id", "boot_id"), ("wall", "now")
        if (
            isinstance(line, dict)
            and all(isinstance(line.get(key), str) for key in strings)
            and all(type(line.get(key)) in {int, float} for key in numbers)  # true is an int, too
            and "data" in line
        ):
            return line
    return None


def _number(text: str) -> float:
    """What json reads as a float, NaN and Infinity included. Raises ValueError outside the calendar."""
    number = float(text)
    if not _EARLIEST <= number < _LATEST:
        raise ValueError("a number that nothing here has")
    return number


def _whole(text: str) -> int:
    _number(text)  # JSON has integers of any size
    return int(text)


def parsed(adapter: TypeAdapter[T], line: dict[str, Any], problems: list[str]) -> T | None:
    """What the line says, or None, and a problem more."""
    try:
        # Strict: else pydantic takes the text "nan" for a number. From JSON, which has no tuples and enums.
        return adapter.validate_json(json.dumps(line["data"]), strict=True)
    except (ValidationError, RecursionError) as error:
        problems.append(f"journal line not understood ({type(error).__name__}): ignored")
        return None
