"""The JSON of `/status` and `history`: from the frozen values, and back from another member's.

Owns the spelling of the documents (schema 1): names, times, what is null. Pure: knows no socket and
no clock. Does not guarantee that a peer's document is true, only that what is taken from it has the
right types, is bounded, and can be written out again.

Times are RFC 3339 UTC with microseconds and `Z`. A pause record crosses hosts in this form: writing
a time that was read gives the same text, so the same record never looks newer than itself for long. Its
length crosses as the time that remains (core/pause.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eni_failover.core.model import SHOWN_TAKEOVERS, History, Outage, PauseKind, PauseRecord, Peer, PeerEni
from eni_failover.core.pause import LONGEST, remaining
from eni_failover.core.policy import Member
from eni_failover.core.snapshot import Check, Snapshot, TakeoverLine
from eni_failover.core.vocabulary import CheckResult, Phase, Reason, Result, Trigger

SCHEMA = 1

# Python's calendar ends with the year 9999; a time that cannot be written again must not be taken over.
_LATEST_WALL = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
# Stamps of two records differ by a millisecond or more (core/pause.py); their texts round to microseconds.
_SAME_RECORD = 0.0005
# More than any instance type takes (DescribeInstanceTypes): of a stranger's list no more is kept.
_MOST_ENIS = 64
_MOST_ADDRESSES = 256
_MOST_CHECKS = 64


def time_text(wall: float) -> str:
    """This time, in seconds since the epoch, as `2026-11-23T03:17:00.250000Z`."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def to_document(snapshot: Snapshot) -> dict[str, Any]:
    """The body of `/status`."""
    return {
        "schema": SCHEMA,
        "version": snapshot.version,
        "group": snapshot.group,
        "member": snapshot.member,
        "instance_id": snapshot.instance_id,
        "role": snapshot.role,
        "holder": snapshot.holder,
        "enis": [
            {
                "id": eni.eni_id,
                "status": eni.status,
                "member": eni.member,
                "attachment_id": eni.attachment_id,
                "addresses": list(eni.addresses),
            }
            for eni in snapshot.enis
        ],
        "probes": [
            {
                "name": probe.name,
                "scope": probe.scope,
                "member": probe.member,
                "state": probe.state,
                "consecutive": probe.consecutive,
                "detail": probe.detail,
            }
            for probe in snapshot.probes
        ],
        "ready": snapshot.ready,
        "checks": [check_document(check) for check in snapshot.checks],
        "decision": {
            "action": snapshot.decision.action,
            "reason": snapshot.decision.reason,
            "at": time_text(snapshot.decision.at_wall),
        },
        "paused": _paused_document(pause_in_force(snapshot), snapshot.at),
        "pause_record": _record_document(snapshot.pause, snapshot.at),
        "acknowledged": list(acknowledged(snapshot.pause, snapshot)),
        "takeover": _takeover_document(snapshot.takeover),
        "last_takeover": None if snapshot.last_takeover is None else history_document(snapshot.last_takeover),
        "takeovers": [history_document(line) for line in snapshot.takeovers],
        "outage": _outage_document(snapshot.outage),
        "expected": {
            "detect_s": snapshot.expected.detect,
            "detach_s": snapshot.expected.detach,
            "attach_s": snapshot.expected.attach,
        },
        "next_holder": {
            "member": snapshot.next_holder.member,
            "reason": snapshot.next_holder.reason,
        },
        "peers": [_peer_document(peer) for peer in snapshot.peers],
        "config_hash": snapshot.config_hash,
        "now": time_text(snapshot.at_wall),
    }


def check_document(check: Check) -> dict[str, Any]:
    """One readiness check of `/status`."""
    return {"name": check.name, "result": check.result, "detail": check.detail, "remedy": check.remedy}


def history_document(line: History) -> dict[str, Any]:
    """One takeover that ended: its whole length in seconds, and the phases that happened, in order."""
    spent: dict[Phase, float] = {}
    for phase, seconds in line.phases:
        spent[phase] = spent.get(phase, 0.0) + seconds
    return {
        "id": line.takeover_id,
        "trigger": line.trigger,
        "reason": line.reason,
        "from": line.from_member,
        "to": line.to_member,
        "started_at": time_text(line.started_wall),
        "ended_at": time_text(line.ended_wall),
        "result": line.result,
        "duration_s": line.took,
        "phases": {f"{phase}_s": spent[phase] for phase in Phase if phase in spent},
        "detail": line.detail,
    }


def pause_in_force(snapshot: Snapshot) -> PauseRecord | None:
    """The pause that holds this member back: of the group's and its own, the one that ends last."""
    records = [
        record
        for record in (snapshot.pause, snapshot.local_pause)
        if record is not None and record.kind is PauseKind.PAUSE
    ]
    return max(records, key=_ends_at) if snapshot.paused and records else None


def pause_answer(record: PauseRecord | None, snapshot: Snapshot) -> dict[str, Any]:
    """The answer to an operator's pause or resume: the record it became, and who follows it already."""
    return {
        "paused": _paused_document(
            record if record and record.kind is PauseKind.PAUSE else None, snapshot.at
        ),
        "pause_record": _record_document(record, snapshot.at),
        "acknowledged": list(acknowledged(record, snapshot)),
    }


