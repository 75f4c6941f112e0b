"""What a probe is: something that asks one target once and answers.

Owns the shape of the answer. A probe knows no deadline, no schedule, no count and no metric: the
caller wraps each call in `asyncio.timeout` and owns the rest. It asks once: no retry, so that one
attempt is one fact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from eni_failover.adapters.probes.spec import Target
from eni_failover.core.vocabulary import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """The answer of one attempt.

    `answered` is whether the target gave any sign of life: a refusal, a reset and a wrong answer
    do. `detail` is a few words for an operator; never a secret, nor a URL, which may hold one.
    """

    answer: Answer
    answered: bool
    detail: str


class Probe(Protocol):
    """One configured probe, ready to ask. Attempts of one probe never overlap."""

    @property
    def unsent(self) -> str:
        """Why the latest attempt, cut short, asked nobody ("name not resolved"); empty when it did."""
        ...

    async def __call__(self, target: Target) -> ProbeResult:
        """Ask `target` once. Cancelled, it frees its socket or process before it ends."""
        ...

    async def close(self) -> None:
        """Free what outlives an attempt. The probe is not called again."""
        ...
