"""The journal's lines: their form, and the takeovers in them for those who run no daemon.

Two kinds of line: `memory` (the whole durable state; the last one counts) and `history` (a takeover that
ended). Must not write. Does not guarantee that a line is true: whoever may write the file may have made it
up, so all that comes out of one has been checked.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from eni_failover.core.model import History
from eni_failover.core.state import Durable
from eni_failover.journal_file import FILE, read_journal
from eni_failover.journal_salvage import salvaged

T = TypeVar("T")

FUTURE_TOLERANCE = 3600.0  # clocks are set, by seconds at each start and by minutes now and then

DURABLE: TypeAdapter[Durable] = TypeAdapter(Durable)
HISTORY: TypeAdapter[History] = TypeAdapter(History)

# Python's calendar: a time outside cannot be shown. Monotonic times and counts are far within. The latest is
# later than any time that is taken from a peer (status.py), with what is counted from there.
_EARLIEST = datetime(1, 1, 2, tzinfo=UTC).timestamp()
_LATEST = datetime(9999, 12, 1, tzinfo=UTC).timestamp()


def boot_id() -> str:
    """The kernel's id of this boot, empty where there is none (proc(5), random/boot_id)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def since_boot() -> float:
    """Seconds since this host has booted, asleep or not, the same for every process and container on it.

    What the journal remembers is about the world outside, which goes on while the host sleeps, and
    CLOCK_MONOTONIC does not. A container may have an offset of its own, which is taken off
    (time_namespaces(7)).
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME) - _offset()


def _offset() -> float:
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/timens_offsets").read_text(encoding="ascii").splitlines():
            name, seconds, nanoseconds = line.split()
            if name == "boottime":
                return int(seconds) + int(nanoseconds) / 1e9
    return 0.0


class Stray(StrEnum):
    """Why a line is not this machine's word of the past."""

    GROUP = "of another group"
    MACHINE = "of another machine"
    FUTURE = "from the future"
    UNKNOWN = "not understood"


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeovers:
    """Ended takeovers, oldest first, and how many more the journal has that do not belong here."""

    takeovers: tuple[History, ...] = ()
    left_out: Mapping[Stray, int] = field(default_factory=dict)


def stray(
    line: dict[str, Any], *, group: str, instance_id: str | None, wall: float, boot: str
) -> Stray | None:
    """What sets the line apart from this group's on this machine so far; None for one that counts.

    `instance_id` None: any machine's; `wall` is now, in seconds since the Unix epoch. A line of this boot is
    of the past, whatever has been done to the clock since.
    """
    if line["group"] != group:
        return Stray.GROUP
    if instance_id is not None and line["instance_id"] != instance_id:
        return Stray.MACHINE
    if not is_of_boot(line, boot) and line["wall"] > wall + FUTURE_TOLERANCE:
        return Stray.FUTURE
    return None


def is_of_boot(line: dict[str, Any], boot: str) -> bool:
    """Whether the line was written since the kernel started; where it has no id, that is not known."""
    return bool(boot) and line["boot_id"] == boot


def read_history(directory: Path, *, group: str, wall: float, boot: str | None = None) -> Takeovers:
    """The ended takeovers of the group on this machine, without a daemon and without IMDS. Raises OSError.

    Which machine this is only the lines can tell: it is the one that wrote the newest line in this boot of
    the kernel (`boot`, by default the running one's), else the newest at all. So a journal that came with
    a copied disk is shown as this machine's until its own daemon has written into it.
    A directory without a journal has an empty history.
    """
    path, boot = directory / FILE, boot_id() if boot is None else boot
    if not path.exists():
        directory.stat()
        return Takeovers()
    text, _ = read_journal(path)
    lines = [line for raw in text.splitlines() if (line := decoded(raw)) is not None]
    mine = _last_writer(
        [one for one in lines if stray(one, group=group, instance_id=None, wall=wall, boot=boot) is None],
        boot,
    )
    ended: list[History] = []
    left_out: Counter[Stray] = Counter()
    for line in lines:
        if line["kind"] == "history":
            why = stray(line, group=group, instance_id=mine, wall=wall, boot=boot)
            takeover = None if why is not None else salvaged(HISTORY, line, [])
            if takeover is not None:
                ended.append(takeover)
            else:
                left_out[why or Stray.UNKNOWN] += 1
    return Takeovers(takeovers=tuple(ended), left_out=left_out)


def _last_writer(lines: Sequence[dict[str, Any]], boot: str) -> str | None:
    """The instance id of the newest line of this boot, else of the newest; None without lines."""
    of_this_boot = [line for line in lines if is_of_boot(line, boot)]
    newest = (of_this_boot or lines)[-1:]
    return newest[0]["instance_id"] if newest else None


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


def can_be_read(adapter: TypeAdapter[T], line: dict[str, Any]) -> bool:
    """Whether the line, once written, would be understood as it is, with nothing left out or replaced."""
    try:
        read = decoded(json.dumps(line).encode())
    except (ValueError, RecursionError):
        return False
    problems: list[str] = []
    return read is not None and salvaged(adapter, read, problems) is not None and not problems


def _number(text: str) -> float:
    """What json reads as a float, NaN and Infinity included. Raises ValueError outside the calendar."""
    number = float(text)
    if not _EARLIEST <= number < _LATEST:
        raise ValueError("a number that nothing here has")
    return number


def _whole(text: str) -> int:
    _number(text)  # JSON has integers of any size
    return int(text)
