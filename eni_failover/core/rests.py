"""What waits for a while before it is tried again, and for how long: one table.

No rest keeps an ENI without a holder for more than a minute.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from eni_failover.core.policy import Policy
from eni_failover.core.state import Rest, State

SHORTEST_UNATTACHED = 10.0  # EC2 is not asked again and again for what it refuses
LONGEST_UNATTACHED = 60.0


def _seconds(rest: Rest, policy: Policy) -> float:
    match rest:
        case Rest.RESCUE:
            return max(SHORTEST_UNATTACHED, min(policy.cooldown, LONGEST_UNATTACHED))
        case Rest.SPLIT:
            return min(policy.cooldown, LONGEST_UNATTACHED)
        case Rest.FENCE:
            return policy.cooldown
        case Rest.KEEP:
            return 60.0
        case _:
            assert_never(rest)


def begin(state: State, rest: Rest, policy: Policy, now: float) -> State:
    """The state in which this rests from now on."""
    others = tuple((kind, until) for kind, until in state.rests if kind is not rest and until > now)
    return replace(state, rests=(*others, (rest, now + _seconds(rest, policy))))


def until(state: State, rest: Rest) -> float:
    """Until when this rests; 0 when it does not."""
    return dict(state.rests).get(rest, 0.0)
