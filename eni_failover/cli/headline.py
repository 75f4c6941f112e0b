"""The first words of `eni-failover status`: how the group stands, what happens next by itself, what to do.

Takes the document of `/status` as it came. A daemon of before there was `outage` or `next_holder` says
nothing of them, and then nothing is claimed about them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from eni_failover.cli.terminal import clock, span, wall
from eni_failover.core.vocabulary import (
    NO_MEMBER,
    UNKNOWN,
    Answer,
    CheckResult,
    Reason,
    Role,
    Scope,
    clause,
    wrong,
)

Document = Mapping[str, Any]

_JUST_NOW = 1.5
_MOVING = {"attaching", "detaching"}
_TO_DO = {
    Reason.PAUSED: "eni-failover resume",
    Reason.OBSERVES: 'write takeover = "automatic", then: eni-failover reload',
    Reason.NO_OTHER_MEMBER: "add a member to the file of every member",
}


class Tone(StrEnum):
    """How urgent it is; each has a colour, and its words say the same without it."""

    OUTAGE = "outage"
    WARN = "warn"
    BUSY = "busy"
    WELL = "well"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Headline:
    """The sentence, and the lines below it: what happens next by itself, and what to do."""

    tone: Tone
    sentence: str
    more: tuple[str, ...] = ()


def headline(document: Document) -> Headline:
    """What an operator must know first."""
    found = (
        _moving(document)
        or _outage(document)
        or _fault(document)
        or _without_holder(document)
        or _nobody_next(document)
        or _troubled(document)
    )
    return found or _well(document)


def because(reason: object) -> str:
    """The reason as a clause, with the word itself; a word that this version does not know, alone."""
    known = clause(reason)
    return str(reason) if known is None else f"{known} ({reason})"


def now_of(document: Document) -> float | None:
    """When the document was written, by the daemon's clock."""
    return wall(document.get("now"))


def inner(document: Document, name: str) -> Document | None:
    """An object in the document; None when there is none."""
    found = document.get(name)
    return found if isinstance(found, Mapping) else None


def listed(document: Document, name: str) -> Sequence[Document]:
    """The objects of a list in the document."""
    found = document.get(name)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def problems(document: Document, *results: CheckResult) -> list[Document]:
    """The checks with these results, in this order of results."""
    return [one for result in results for one in listed(document, "checks") if one.get("result") == result]


def when(value: object, now: float | None) -> str:
    """A time of the document: the clock, and how far that is from the document's own time."""
    at = wall(value)
    if at is None:
        return "an unknown time"
    if now is None:
        return clock(at, None)
    away = abs(now - at)
    if away < _JUST_NOW:
        return f"{clock(at, now)} (now)"
    return f"{clock(at, now)} ({span(away)} ago)" if at <= now else f"{clock(at, now)} (in {span(away)})"


def _moving(document: Document) -> Headline | None:
    takeover, now = inner(document, "takeover"), now_of(document)
    follow = ("It goes on by itself. To follow it: eni-failover status --watch",)
    if takeover is not None:
        phase, since = takeover.get("phase"), when(takeover.get("since"), now)
        sentence = (
            f"Takeover under way: {document.get('member')} is taking over, phase {phase}, since {since}."
        )
        return Headline(Tone.BUSY, sentence, follow)
    taking = [one.get("member") for one in listed(document, "peers") if one.get("role") == Role.TAKING]
    if document.get("role") == Role.TAKING:
        taking = [document.get("member")]
    if taking:
        return Headline(Tone.BUSY, f"Takeover under way: {taking[0]} is taking over.", follow)
    moving = [one for one in listed(document, "enis") if one.get("status") in _MOVING]
    if moving:
        eni = moving[0]
        sentence = f"The group is moving: {eni.get('id')} is {eni.get('status')}, on {eni.get('member')}."
        return Headline(Tone.BUSY, sentence, follow)
    return None


def _outage(document: Document) -> Headline | None:
    outage, now = inner(document, "outage"), now_of(document)
    if outage is None:
        return None
    reason = outage.get("reason")
    sentence = f"OUTAGE since {when(outage.get('since'), now)}: {wrong(str(document.get('holder')), reason)}."
    who, remedy = _whose(document, str(outage.get("remedy") or ""))
    if outage.get("ends_at") is None:
        ahead = f"{who or 'The group'} does not {'take over' if who else 'move'} by itself"
    else:
        ahead = f"{who or 'A standby'} takes over by itself at {when(outage['ends_at'], now)}"
    on = "" if who in ("", document.get("member")) else f", on {who}"
    lines = (f"{ahead}: {because(reason)}.", f"What to do{on}: {remedy}" if remedy else "")
    return Headline(Tone.OUTAGE, sentence, tuple(line for line in lines if line))


def _whose(document: Document, remedy: str) -> tuple[object, str]:
    """Who is to act, and the remedy. A holder repeats another member's, with that one's name before it."""
    if document.get("member") != document.get("holder"):
        return document.get("member"), remedy
    names = [str(one.get("member")) for one in listed(document, "peers")]
    name = next((one for one in names if remedy.startswith(f"{one}: ")), "")
    return name, remedy.removeprefix(f"{name}: ") if name else remedy


