"""Attempts of a tcp probe over a bad path to a healthy holder: when each starts, ends, and what it says.

Owns the path and the schedule. An attempt is a SYN and its SYN-ACK; each may be lost, and the kernel sends
the SYN again after 1 and 3 seconds (RFC 6298). Judges nothing: the caller feeds the project's own rule.
"""

from __future__ import annotations

import copy
import math
import random
from dataclasses import dataclass

from eni_failover.core.model import Attempt
from eni_failover.core.policy import Member, ProbePolicy
from eni_failover.core.vocabulary import Answer, ProbeType, Scope

HOLDER = Member(name="alpha", instance_id="i-0aaaaaaaaaaaaaaa1", address="10.0.1.11")
ROUND_TRIP = 0.001
SENT_AT = (0.0, 1.0, 3.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """What is wrong with it. Shares from 0 to 1, seconds.

    `loss` of all packets: each by itself, or, with `burst`, all of them for stretches of that mean length.
    `slow` of the answers take longer, by an exponential time with the mean `slow_by`.
    """

    name: str
    loss: float = 0.0
    burst: float = 0.0
    slow: float = 0.0
    slow_by: float = 0.3


def probe(interval: float, timeout: float, fall: int) -> ProbePolicy:
    """A holder probe like the example's."""
    return ProbePolicy(
        name="web",
        type=ProbeType.TCP,
        scope=Scope.HOLDER,
        interval=interval,
        fast_interval=interval,
        timeout=timeout,
        fall=fall,
        rise=2,
    )


class Attempts:
    """One probe's attempts, by the schedule of the prober: start to start, never overlapping."""

    def __init__(self, path: Path, policy: ProbePolicy, rng: random.Random) -> None:
        self._path, self._policy, self._rng = path, policy, rng
        self._due = self._starts_at = 0.0
        self._is_cut = False
        self._changes_at = rng.expovariate(1 / self._stretch()) if path.burst else math.inf

    def fork(self) -> Attempts:
        """Another future of the same past."""
        return copy.copy(self)

    def next(self) -> Attempt:
        """The next attempt."""
        started, interval = self._starts_at, self._policy.interval
        took = self._ask(started)
        is_up = took <= self._policy.timeout
        ended = started + min(took, self._policy.timeout)
        self._due += interval
        if self._due < ended:  # followed at once, and what was missed altogether is skipped
            self._due += interval * math.floor((ended - self._due) / interval)
        self._starts_at = max(self._due, ended)
        return Attempt(
            probe=self._policy,
            member=HOLDER,
            answer=Answer.UP if is_up else Answer.DOWN,
            answered=is_up,
            started_at=started,
            ended_at=ended,
        )

    def _ask(self, at: float) -> float:
        """Seconds until the answer."""
        for after in SENT_AT:
            if after >= self._policy.timeout:
                break
            if not self._is_lost(at + after) and not self._is_lost(at + after + ROUND_TRIP):
                is_slow = self._path.slow > 0 and self._rng.random() < self._path.slow
                return after + ROUND_TRIP + (self._rng.expovariate(1 / self._path.slow_by) if is_slow else 0)
        return math.inf

    def _is_lost(self, at: float) -> bool:
        if not self._path.burst:
            return self._rng.random() < self._path.loss
        while at >= self._changes_at:
            self._is_cut = not self._is_cut
            self._changes_at += self._rng.expovariate(1 / self._stretch())
        return self._is_cut

    def _stretch(self) -> float:
        """How long it stays, on average, cut or whole as it is now."""
        share = self._path.loss
        return self._path.burst if self._is_cut else self._path.burst * (1 - share) / share
