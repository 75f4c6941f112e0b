"""One account: the request buckets that all pairs share, every call, and a stranger who calls as well."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eni_failover.adapters.ec2_model import Operation
from eni_failover.lab.buckets import Buckets
from tests.sim.sim_clockwork import Clockwork

THROTTLED = "RequestLimitExceeded"
ATTACH_DRY_RUN = f"{Operation.ATTACH.value} (DryRun)"
Size = tuple[float, float]
Made = Mapping[str, tuple[int, int]]

DESCRIBE: Size = (100.0, 20.0)
MUTATION: Size = (50.0, 5.0)
SIZES: Mapping[str, Size] = {
    Operation.DESCRIBE_ENIS: DESCRIBE,
    Operation.DESCRIBE_INSTANCES: DESCRIBE,
    Operation.DESCRIBE_INSTANCE_TYPES: DESCRIBE,
    Operation.DESCRIBE_SUBNETS: DESCRIBE,
    Operation.ATTACH: MUTATION,
    Operation.DETACH: MUTATION,
}
"""(depth, refill per second) of each API's bucket, as `eni_failover.lab.buckets` has them."""

STRANGER_ASKS = (Operation.DESCRIBE_ENIS, Operation.DESCRIBE_INSTANCES)
STRANGER_RATE = 2.0  # calls a second, of each of these
STRANGER_JITTER = 0.5
"""Of the time between two calls: at even times they would come in step with the bucket's tokens, and get one
before everybody else each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One attempt of one call, as its caller saw it. `code` is ok, EC2's own, `timeout` or `connection`.

    `operation` is EC2's name of it, but a DryRun is told apart.
    """

    pair: int
    member: str
    operation: str
    sent_at: float
    ended_at: float
    code: str

    @property
    def is_refused(self) -> bool:
        """Whether a bucket was empty."""
        return self.code == THROTTLED

    @property
    def latency(self) -> float:
        """Seconds from the request to the answer."""
        return self.ended_at - self.sent_at


class Account:
    """The buckets of one account. Until `limit` every call passes: how a fleet is started is not measured."""

    def __init__(self, clockwork: Clockwork, *, rng: random.Random, scale: float = 1.0) -> None:
        """`scale` is what the documented sizes are multiplied by: a small fleet on small buckets."""
        self.sizes = {name: (depth * scale, refill * scale) for name, (depth, refill) in SIZES.items()}
        self.scale = scale
        self.buckets = _SharedBuckets(self.sizes)
        self.calls: list[Call] = []
        self.stranger_calls: list[Call] = []
        self._clockwork = clockwork
        self._random = rng

    def limit(self) -> None:
        """From now on the buckets count, full at first, and the stranger makes its calls."""
        self.buckets.fill()
        self.buckets.are_counted = True
        for operation in STRANGER_ASKS:
            self._ask_later(operation)

    def _ask(self, operation: Operation) -> None:
        now = self._clockwork.now
        code = "ok" if self.buckets.take(operation, now, self.sizes) else THROTTLED
        self.stranger_calls.append(
            Call(pair=0, member="stranger", operation=operation.value, sent_at=now, ended_at=now, code=code)
        )
        self._ask_later(operation)

    def _ask_later(self, operation: Operation) -> None:
        spread = self._random.uniform(1.0 - STRANGER_JITTER, 1.0 + STRANGER_JITTER)
        self._clockwork.after(spread / (STRANGER_RATE * self.scale), lambda: self._ask(operation))

    def forget(self) -> None:
        """Count calls anew."""
        self.calls.clear()
        self.stranger_calls.clear()


class _SharedBuckets(Buckets):
    """The lab's own arithmetic; each lab of the account is given this one in place of its own."""

    def __init__(self, sizes: Mapping[str, Size]) -> None:
        super().__init__()
        self.are_counted = False
        self._sizes = sizes

    def take(self, bucket: str, now: float, sizes: Mapping[str, Size]) -> bool:
        return not self.are_counted or super().take(bucket, now, {**sizes, **self._sizes})


def by_operation(calls: Iterable[Call]) -> Made:
    """How many calls of each kind, and how many of them were refused; most calls first."""
    made: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for call in calls:
        made[call.operation] += 1
        refused[call.operation] += call.is_refused
    return {name: (count, refused[name]) for name, count in made.most_common()}