def _fault(document: Document) -> Headline | None:
    """A holder that is not ready to serve, this member or another."""
    holder = document.get("holder")
    shown = [document, *(one for one in listed(document, "peers") if one.get("reachable"))]
    if not any(one.get("member") == holder and one.get("role") == Role.FAULT for one in shown):
        return None
    is_mine = holder == document.get("member")
    sentence = f"FAULT: {holder} holds the group, and is not ready to serve it."
    remedies = [one.get("remedy") for one in problems(document, CheckResult.FAIL) if one.get("remedy")]
    to_do = str(remedies[0]) if is_mine and remedies else "eni-failover status"
    return Headline(Tone.OUTAGE, sentence, (f"What to do{'' if is_mine else f', on {holder}'}: {to_do}",))


def _without_holder(document: Document) -> Headline | None:
    holder = str(document.get("holder", UNKNOWN))
    if holder not in NO_MEMBER:
        return None
    decision = inner(document, "decision") or {}
    text = NO_MEMBER[holder]
    why = f"{decision.get('action')}, {because(decision.get('reason'))}"
    lines = (f"Last decision of {document.get('member')}: {why}.", "What to do: eni-failover check")
    tone = Tone.WARN if holder == UNKNOWN else Tone.OUTAGE
    return Headline(tone, f"{text[0].upper()}{text[1:]}.", lines)


def _nobody_next(document: Document) -> Headline | None:
    following = inner(document, "next_holder")
    if following is None or following.get("member") is not None:
        return None
    holder, reason = document.get("holder"), following.get("reason")
    lines = [f"If {holder} died now, its addresses would stay there: {because(reason)}."]
    paused = inner(document, "paused")
    if reason == Reason.PAUSED and paused is not None and paused.get("until") is not None:
        lines.append(f"The pause ends by itself at {when(paused['until'], now_of(document))}.")
    lines.extend(f"What to do{text}" for text in _remedies(document, reason))
    return Headline(Tone.WARN, f"{holder} holds the group, and nobody could take over.", tuple(lines))


def _remedies(document: Document, reason: object) -> Iterator[str]:
    """What would make a member ready again, of this one and of the others."""
    known = next((text for one, text in _TO_DO.items() if one == reason), None)
    if known is not None:
        yield f": {known}{' --local' if known.endswith('resume') and _is_local(document) else ''}"
        return
    if document.get("member") != document.get("holder"):
        remedies = [one.get("remedy") for one in problems(document, CheckResult.FAIL) if one.get("remedy")]
        yield f": {remedies[0]}" if remedies else ": eni-failover check"
    yield from _on_others(document)


def _on_others(document: Document) -> Iterator[str]:
    for peer in listed(document, "peers"):
        name = peer.get("member")
        if not peer.get("reachable"):
            yield f", on {name}: see whether its daemon runs: systemctl status 'eni-failover*'"
        elif name != document.get("holder") and peer.get("ready") is False:
            yield f", on {name}: eni-failover check"


def _is_local(document: Document) -> bool:
    return bool((inner(document, "paused") or {}).get("local"))


def _troubled(document: Document) -> Headline | None:
    """Somebody could take over, or that is not told, and yet not all is well."""
    holds = _holds(document)
    paused, failing = inner(document, "paused"), problems(document, CheckResult.FAIL)
    if paused is not None:
        until = "it is resumed" if paused.get("until") is None else when(paused["until"], now_of(document))
        text = f"{document.get('member')} takes nothing by itself"
        text = text if paused.get("local") else "nobody takes over by itself"
        lines = (f"What to do: eni-failover resume{' --local' if _is_local(document) else ''}",)
        return Headline(Tone.WARN, f"{holds} Paused: {text} until {until}.", lines)
    if document.get("ready") is False or failing:
        who = document.get("member")
        first = failing[0] if failing else {}
        remedy = first.get("remedy") or "eni-failover check"
        what = (
            "something is wrong here" if who == document.get("holder") else f"{who} could not take over now"
        )
        named = f": {first.get('name')}, {first.get('detail')}" if first else ""
        return Headline(Tone.WARN, f"{holds} But {what}{named}.", (f"What to do: {remedy}",))
    down = [one for one in listed(document, "probes") if _is_down(one)]
    if down:
        text = f"But its probe {down[0].get('name')} is down: {down[0].get('detail') or 'no detail'}."
        return Headline(Tone.WARN, f"{holds} {text}", ("To follow it: eni-failover status --watch",))
    silent = [one.get("member") for one in listed(document, "peers") if one.get("reachable") is False]
    if silent:
        to_do = tuple(f"What to do{text}" for text in _on_others(document))
        return Headline(Tone.WARN, f"{holds} But the daemon of {silent[0]} does not answer.", to_do)
    return None


def _is_down(probe: Document) -> bool:
    return probe.get("scope") == Scope.HOLDER and probe.get("state") == Answer.DOWN


def _holds(document: Document) -> str:
    following = inner(document, "next_holder")
    could = "" if following is None else f", and {following.get('member')} could take over"
    return f"{document.get('holder')} holds the group{could}."


def _well(document: Document) -> Headline:
    if inner(document, "next_holder") is None:
        text = f"{document.get('member')} is {document.get('role')}"
        note = "Its daemon is of a version that does not say who could take over."
        return Headline(Tone.PLAIN, f"{document.get('holder')} holds the group; {text}.", (note,))
    warned = [str(one.get("name")) for one in problems(document, CheckResult.WARN)]
    if warned:
        return Headline(Tone.WARN, f"{_holds(document)} With warnings: {', '.join(warned)}.")
    return Headline(Tone.WELL, f"All well: {_holds(document)}")
