"""How often a healthy holder on a bad path would be moved, and how soon a dead one is found.

Usage: .venv/bin/python -m benchmarks.false_alarms [--hours 24] [--intervals 0.1 1] [--futures 4000]

Each cell is 24 simulated hours of attempts over a path, judged by the rule of the core (`core.health`) and by
nothing else: a move is a verdict whose newest `fall` answers are all down. What happens so rarely that a day
shows fewer than 30 of it is estimated from many futures of that day's first downs (splitting: see
`after_a_down`); such a figure has a `~`. Columns are moves a year for one pair that has one probe: a witness
probe, or a second probe with down_when = "all", makes them rarer.

Detection is simulated too: from the death of a silent holder at a random moment to the verdict.
"""

from __future__ import annotations

import argparse
import json
import random
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path as FilePath

from benchmarks.lossy_path import HOLDER, Attempts, Path, probe
from benchmarks.results import figures
from eni_failover.core.health import Health, advance, fresh
from eni_failover.core.model import Attempt
from eni_failover.core.policy import ProbePolicy
from eni_failover.core.vocabulary import Answer

FALLS = (2, 3, 4, 5)
RHYTHMS = ((0.1, 0.2), (0.25, 0.25), (0.5, 0.5), (1.0, 1.0), (1.0, 1.5), (2.0, 2.0))
"""Interval and timeout, seconds. With more than a second of timeout the kernel sends a lost SYN again."""
LOSSES = (0.01, 0.05, 0.10)
PATHS = (
    *(Path(name=f"{loss:.0%}", loss=loss) for loss in LOSSES),
    *(Path(name=f"{loss:.0%}+slow", loss=loss, slow=0.02) for loss in LOSSES),
    *(Path(name=f"{loss:.0%} bursts", loss=loss, burst=1.0) for loss in LOSSES),
)
YEAR_HOURS = 8766
RELIABLE = 30
DEATHS = 400
OUTPUT = FilePath(__file__).parents[1] / "build" / "bench" / "false_alarms.json"


class Judge:
    """The rule of the core, for one probe: counts the verdicts that would move the ENI."""

    def __init__(self, policy: ProbePolicy) -> None:
        self._policy, self.moves = policy, 0
        self._begin()

    def _begin(self) -> None:
        self._health: Health = fresh(self._policy, HOLDER, 0.0)
        self._proven = False

    def take(self, attempt: Attempt) -> None:
        """One more answer. After a move there is another holder, which has to be seen up first."""
        self._health = advance(self._health, attempt)
        self._proven = self._proven or self._health.verdict is Answer.UP
        if self._proven and self._health.is_down:
            self.moves += 1
            self._begin()


def moves_a_year(
    path: Path, rhythm: tuple[float, float], hours: float, futures: int, seed: int
) -> list[tuple[float, bool]]:
    """For each fall: moves a year, and whether that is an estimate."""
    rng = random.Random(seed)
    policies = [probe(*rhythm, fall) for fall in FALLS]
    judges = [Judge(policy) for policy in policies]
    attempts = Attempts(path, policies[0], rng)
    firsts: list[tuple[Attempts, Attempt]] = []
    last = Answer.UP
    while (attempt := attempts.next()).started_at <= hours * 3600:
        for judge in judges:
            judge.take(attempt)
        if attempt.answer is Answer.DOWN and last is Answer.UP:
            firsts.append((attempts.fork(), attempt))
        last = attempt.answer
    a_year = YEAR_HOURS / hours
    found = []
    for policy, judge in zip(policies, judges, strict=True):
        if judge.moves >= RELIABLE:
            found.append((judge.moves * a_year, False))
        else:
            share = after_a_down(firsts, policy, futures, rng)
            found.append((len(firsts) * a_year * share, True))
    return found


