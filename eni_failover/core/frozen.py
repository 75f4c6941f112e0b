"""New frozen values from old ones: some fields changed, or all times moved."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

Frozen = TypeVar("Frozen")


def changed(value: Frozen, **changes: Any) -> Frozen:
    """The frozen value with these fields; the very same one when that makes no difference.

    At rest nearly nothing differs from pass to pass: what is the same need not be made, or looked at, again.
    """
    for name, new in changes.items():
        if getattr(value, name) != new:
            return replace(value, **changes)  # type: ignore[type-var]
    return value


def rebase(value: Any, by: float) -> Any:
    """The same frozen value with each of its monotonic times moved by `by` seconds.

    Times are recognised by their names, `*_at` and `*_since`, down through nested values.
    """
    if isinstance(value, tuple):
        return tuple(rebase(item, by) for item in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changes = {}
    for item in fields(value):
        inner = getattr(value, item.name)
        if item.name.endswith(("_at", "_since")):
            changes[item.name] = None if inner is None else inner + by
        else:
            changes[item.name] = rebase(inner, by)
    return replace(value, **changes)
