"""Answers of EC2's that lack one item: what was changed a moment ago is not everywhere at once.

Owns which item, for whom and how often. Must not know what is made of such an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eni_failover.adapters.ec2_model import Operation

LISTED = {Operation.DESCRIBE_ENIS: "NetworkInterfaces", Operation.DESCRIBE_INSTANCES: "Reservations"}


class Gaps:
    """By the instance that asks."""

    def __init__(self) -> None:
        self._left: dict[tuple[str, str], int] = {}

    def hide(self, item: str, *, asker: str, count: int) -> None:
        """The next answers to this instance that would show this ENI or instance do not."""
        self._left[asker, item] = count

    def show_all(self) -> None:
        """Answers are whole again."""
        self._left.clear()

    def punched(self, operation: Operation, asker: str, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer as this instance gets it."""
        key = LISTED.get(operation)
        if key is None or not self._left:
            return answer
        hidden = {item for who, item in self._left if who == asker}
        shown = [one for one in answer[key] if not _names(one) & hidden]
        for item in hidden & {name for one in answer[key] for name in _names(one)}:
            self._left[asker, item] -= 1
            if not self._left[asker, item]:
                del self._left[asker, item]
        return {**answer, key: shown}


def _names(described: Mapping[str, Any]) -> set[str]:
    """The ENI that is described, or the instances of a reservation."""
    instances = {one["InstanceId"] for one in described.get("Instances", ())}
    return instances or {described["NetworkInterfaceId"]}
