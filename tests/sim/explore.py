"""Walks every interleaving of small groups of the real core, and says how much it has seen.

    python -m tests.sim.explore                  a million states and more, ten minutes at most
    python -m tests.sim.explore --config fence --states 300000 --faults 4 --strict

What is found comes with the shortest story that leads to it, and exit status 1. Findings that are known
(`explore_configs.KNOWN`) are told in each report and tolerated. The real `step` runs in every pass; a
local step that was made before, from the same situation, is taken from the book (`explored_book`). Not
walked: stalls of the loop, a disk that fails, clocks that differ, a new policy.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.sim import explored_pass
from tests.sim.explore_configs import CONFIGS, KNOWN
from tests.sim.explore_search import Limits, Report, Search, is_confirmed

QUIET_FOR = 10.0  # seconds between two lines of progress


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status."""
    wanted = _parser().parse_args(arguments)
    names = wanted.config or list(CONFIGS)
    limits = Limits(
        depth=wanted.depth,
        states=max(1, wanted.states // len(names)),
        seconds=wanted.seconds / math.ceil(len(names) / wanted.jobs),
        settle_every=wanted.settle_every,
        walks=wanted.walks,
        budget=wanted.faults,
    )
    began_at = time.monotonic()
    tolerate = () if wanted.strict else (*KNOWN, *wanted.tolerate)
    reports = _explored(names, limits, wanted.jobs, tolerate)
    _say_all(reports, time.monotonic() - began_at)
    return 1 if any(report.finding for report in reports) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.explore")
    parser.add_argument("--config", action="append", choices=sorted(CONFIGS), help="again for more; all")
    parser.add_argument("--depth", type=int, default=1000, help="events after a walk's start")
    parser.add_argument(
        "--states", type=int, default=1_300_000, help="distinct states, over all configurations"
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="over all configurations")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--faults", type=int, help="faults in one walk, instead of the configuration's")
    parser.add_argument("--settle-every", type=int, default=50, help="leave every N-th state alone, 0 none")
    parser.add_argument("--walks", type=int, default=1500, help="long walks at random after each search")
    parser.add_argument("--tolerate", action="append", default=[], help="an invariant, beside those known")
    parser.add_argument("--strict", action="store_true", help="tolerate nothing, known or not")
    return parser


def _explored(names: list[str], limits: Limits, jobs: int, tolerate: tuple[str, ...]) -> list[Report]:
    reports = []
    with ProcessPoolExecutor(max_workers=jobs, max_tasks_per_child=1) as pool:
        waiting = [pool.submit(explore, name, limits, tolerate) for name in names]
        for done in as_completed(waiting):
            reports.append(done.result())
            _say(reports[-1])
            sys.stdout.flush()
    return reports


def explore(name: str, limits: Limits, tolerate: tuple[str, ...] = ()) -> Report:
    """Walks one configuration, telling its progress on standard error."""
    explored_pass.tolerated.clear()
    explored_pass.tolerated.update(dict.fromkeys(tolerate, 0))
    said_at = time.monotonic()

    def progress(report: Report) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= QUIET_FOR:
            said_at = time.monotonic()
            sys.stderr.write(f"{report.config}: depth {report.depth}, {report.states} states\n")

    return Search(CONFIGS[name], limits, progress=progress).run()


def _say(report: Report) -> None:
    end = "all of it" if report.complete else "cut short"
    sys.stdout.write(
        f"{report.config:9} {report.states:8} distinct states, {report.transitions:8} transitions, "
        f"{report.members:6} members' situations, depth {report.depth:2} ({end}), {report.seconds:5.1f} s\n"
    )
    for name, count in report.tolerated.items():
        if count:
            known = f"{name}, {count} times: {KNOWN.get(name, '')}"
            sys.stdout.write(f"{report.config:9} KNOWN AND TOLERATED: {known}\n")
    if report.finding is None:
        return
    sys.stdout.write(f"{report.config}: BROKEN: {report.finding.why}\n{report.finding.story()}\n")
    again = is_confirmed(CONFIGS[report.config], report.finding)
    sys.stdout.write(f"played again, each step made anew: {'broken again' if again else 'NOT BROKEN'}\n")


def _say_all(reports: list[Report], seconds: float) -> None:
    checks: Counter[str] = Counter()
    for report in reports:
        checks.update(report.checks)
    sys.stdout.write("checks of each invariant, on passes made:\n")
    for name, count in sorted(checks.items()):
        sys.stdout.write(f"  {count:9} {name}\n")
    states, transitions = sum(one.states for one in reports), sum(one.transitions for one in reports)
    deepest = max(one.depth for one in reports)
    broken = sum(one.finding is not None for one in reports)
    sys.stdout.write(
        f"{states} distinct states, {transitions} transitions, deepest {deepest}, {seconds:.1f} s, "
        f"{broken} broken\n"
    )


if __name__ == "__main__":
    sys.exit(main())
