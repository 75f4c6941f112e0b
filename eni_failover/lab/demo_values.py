"""What a demo tells: its events, the ENI before and after, and the report.

Owns the shapes and their JSON. Knows no process and no terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from eni_failover.core.vocabulary import Role


class DemoEvent(StrEnum):
    """What happened, one word for each line of the timeline."""

    LAB_STARTED = "lab.started"
    SERVICE_STARTED = "service.started"
    DAEMON_STARTED = "daemon.started"
    ROLE_CHANGED = "role.changed"
    MEMBER_READY = "member.ready"
    SERVICE_KILLED = "service.killed"
    DAEMON_KILLED = "daemon.killed"
    HOST_KILLED = "host.killed"
    PROBE_CHANGED = "probe.changed"
    TAKEOVER_STARTED = "takeover.started"
    ENI_CHANGED = "eni.changed"
    TAKEOVER_ENDED = "takeover.ended"


_DEATHS = frozenset({DemoEvent.SERVICE_KILLED, DemoEvent.HOST_KILLED})


class DemoResult(StrEnum):
    """A drill's words. `success`: the ENI moved, and everything that should stay with it did."""

    SUCCESS = "success"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One event, `at` seconds since the demo began; `text` for people, `facts` for programs."""

    at: float
    event: DemoEvent
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """A line of the timeline in `--json`."""
        return {"at_s": round(self.at, 3), "event": self.event, **self.facts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What clients, routes, DNS and licences know an ENI by: what a move must not change."""

    eni_id: str
    mac: str
    private_addresses: tuple[str, ...]
    public_addresses: tuple[str, ...]
    groups: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The ENI in one describe: its identity, and where it is (empty where it is nowhere)."""

    identity: Identity
    member: str
    attachment_id: str

    def document(self) -> dict[str, Any]:
        """`before` or `after` in `--json`."""
        shown = {part.name: getattr(self.identity, part.name) for part in fields(Identity)}
        return {**shown, "member": self.member, "attachment_id": self.attachment_id}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientView:
    """What one client saw of the move: who answered before and after, and seconds without an answer."""

    client: str
    protocol: str
    before: str
    after: str
    gap: float

    def document(self) -> dict[str, Any]:
        """One of `clients` in `--json`."""
        shown = {name: getattr(self, name) for name in ("client", "protocol", "before", "after")}
        return {**shown, "gap_s": round(self.gap, 3)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Packets:
    """What was seen on the wire.

    `neighbour_before` and `_after` are the floating address's MAC in a neighbour's table. `detection` is the
    seconds from the death to the decision, `ec2` those that EC2 itself took to detach and attach.
    """

    clients: tuple[ClientView, ...]
    neighbour_before: str
    neighbour_after: str
    detection: float
    ec2: float

    @property
    def gap(self) -> float:
        """The longest gap that any client saw."""
        return max((one.gap for one in self.clients), default=0.0)

    @property
    def added(self) -> float:
        """What the longest gap has beyond detection and EC2's own time."""
        return self.gap - self.detection - self.ec2

    def are_good(self, holder: str) -> bool:
        """Whether this member answers every client, by the same MAC."""
        answered = bool(self.clients) and all(one.after == holder for one in self.clients)
        return answered and bool(self.neighbour_after) and self.neighbour_before == self.neighbour_after

    def document(self) -> dict[str, Any]:
        """`packets` in `--json`."""
        return {
            "clients": [one.document() for one in self.clients],
            "neighbour_mac": {"before": self.neighbour_before, "after": self.neighbour_after},
            "gap_s": round(self.gap, 3),
            "detection_s": round(self.detection, 3),
            "ec2_s": round(self.ec2, 3),
            "added_s": round(self.added, 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How the demo went. `takeover` is the daemon's own history line; `problem` is empty on `success`.

    `packets` is None where no link carried any.
    """

    group: str
    timeline: tuple[Happening, ...]
    before: Sight | None = None
    after: Sight | None = None
    takeover: Mapping[str, Any] | None = None
    packets: Packets | None = None
    problem: str = ""

    @property
    def same(self) -> dict[str, bool]:
        """For each part of the identity, whether it is after what it was before; empty without an after."""
        if self.before is None or self.after is None:
            return {}
        before, after = self.before.identity, self.after.identity
        return {
            part.name: getattr(before, part.name) == getattr(after, part.name) for part in fields(Identity)
        }

    @property
    def has_moved(self) -> bool:
        """Whether another member has the ENI now, by another attachment."""
        before, after = self.before, self.after
        if before is None or after is None:
            return False
        return after.member not in {"", before.member} and after.attachment_id != before.attachment_id

    @property
    def gap(self) -> float | None:
        """Seconds from the holder's death to the new holder's being active, None when it was not."""
        killed = [one.at for one in self.timeline if one.event in _DEATHS]
        active = [one.at for one in self.timeline if one.facts.get("role") == Role.ACTIVE]
        return active[-1] - killed[0] if killed and active and active[-1] > killed[0] else None

    @property
    def result(self) -> DemoResult:
        """Whether the demo has shown what it promises."""
        shown = self.has_moved and bool(self.same) and all(self.same.values()) and not self.problem
        if self.packets is not None and self.after is not None:
            shown = shown and self.packets.are_good(self.after.member)
        return DemoResult.SUCCESS if shown else DemoResult.FAILED

    def document(self) -> dict[str, Any]:
        """The document of `--json`: what a drill's has, too, by the same names."""
        return {
            "result": self.result,
            "problem": self.problem,
            "group": self.group,
            "member": self.after.member if self.after else None,
            "holder": self.before.member if self.before else None,
            "before": [self.before.document()] if self.before else None,
            "after": [self.after.document()] if self.after else None,
            "same": self.same or None,
            "timeline": [one.document() for one in self.timeline],
            "gap_s": None if self.gap is None else round(self.gap, 3),
            "phases": dict(self.takeover.get("phases", {})) if self.takeover else {},
            "takeover": dict(self.takeover) if self.takeover else None,
            "packets": self.packets.document() if self.packets else None,
        }
