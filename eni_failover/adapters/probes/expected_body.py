"""The regular expression that an answer's body is searched for, in bounded time.

An expression that backtracks without end would hold up the whole daemon: the standard `re` keeps Python's
lock while it searches, and has no deadline. `regex` understands the same expressions, lets go of the lock and
gives up.
"""

from __future__ import annotations

import functools

import regex

from eni_failover.adapters.probes import threads
from eni_failover.errors import ConfigError

SEARCH_WITHIN = 0.1  # seconds of processor time


class EndlessSearchError(Exception):
    """The search took too long: nothing is known of the body."""


class ExpectedBody:
    """Raises ConfigError for what is no regular expression."""

    def __init__(self, expression: str) -> None:
        try:
            self._pattern = regex.compile(expression)
        except (regex.error, RecursionError) as error:
            raise ConfigError(f"expect_body is no regular expression: {error}") from None

    async def is_in(self, text: str) -> bool:
        """Whether the text has it somewhere. Raises EndlessSearchError."""
        search = functools.partial(self._pattern.search, text, timeout=SEARCH_WITHIN, concurrent=True)
        try:
            return bool(await threads.start(search, "expected body"))
        except TimeoutError:
            raise EndlessSearchError from None
