"""What is printed of a fleet, and written as JSON."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from eni_failover.adapters.ec2_model import Operation
from tests.fleet.fleet_account import STRANGER_RATE, Made
from tests.fleet.fleet_floor import FORMULA, NEVER, Times, floor, times
from tests.fleet.fleet_world import Measured

DESCRIBES = (Operation.DESCRIBE_ENIS.value, Operation.DESCRIBE_INSTANCES.value)
IDLE_HEAD = (
    "pairs",
    "calls a minute and daemon",
    "holder",
    "standby",
    "ENI describes: share of the bucket",
    "instance describes: share",
    "refused",
    "stranger's ENI describes refused",
    "instance describes",
    "needless moves",
)
STORM_HEAD = (
    "pairs",
    "served",
    "median",
    "p95",
    "last",
    "floor: median",
    "p95",
    "last",
    "last / floor",
    "active: median",
    "p95",
    "last",
)
STORM_CALLS_HEAD = (
    "pairs",
    "calls a takeover: median",
    "most",
    "calls refused",
    "of the describes",
    "stranger's ENI describes refused",
    "instance describes",
)
AIMS_HEAD = ("run", "figure", "seen", "aim", "reached")
WAITED = ("detected", "attached", "served", "active")


def text(runs: Sequence[Measured]) -> str:
    """All tables."""
    idle = [run for run in runs if run.situation == "idle"]
    storm = [run for run in runs if run.situation == "storm"]
    parts = [*_idle(idle), *_storm(storm)]
    parts += [part for run in (*idle, *storm) for part in ("", *_operations(run))]
    parts += [part for run in storm if run.pairs == 1 for part in ("", *waterfall(run))]
    parts += ["", "what was to be reached", *_table(AIMS_HEAD, [row for run in runs for row in _aims(run)])]
    return "\n".join(parts)


def _aims(run: Measured) -> Iterator[tuple[str, ...]]:
    """Each aim that this run can be held against."""
    made = [run.stranger.get(name, (0, 0)) for name in DESCRIBES]
    refused = max(part / count if count else 0.0 for count, part in made)
    if run.situation == "idle":
        pace = _pace(run, _count(run.made)) / 2
        yield _aim(run, "calls a minute and daemon", f"{pace:.2f}", "<= 1", reached=pace <= 1)
        share = max(share_of_bucket(run, name) for name in DESCRIBES)
        yield _aim(run, "share of a describe bucket", f"{share:.1%}", "<= 50 %", reached=share <= 0.5)
        own = _total(run.made)[1]
        yield _aim(run, "calls refused", str(own), "0", reached=not own)
        return
    served = sum(pair.served is not None for pair in run.served)
    yield _aim(run, "served", str(served), str(run.pairs), reached=served == run.pairs)
    ratio = times(run, "served").last / floor(run).last
    yield _aim(run, "last / floor", _number(ratio), "<= 1.25", reached=ratio <= 1.25)
    yield _aim(run, "stranger's calls refused", f"{refused:.1%}", "<= 5 %", reached=refused <= 0.05)


def _aim(run: Measured, what: str, seen: str, aim: str, *, reached: bool) -> tuple[str, ...]:
    return f"{run.situation}, {run.pairs} pairs", what, seen, aim, "yes" if reached else "NO"


def _idle(runs: Sequence[Measured]) -> Iterator[str]:
    if not runs:
        return
    yield f"Idle, {runs[0].seconds:g} virtual seconds{_conditions(runs[0])}"
    yield from _table(
        IDLE_HEAD,
        [
            (
                str(run.pairs),
                f"{_pace(run, _count(run.made)) / 2:.2f}",
                f"{_pace(run, run.by_member.get('alpha', 0)):.2f}",
                f"{_pace(run, run.by_member.get('beta', 0)):.2f}",
                *(f"{share_of_bucket(run, name):.1%}" for name in DESCRIBES),
                _share(*_total(run.made)),
                *_strangers(run),
                str(run.needless),
            )
            for run in runs
        ],
    )
    yield ""


def _storm(runs: Sequence[Measured]) -> Iterator[str]:
    if not runs:
        return
    depth, refill = runs[0].sizes[Operation.DETACH]
    yield f"All holders die at once; seconds since then{_conditions(runs[0])}"
    yield f"{FORMULA}; depth {depth:g}, refill {refill:g}/s, the last three {runs[0].moving_seconds:g} s"
    yield "served: attached, and the kernel has the address. active: the daemon says so (hooks start)."
    yield from _table(STORM_HEAD, [_storm_row(run) for run in runs])
    yield ""
    yield from _table(STORM_CALLS_HEAD, [_storm_calls_row(run) for run in runs])


def _storm_row(run: Measured) -> tuple[str, ...]:
    served, least, active = times(run, "served"), floor(run), times(run, "active")
    return (
        str(run.pairs),
        f"{sum(pair.served is not None for pair in run.served)}",
        *_times(served),
        *_times(least),
        _number(served.last / least.last),
        *_times(active),
    )


def _storm_calls_row(run: Measured) -> tuple[str, ...]:
    calls = sorted(run.takeover_calls)
    return (
        str(run.pairs),
        f"{statistics.median(calls):g}" if calls else "-",
        str(calls[-1]) if calls else "-",
        _share(*_total(run.made)),
        _share(*_total({name: run.made[name] for name in DESCRIBES if name in run.made})),
        *_strangers(run),
    )


def _operations(run: Measured) -> Iterator[str]:
    yield f"{run.situation}, {run.pairs} pairs, {run.seconds:.1f} s: calls of the daemons"
    is_idle = run.situation == "idle"
    yield from _table(
        ("operation", "made", "refused", "a minute and daemon" if is_idle else "a pair"),
        [
            (
                name,
                str(made),
                str(refused),
                f"{_pace(run, made) / 2:.3f}" if is_idle else f"{made / run.pairs:.1f}",
            )
            for name, (made, refused) in run.made.items()
        ],
    )


def waterfall(run: Measured) -> Iterator[str]:
    """Every call of the first pair's takeover, from the death to being active, and what happened between."""
    pair = next(served for served in run.served if served.pair == 1)
    events: list[tuple[float, tuple[str, ...]]] = [(0.0, ("0.000", "-", "HOLDER DIES", ""))]
    for name in WAITED:
        moment = getattr(pair, name)
        if moment is not None:
            events.append((moment, (f"{moment:.3f}", "-", name.upper(), "")))
    until = run.seconds if pair.active is None else pair.active
    events += [
        (call.sent_at, (f"{call.sent_at:.3f}", f"{call.latency * 1000:.0f}", call.operation, call.code))
        for call in run.first_pair
        if call.sent_at <= until
    ]
    yield f"the takeover of pair 1 of {run.pairs}"
    yield from _table(("s since death", "took ms", "call", "answer"), [row for _, row in sorted(events)])


