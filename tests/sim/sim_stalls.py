"""The times in which one member's process did not run: for how long, how long ago, and cut short or not."""

from __future__ import annotations

from collections.abc import Callable

from tests.sim.sim_clockwork import Clockwork

KEPT = 10


class Stalls:
    """Of one member. Times are the world's seconds."""

    def __init__(self, clockwork: Clockwork) -> None:
        self._clockwork = clockwork
        self._stalls: list[tuple[float, float]] = []
        self._cut_short_at = float("-inf")

    def begin(self, seconds: float, *, over: Callable[[float], object]) -> None:
        """The process will not run for so long. `over` gets that number just before it runs again."""
        began_at = self._clockwork.now
        self._stalls = [*self._stalls[1 - KEPT :], (began_at + seconds, seconds)]
        self._clockwork.after(seconds, lambda: over(seconds) if self._cut_short_at < began_at else None)

    def cut_short(self) -> None:
        """It runs again already."""
        self._cut_short_at = self._clockwork.now

    def longest(self, *, within: float) -> float:
        """The longest stall that ended no longer ago than this; 0 without one."""
        since = self._clockwork.now - within
        return max((seconds for ended_at, seconds in self._stalls if ended_at >= since), default=0.0)
