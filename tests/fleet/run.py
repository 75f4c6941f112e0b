"""Fleets of pairs on one account's request buckets: idle, and when all their holders die at once.

    python -m tests.fleet.run                                  1, 50, 300 and 1,000 pairs, both situations
    python -m tests.fleet.run --pairs 300 --only storm --jobs 1
    python -m tests.fleet.run --pairs 20 --scale 0.067         20 pairs on buckets of a fifteenth

Prints tables; writes fleet.json and fleet.svg. The daemons' loop, surveys and EC2 adapter are the real ones,
in virtual time; EC2 is the lab, one for each pair, and only the buckets are shared.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from tests.fleet.fleet_chart import svg
from tests.fleet.fleet_report import document, text
from tests.fleet.fleet_world import Measured, measure

PAIRS = (1, 50, 300, 1_000)
SITUATIONS = ("idle", "storm")
FOLDER = Path(__file__).parents[2] / "build" / "fleet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run."""

    situation: str
    pairs: int
    seed: int
    seconds: float
    scale: float


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what the arguments name; gives the exit status."""
    args = _parser().parse_args(argv)
    jobs = [
        Job(
            situation=situation,
            pairs=pairs,
            seed=args.seed,
            seconds=args.seconds if situation == "idle" else args.storm_seconds,
            scale=args.scale,
        )
        for situation in args.only or SITUATIONS
        for pairs in args.pairs
    ]
    # The long ones first, so that no process is left with one of them in the end.
    runs = list(_results(sorted(jobs, key=lambda job: -job.pairs), args.jobs))
    runs.sort(key=lambda one: (SITUATIONS.index(one.situation), one.pairs))
    print(text(runs))
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "fleet.json").write_text(json.dumps(document(runs), indent=1) + "\n", encoding="utf-8")
    (args.out / "fleet.svg").write_text(svg(runs), encoding="utf-8")
    print(f"\nwritten: {args.out / 'fleet.json'}, {args.out / 'fleet.svg'}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fleet.run")
    parser.add_argument(
        "--pairs", type=_positive, nargs="+", default=PAIRS, help="how many, one or more numbers"
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="of an idle fleet, virtual")
    parser.add_argument("--storm-seconds", type=float, default=200.0, help="at most, of a storm, virtual")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--only", choices=SITUATIONS, action="append", help="one situation alone")
    parser.add_argument("--scale", type=float, default=1.0, help="of the buckets' documented sizes")
    parser.add_argument("--out", type=Path, default=FOLDER, help="the folder for JSON and chart")
    return parser


def _positive(text: str) -> int:
    """A number of pairs. Raises ValueError, which argparse reports."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _results(jobs: Sequence[Job], processes: int) -> Iterator[Measured]:
    if processes == 1:
        yield from map(_run, jobs)
        return
    with get_context("spawn").Pool(processes, maxtasksperchild=1) as pool:
        yield from pool.imap_unordered(_run, jobs, chunksize=1)


def _run(job: Job) -> Measured:
    began = time.monotonic()
    measured = measure(job.situation, job.pairs, seed=job.seed, seconds=job.seconds, scale=job.scale)
    took = time.monotonic() - began
    print(f"{job.situation}, {job.pairs} pairs: {took:.0f} s", file=sys.stderr, flush=True)
    return measured


if __name__ == "__main__":
    sys.exit(main())
