"""Plain lines: results to standard output, complaints to standard error.

Owns the form of both. What came from a daemon or a journal is written as printable characters only: no
control sequence of it reaches a terminal. Tables are `tables`, which costs the import of rich.
"""

from __future__ import annotations

import re
import sys

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


def seconds(value: float) -> str:
    """A duration for people."""
    return f"{value:.1f} s" if value < 100 else f"{value:.0f} s"
