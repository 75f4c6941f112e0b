"""Runs, their figures as tables with ratios, and the JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import eni_failover

REFERENCE: Final = "eni-failover"
ROUND_TRIPS: Final = 3.5
"""Of the API, and ten milliseconds: what a takeover may add."""
MOST_CALLS: Final = 8
PARTS: Final = ("detection", "ec2", "added", "link")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run, in seconds. With a `problem` there are no figures. `load`: the machine's, at the death."""

    contender: str
    profile: str
    gap: float = 0.0
    detection: float = 0.0
    ec2: float = 0.0
    added: float = 0.0
    link: float = 0.0
    calls: int = 0
    load: float = 0.0
    problem: str = ""

    def line(self) -> str:
        """For who watches."""
        head = f"{self.profile:6} {self.contender:18}"
        if self.problem:
            return f"{head} FAILED: {self.problem}"
        return f"{head} gap {self.gap:7.3f} s  added {self.added:7.3f} s  calls {self.calls}"


def p95(values: Sequence[float]) -> float:
    """The smallest of the values that 95 % of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-95 * len(ordered) // 100) - 1)]


def figures(values: Sequence[float]) -> dict[str, float]:
    """What is said of a series."""
    return {
        "median": statistics.median(values),
        "p95": p95(values),
        "min": min(values),
        "max": max(values),
    }


def of(runs: Sequence[Run], profile: str, contender: str) -> list[Run]:
    """The runs of one contender that have figures."""
    return [run for run in runs if (run.profile, run.contender, run.problem) == (profile, contender, "")]


def summary(runs: Sequence[Run], profile: str, contender: str) -> dict[str, Any] | None:
    """The figures of a contender and their ratios to the reference; None without a good run."""
    own, reference = of(runs, profile, contender), of(runs, profile, REFERENCE)
    if not own:
        return None
    said: dict[str, Any] = {"runs": len(own), "failed": sum(_has_failed(run, own[0]) for run in runs)}
    for name in ("gap", *PARTS, "calls"):
        said[name] = figures([getattr(run, name) for run in own])
    if reference:
        for name in ("gap", "added"):
            base = statistics.median(getattr(run, name) for run in reference)
            said[f"{name}_ratio"] = said[name]["median"] / base
    return said


def _has_failed(run: Run, example: Run) -> bool:
    return bool(run.problem) and (run.profile, run.contender) == (example.profile, example.contender)


def table(profile: str, titles: Mapping[str, str], absent: Mapping[str, str], runs: Sequence[Run]) -> str:
    """One profile. Seconds; the parts are medians; x is the ratio of medians to eni-failover's."""
    parts = f"{'detect':>6} {'EC2':>5} {'added':>6} {'p95':>6} {'x':>6} {'link':>6}"
    lines = [
        f"EC2 detach/attach {profile} s",
        f"{'':21}  n | {'client gap':^39} | {parts} | calls",
        f"{'':21}    | {'median':>7} {'p95':>7} {'min':>7} {'max':>7} {'x':>6}  |",
    ]
    lines += [_row(name, title, profile, absent, runs) for name, title in titles.items()]
    loads = [run.load for run in runs if run.profile == profile and not run.problem]
    if loads:
        lines.append(
            f"load of the machine meanwhile: median {statistics.median(loads):.1f}, max {max(loads):.1f}"
        )
    return "\n".join([*lines, ""])


def _row(name: str, title: str, profile: str, absent: Mapping[str, str], runs: Sequence[Run]) -> str:
    if name in absent:
        return f"{title:21}  - | NOT RUN: {absent[name]}"
    said = summary(runs, profile, name)
    if said is None:
        problem = next((run.problem for run in runs if (run.profile, run.contender) == (profile, name)), "")
        return f"{title:21}  0 | FAILED each time: {problem}"
    gap, added = said["gap"], said["added"]
    numbers = " ".join(f"{gap[key]:7.2f}" for key in ("median", "p95", "min", "max"))
    failed = f"  {said['failed']} FAILED" if said["failed"] else ""
    return (
        f"{title:21} {said['runs']:2} | {numbers} {said.get('gap_ratio', float('nan')):6.2f}  | "
        f"{said['detection']['median']:6.2f} {said['ec2']['median']:5.1f} {added['median']:6.2f} "
        f"{added['p95']:6.2f} {said.get('added_ratio', float('nan')):6.1f} {said['link']['median']:6.3f} | "
        f"{said['calls']['median']:4.0f}{failed}"
    )


def aims(runs: Sequence[Run], profile: str, round_trip: float) -> str:
    """What the reference was to reach beside what it has; empty without a run of it."""
    said = summary(runs, profile, REFERENCE)
    if said is None:
        return ""
    aim = ROUND_TRIPS * round_trip + 0.01
    added, calls = said["added"]["p95"], said["calls"]["max"]
    lines = [
        f"aims at {profile} s: added, p95 {added:.2f} s of {aim:.2f} s: {_verdict(added <= aim)}",
        f"  calls from the death on, at most {calls:.0f} of {MOST_CALLS}: {_verdict(calls <= MOST_CALLS)}",
    ]
    many = summary(runs, profile, f"{REFERENCE}-8")
    if many is not None:
        ratio = many["gap_ratio"]
        lines += [
            f"  8 ENIs against one: gap x {ratio:.2f} of 1.15: {_verdict(ratio <= 1.15)}",
            f"  and of what is added: x {many['added_ratio']:.1f}",
        ]
    return "\n".join([*lines, ""])


def _verdict(reached: bool) -> str:
    return "reached" if reached else "NOT REACHED"


def machine() -> str:
    """Where the figures are from."""
    load = os.getloadavg()[0]
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, load {load:.1f}, Linux {platform.release()}, Python {platform.python_version()}"


def write(
    path: Path,
    *,
    place: str,
    profiles: Sequence[str],
    titles: Mapping[str, str],
    absent: Mapping[str, str],
    runs: Sequence[Run],
    seed: int,
) -> None:
    """Everything, each run included."""
    document = {
        "version": eni_failover.__version__,
        "machine": machine(),
        "place": place,
        "seed": seed,
        "reference": REFERENCE,
        "not_run": dict(absent),
        "profiles": {
            profile: {name: summary(runs, profile, name) for name in titles if name not in absent}
            for profile in profiles
        },
        "runs": [asdict(run) for run in runs],
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
