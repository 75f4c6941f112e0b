"""A node's looks at EC2, which go on beside its passes as those of the daemon do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from eni_failover.core.model import EniSurvey, InstanceSurvey
from tests.core import builders

if TYPE_CHECKING:
    from tests.core.world_node import Node

LEAST_GAP = 0.01

T = TypeVar("T")


class Looks(Generic[T]):
    """One kind of look: made when it is wanted, one at a time; each answer brings a pass.

    `read` gets the moment at which the look began, on the node's clock, and is called when the
    question has reached EC2.
    """

    def __init__(self, node: Node, first: T, read: Callable[[float], T]) -> None:
        self.newest = first
        self._node = node
        self._read = read
        self._last = -1.0
        self._flying = False
        self._wish = 0

    def want(self, at: float) -> None:
        """The core wants the next look then; while one is under way the pass after it says when."""
        if self._flying:
            return
        self._wish += 1
        wish = self._wish
        delay = max(at, self._last + LEAST_GAP) - self._node.clock()
        self._node.after(max(0.0, delay), lambda: self._begin() if wish == self._wish else None)

    def _begin(self) -> None:
        node, half = self._node, self._node.world.latency / 2
        self._flying, self._last = True, node.clock()
        began_at, life = self._last, node.life
        node.world.after(half, lambda: self._reach(began_at, half) if node.life == life else None)

    def _reach(self, began_at: float, half: float) -> None:
        answer = self._read(began_at)
        self._node.after(half, lambda: self._end(answer))

    def _end(self, answer: T) -> None:
        self.newest, self._flying = answer, False
        self._node.wake()


def enis(node: Node) -> Looks[EniSurvey]:
    """The looks at the group's ENIs; they may be late, and fail in an outage."""
    world, count = node.world, len(node.policy.eni_ids)

    def read(began_at: float) -> EniSurvey:
        if node.name in world.outage:
            return builders.silence(count, at=began_at)
        return world.ec2.describe_enis(began_at, lag=world.random.random() * world.lag)

    return Looks(node, builders.silence(count, at=node.clock()), read)


def instances(node: Node) -> Looks[InstanceSurvey]:
    """The looks at the members' instances."""
    world = node.world

    def read(began_at: float) -> InstanceSurvey:
        if node.name in world.outage | world.blind:
            return builders.instances(at=began_at, answered=False)
        seen = world.ec2.describe_instances(began_at)
        known = (one for one in seen.instances if one.instance_id not in world.forgotten)
        return builders.instances(*known, at=began_at)

    return Looks(node, builders.instances(at=node.clock(), answered=False), read)
