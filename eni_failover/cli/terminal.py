"""Plain lines: results to standard output, complaints to standard error.

Owns the form of both. What came from a daemon or a journal is written as printable characters only: no
control sequence of it reaches a terminal. Tables are `tables`, which costs the import of rich.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime

import typer

PROGRAM = "eni-failover"
_FRACTION = re.compile(r"\.\d+")


def say(line: str) -> None:
    """One line of the result."""
    typer.echo(plain(line))


def complain(line: str) -> None:
    """One line on standard error."""
    typer.echo(f"{PROGRAM}: {plain(line)}", err=True)


def is_confirmed(question: str) -> bool:
    """Asks on standard error and reads the answer from standard input; only a yes is a yes."""
    typer.echo(f"{plain(question)} [y/N] ", err=True, nl=False)
    typed = sys.stdin.readline()
    if not typed.endswith("\n"):  # Ctrl-D leaves the cursor behind the question
        typer.echo(err=True)
    return typed.strip().lower() in {"y", "yes"}


def plain(value: object) -> str:
    """The value as one line of printable characters."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in str(value))


def moment(value: object) -> str:
    """An RFC 3339 time without its fraction, "-" for none."""
    return "-" if value is None else _FRACTION.sub("", plain(value))


def wall(value: object) -> float | None:
    """The seconds since the epoch of an RFC 3339 time; None for none, and for what is no time."""
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value).timestamp()
    except (ValueError, OverflowError):
        return None


def clock(at: float, now: float | None) -> str:
    """A time of day with its zone; with its date unless `now` is of the same day. Seconds since the epoch."""
    is_today = (
        now is not None and datetime.fromtimestamp(at, UTC).date() == datetime.fromtimestamp(now, UTC).date()
    )
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC" if is_today else "%Y-%m-%d %H:%M:%S UTC")


def span(value: float) -> str:
    """A length of time for people, of two units at most: `42 s`, `2 min 10 s`, `3 h 05 min`, `2 d 4 h`."""
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def seconds(value: float) -> str:
    """A duration for people."""
    return f"{value:.1f} s" if value < 100 else f"{value:.0f} s"
