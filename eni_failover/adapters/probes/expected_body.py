"""The regular expression that an answer's body is searched for, in bounded time.

An expression that backtracks without end would hold up the whole daemon: the standard `re` keeps Python's
lock while it searches, and has no deadline. `regex` understands the same expressions, lets go of the lock and
gives up. It reads the configuration, too: no other library decides what is an expression.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any

import regex

from eni_failover.adapters.probes import threads
from eni_failover.errors import ConfigError

SEARCH_WITHIN = 0.1  # seconds of processor time


# What looks ahead may be contradicted by what has not come yet.
_LOOKS_AHEAD = ("(?=", "(?!")


def compile_expression(expression: str) -> Any:
    """What the body is searched with. Raises ValueError in the library's words."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "possible nested set" is no mistake of the file
            return regex.compile(expression)
    except (regex.error, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from None


class EndlessSearchError(Exception):
    """The search took too long: nothing is known of the body."""


class ExpectedBody:
    """Raises ConfigError for what is no regular expression."""

    def __init__(self, expression: str) -> None:
        try:
            self._pattern = compile_expression(expression)
        except ValueError as error:
            raise ConfigError(f"expect_body is no regular expression: {error}") from None
        self._looks_ahead = any(mark in expression for mark in _LOOKS_AHEAD)

    async def is_in(self, text: str) -> bool:
        """Whether the text has it somewhere. Raises EndlessSearchError."""
        return await self._search(text) is not None

    async def begins(self, text: str) -> bool:
        """Whether a text that begins so has it, whatever follows. Raises EndlessSearchError."""
        if self._looks_ahead:
            return False
        found = await self._search(text)
        return found is not None and found.start() < found.end() < len(text)

    async def _search(self, text: str) -> Any:
        search = functools.partial(self._pattern.search, text, timeout=SEARCH_WITHIN, concurrent=True)
        try:
            return await threads.start(search, "expected body")
        except TimeoutError:
            raise EndlessSearchError from None
