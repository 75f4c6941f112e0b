"""The simulation's command line: many seeds, one after another or side by side, and what came of them.

    python -m tests.sim.simulation --seeds 1000              storms, each a few simulated minutes long
    python -m tests.sim.simulation --seeds 100 --days 1      calm life, a fault about every ten minutes
    python -m tests.sim.simulation --seeds 10000 --days 1 --seconds 3600      as much of it as an hour allows
    python -m tests.sim.simulation --first 7 --seeds 1 --trace

Exit status 1, with the command that replays the seed and the end of its story, when something was wrong.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from multiprocessing import get_context

from tests.sim.sim_audit import KNOWN
from tests.sim.simulation_run import DAY, Result, simulate

STORY_LINES = 80
PROGRESS_EVERY = 10.0


def main(argv: list[str] | None = None) -> int:
    """Run the seeds that the arguments name; gives the exit status."""
    args = _parser().parse_args(argv)
    seeds = range(args.first, args.first + args.seeds)
    tally = Tally(len(seeds))
    for result in _results(seeds, days=args.days, jobs=args.jobs, trace=args.trace):
        tally.add(result)
        if args.trace:
            print(result.story)
        elif result.violations:
            print(failure(result, days=args.days))
        if args.seconds is not None and tally.took >= args.seconds:
            break
    print(tally.text(), flush=True)
    return 1 if tally.violations else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.simulation")
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first one")
    parser.add_argument("--days", type=float, help="calm life of each seed, in simulated days")
    parser.add_argument(
        "--seconds", type=float, help="begin no seed after this time, of the clock on the wall"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--trace", action="store_true", help="print each whole story")
    return parser


def _results(seeds: range, *, days: float | None, jobs: int, trace: bool) -> Iterator[Result]:
    one = partial(simulate, days=days, keep=None if trace else 400)
    if jobs == 1:
        yield from map(one, seeds)
        return
    # Leaving it ends its processes: the figures do not wait for what is under way, and nothing outlives them.
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(one, seeds, chunksize=1 if days else 8)


def failure(result: Result, *, days: float | None) -> str:
    """What was wrong, how to see it again, and the end of the story."""
    calm = f" --days {days:g}" if days is not None else ""
    story = "\n".join(result.story.splitlines()[-STORY_LINES:])
    return "\n".join(
        (
            f"seed {result.seed}:",
            *(f"  {line}" for line in result.violations),
            f"replay: python -m tests.sim.simulation --first {result.seed} --seeds 1{calm} --trace",
            story,
            "",
        )
    )


class Tally:
    """The sums over all seeds so far; says now and then how far it is."""

    def __init__(self, seeds: int) -> None:
        self.violations = 0
        self._seeds = seeds
        self._done = 0
        self._seconds = 0.0
        self._moves = 0
        self._takeovers: Counter[tuple[str, str]] = Counter()
        self._faults: Counter[str] = Counter()
        self._tolerated: Counter[str] = Counter()
        self._began = self._said = time.monotonic()

    def add(self, result: Result) -> None:
        """One seed more."""
        self._done += 1
        self._seconds += result.seconds
        self._moves += result.moves
        self._takeovers += result.takeovers
        self._faults += result.faults
        self._tolerated += result.tolerated
        self.violations += len(result.violations)
        if time.monotonic() - self._said >= PROGRESS_EVERY:
            self._said = time.monotonic()
            days = self._seconds / DAY
            print(f"{self._done}/{self._seeds} seeds, {days:.2f} days, {self.violations} violations")
            sys.stdout.flush()

    @property
    def took(self) -> float:
        """Seconds since the first seed began."""
        return time.monotonic() - self._began

    def text(self) -> str:
        """All figures."""
        lines = [
            f"simulated: {self._seconds / DAY:.3f} days in {self._done} seeds, {self.took:.1f} s",
            f"takeovers: {sum(self._takeovers.values())}, ENIs attached: {self._moves}",
            *(f"  {' '.join(key)}: {count}" for key, count in sorted(self._takeovers.items())),
            f"faults: {sum(self._faults.values())}",
            *(f"  {name}: {count}" for name, count in sorted(self._faults.items())),
            *(
                f"KNOWN AND TOLERATED, {name}: {count} ({KNOWN[name]})"
                for name, count in self._tolerated.items()
            ),
            f"violations: {self.violations}",
        ]
        return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
