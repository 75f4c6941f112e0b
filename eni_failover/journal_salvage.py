"""What a journal line of another version, or a spoilt one, still says.

Fields that this version does not know are ignored. A word or value that it does not know is replaced by what
is safe: a takeover under way must still roll forward, what holds takeovers back must still do so, and a call
that may have been made counts as unanswered. Else the field's default holds, or the item is left out.
Everything that was left out or replaced is reported.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from eni_failover.core.model import PauseKind
from eni_failover.core.state import Sent
from eni_failover.core.vocabulary import Reason, Trigger

T = TypeVar("T")
Line = dict[str, Any]
Place = tuple[str | int, ...]

_ROUNDS = 8  # each goes one level up where nothing else helps; the memory is not as deep

_USUAL: dict[str, Reason] = {
    Trigger.PROBES: Reason.HOLDER_DOWN,
    Trigger.EC2: Reason.HOLDER_STOPPED,
    Trigger.UNOWNED: Reason.ENI_UNOWNED,
    Trigger.SPLIT: Reason.GROUP_SPLIT,
    Trigger.MANUAL: Reason.OPERATOR,
    Trigger.FAILBACK: Reason.PRIMARY_RECOVERED,
}

# What a field becomes, and what must go with it: from the line and the object that the field is in.
_Safe = Callable[[Line, Mapping[str, Any]], dict[str, Any]]


def _as(**values: Any) -> _Safe:
    return lambda _line, _around: values


def _written(name: str) -> _Safe:
    """As if it had been when the line was written: what counts from there holds back the longest."""
    return lambda line, _around: {name: line["now"]}


def _perhaps(call: str) -> _Safe:
    """The call may have been made: EC2 shows whether it was."""
    sent_at = f"{call}_sent_at"

    def values(line: Line, around: Mapping[str, Any]) -> dict[str, Any]:
        known = around.get(sent_at)
        return {call: Sent.UNANSWERED, sent_at: line["now"] if known is None else known}

    return values


def _reason(_line: Line, around: Mapping[str, Any]) -> dict[str, Any]:
    trigger = around.get("trigger")
    return {
        "reason": _USUAL.get(trigger, Reason.ENI_UNOWNED) if isinstance(trigger, str) else Reason.ENI_UNOWNED
    }


_PAUSE: dict[str, _Safe] = {
    "kind": _as(kind=PauseKind.PAUSE),
    "at": lambda line, _around: {"at": line["wall"]},
}
_SAFE: dict[tuple[str, ...], _Safe] = {
    ("failback_at",): _written("failback_at"),
    ("failback_blocked",): _as(failback_blocked=True),
    ("past", "trigger"): _as(trigger=Trigger.PROBES),
    ("past", "ended_at"): _written("ended_at"),
    ("local_pause", "local"): _as(local=True),
    **{(pause, name): safe for pause in ("pause", "local_pause") for name, safe in _PAUSE.items()},
    ("takeover", "takeover_id"): _as(takeover_id="unknown"),
    ("takeover", "from_member"): _as(from_member="unknown"),
    # Past its point of no return it is carried on like any other; before, only for an ENI without a holder.
    ("takeover", "trigger"): _as(trigger=Trigger.UNOWNED),
    ("takeover", "reason"): _reason,
    **{("takeover", name): _written(name) for name in ("started_at", "cause_at", "matched_at")},
    ("takeover", "started_wall"): lambda line, _around: {"started_wall": line["wall"]},
    ("takeover", "moves"): _as(moves=[]),
    ("takeover", "fence"): _perhaps("fence"),
    ("takeover", "fence_sent_at"): _written("fence_sent_at"),
    ("takeover", "moves", "recorded"): _as(recorded=None),  # may not be detached
    ("takeover", "moves", "detach"): _perhaps("detach"),
    ("takeover", "moves", "detach_sent_at"): _written("detach_sent_at"),
    ("takeover", "moves", "attach"): _perhaps("attach"),
    ("takeover", "moves", "attach_sent_at"): _written("attach_sent_at"),
}


def salvaged(adapter: TypeAdapter[T], line: Line, problems: list[str]) -> T | None:
    """What the line says, as far as it can be understood; None when nothing of it can. Reports the rest."""
    data, kind = line["data"], line["kind"]
    for round_ in range(_ROUNDS):
        try:
            # Strict: else pydantic takes the text "nan" for a number. From JSON: it has no tuples and enums.
            found = adapter.validate_json(json.dumps(data), strict=True)
        except RecursionError:
            break
        except ValidationError as error:
            places = {mistake["loc"] for mistake in error.errors(include_url=False, include_context=False)}
            if () in places:
                break
            data = data if round_ else copy.deepcopy(data)
            for place in sorted(places, reverse=True):  # from the end of a list: the places before it stay
                _repair(data, place, line, problems)
        else:
            problems += (
                f"journal {kind}: {name}: not known to this version" for name in _unknown(data, found)
            )
            return found
    problems.append(f"journal {kind} not understood: ignored")
    return None


def _repair(data: Any, place: Place, line: Line, problems: list[str]) -> None:
    """Puts what is safe in this place, in the data itself, or leaves out the least that can be."""
    while place:
        around = _inside(data, place[:-1])
        last = place[-1]
        if isinstance(around, dict) and isinstance(last, str):
            safe = _SAFE.get(tuple(step for step in place if isinstance(step, str)))
            if safe is not None:
                values = safe(line, around)
                problems.append(f"{_named(line, place, around)}: {values[last]!s} is assumed")
                around.update(values)
                return
            if last in around:
                problems.append(f"{_named(line, place, around)}: left out")
                del around[last]
                return
        elif isinstance(around, list) and isinstance(last, int) and not isinstance(place[-2], int):
            if last < len(around):
                problems.append(f"{_named(line, place, around)}: left out")
                del around[last]
            return
        place = place[:-1]


def _inside(data: Any, place: Place) -> Any:
    for step in place:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _named(line: Line, place: Place, around: Any) -> str:
    """The place, and what stood there: on one line, and short, whoever wrote it."""
    where = f"journal {line['kind']}: {'.'.join(map(str, place))}"
    last = place[-1]
    is_there = last in around if isinstance(around, dict) else True
    return f"{where}: {ascii(around[last])[:60]} is not understood" if is_there else f"{where} is missing"


def _unknown(data: Any, found: object, place: str = "") -> Iterator[str]:
    """The names of the fields in the data that what was found does not have."""
    if isinstance(found, tuple) and isinstance(data, list):
        for inner, item in zip(data, found, strict=False):
            yield from _unknown(inner, item, place)
    elif is_dataclass(found) and isinstance(data, dict):
        names = {field.name for field in fields(found)}
        for name, inner in data.items():
            where = f"{place}.{name}" if place else name
            if name in names:
                yield from _unknown(inner, getattr(found, name), where)
            else:
                yield ascii(where)[1:61].rstrip("'")
