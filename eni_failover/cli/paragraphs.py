"""Text of several lines that is wrapped between its words, and never within a command or an id.

A terminal of 60 columns is what a phone or a split screen has. Where there is no terminal no line is wrapped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from eni_failover.cli.terminal import plain

# What is read or copied as one stays on one line: a command with its options, a time, a length of time.
_END = r"[.,;:)]*"
_WORD = re.compile(
    rf"(?:eni-failover|systemctl) [a-z]+(?: (?:-{{1,2}}[a-z-]+|'[^' ]*'))*{_END}"
    rf"|(?:\d{{4}}-\d\d-\d\d )?\d\d:\d\d:\d\d(?:\.\d)?(?: UTC)?{_END}"
    rf"|\(?(?:in )?\d+(?: (?:d|h|min|s)\b(?: \d\d?)?)+(?: ago)?{_END}"
    rf"|[a-z]+ \d+\.\d\d\b"
    rf"|\S+"
)


class Paragraph:
    """Lines of one style; what follows a line's wrap is not indented."""

    def __init__(self, *lines: object, style: str = "") -> None:
        self._lines = [_WORD.findall(plain(line)) for line in lines]
        self._style = style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines, each wrapped to the width there is."""
        wrapped = (part for words in self._lines for part in _wrapped(words, options.max_width))
        yield Text("\n".join(wrapped), style=self._style)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """The longest word, and the longest line."""
        lengths = [len(word) for words in self._lines for word in words]
        longest = max((len(" ".join(words)) for words in self._lines), default=0)
        return Measurement(max(lengths, default=0), longest).with_maximum(options.max_width)


def rows(lines: Iterable[tuple[Text, Paragraph]]) -> Table:
    """A word before each paragraph."""
    made = Table.grid(padding=(0, 2))
    made.add_column(overflow="fold")
    made.add_column(overflow="fold")
    for word, paragraph in lines:
        made.add_row(word, paragraph)
    return made


def _wrapped(words: list[str], width: int) -> Iterator[str]:
    line = ""
    for word in words:
        if line and len(line) + 1 + len(word) > width:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line
