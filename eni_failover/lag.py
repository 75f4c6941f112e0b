"""This process's own timeliness: stretches in which it did not run though it should have.

A stalled watcher sees every probe time out and believes that the peer has died. Stalls are therefore
facts of the observation. One that is not over yet is noticed when asked for: after a long stop the
probes' own timers may well fire before this one's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from eni_failover.core.model import Stall

LONGEST_TICK = 0.1
LEAST_THRESHOLD = 0.02  # below it, this watch would itself need a share of the CPU


class LoopLag:
    """Watches the event loop. `threshold` is the stall length, seconds, that is worth reporting.

    It ticks at least twice in that time, so that no such stall goes by between two looks.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        threshold: float,
        on_lag: Callable[[float], None],
        on_stall: Callable[[], None],
    ) -> None:
        self.threshold = threshold
        self._clock = clock
        self._on_lag = on_lag
        self._on_stall = on_stall
        self._seen_at = clock()
        self._stalls: list[Stall] = []

    @property
    def tick(self) -> float:
        """Seconds from one look to the next."""
        return min(LONGEST_TICK, max(self.threshold, LEAST_THRESHOLD) / 2)

    async def run(self) -> None:
        """Ticks until cancelled."""
        self._seen_at = self._clock()
        while True:
            await asyncio.sleep(self.tick)
            self._on_lag(self._look(self._clock()))

    def stalls(self) -> tuple[Stall, ...]:
        """The stalls since the last call, one that is not yet over included."""
        self._look(self._clock())
        stalls, self._stalls = tuple(self._stalls), []
        return stalls

    def _look(self, now: float) -> float:
        unseen, tick = now - self._seen_at, self.tick
        # The stall may have begun right after the last look: the whole stretch counts, not its lateness.
        if unseen > max(self.threshold, LEAST_THRESHOLD):
            self._stalls.append(Stall(from_at=self._seen_at, to_at=now))
            self._on_stall()
        if unseen >= tick:
            self._seen_at = now
        return max(0.0, unseen - tick)
