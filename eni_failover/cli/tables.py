"""What all tables look like, and which word has which colour.

Colours are on only on a terminal that has not been told otherwise: rich itself looks at NO_COLOR and
TERM. A word says the same without its colour.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from eni_failover.cli.terminal import plain

# Where no terminal has an edge no line is wrapped: it may be read by grep.
_WIDE = 10_000
_STYLES = {
    "active": "green",
    "taking": "yellow",
    "fault": "bold red",
    "up": "green",
    "down": "red",
    "unknown": "yellow",
    "pass": "green",
    "warn": "yellow",
    "fail": "red",
    "success": "green",
    "failed": "red",
    "lost": "yellow",
    "yes": "green",
    "no": "red",
}


def console() -> Console:
    """Standard output. No text is markup: what a probe answered may look like it."""
    width = None if sys.stdout.isatty() else _WIDE
    return Console(width=width, highlight=False, markup=False, emoji=False)


def show(*parts: RenderableType) -> None:
    """Prints to standard output, without the blanks that fill a table's last column."""
    screen = console()
    with screen.capture() as captured:
        for part in parts:
            screen.print(part)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def table(*columns: str) -> Table:
    """A table without lines, so that it can be copied and cut."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def cells(*values: object) -> tuple[Text, ...]:
    """One row: each value as plain text, a word of a closed vocabulary in its colour."""
    return tuple(Text(plain(value), style=_STYLES.get(str(value), "")) for value in values)
