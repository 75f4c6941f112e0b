"""What the servers need of the daemon, and the shapes of its answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from eni_failover.core.model import PauseRecord, PauseRequest
from eni_failover.core.snapshot import Snapshot


class TakeoverState(StrEnum):
    """What became of an operator's takeover request so far; `pending` is not yet decided."""

    STARTED = "started"
    JOINED = "joined"
    HELD = "held"
    PENDING = "pending"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeoverAnswer:
    """The answer to a takeover request; `reason` is the decision's own word."""

    state: TakeoverState
    reason: str
    request_id: str


class Desk(Protocol):
    """The daemon, as seen from its servers. Nothing here blocks; the coroutines answer in seconds."""

    def snapshot(self) -> Snapshot | None:
        """The view of the last pass, None before the first."""
        ...

    def last_pass_ended(self) -> float:
        """When a pass last ended, whatever its result (monotonic seconds); before that, the start."""
        ...

    def metrics_page(self) -> bytes:
        """The metrics in the text format of Prometheus."""
        ...

    async def takeover(self, *, reason: str, timeout: float) -> TakeoverAnswer:  # noqa: ASYNC109 - how long the request lives, not this call
        """Ask for a manual takeover that is given up after `timeout` seconds."""
        ...

    async def pause(self, request: PauseRequest) -> PauseRecord | None:
        """Pause or resume; the record it became."""
        ...

    async def reload(self) -> tuple[str, ...]:
        """Read the file again; one line for each problem, none when it was taken."""
        ...
