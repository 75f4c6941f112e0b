"""From TOML's plain values to a `Document`, through every mistake to the end.

pydantic returns nothing for a file with one mistake, and the rules between values need the whole
document. So each wrong value is noted and taken out (its default stands in), and the rest is read
again. `Draft.is_intact` says which values are the file's own, so that no rule complains about a stand-in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from eni_failover.config.lines import Key
from eni_failover.config.mistakes import Mistake, explain
from eni_failover.config.schema import REPEATED, Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A document, and the keys of it that do not say what the file says.

    Values were taken out at `broken`; at `meant` some are likely written, under an unknown name.
    """

    document: Document
    broken: frozenset[Key] = frozenset()
    meant: frozenset[Key] = frozenset()

    def is_intact(self, *key: str | int) -> bool:
        """Whether the value at this key is what the user meant, written or not."""
        if any(key[:length] in self.broken for length in range(1, len(key) + 1)):
            return False
        # Members and probes are there or not: only the list of them may go on under another name.
        first = 2 if key[0] in REPEATED and len(key) > 1 else 1
        is_elsewhere = any(key[:length] in self.meant for length in range(first, len(key) + 1))
        return not is_elsewhere or self._is_written(key)

    def _is_written(self, key: Key) -> bool:
        """Whether the value at this key is the file's own; of a list of tables nobody can say."""
        inner: Any = self.document
        for part in key:
            if isinstance(part, int):
                inner = inner[part]
            elif part in inner.model_fields_set:
                inner = getattr(inner, part)
            else:
                return False
        return key[-1] not in REPEATED


def read(raw: dict[str, Any]) -> tuple[Draft, list[Mistake]]:
    """The document, and the mistakes that values have by themselves.

    `raw` is what tomllib returned; the wrong values are gone from it afterwards.
    """
    mistakes: list[Mistake] = []
    broken: set[Key] = set()
    meant: set[Key] = set()
    while True:
        try:
            document = Document.model_validate(raw)
        except ValidationError as error:
            found = [explain(one) for one in error.errors(include_url=False)]
            # A list that is wrong only without its wrong elements is no second mistake.
            mistakes += [one for one in found if not any(_is_within(other, one.key) for other in broken)]
            broken.update(one.key for one in found)
            meant.update(one.meant for one in found if one.meant is not None)
            _take_out(raw, (one.key for one in found))
        else:
            return Draft(document=document, broken=frozenset(broken), meant=frozenset(meant)), mistakes


def _is_within(key: Key, outer: Key) -> bool:
    return key[: len(outer)] == outer


def _take_out(raw: dict[str, Any], keys: Iterable[Key]) -> None:
    """Remove the values at these keys; from the end, so that positions in lists stay right.

    A whole member or probe leaves an empty table behind: the others keep their positions.
    """
    for key in sorted(keys, reverse=True):
        inner: Any = raw
        for part in key[:-1]:
            inner = inner[part]
        if len(key) == 2 and key[0] in REPEATED:
            inner[key[1]] = {}
        else:
            del inner[key[-1]]
