"""A pair that is never left alone: takeovers, reloads, pauses and restarts, for as long as is wanted.

Usage: make soak FOR=20m, or .venv/bin/python -m benchmarks.soak --for 20m [--seed 1]

Two real daemons on a lab, on loopback, an operator's takeovers to and fro; between them, by chance, a reload,
a pause of the group with its resume, or a restart of the standby's daemon. Each line is a tenth of the time:
what both daemons have by then (memory, threads, descriptors, the journals' size), how many of each were done,
and how long takeovers took in it, from the order to `active`. Ends with 1 when there is more of anything at
the end than in the first half, or when something did not come about.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.daemons import DONE_WITHIN, READY_WITHIN, start_pair
from benchmarks.measured import descriptors, memory_mb, threads
from benchmarks.places import HOLDER, STANDBY, Place, place, serve, wait
from benchmarks.results import machine
from eni_failover.config.durations import positive_seconds
from eni_failover.lab import Durations, Settings

PARTS = 10
CHANCES = {"takeover": 0.7, "reload": 0.15, "pause": 0.1, "restart": 0.05}
MORE, AND_MORE = 1.03, 2
LARGEST_JOURNALS = 3_000_000
"""Of both members, in bytes: each turns over at one million, and is written beside the old one first."""
HEAD = (
    "until",
    "takeovers",
    "reloads",
    "pauses",
    "restarts",
    "MB",
    "threads",
    "files",
    "journals",
    "median",
    "slowest",
)


@dataclass(slots=True, kw_only=True)
class Part:
    """One tenth: what was done in it, and what there was at its end."""

    ends_at: float
    done: Counter[str] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    memory: float = 0.0
    threads: int = 0
    files: int = 0
    journals: int = 0

    def line(self) -> tuple[str, ...]:
        """As the table shows it."""
        median = statistics.median(self.took) if self.took else float("nan")
        return (
            f"{self.ends_at:.0f} s",
            *(str(self.done[name]) for name in CHANCES),
            f"{self.memory:.1f}",
            str(self.threads),
            str(self.files),
            str(self.journals),
            f"{median:.3f} s",
            f"{max(self.took, default=float('nan')):.3f} s",
        )


class Soak:
    """The pair, and what is done to it."""

    def __init__(self, pair: Place, chance: random.Random) -> None:
        self._pair, self._chance = pair, chance
        self._daemons = start_pair(pair)
        self._active = HOLDER

    def play(self, part: Part, until: float) -> None:
        """Do one thing after the other until then. Raises TimeoutError for what does not come about."""
        while time.monotonic() < until:
            (name,) = self._chance.choices(list(CHANCES), list(CHANCES.values()))
            began = time.monotonic()
            self.do(name)
            if name == "takeover":
                part.took.append(time.monotonic() - began)
            part.done[name] += 1
        self.count(part)

    def do(self, name: str) -> None:
        """One of CHANCES. Raises TimeoutError."""
        {"takeover": self._takeover, "reload": self._reload, "pause": self._pause, "restart": self._restart}[
            name
        ]()

    @property
    def _standby(self) -> str:
        return STANDBY if self._active == HOLDER else HOLDER

    def _takeover(self) -> None:
        taker = self._daemons[self._standby]
        taker.take()
        self._active = taker.member

    def _reload(self) -> None:
        for daemon in self._daemons.values():
            daemon.order("/reload", {}, 200)

    def _pause(self) -> None:
        daemon = self._daemons[self._standby]
        daemon.order("/pause", {"for": "1h", "reason": "soak"}, 200)
        wait(lambda: daemon.status().get("paused") is not None, f"{daemon.member} paused", DONE_WITHIN)
        daemon.order("/resume", {}, 200)
        for one in self._daemons.values():
            wait(lambda seen=one: seen.status().get("paused") is None, f"{one.member} resumed", DONE_WITHIN)

    def _restart(self) -> None:
        daemon = self._daemons[self._standby]
        daemon.process.send_signal(signal.SIGTERM)
        if daemon.process.wait(DONE_WITHIN) != 0:
            raise TimeoutError(f"{daemon.member} ended with {daemon.process.returncode}")
        daemon.start()
        wait(lambda: daemon.status().get("ready"), f"{daemon.member} ready again", READY_WITHIN)

    def count(self, part: Part) -> None:
        """What there is now."""
        pids = [daemon.process.pid for daemon in self._daemons.values()]
        part.memory = sum(memory_mb(pid) for pid in pids)
        part.threads = sum(map(threads, pids))
        part.files = sum(map(descriptors, pids))
        part.journals = sum(file.stat().st_size for file in self._pair.directory.rglob("*.state/*"))


def grown(parts: Sequence[Part]) -> list[str]:
    """What there is more of at the end than at any time of the first half; empty when nothing grew."""
    half, last, found = parts[: len(parts) // 2], parts[-1], []
    for name, unit in (("memory", " MB"), ("threads", ""), ("files", "")):
        before, now = max(getattr(part, name) for part in half), getattr(last, name)
        if now > before * MORE + AND_MORE:
            found.append(f"{name}: {before:g}{unit} -> {now:g}{unit}")
    if last.journals > LARGEST_JOURNALS:
        found.append(f"journals: {last.journals} bytes")
    return found


def main() -> None:
    """Plays, prints a line each tenth, and says what grew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = positive_seconds("20m")
    parser.add_argument("--for", dest="seconds", metavar="DURATION", type=positive_seconds, default=default)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"{machine()}\n\n{_row(HEAD)}", flush=True)
    settings = Settings(latency=0.005, durations=Durations(detach=0.05, attach=0.05), throttle=False)
    parts: list[Part] = []
    with place(settings, loopback=True) as pair:
        for host in (HOLDER, STANDBY):
            serve(pair, host)
        soak = Soak(pair, random.Random(options.seed))
        began = time.monotonic()
        for number in range(1, PARTS + 1):
            part = Part(ends_at=options.seconds * number / PARTS)
            parts.append(part)
            try:
                soak.play(part, began + part.ends_at)
            except TimeoutError as error:
                sys.exit(f"after {time.monotonic() - began:.0f} s: {error}")
            print(_row(part.line()), flush=True)
    found = grown(parts)
    print("\nnothing grew" if not found else "\nGROWN: " + "; ".join(found))
    sys.exit(1 if found else os.EX_OK)


def _row(cells: tuple[str, ...]) -> str:
    return " ".join(f"{cell:>9}" for cell in cells)


if __name__ == "__main__":
    main()
