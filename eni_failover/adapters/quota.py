"""The pace at which an account that is short of calls is asked, operation by operation.

EC2 has a token bucket for each operation, which the whole account shares
(https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html). From the first refusal on, calls of
that operation wait for a random part of a gap (full jitter,
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/): so hundreds of daemons spread by
themselves. The gap doubles with each refusal and shrinks by a step with each answer: the rate grows by
addition and falls by multiplication, as TCP's does.

Owns the gaps. Must not know what a call is for. Calls that change something do not wait here: the decision
table says when they are made again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from eni_failover.adapters.ec2_model import Operation

FIRST_GAP = 1.0
LONGEST_GAP = 8.0
STEP = 1.0  # that an answer takes off the gap
FORGOTTEN_AFTER = 60.0  # without a refusal: a calm daemon has few answers that could shrink it


@dataclass(slots=True)
class _Pace:
    """Seconds at most between two calls, 0 while all are answered; and when the next one may leave."""

    gap: float = 0.0
    next_at: float = 0.0
    refused_at: float = 0.0


class Quota:
    """Times are seconds of `clock`, which is monotonic; `jitter` gives numbers from 0 to 1."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self._paces: dict[Operation, _Pace] = {}

    async def turn(self, operation: Operation) -> None:
        """Wait until the next call of this operation may leave; at once while none was refused."""
        pace = self._paces.get(operation)
        if pace is not None:
            await asyncio.sleep(max(0.0, pace.next_at - self._clock()))

    def refused(self, operation: Operation, *, retry_after: float = 0.0) -> None:
        """EC2 has refused a call for want of tokens, and asks for `retry_after` seconds of rest."""
        pace = self._paces.setdefault(operation, _Pace())
        pace.refused_at = self._clock()
        pace.gap = min(LONGEST_GAP, max(FIRST_GAP, 2 * pace.gap))
        self._space(pace, least=retry_after)

    def granted(self, operation: Operation) -> None:
        """EC2 has answered a call."""
        pace = self._paces.get(operation)
        if pace is None:
            return
        pace.gap -= STEP
        if pace.gap <= 0 or self._clock() - pace.refused_at > FORGOTTEN_AFTER:
            del self._paces[operation]
        else:
            self._space(pace)

    def _space(self, pace: _Pace, *, least: float = 0.0) -> None:
        pace.next_at = self._clock() + max(least, pace.gap * self._jitter())
