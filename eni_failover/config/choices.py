"""Values that are one of a few words, or a word or a number.

Owns how such a value is read and how a wrong one is explained. Each function raises ValueError in
the user's words.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeGuard, TypeVar

from eni_failover.config.wording import found, shown

ALL = "all"
ANY = "any"
AUTO = "auto"

Word = TypeVar("Word", bound=StrEnum)


def one_of(words: type[Word]) -> Callable[[object], Word]:
    """A reader of the words of this enumeration."""
    allowed = ", ".join(shown(word) for word in words)

    def read(value: object) -> Word:
        if isinstance(value, str) and value in list(words):
            return words(value)
        raise ValueError(f"must be one of {allowed}, not {found(value)}")

    return read


def device_index(value: object) -> int | None:
    """None for "auto", else an index; 0 is an instance's primary ENI, which EC2 never lets go."""
    if value == AUTO:
        return None
    if _is_number(value) and 1 <= value <= 255:
        return value
    raise ValueError(
        f'must be "auto" or a whole number of 1 to 255 (0 is the primary ENI), not {found(value)}'
    )


def down_when(value: object) -> int | str:
    """How many holder probes must be down: "all", "any" or a number from 1."""
    if (isinstance(value, str) and value in {ALL, ANY}) or (_is_number(value) and value >= 1):
        return value
    raise ValueError(f'must be "all", "any" or a whole number from 1, not {found(value)}')


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
