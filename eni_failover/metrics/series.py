"""The series of one family in this group: which exist, and quick access to each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from prometheus_client import Counter, Gauge, Histogram

Labels = tuple[str, ...]

_M = TypeVar("_M", Counter, Gauge, Histogram)


class Series(Generic[_M]):
    """One family's series by their label values (without the group), each looked up once."""

    def __init__(self, family: _M, group: str, exist: Iterable[Labels] = ()) -> None:
        self._family: _M = family
        self._group = group
        self._children: dict[Labels, _M] = {}
        self.only(exist)

    def __len__(self) -> int:
        return len(self._children)

    def __contains__(self, labels: object) -> bool:
        return labels in self._children

    def of(self, *labels: str) -> _M:
        """This series; made when it does not exist yet."""
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = self._family.labels(self._group, *labels)
        return child

    def foresee(self, exist: Iterable[Labels]) -> None:
        """These series exist from now on, at 0 until something happens; the others stay."""
        for labels in exist:
            self.of(*labels)

    def only(self, exist: Iterable[Labels]) -> None:
        """From now on exactly these series exist; those that stay keep their values."""
        wanted = set(exist)
        for labels in self._children.keys() - wanted:
            self._family.remove(self._group, *labels)
            del self._children[labels]
        for labels in wanted:
            self.of(*labels)


def show(series: Series[Gauge], values: Mapping[Labels, float]) -> None:
    """Exactly these series, with these values."""
    series.only(values)
    for labels, value in values.items():
        series.of(*labels).set(value)


def show_time(series: Series[Gauge], at_wall: float | None) -> None:
    """A time; no series at all for one that has not been: 0 would be a moment of 1970."""
    show(series, {} if at_wall is None else {(): at_wall})


def one_of(words: Iterable[str], word: str) -> dict[Labels, float]:
    """An enumeration: 1 for its present word, 0 for each other."""
    return {(one,): float(one == word) for one in (*words, word)}
