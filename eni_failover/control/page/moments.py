"""Times and lengths as people read them, and the badge; the small pieces that every part of the page uses."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

from eni_failover.control.page.markup import Html, element, joined, trusted
from eni_failover.status import time_text

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_JUST_NOW = 1.5


class Tone(StrEnum):
    """How much a fact should draw the eye: the class of the element that shows it."""

    GOOD = "good"
    BUSY = "busy"
    WARN = "warn"
    BAD = "bad"
    QUIET = "quiet"


# Beside the colour, never instead of the word.
_SIGNS = {Tone.GOOD: "✓", Tone.BUSY: "→", Tone.WARN: "!", Tone.BAD: "✕", Tone.QUIET: "·"}


def badge(word: str, tone: Tone) -> Html:
    """A word with its tone; the sign is for the eye alone."""
    return element("span", sign(tone), word, class_=f"badge {tone}")


def sign(tone: Tone) -> Html:
    """The tone's sign, which a screen reader leaves out."""
    return element("span", trusted(f"{_SIGNS[tone]}&nbsp;"), class_="sign", aria_hidden="true")


def when(wall: float, now: float) -> Html:
    """A time with its zone, and how long ago that was at `now`, which the script keeps up to date."""
    shown = datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return joined(
        (
            element("time", shown, datetime=time_text(wall)),
            " ",
            element("span", f"({age(wall, now)})", class_="age", data_at=f"{wall:.3f}"),
        )
    )


def age(wall: float, now: float) -> str:
    """`42 s ago`, `in 3 min`. The script says the same in the same words."""
    away = abs(now - wall)
    if away < _JUST_NOW:
        return "just now"
    if away < _MINUTE:
        text = f"{away:.0f} s"
    elif away < _HOUR:
        text = f"{away // _MINUTE:.0f} min"
    elif away < 2 * _DAY:
        text = f"{away // _HOUR:.0f} h"
    else:
        text = f"{away // _DAY:.0f} d"
    return f"{text} ago" if wall <= now else f"in {text}"


def length(seconds: float) -> str:
    """`0.31 s`, `12.3 s`, `4 min 05 s`."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s"
