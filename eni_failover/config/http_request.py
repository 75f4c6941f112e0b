"""What an http probe sends and expects: method, headers, status, body.

Owns the form of each. Each function gives the value back or raises ValueError in the user's words.
Never shows a header's value in a message, nor a name that is none: headers carry tokens.
"""

from __future__ import annotations

import re

from eni_failover.adapters.probes.expected_body import compile_expression
from eni_failover.adapters.probes.spec import PLACEHOLDERS
from eni_failover.config.targets import template
from eni_failover.config.wording import found, kind_of, shown

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_FORBIDDEN_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110, section 5.5
_STATUS = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")
_STATUS_FORM = 'must be a list of statuses 100 to 599 such as ["200-399", 429]'


def method(value: str) -> str:
    """A request method; methods are case-sensitive."""
    if not _TOKEN.fullmatch(value):
        raise ValueError(f'must be an HTTP method such as "GET" or "HEAD", not {shown(value)}')
    return value


def headers(value: dict[str, str]) -> dict[str, str]:
    """Header names and the templates of their values."""
    seen: set[str] = set()
    for name, text in value.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError("must have names of letters, digits and -, and the rest in the value")
        if name.lower() in seen:
            raise ValueError(f"must not have the header {shown(name)} twice")
        if _FORBIDDEN_IN_VALUE.search(text):
            raise ValueError(f"must not have line ends or control characters in the value of {shown(name)}")
        seen.add(name.lower())
        try:
            template(text)
        except ValueError:
            allowed = " ".join("{" + word + "}" for word in PLACEHOLDERS)
            raise ValueError(
                f"must not have other placeholders than {allowed} in the value of {shown(name)}"
            ) from None
    return value


def statuses(value: object) -> tuple[tuple[int, int], ...]:
    """Inclusive ranges of statuses, from "200-399", "200" or 200."""
    if not isinstance(value, list):
        raise ValueError(f"{_STATUS_FORM}, not {kind_of(value)}")  # noqa: TRY004 - pydantic reports ValueError only
    if not value:
        raise ValueError(f"{_STATUS_FORM}, not an empty list")
    return tuple(_status(one) for one in value)


def pattern(value: str) -> str:
    """A regular expression, as the probe itself will search with it."""
    try:
        compile_expression(value)
    except ValueError as error:
        raise ValueError(f"must be a regular expression (Python's re): {error}") from None
    return value


def _status(value: object) -> tuple[int, int]:
    if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599:
        return value, value
    match = _STATUS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{_STATUS_FORM}, not {found(value)}")
    low, high = int(match[1]), int(match[2] or match[1])
    if low > high:
        raise ValueError(f"{_STATUS_FORM}, lower status first, not {shown(match[0])}")
    return low, high
