"""Whose description each item of an answer is.

Owns when an answer leaves open what became of something that it does not describe: a filtered describe
brings what was asked for and nothing else, so an item without an id, or with another one, may be the
very thing; and two descriptions that differ prove nothing. Must not know what the items say. Is not for
describes by tag, which ask for no ids.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from eni_failover.adapters.ec2_errors import CONNECTION
from eni_failover.errors import UnansweredError

Raw = Mapping[str, Any]


def items_by_id(raws: Iterable[Raw], *, key: str, asked: Collection[str]) -> tuple[dict[str, Raw], bool]:
    """The items asked for, by what they have under `key`, and whether nothing in the answer was doubtful.

    Only if so, what is not among them does not exist.
    """
    found: dict[str, Raw] = {}
    doubtful: set[str] = set()
    for raw in raws:
        name = str(raw.get(key) or "")
        if name not in asked or found.setdefault(name, raw) != raw:
            doubtful.add(name)
    return {name: raw for name, raw in found.items() if name not in doubtful}, not doubtful


def instances_asked_for(reservations: Iterable[Raw], asked: Collection[str]) -> dict[str, Raw]:
    """The instances in an answer's reservations, by id.

    Raises UnansweredError when the answer leaves open which of those asked for exist. A reservation
    that EC2 shows has an instance.
    """
    raws: list[Raw] = []
    for one in reservations:
        if not one.get("Instances"):
            raise UnansweredError("the answer has a reservation without instances", code=CONNECTION)
        raws += one["Instances"]
    found, is_sure = items_by_id(raws, key="InstanceId", asked=asked)
    if not is_sure:
        raise UnansweredError("the answer does not tell its instances apart", code=CONNECTION)
    return found
