"""An event loop in virtual time: when nothing is ready, its clock jumps to the next timer.

For tests of schedules: seconds cost nothing, and a start time is an exact number. Sockets and threads
do not fit in, because the clock would jump past what they are about to bring.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


class _Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    """Waits for nothing: it adds the time that it was told to wait to its own clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events:
            if timeout is None:
                raise RuntimeError("every task waits for something that no timer will bring")
            self.now += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time starts at 0.0 and moves only while nothing can run."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def stall(self, seconds: float) -> None:
        """Let time pass as though the loop had not run: what was due meanwhile is late."""
        self._virtual.now += seconds


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """`asyncio.run` in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
