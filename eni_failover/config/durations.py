"""Durations as the file spells them: one number and one of ms s m h d.

Owns the grammar and the bounds. Knows nothing of any setting.
"""

from __future__ import annotations

import re
from decimal import Decimal

from eni_failover.config.wording import kind_of, shown

_SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)(ms|s|m|h|d)")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_FORM = 'one number and one of ms s m h d, such as "250ms" or "30m"'
_SHORTEST = Decimal("0.001")
_LONGEST = Decimal(365 * 86400)


def seconds(value: object) -> float:
    """The duration in seconds; zero is allowed.

    Raises ValueError, in the user's words, for anything that is not one number and one unit, for
    what is above zero and below 1 ms, and for more than 365 days.
    """
    if not isinstance(value, str):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        hint = "; the unit is missing" if number else ""
        raise ValueError(f"must be text: {_FORM}, not {kind_of(value)}{hint}")  # noqa: TRY004 - pydantic reports ValueError only
    match = _DURATION.fullmatch(value)
    if match is None:
        raise ValueError(f"must be {_FORM}, not {shown(value)}{_hint(value)}")
    duration = Decimal(match[1]) * _SECONDS[match[2]]
    if 0 < duration < _SHORTEST:
        raise ValueError(f"must be 1ms or longer, not {shown(value)}")
    if duration > _LONGEST:
        raise ValueError(f"must be 365d or shorter, not {shown(value)}")
    return float(duration)


def positive_seconds(value: object) -> float:
    """As `seconds`, and zero is an error too."""
    duration = seconds(value)
    if duration == 0:
        raise ValueError(f"must be longer than zero, not {value}")
    return duration


def seconds_or_never(value: object) -> float | None:
    """As `positive_seconds`; None for the word "never"."""
    if value == "never":
        return None
    try:
        return positive_seconds(value)
    except ValueError as error:
        raise ValueError(f'{error}; or "never"') from error


def _hint(value: str) -> str:
    if value.startswith("-"):
        return "; a duration is not negative"
    if _NUMBER.fullmatch(value):
        return f'; write the unit: "{value}s" for seconds' if len(value) <= 12 else ""
    if re.fullmatch(f"(?:{_NUMBER.pattern}[a-z]+){{2,}}", value):
        return "; one unit only"
    if _DURATION.fullmatch(value.replace(" ", "").lower()):
        return "; without spaces and in lower case"
    return ""