def document(runs: Sequence[Measured]) -> dict[str, Any]:
    """The same for programs; times that never came are null."""
    return {"floor": FORMULA, "runs": [_run(run) for run in runs]}


def _run(run: Measured) -> dict[str, Any]:
    values: dict[str, Any] = {
        **{
            name: getattr(run, name)
            for name in ("situation", "pairs", "seed", "scale", "seconds", "needless")
        },
        "calls_per_minute_and_daemon": _pace(run, _count(run.made)) / 2,
        "share_of_bucket": {name: share_of_bucket(run, name) for name in DESCRIBES},
        "calls": _made(run.made),
        "stranger": _made(run.stranger),
    }
    if run.served:
        values |= {
            "times": {name: _finite(dataclasses.asdict(times(run, name))) for name in WAITED},
            "floor": _finite(dataclasses.asdict(floor(run))),
            "takeover_calls": list(run.takeover_calls),
            "pairs_served": [dataclasses.asdict(pair) for pair in run.served],
            "first_pair": [dataclasses.asdict(call) for call in run.first_pair],
        }
    return values


def _made(made: Made) -> dict[str, dict[str, int]]:
    return {name: {"made": count, "refused": refused} for name, (count, refused) in made.items()}


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def share_of_bucket(run: Measured, operation: str) -> float:
    """What part of its refill the daemons ask for; more than 1 when it cannot hold."""
    _, refill = run.sizes[operation]
    made, _ = run.made.get(operation, (0, 0))
    return made / run.seconds / refill


def _conditions(run: Measured) -> str:
    scaled = "" if run.scale == 1.0 else f"; buckets of {run.scale:g} times the documented size"
    rate = f"{STRANGER_RATE * run.scale:g}"
    return (
        f"; reads lag {run.lag:g} s; a stranger describes ENIs and instances, {rate} times a second each; "
        f"seed {run.seed}{scaled}"
    )


def _pace(run: Measured, calls: int) -> float:
    """Calls a minute and pair."""
    return calls / run.pairs / run.seconds * 60


def _count(made: Made) -> int:
    return _total(made)[0]


def _total(made: Made) -> tuple[int, int]:
    return sum(count for count, _ in made.values()), sum(refused for _, refused in made.values())


def _strangers(run: Measured) -> tuple[str, ...]:
    """What part of the stranger's calls was refused, by operation."""
    return tuple(_share(*run.stranger.get(name, (0, 0))) for name in DESCRIBES)


def _share(count: int, part: int) -> str:
    return f"{part / count:.1%}" if count else "-"


def _times(moments: Times) -> tuple[str, str, str]:
    return _number(moments.median), _number(moments.p95), _number(moments.last)


def _number(value: float) -> str:
    return "never" if value == NEVER else f"{value:.2f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for number, line in enumerate(lines):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield f"| {' | '.join(cells)} |"
        if not number:
            yield f"|{'|'.join('-' * (width + 2) for width in widths)}|"
