"""What a daemon costs, beside what it should: the figures of one machine, as one table.

Usage: make costs, or .venv/bin/python -m benchmarks.costs [--only start idle] [--seconds 30]

    start      from the start of the process to its first pass, and the dearest imports
    idle       memory, CPU and EC2 calls of a standby at rest
    fast       probes each 100 ms: deaths to accepted detaches, CPU
    probes     1, 100 and 500 tcp probes a second
    takeovers  of one pair in virtual time, and a fiftieth of them by real processes: nothing may grow
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from benchmarks import cost_fast, cost_idle, cost_probes, cost_start, cost_takeovers
from benchmarks.measured import Row
from benchmarks.results import machine

OUTPUT = Path(__file__).parents[1] / "build" / "bench" / "costs.json"


def main() -> None:
    """Measures, prints each row as it is found, writes costs.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sections = ("start", "idle", "fast", "probes", "takeovers")
    parser.add_argument("--only", nargs="+", choices=sections, default=sections)
    parser.add_argument("--seconds", type=float, default=30, help="of each measurement at rest")
    parser.add_argument("--runs", type=int, default=10, help="deaths and starts")
    parser.add_argument("--takeovers", type=int, default=10_000, help="in virtual time: about 8 a second")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    measure: dict[str, Callable[[], list[Row]]] = {
        "start": lambda: cost_start.rows(options.runs),
        "idle": lambda: cost_idle.rows(options.seconds),
        "fast": lambda: cost_fast.rows(options.runs, options.seconds),
        "probes": lambda: cost_probes.rows(options.seconds),
        "takeovers": lambda: cost_takeovers.rows(options.takeovers, max(5, options.takeovers // 50)),
    }
    print(f"{machine()}\n\n{'':58} {'target':>11} {'found':>22}")
    found: list[Row] = []
    for section in options.only:
        rows = measure[section]()
        print("\n".join(row.line() for row in rows), flush=True)
        found += rows
    if "start" in options.only:
        print("\nthe dearest imports, each with what it imports:", *cost_start.imports(), sep="\n")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine(), "rows": [asdict(row) for row in found]}
    options.output.write_text(json.dumps(document, indent=1) + "\n")
    print(f"\n{options.output}")
    sys.exit(1 if any(row.met is False for row in found) else 0)


if __name__ == "__main__":
    main()
