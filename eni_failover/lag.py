"""This process's own timeliness: stretches in which it did not run though it should have.

A stalled watcher sees every probe time out and believes that the peer has died. Stalls are therefore
facts of the observation. One that is not over yet is noticed when asked for: after a long stop the
probes' own timers may well fire before this one's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from eni_failover.core.model import Stall

TICK = 0.1


class LoopLag:
    """Watches the event loop. `threshold` is the stall length, seconds, that is worth reporting."""

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

    async def run(self) -> None:
        """Ticks until cancelled."""
        self._seen_at = self._clock()
        while True:
            await asyncio.sleep(TICK)
            self._on_lag(self._look(self._clock()))

    def stalls(self) -> tuple[Stall, ...]:
        """The stalls since the last call, one that is not yet over included."""
        self._look(self._clock())
        stalls, self._stalls = tuple(self._stalls), []
        return stalls

    def _look(self, now: float) -> float:
        unseen = now - self._seen_at
        lag = max(0.0, unseen - TICK)
        # The stall may have begun right after the last look: the whole stretch counts, not its lateness.
        if unseen > self.threshold and lag > TICK:
            self._stalls.append(Stall(from_at=self._seen_at, to_at=now))
            self._on_stall()
        if lag > 0 or now - self._seen_at >= TICK:
            self._seen_at = now
        return lag
