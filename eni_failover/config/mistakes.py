"""A mistake in the file, and pydantic's findings as such.

Owns the wording of wrong types and unknown keys. Does not know the file's name or lines: `load` adds
them.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from pydantic_core import ErrorDetails

from eni_failover.config.lines import Key
from eni_failover.config.schema import REPEATED, TABLES, Document
from eni_failover.config.wording import found, kind_of, shown

_EXPECTED = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "bool_type": "true or false without quotes",
    "tuple_type": "a list in [ ]",
    "dict_type": "a table",
    "model_type": "a table",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
}
"""pydantic's error types that the schema can raise, beside those that `explain` treats by itself."""

_BARE = re.compile(r"[A-Za-z0-9_-]{1,60}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What is wrong at `key`, one line. `meant` is the key that an unknown one was likely meant to be."""

    key: Key
    text: str
    meant: Key | None = None


def dotted(key: Key) -> str:
    """The key as a user would point at it: probe[0].headers. A header that is none may be a token."""
    words = ""
    for above, part in zip(("", *key), key, strict=False):
        if isinstance(part, int):
            words += f"[{part}]"
        elif above == "headers" and not _BARE.fullmatch(part):
            words += '."..."'
        else:
            words += ("." if words else "") + (part if _BARE.fullmatch(part) else shown(part))
    return words


def explain(error: ErrorDetails) -> Mistake:
    """One finding of pydantic in the user's words, without its value (which may be a secret)."""
    key, kind = error["loc"], error["type"]
    value = error["input"]
    if kind == "extra_forbidden":
        return _unknown(key)
    if kind == "value_error":
        text = str(error["ctx"]["error"])
    elif kind == "tuple_type" and key[-1] in REPEATED:
        text = f"must be written [[{key[-1]}]], once for each, not as {kind_of(value)}"
    elif kind == "model_type" and len(key) == 1:
        text = f"must be one table, written [{key[0]}], not {kind_of(value)}"
    elif kind not in _EXPECTED:  # another version of pydantic may have another name for a type of error
        text = f"is not accepted: {error['msg']}"
    else:
        expected = _EXPECTED[kind].format_map(error.get("ctx", {}))
        text = f"must be {expected}, not {kind_of(value) if kind.endswith('_type') else found(value)}"
    return Mistake(key=key, text=text)


def _unknown(key: Key) -> Mistake:
    *above, name = key
    allowed = tuple((TABLES[str(above[0])] if above else Document).model_fields)
    close = difflib.get_close_matches(str(name), allowed, n=1)
    if close:
        return Mistake(key=key, text=f"unknown key, did you mean {close[0]}?", meant=(*above, close[0]))
    if above and name in Document.model_fields:
        text = f"unknown key here, {name} stands at the top of the file, before the first [table]"
        return Mistake(key=key, text=text, meant=(str(name),))
    homes = [header for header, table in TABLES.items() if name in table.model_fields]
    if len(homes) == 1:
        header = f"[[{homes[0]}]]" if homes[0] in REPEATED else f"[{homes[0]}]"
        return Mistake(key=key, text=f"unknown key here, it belongs to {header}", meant=(homes[0], str(name)))
    return Mistake(key=key, text=f"unknown key, allowed here: {', '.join(allowed)}")
