"""How a message names what it found in the file.

Owns the wording of TOML's types and the quoting of values: one line, printable, bounded, whatever
the file contains. Does not know which values are secret: callers never pass those.
"""

from __future__ import annotations

import json

_LONGEST_SHOWN = 60
_DIGITS_SHOWN = 20
_KINDS = (
    (bool, "true or false"),  # before int, of which Python's bool is one
    (int, "a whole number"),
    (float, "a decimal number"),
    (str, "text"),
    (list, "a list"),
    (dict, "a table"),
)


def shown(value: str) -> str:
    """The text in quotes, cut and escaped so that it stays one printable line."""
    cut = value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "..."
    return json.dumps(cut, ensure_ascii=not cut.isprintable())


def found(value: object) -> str:
    """A text or a whole number as it is when it is not too long, anything else by its kind."""
    if isinstance(value, str):
        return shown(value)
    # Python refuses to print integers of thousands of digits, which TOML can write in hexadecimal.
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) < 10**_DIGITS_SHOWN:
            return str(value)
        return f"one of more than {_DIGITS_SHOWN} digits"
    return kind_of(value)


def kind_of(value: object) -> str:
    """What TOML would call this value, with its article."""
    return next((words for kind, words in _KINDS if isinstance(value, kind)), "a date or a time")
