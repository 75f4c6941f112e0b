"""What /proc says of a process, and rows of figures beside what they should be."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure. `met` is None where there is no target."""

    what: str
    target: str
    found: str
    met: bool | None = None

    def line(self) -> str:
        """As the table shows it."""
        mark = {None: "", True: "ok", False: "ABOVE"}[self.met]
        return f"{self.what:58} {self.target:>11} {self.found:>22}  {mark}"


def cpu_seconds(pid: int) -> float:
    """What this process has used so far, of all cores."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICKS


def memory_mb(pid: int) -> float:
    """Its resident memory, in 10^6 bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1e6


def threads(pid: int) -> int:
    """How many threads it has."""
    return _entries(pid, "task")


def descriptors(pid: int) -> int:
    """How many files, sockets and pipes it has open."""
    return _entries(pid, "fd")


def _entries(pid: int, kind: str) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/{kind}").iterdir())


def cpu_share(pid: int, seconds: float) -> float:
    """Its share of one core during the next seconds."""
    before, began = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) / (time.monotonic() - began)
