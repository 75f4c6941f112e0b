"""The book of all members' situations that were met, each kept once, and of what became of each.

What a member does depends on its own situation and on what it is shown, so the same local step in many
interleavings is made once. `Book(keeps=False)` makes every step anew: a trace found with the book is
played again without it before it is believed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable

from tests.sim import explored_key
from tests.sim.explored_node import Node, Shows, shows
from tests.sim.explored_pass import Violation

Act = Callable[..., Node]


class Book:
    """Members by their key, and the outcome of every local step taken."""

    def __init__(self, *, keeps: bool = True) -> None:
        self._keeps = keeps
        self._nodes: dict[explored_key.Key, Node] = {}
        self._numbers: dict[Hashable, int] = {}
        self._taken: dict[Hashable, Node | Violation] = {}
        self._shows: dict[Node, Shows] = {}
        self._idents: dict[Node, frozenset[int]] = {}
        self._seen: dict[Node, frozenset[int]] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def do(self, node: Node, act: Act, *told: Hashable) -> Node:
        """The member after this local step. Raises Violation."""
        if not self._keeps:
            return act(node, *told)
        step = (act, node, *told)
        found = self._taken.get(step)
        if found is None:
            try:
                found = self._kept(act(node, *told))
            except Violation as finding:
                found = finding
            self._taken[step] = found
        if isinstance(found, Violation):
            raise found
        return found

    def _kept(self, node: Node) -> Node:
        return self._nodes.setdefault(explored_key.key(node), node)

    def number(self, thing: Hashable) -> int:
        """A small number for this member, or this state of EC2; the same for the same."""
        return self._numbers.setdefault(thing, len(self._numbers))

    def shows(self, node: Node) -> Shows:
        """What the member's /status tells."""
        found = self._shows.get(node)
        if found is None:
            found = self._shows[node] = shows(node)
        return found

    def idents(self, node: Node) -> frozenset[int]:
        """The ids of attachments that this member remembers anywhere."""
        found = self._idents.get(node)
        if found is None:
            words = re.findall(r"att-(\d+)", repr(explored_key.key(node)))
            found = self._idents[node] = frozenset({int(word) for word in words} | self.seen(node))
        return found

    def seen(self, node: Node) -> frozenset[int]:
        """The ids that this member's survey shows, or that a call of its on its way was decided on."""
        found = self._seen.get(node)
        if found is None:
            flights = {one.token for one in (*node.flights, *node.strays)}
            found = self._seen[node] = frozenset(flights.union(node.tokens))
        return found