def acknowledged(record: PauseRecord | None, snapshot: Snapshot) -> tuple[str, ...]:
    """The members that follow this record now: whom the pause holds back, or who have resumed.

    That is this member, and the peers that answer and publish the same record. A local record is this
    member's alone: nobody else is ever asked to follow it.
    """
    if record is None:
        return ()
    is_resume = record.kind is PauseKind.RESUME
    mine = (snapshot.member,) if is_resume or snapshot.paused else ()
    theirs = (
        peer.member
        for peer in snapshot.peers
        if peer.reachable
        and peer.pause is not None
        and _is_same(peer.pause, record)
        and (is_resume or peer.paused)
    )
    return (*mine, *(() if record.local else theirs))


def peer_from_document(
    document: object, member: Member, heard_at: float = 0.0, *, group: str | None = None
) -> Peer:
    """What a member's `/status`, heard at this monotonic time, says about it.

    Fields this version does not know are ignored, fields that are absent take the value that says
    nothing. A known field of a wrong type, another schema, another member's or another group's
    document is no answer of ours: the peer is then not reachable. Texts are cut to a bound and lose
    unprintable characters, because they go on into logs, hooks and this member's own `/status`.
    """
    try:
        return _peer(_Fields.of(document), member, heard_at, group)
    except (ValueError, OverflowError):  # OverflowError: a time outside the calendar
        return Peer(member=member.name, instance_id=member.instance_id, reachable=False)


def _peer(fields: _Fields, member: Member, heard_at: float, group: str | None) -> Peer:
    if fields.whole("schema") != SCHEMA or not _is_of(fields, member):
        raise _MalformedError("not the document that was asked for")
    if group is not None and fields.text("group") != group:
        raise _MalformedError("another group's document")
    takeover = fields.inner("takeover")
    last = fields.inner("last_takeover")
    record = fields.inner("pause_record")
    return Peer(
        member=member.name,
        instance_id=member.instance_id,
        reachable=True,
        role=fields.text("role", limit=32),
        version=fields.text("version", limit=64),
        config_hash=fields.text("config_hash", limit=128),
        enis=tuple(_peer_eni(eni) for eni in fields.items("enis", most=_MOST_ENIS)),
        paused=fields.inner("paused") is not None,
        pause=None if record is None else _record(record, heard_at, shown_wall=fields.time("now")),
        ready=fields.flag("ready"),
        reasons=_reasons(fields),
        outage=_outage(fields.inner("outage")),
        takeovers=_takeovers(fields),
        takeover_trigger="" if takeover is None else takeover.text("trigger", limit=32),
        last_takeover_trigger="" if last is None else last.text("trigger", limit=32),
        last_takeover_ended_wall=None if last is None else last.time("ended_at"),
    )


def _reasons(fields: _Fields) -> tuple[str, ...]:
    """Why the member is not ready, or only warns: by its checks, as `core.next_holder.reasons` does."""
    checks = fields.items("checks", most=_MOST_CHECKS)
    found = [(check.text("result"), check.text("detail", limit=64) or check.text("name")) for check in checks]
    wanted = (CheckResult.FAIL, CheckResult.WARN)
    return tuple((text.split() or [""])[0] for result in wanted for one, text in found if one == result)


def _outage(fields: _Fields | None) -> Outage | None:
    since = None if fields is None else fields.time("since")
    if fields is None or since is None:
        return None
    return Outage(
        since_wall=since,
        reason=fields.text("reason", limit=64),
        ends_at_wall=fields.time("ends_at"),
        remedy=fields.text("remedy"),
    )


def _takeovers(fields: _Fields) -> tuple[History, ...]:
    """The member's last takeovers; one in words that this version does not know is left out."""
    lines = fields.items("takeovers", most=SHOWN_TAKEOVERS)
    return tuple(line for one in lines if (line := _history(one)) is not None)


def _history(fields: _Fields) -> History | None:
    started, ended = fields.time("started_at"), fields.time("ended_at")
    phases = fields.inner("phases")
    try:
        trigger, reason = Trigger(fields.text("trigger")), Reason(fields.text("reason"))
        result = Result(fields.text("result"))
    except ValueError:
        return None
    if started is None or ended is None or phases is None:
        return None
    spent = ((phase, phases.seconds(f"{phase}_s")) for phase in Phase)
    return History(
        takeover_id=fields.text("id"),
        trigger=trigger,
        reason=reason,
        from_member=fields.text("from"),
        to_member=fields.text("to"),
        started_wall=started,
        ended_wall=ended,
        result=result,
        phases=tuple((phase, max(0.0, seconds)) for phase, seconds in spent if seconds is not None),
        detail=fields.text("detail"),
    )


def _peer_eni(fields: _Fields) -> PeerEni:
    return PeerEni(
        eni_id=fields.text("id"),
        attachment_id=fields.text("attachment_id") or None,
        addresses=fields.texts("addresses", most=_MOST_ADDRESSES),
    )


