"""Whether the loop still turns: the fact behind /livez, the event stream and the page's notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eni_failover.control.desk import Desk

ALIVE_INTERVALS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """When a pass last ended, judged by the observe interval (seconds), which a reload may change."""

    desk: Desk
    interval: Callable[[], float]
    clock: Callable[[], float]

    @property
    def since(self) -> float:
        """Seconds since a pass ended, whatever its result."""
        return max(0.0, self.clock() - self.desk.last_pass_ended())

    @property
    def bound(self) -> float:
        """Seconds after which a daemon whose passes do not end is not alive."""
        return ALIVE_INTERVALS * self.interval()

    def document(self) -> dict[str, Any]:
        """The body of /livez."""
        since, bound = self.since, self.bound
        return {"alive": since <= bound, "last_pass_ended_s": round(since, 3), "bound_s": bound}
