"""On which line of a TOML file each key stands.

tomllib gives values without positions, and the packages that give positions are another TOML parser
each. So tomllib stays the only judge of the syntax: a text that it has accepted is cut into its
statements here (a statement ends with a line outside strings and brackets), and tomllib reads the
key of each one.

Does not look inside arrays: an element of an inline list is found on the line of its key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping

Key = tuple[str | int, ...]
"""The path of a value: keys, and positions (from 0) in lists. () is the whole file."""

_DEEPEST = 4  # probe, its position, headers, a header: what is deeper is no setting of ours

# What can hide a line end from us: multi-line strings (up to two quotes may touch the closing three,
# TOML 1.0.0 "String"), strings, comments, brackets.
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:\\.|[^"\\])*"' r"|'[^']*'" r"|#[^\n]*" r"|[\[\]{}\n]",
    re.DOTALL,
)


class Lines:
    """The line (from 1) of each key and table header of one TOML text."""

    def __init__(self, text: str) -> None:
        """`text` must be valid TOML; otherwise tomllib.TOMLDecodeError may come out."""
        self._lines: dict[Key, int] = {}
        self._tables: dict[Key, int] = {}
        header: Key = ()
        for line, statement in _statements(text.replace("\r\n", "\n")):
            found = tomllib.loads(statement)
            if statement.lstrip().startswith("["):
                header = self._enter(found, line)
            else:
                self._note(found, header, line)

    def line_of(self, key: Key) -> int:
        """The line of this key, else of the nearest table around it, else 1."""
        while key and key not in self._lines:
            key = key[:-1]
        return self._lines.get(key, 1)

    def _enter(self, found: Mapping[str, object], line: int) -> Key:
        """Note the header that `found` is, and say which table the statements after it are in."""
        key: Key = ()
        inner: object = found
        while isinstance(inner, dict) and inner:
            [(name, inner)] = inner.items()
            key = (*key, name)
            if isinstance(inner, list):
                self._lines.setdefault(key, line)
                self._tables[key] = self._tables.get(key, -1) + 1
                key = (*key, self._tables[key])
            elif inner and key in self._tables:
                key = (*key, self._tables[key])
            elif inner:
                self._lines.setdefault(key, line)
        self._lines[key] = line
        return key

    def _note(self, found: Mapping[str, object], above: Key, line: int) -> None:
        for name, value in found.items():
            key = (*above, name)
            self._lines.setdefault(key, line)
            if isinstance(value, dict) and len(key) < _DEEPEST:
                self._note(value, key, line)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each statement with the line it begins on; comments and empty lines come as statements too."""
    text += "\n"
    depth, start, line = 0, 0, 1
    for token in _TOKEN.finditer(text):
        match token[0]:
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
            case "\n" if depth == 0:
                statement = text[start : token.end()]
                yield line, statement
                start = token.end()
                line += statement.count("\n")
