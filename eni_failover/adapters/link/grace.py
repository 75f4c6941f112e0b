"""For how long a link waits for its IPv6, while it serves IPv4, before it counts as ready without.

The IPv6 router of a subnet may take seconds to be heard, and may never be: that is no reason to call a link
that serves IPv4 unready for ever. An answer that leaves by another link is never excused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from eni_failover.adapters.link import needs
from eni_failover.adapters.link.needs import Missing
from eni_failover.core.policy import EniId

ALONE_AFTER: Final = 5.0
"""Seconds. A router is asked for three times within it, as a rule."""


_EXCUSED: Final = frozenset({Missing.ADDRESS, Missing.RULE, Missing.ROUTE})


class Grace:
    """`clock` is monotonic, in seconds. `due` is when a wait ends that is under way."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._indexes: dict[EniId, int] = {}
        self._since: dict[EniId, float] = {}
        self._waits: dict[EniId, float] = {}

    @property
    def due(self) -> float | None:
        """When to look again, though nothing has happened."""
        return min(self._waits.values(), default=None)

    def missing(self, eni_id: EniId, index: int, lacks: Mapping[int, frozenset[Missing]]) -> tuple[str, ...]:
        """What keeps the link with this index from being ready, given what each family lacks."""
        self._waits.pop(eni_id, None)
        is_new = self._indexes.get(eni_id) != index
        self._indexes[eni_id] = index
        found = needs.words(lacks)
        if is_new or not _is_excused(lacks):
            self._since.pop(eni_id, None)
        if not _is_excused(lacks):
            return found
        # A link that serves when it is seen first was there before this daemon, and has waited.
        since = self._since.setdefault(eni_id, float("-inf") if is_new else self._clock())
        if self._clock() >= since + ALONE_AFTER:
            return ()
        self._waits[eni_id] = since + ALONE_AFTER
        return found


def _is_excused(lacks: Mapping[int, frozenset[Missing]]) -> bool:
    """Whether IPv4 serves, and IPv6 has not come up."""
    return lacks.get(4) == frozenset() and bool(lacks.get(6)) and lacks[6] <= _EXCUSED
