"""How soon what another program undoes is done again: each thing has a short rest of its own.

A repair is seen by its event a moment later, so the same thing is not done twice within that moment. A
program that goes on undoing it meets less and less haste: what costs clients an answer must not cost this
host its processor.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

from eni_failover.adapters.link.keeper import Step, steps, without
from eni_failover.adapters.link.plan import Change

_LEAST: Final = 0.05
_MOST: Final = 0.2
_CALM: Final = 60.0
# A program that has undone the same thing so often without a calm goes on for hours.
_LASTING: Final = 50
_MOST_OF_LASTING: Final = 1.0
_MOST_OF_REFUSED: Final = 5.0


@dataclass(slots=True)
class _Rest:
    """How often in a row the same step was made, and when again; times are monotonic seconds."""

    made_at: float
    until: float
    times: int


class Rests:
    """Which steps of a change have to wait."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rests: dict[Step, _Rest] = {}

    def split(self, change: Change) -> tuple[Change, float | None]:
        """What is to be done now, and when to come again for the rest of it."""
        now = self._clock()
        waiting = {step: rest.until for step, rest in self._rests.items() if now < rest.until}
        held = {step for step in steps(change) if step in waiting}
        if not held:
            return change, None
        now_due = without(change, held)
        if any(step.field in {"up", "addresses"} for step in held):
            # The kernel takes no route by a link that is down, or from an address that is not there.
            now_due = replace(now_due, routes=())
        return now_due, min(waiting[step] for step in held)

    def made(self, change: Change, refused: Collection[Step]) -> float:
        """This was done now, but for what the kernel refused; when any of it may be done again."""
        now = self._clock()
        self._rests = {step: rest for step, rest in self._rests.items() if now - rest.made_at <= _CALM}
        for step in steps(change):
            before = self._rests.get(step)
            times = 1 if before is None else before.times + 1
            gap = _gap(times, was_refused=step in refused)
            self._rests[step] = _Rest(made_at=now, until=now + gap, times=times)
        return min(self._rests[step].until for step in steps(change))


def _gap(times: int, *, was_refused: bool) -> float:
    most = _MOST_OF_REFUSED if was_refused else _MOST if times < _LASTING else _MOST_OF_LASTING
    return float(min(_LEAST * 2 ** min(times - 1, 16), most))
