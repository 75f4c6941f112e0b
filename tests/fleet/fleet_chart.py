"""The chart as plain SVG: who is served when in a storm, and what an idle fleet asks of a bucket."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from eni_failover.adapters.ec2_model import Operation
from tests.fleet.fleet_floor import floors, sorted_times
from tests.fleet.fleet_report import share_of_bucket
from tests.fleet.fleet_world import Measured

WIDTH, HEIGHT, LEFT, TOP, GAP = 560, 320, 60, 50, 80
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
STEPS = (1, 2, 5)


def svg(runs: Sequence[Measured]) -> str:
    """The whole picture."""
    panels = [
        (panel, chosen)
        for panel, chosen in (
            (_storm, [run for run in runs if run.situation == "storm"]),
            (_idle, [run for run in runs if run.situation == "idle"]),
        )
        if chosen
    ]
    width, height = len(panels) * (WIDTH + LEFT + GAP), HEIGHT + TOP + 60
    size = f'width="{width}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect {size} fill="white"/>',
    ]
    for number, (panel, chosen) in enumerate(panels):
        lines += [f'<g transform="translate({LEFT + number * (WIDTH + LEFT + GAP)},{TOP})">', *panel(chosen)]
        lines.append("</g>")
    return "\n".join([*lines, "</svg>"]) + "\n"


def _storm(runs: Sequence[Measured]) -> Iterator[str]:
    """Lines that climb as pairs are served; dashed: the floor."""
    moments = [
        moment
        for run in runs
        for moment in (*sorted_times(run, "served"), *floors(run), run.seconds)
        if moment < math.inf
    ]
    longest = _nice(max(moments))
    yield from _frame("All holders die at once: share of the pairs that are served (dashed: floor)")
    yield from _axis_x(longest, "s")
    yield from _axis_y(1.0, percent=True)
    for number, run in enumerate(runs):
        colour = COLOURS[number % len(COLOURS)]
        for moments, dash in ((sorted_times(run, "served"), "none"), (floors(run), "5 4")):
            style = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
            yield f'<polyline points="{_climb(moments, run.seconds, longest)}" {style}/>'
        yield _label(_pairs(run), colour, WIDTH - 6, HEIGHT - 20 - 18 * number, anchor="end")


def _climb(moments: Sequence[float], watched: float, longest: float) -> str:
    """One step up for each pair; who is never served leaves the line level for as long as was watched."""
    points, height = [f"0,{HEIGHT}"], float(HEIGHT)
    for place, moment in enumerate(moments, start=1):
        x = (watched if moment == math.inf else moment) / longest * WIDTH
        points.append(f"{x:.1f},{height:.1f}")
        if moment < math.inf:
            height = HEIGHT * (1 - place / len(moments))
            points.append(f"{x:.1f},{height:.1f}")
    return " ".join(points)


def _idle(runs: Sequence[Measured]) -> Iterator[str]:
    """Bars: what the daemons ask of each describe bucket."""
    names = (Operation.DESCRIBE_ENIS.value, Operation.DESCRIBE_INSTANCES.value)
    highest = _nice(max(0.01, *(share_of_bucket(run, name) for run in runs for name in names)))
    yield from _frame("Idle: share of the account's describe buckets that the daemons ask for")
    yield from _axis_y(highest, percent=True)
    slot = WIDTH / len(runs)
    for place, run in enumerate(runs):
        for number, name in enumerate(names):
            height = share_of_bucket(run, name) / highest * HEIGHT
            x = place * slot + slot * (0.2 + 0.3 * number)
            yield (
                f'<rect x="{x:.1f}" y="{HEIGHT - height:.1f}" width="{slot * 0.28:.1f}" height="{height:.1f}"'
                f' fill="{COLOURS[number]}"/>'
            )
        middle = (place + 0.5) * slot
        yield f'<text x="{middle:.1f}" y="{HEIGHT + 18}" text-anchor="middle">{_pairs(run)}</text>'
    for number, name in enumerate(names):
        yield _label(name, COLOURS[number], 8, 18 + 18 * number, anchor="start")


def _frame(title: str) -> Iterator[str]:
    yield f'<text x="0" y="-20" font-size="14">{title}</text>'
    yield f'<path d="M0,0 V{HEIGHT} H{WIDTH}" fill="none" stroke="black"/>'


def _axis_x(longest: float, unit: str) -> Iterator[str]:
    for tick in range(6):
        x, value = WIDTH * tick / 5, longest * tick / 5
        yield f'<text x="{x:.0f}" y="{HEIGHT + 18}" text-anchor="middle">{value:g} {unit}</text>'


def _axis_y(highest: float, *, percent: bool) -> Iterator[str]:
    for tick in range(6):
        y, value = HEIGHT * (1 - tick / 5), highest * tick / 5
        shown = f"{value * 100:g} %" if percent else f"{value:g}"
        yield f'<text x="-8" y="{y + 4:.0f}" text-anchor="end">{shown}</text>'
        yield f'<path d="M0,{y:.0f} H{WIDTH}" stroke="#dddddd"/>'


def _label(words: str, colour: str, x: float, y: float, *, anchor: str) -> str:
    style = f'text-anchor="{anchor}" fill="{colour}" font-weight="bold"'
    return f'<text x="{x:g}" y="{y:g}" {style}>{words}</text>'


def _pairs(run: Measured) -> str:
    return "1 pair" if run.pairs == 1 else f"{run.pairs:,} pairs"


def _nice(value: float) -> float:
    """The next round number."""
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in STEPS if step * power >= value), 10 * power)