def after_a_down(
    firsts: list[tuple[Attempts, Attempt]], policy: ProbePolicy, futures: int, rng: random.Random
) -> float:
    """The probability that a first down becomes a verdict before the next up.

    By splitting: of many futures of the pasts with so many downs, those that see one more down are the pasts
    of the next step.
    """
    up = _seen_up(policy)
    pasts = [(attempts, advance(up, first)) for attempts, first in firsts]
    share = 1.0
    while pasts and not pasts[0][1].is_down:
        following = []
        for _ in range(futures):
            attempts, health = rng.choice(pasts)
            future = attempts.fork()
            attempt = future.next()
            if attempt.answer is Answer.DOWN:
                following.append((future, advance(health, attempt)))
        share *= len(following) / futures
        pasts = following
    return share if pasts else 0.0


def _seen_up(policy: ProbePolicy) -> Health:
    health = fresh(policy, HOLDER, 0.0)
    perfect = Attempts(Path(name="perfect"), policy, random.Random(0))
    for _ in range(policy.rise):
        health = advance(health, perfect.next())
    return health


def detection(rhythm: tuple[float, float], fall: int, seed: int) -> list[float]:
    """Seconds from death to verdict, of a holder that falls silent between two answers."""
    policy = probe(*rhythm, fall)
    rng = random.Random(seed)
    found = []
    for _ in range(DEATHS):
        died = -rng.uniform(0, rhythm[0])  # the first attempt after it starts at 0
        health = _seen_up(policy)
        attempts = Attempts(Path(name="dead", loss=1.0), policy, rng)
        while not health.is_down:
            attempt = attempts.next()
            health = advance(health, attempt)
        found.append(attempt.ended_at - died)
    return found


def shown(moves: float, *, estimated: bool) -> str:
    """A figure of a width that people can compare."""
    sign = "~" if estimated else ""
    if moves < 0.001:
        return "<0.001"
    return f"{sign}{moves:.3g}" if moves < 1000 else f"{sign}{moves:,.0f}"


def main() -> None:
    """Prints the table and writes false_alarms.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=24)
    intervals = sorted({interval for interval, _ in RHYTHMS})
    parser.add_argument("--intervals", type=float, nargs="+", choices=intervals, default=intervals)
    parser.add_argument("--futures", type=int, default=4000, help="of each step of an estimate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=FilePath, default=OUTPUT)
    options = parser.parse_args()
    rhythms = [rhythm for rhythm in RHYTHMS if rhythm[0] in options.intervals]
    cells = [(path, rhythm) for rhythm in rhythms for path in PATHS]
    with ProcessPoolExecutor(max_workers=2) as pool:
        jobs = [
            pool.submit(moves_a_year, path, rhythm, options.hours, options.futures, options.seed)
            for path, rhythm in cells
        ]
        found = {(path.name, rhythm): job.result() for (path, rhythm), job in zip(cells, jobs, strict=True)}
    print(f"needless moves a year, one pair; {options.hours:g} simulated hours a cell, seed {options.seed}")
    print("loss: each packet by itself | +slow: and 2 % of the answers late, by 300 ms on average")
    print("bursts: the same share of the time, all packets for 1 s on average\n")
    print(f"{'interval timeout fall':21} {'detection':>13} | " + " ".join(f"{one.name:>10}" for one in PATHS))
    print(f"{'':21} {'median':>6} {'worst':>6} |")
    rows = []
    for rhythm in rhythms:
        for place, fall in enumerate(FALLS):
            took = figures(detection(rhythm, fall, options.seed))
            moves = {path.name: found[path.name, rhythm][place] for path in PATHS}
            head = f"{rhythm[0]:7g}s {rhythm[1]:6g}s {fall:3}"
            cells_shown = " ".join(f"{shown(m, estimated=e):>10}" for m, e in moves.values())
            print(f"{head:21} {took['median']:6.2f} {took['max']:6.2f} | {cells_shown}")
            rows.append(
                {
                    "interval_s": rhythm[0],
                    "timeout_s": rhythm[1],
                    "fall": fall,
                    "detection_s": took,
                    "moves_a_year": {name: moves for name, (moves, _) in moves.items()},
                    "estimated": [name for name, (_, estimated) in moves.items() if estimated],
                }
            )
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps({"hours": options.hours, "rows": rows}, indent=1) + "\n")
    print(f"\n{options.output}")


if __name__ == "__main__":
    main()