def _is_of(fields: _Fields, member: Member) -> bool:
    """Whether this member wrote the document; an older version shows its name alone."""
    instance_id, name = fields.text("instance_id"), fields.text("member")
    return instance_id == member.instance_id if instance_id else name == member.name


def _record(fields: _Fields, heard_at: float, *, shown_wall: float | None) -> PauseRecord | None:
    """The record as this process counts it; None when it is of a kind that this version does not know."""
    at, until, kind = fields.time("at"), fields.time("until"), fields.text("kind")
    if at is None:
        raise _MalformedError("a pause record without its time")
    if kind not in set(PauseKind):
        return None
    left = fields.seconds("remaining_s")
    if left is None:
        # An older version says when the pause ends by its own clock, and what that clock shows.
        left = LONGEST if until is None else until - (at if shown_wall is None else shown_wall)
    left = min(max(left, 0.0), LONGEST)
    return PauseRecord(
        kind=PauseKind(kind),
        at=at,
        until=until,
        ends_at=heard_at + left if kind == PauseKind.PAUSE else None,
        reason=fields.text("reason", limit=500),
        by=fields.text("by", limit=200),
        local=fields.flag("local"),
    )


class _MalformedError(ValueError):
    """A peer's document is not what schema 1 says."""


@dataclass(frozen=True, slots=True)
class _Fields:
    """One JSON object of unknown origin. Every reader raises at a wrong type."""

    values: dict[str, object]

    @classmethod
    def of(cls, document: object) -> _Fields:
        if not isinstance(document, dict):
            raise _MalformedError("not an object")
        return cls(document)

    def text(self, name: str, *, limit: int = 200) -> str:
        value = self.values.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise _MalformedError(name)
        return "".join(character for character in value[:limit] if character.isprintable())

    def whole(self, name: str) -> int:
        value = self.values.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _MalformedError(name)
        return value

    def seconds(self, name: str) -> float | None:
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise _MalformedError(name)
        return float(value)

    def flag(self, name: str) -> bool:
        value = self.values.get(name)
        if not isinstance(value, bool | None):
            raise _MalformedError(name)
        return bool(value)

    def time(self, name: str) -> float | None:
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise _MalformedError(name)
        moment = datetime.fromisoformat(value)
        wall = moment.timestamp()
        if moment.tzinfo is None or not 0 <= wall < _LATEST_WALL:
            raise _MalformedError(name)
        return wall

    def texts(self, name: str, *, most: int) -> tuple[str, ...]:
        values = self._list(name, most)
        if not all(isinstance(value, str) for value in values):
            raise _MalformedError(name)
        return tuple(str(value)[:64] for value in values)

    def items(self, name: str, *, most: int) -> tuple[_Fields, ...]:
        return tuple(_Fields.of(value) for value in self._list(name, most))

    def _list(self, name: str, most: int) -> list[object]:
        values = self.values.get(name)
        if not isinstance(values, list | None):
            raise _MalformedError(name)
        return (values or [])[:most]

    def inner(self, name: str) -> _Fields | None:
        value = self.values.get(name)
        return None if value is None else _Fields.of(value)


def _optional_time(wall: float | None) -> str | None:
    return None if wall is None else time_text(wall)


def _is_same(one: PauseRecord, other: PauseRecord) -> bool:
    return one.kind is other.kind and abs(one.at - other.at) < _SAME_RECORD


def _ends_at(record: PauseRecord) -> float:
    return math.inf if record.ends_at is None else record.ends_at


def _paused_document(record: PauseRecord | None, now: float) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "until": _optional_time(record.until),
        "remaining_s": _remaining(record, now),
        "reason": record.reason,
        "by": record.by,
        "at": time_text(record.at),
        "local": record.local,
    }


def _remaining(record: PauseRecord, now: float) -> float | None:
    left = remaining(record, now)
    return None if left is None else round(left, 6)


def _record_document(record: PauseRecord | None, now: float) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "kind": record.kind,
        "at": time_text(record.at),
        "until": _optional_time(record.until),
        "remaining_s": _remaining(record, now),
        "reason": record.reason,
        "by": record.by,
        "local": record.local,
    }


def _takeover_document(line: TakeoverLine | None) -> dict[str, Any] | None:
    if line is None:
        return None
    return {
        "id": line.takeover_id,
        "trigger": line.trigger,
        "reason": line.reason,
        "phase": line.phase,
        "since": time_text(line.since_wall),
        "detail": line.detail,
    }


def _outage_document(outage: Outage | None) -> dict[str, Any] | None:
    if outage is None:
        return None
    return {
        "since": time_text(outage.since_wall),
        "reason": outage.reason,
        "ends_at": _optional_time(outage.ends_at_wall),
        "remedy": outage.remedy,
    }


def _peer_document(peer: Peer) -> dict[str, Any]:
    return {
        "member": peer.member,
        "instance_id": peer.instance_id,
        "reachable": peer.reachable,
        "ready": peer.reachable and peer.ready,
        "reasons": list(peer.reasons) if peer.reachable else [Reason.PEER_SILENT],
        "role": peer.role,
        "paused": peer.paused,
        "version": peer.version,
        "config_hash": peer.config_hash,
    }
