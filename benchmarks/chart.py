"""The runs as a chart: one bar a contender, made of its parts, with a line to the p95 of the gap. SVG."""

from __future__ import annotations

import contextlib
import math
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.results import Run, summary

WIDTH, LEFT, RIGHT, ROW, BAR = 900, 190, 60, 26, 16
COLOURS = {"detection": "#9aa5b1", "EC2": "#c9d1d9", "added before attached": "#d9480f", "link": "#1c7ed6"}


def draw(
    profiles: Sequence[str],
    titles: Mapping[str, str],
    absent: Mapping[str, str],
    runs: Sequence[Run],
    place: str,
) -> str:
    """The whole picture."""
    said = {(profile, name): summary(runs, profile, name) for profile in profiles for name in titles}
    longest = max((one["gap"]["p95"] for one in said.values() if one), default=1.0)
    scale = (WIDTH - LEFT - RIGHT) / longest
    top = 60
    parts: list[str] = []
    for profile in profiles:
        parts.append(_text(8, top + 14, f"EC2 detach/attach {profile} s", weight="bold"))
        top += ROW
        for name, title in titles.items():
            parts += _bar(top, title, said[profile, name], absent.get(name, "no good run"), scale)
            top += ROW
        top += ROW // 2
    parts += _axis(top, longest, scale)
    height = top + 30
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
    head += f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">'
    title = f"Death of the holder's host to the first answer of the new one, medians ({place})"
    shown = [_text(8, 20, title, weight="bold"), *_legend()]
    return "\n".join(
        [head, f'<rect width="{WIDTH}" height="{height}" fill="white"/>', *shown, *parts, "</svg>\n"]
    )


def _legend() -> list[str]:
    drawn, left = [], 8
    for name, colour in COLOURS.items():
        drawn += [
            f'<rect x="{left}" y="32" width="12" height="12" fill="{colour}"/>',
            _text(left + 16, 42, name),
        ]
        left += 40 + 7 * len(name)
    return [*drawn, _text(left, 42, "line: p95 of the client's gap")]


def _bar(top: int, title: str, said: dict[str, Any] | None, why: str, scale: float) -> list[str]:
    label = _text(LEFT - 8, top + 13, title, anchor="end")
    if said is None:
        return [label, _text(LEFT, top + 13, f"not run: {why}")]
    link = said["link"]["median"]
    lengths = (said["detection"]["median"], said["ec2"]["median"], said["added"]["median"] - link, link)
    drawn, left = [label], float(LEFT)
    for length, colour in zip(lengths, COLOURS.values(), strict=True):
        width = max(0.0, length) * scale
        drawn.append(f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>')
        left += width
    end = LEFT + said["gap"]["p95"] * scale
    middle = top + BAR / 2
    drawn.append(
        f'<path d="M{left:.1f} {middle}H{end:.1f}M{end:.1f} {top + 3}v10" stroke="#333" fill="none"/>'
    )
    return [*drawn, _text(round(max(left, end)) + 5, top + 13, f"{said['gap']['median']:.1f} s")]


def _axis(top: int, longest: float, scale: float) -> list[str]:
    step = 10 ** math.floor(math.log10(longest))
    step = step / 2 if longest / step < 4 else step
    drawn = [f'<path d="M{LEFT} {top}H{WIDTH - RIGHT}" stroke="#333"/>']
    for number in range(int(longest / step) + 1):
        left = LEFT + number * step * scale
        drawn.append(f'<path d="M{left:.1f} {top}v5" stroke="#333"/>')
        drawn.append(_text(round(left), top + 18, f"{number * step:g} s", anchor="middle"))
    return drawn


def _text(left: int, base: int, words: str, *, anchor: str = "start", weight: str = "normal") -> str:
    style = f'text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{left}" y="{base}" {style}>{escape(words)}</text>'


def to_png(drawn: Path) -> Path | None:
    """The same picture as PNG beside it, made by Chromium; None where there is none, or it fails."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        return None
    size = re.search(r'width="(\d+)" height="(\d+)"', drawn.read_text())
    made = drawn.with_suffix(".png")
    command = [program, "--headless", "--no-sandbox", "--disable-gpu", f"--screenshot={made}"]
    command += [f"--window-size={size[1]},{size[2]}"] if size else []
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run([*command, drawn.as_uri()], check=True, capture_output=True, timeout=60)
        return made
    return None
