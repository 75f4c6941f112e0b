"""How soon a storm could be over at all: what no daemon can be faster than.

    floor(k) = max(detected(k), detected(1) + max(0, (k - depth) / refill)) + detach + attach + link

Before k pairs are served there were k detaches. No pair detaches before its probe has had enough down
answers: the k-th detach is not before detected(k), the k-th soonest of these moments. Each detach takes a
token of a bucket that is full (`depth`) until the first of them: the k-th token is there (k - depth) / refill
seconds after detected(1). The attaches follow through a bucket of the same size and need not wait again. Read
lag and API round trips are not part of the floor. All in seconds since the holders' death.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from eni_failover.adapters.ec2_model import Operation
from tests.fleet.fleet_world import Measured

FORMULA = "floor(k) = max(detected(k), detected(1) + max(0, (k - depth) / refill)) + detach + attach + link"
NEVER = math.inf
SHARES = (0.5, 0.95, 1.0)  # median, p95, last


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """The moments by which half, 95 % and all of the pairs were so far; infinity for never."""

    median: float
    p95: float
    last: float


def times(measured: Measured, name: str) -> Times:
    """Of all pairs of a storm: `name` is a field of `Served`."""
    return _shares(sorted_times(measured, name))


def sorted_times(measured: Measured, name: str) -> list[float]:
    """The same, one by one."""
    found = (getattr(one, name) for one in measured.served)
    return sorted(NEVER if moment is None else moment for moment in found)


def floor(measured: Measured) -> Times:
    """The floor of each of the three."""
    return _shares(floors(measured))


def floors(measured: Measured) -> list[float]:
    """floor(1), floor(2), ..."""
    depth, refill = measured.sizes[Operation.DETACH]
    detected = sorted_times(measured, "detected")
    return [
        max(seen, detected[0] + max(0.0, (place - depth) / refill)) + measured.moving_seconds
        for place, seen in enumerate(detected, start=1)
    ]


def _shares(moments: list[float]) -> Times:
    median, p95, last = (moments[math.ceil(share * len(moments)) - 1] for share in SHARES)
    return Times(median=median, p95=p95, last=last)
