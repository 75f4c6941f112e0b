"""The last line of defence against a secret in the log.

Nothing is meant to log one. What slips through is recognised by the name of its key, or by its shape.
"""

from __future__ import annotations

import re
from collections.abc import Collection, MutableMapping
from typing import Any

HIDDEN = "[redacted]"

_DEPTH = 8
_SECRET_KEY = re.compile(
    r"token|secret|passw|authorization|credential|api_?key|private_?key|access_?key|cookie", re.IGNORECASE
)
_ACCESS_KEY_ID = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")
# A secret access key has 40 characters of base64, a session token some hundreds.
_KEY_LIKE = re.compile(r"(?<![A-Za-z0-9/+=])(?:[A-Za-z0-9/+]{40}|[A-Za-z0-9/+=]{100,})(?![A-Za-z0-9/+=])")
_BEARER = re.compile(r"\b(bearer)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_USER_INFO = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The event without what looks like a secret, in its keys' values however deep, and in its texts."""
    return {key: _hide(key, value, _DEPTH) for key, value in event.items()}


def _hide(key: object, value: object, depth: int) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(key, str) and _SECRET_KEY.search(key):
        return HIDDEN
    if isinstance(value, dict | list | tuple | set | frozenset):
        return _hide_in(value, depth - 1) if depth else HIDDEN
    return _clean(value if isinstance(value, str) else repr(value))


def _hide_in(values: Collection[object], depth: int) -> object:
    if isinstance(values, dict):
        return {str(key): _hide(key, one, depth) for key, one in values.items()}
    return [_hide(None, one, depth) for one in values]


def _clean(text: str) -> str:
    text = _ACCESS_KEY_ID.sub(HIDDEN, text)
    text = _KEY_LIKE.sub(_if_mixed, text)
    text = _BEARER.sub(rf"\1 {HIDDEN}", text)
    return _USER_INFO.sub(rf"\1{HIDDEN}@", text)


def _if_mixed(match: re.Match[str]) -> str:
    """A hash in hexadecimal has one case only; a key has capitals, small letters and digits."""
    found = match[0]
    mixed = any(map(str.isupper, found)) and any(map(str.islower, found)) and any(map(str.isdigit, found))
    return HIDDEN if mixed else found
