"""What an attempt was waiting for when its time was up.

Silence of the target is down. Time that went into this host's own work (a name, a file), or into packets
that never left this host, says nothing about the target.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar

_deadline: ContextVar[float | None] = ContextVar("deadline of the attempt", default=None)


@contextlib.asynccontextmanager
async def within(seconds: float) -> AsyncIterator[asyncio.Timeout]:
    """`asyncio.timeout` around one attempt, which may ask how much is left of it."""
    async with asyncio.timeout(seconds) as deadline:
        token = _deadline.set(deadline.when())
        try:
            yield deadline
        finally:
            _deadline.reset(token)


def time_left() -> float | None:
    """Seconds until the attempt under way is cut short; None when nothing bounds it."""
    deadline = _deadline.get()
    return None if deadline is None else max(0.0, deadline - asyncio.get_running_loop().time())


class Waiting:
    """One attempt at a time. An attempt may wait for several things side by side."""

    def __init__(self) -> None:
        self._asked = False
        self._reason = ""

    @property
    def unsent(self) -> str:
        """Why nobody was asked, when the attempt was cut short; empty when somebody was."""
        return "" if self._asked else self._reason

    def begin(self) -> None:
        """A new attempt has begun."""
        self._asked = False
        self._reason = ""

    def asked(self) -> None:
        """The target, or one address of it, has given an answer."""
        self._asked = True

    @contextlib.contextmanager
    def on_host(self, reason: str) -> Iterator[None]:
        """Within it the attempt waits for this host; `reason` is shown when it is cut short there."""
        try:
            yield
        except asyncio.CancelledError:
            self._reason = reason
            raise

    @contextlib.contextmanager
    def on_target(self, unsent: Callable[[], str]) -> Iterator[None]:
        """Within it the attempt waits for the target, unless `unsent` says why nothing reached it."""
        try:
            yield
        except asyncio.CancelledError:
            reason = unsent()
            if reason:
                self._reason = reason
            else:
                self._asked = True
            raise
