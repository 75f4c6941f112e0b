"""The network between hosts, and from each of them to EC2's API and to the witness.

Owns which packets get through. Must not know what is in them. Does not guarantee an order of delivery: a
question and its answer are one exchange here.
"""

from __future__ import annotations

import random
from enum import StrEnum

API = "api"
WITNESS = "net"


class Exchange(StrEnum):
    """What became of a question and its answer."""

    DONE = "done"
    UNASKED = "unasked"
    """The question did not arrive."""
    UNHEARD = "unheard"
    """The answer did not."""


class Network:
    """Directed ways between named places; all are open at the beginning."""

    def __init__(self, rng: random.Random) -> None:
        self._random = rng
        self._blocked: set[tuple[str, str]] = set()
        self._loss: dict[tuple[str, str], float] = {}

    def block(self, source: str, target: str) -> None:
        """No packet gets from source to target any more."""
        self._blocked.add((source, target))

    def lose(self, source: str, target: str, share: float) -> None:
        """This share of the packets from source to target is lost."""
        self._loss[source, target] = share

    def heal(self, source: str, target: str) -> None:
        """This way is open again."""
        self._blocked.discard((source, target))
        self._loss.pop((source, target), None)

    def heal_all(self) -> None:
        """Every way is open again."""
        self._blocked.clear()
        self._loss.clear()

    def exchange(self, asker: str, asked: str) -> Exchange:
        """One question and its answer."""
        if not self._passes(asker, asked):
            return Exchange.UNASKED
        return Exchange.DONE if self._passes(asked, asker) else Exchange.UNHEARD

    def is_open(self, one: str, other: str) -> bool:
        """Whether everything gets through between these two."""
        ways = {(one, other), (other, one)}
        return not (ways & self._blocked or ways & self._loss.keys())

    @property
    def is_lossy(self) -> bool:
        """Whether the next exchange may differ from the last."""
        return bool(self._loss)

    def _passes(self, source: str, target: str) -> bool:
        if (source, target) in self._blocked:
            return False
        share = self._loss.get((source, target), 0.0)
        return not share or self._random.random() >= share
