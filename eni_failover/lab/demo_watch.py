"""The demo's eyes: what EC2 and the two daemons show, turned into events when it changes.

Owns the telling apart of old and new. EC2's changes carry EC2's own time, those of a daemon the time at
which its status was read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any

from eni_failover.client import Client, UnreachableError
from eni_failover.core.vocabulary import Answer, Role
from eni_failover.lab.demo_places import MemberFiles
from eni_failover.lab.demo_values import DemoEvent, Happening
from eni_failover.lab.timeline import StateChange
from eni_failover.lab.values import State

Document = Mapping[str, Any]


class Watch:
    """Keeps the timeline, and tells each event once, in the order in which things happened.

    `statuses` has the newest status of each daemon that answers, by member.
    """

    def __init__(self, tell: Callable[[Happening], None]) -> None:
        self.timeline: list[Happening] = []
        self.statuses: dict[str, Document] = {}
        self._tell = tell
        self._began = time.monotonic()
        self._lock = Lock()
        self._seen_in_ec2: list[Happening] = []

    def note(self, event: DemoEvent, text: str, **facts: object) -> None:
        """Tells what the demo itself has just done."""
        self._take([Happening(at=time.monotonic() - self._began, event=event, text=text, facts=facts)])

    def follow_eni(self, eni_id: str) -> Callable[[StateChange], None]:
        """A listener for the world that keeps what happens to this ENI. Called in the lab's thread."""

        def listen(change: StateChange) -> None:
            before, after = _where(change.before, eni_id), _where(change.after, eni_id)
            if before != after:
                with self._lock:
                    self._seen_in_ec2.append(self._eni_changed(change.at, eni_id, *after))

        return listen

    def look(self, members: Sequence[MemberFiles]) -> None:
        """Asks each of these members' daemons, and tells what is new."""
        found: list[Happening] = []
        for one in members:
            now = _status(one)
            if now is not None:
                at = time.monotonic() - self._began
                found += _differences(at, self.statuses.get(one.name, {}), now)
                self.statuses[one.name] = now
        with self._lock:
            found += self._seen_in_ec2
            self._seen_in_ec2 = []
        self._take(sorted(found, key=lambda one: one.at))

    def forget(self, member: str) -> None:
        """This member's daemon is no more."""
        self.statuses.pop(member, None)

    def _take(self, found: Sequence[Happening]) -> None:
        for one in found:
            self.timeline.append(one)
            self._tell(one)

    def _eni_changed(self, at: float, eni_id: str, status: str, member: str) -> Happening:
        where = f"{status}, on {member}" if member else f"{status}, on nobody"
        return Happening(
            at=at - self._began,
            event=DemoEvent.ENI_CHANGED,
            text=f"EC2: {eni_id} is {where}",
            facts={"eni_id": eni_id, "status": status, "member": member},
        )


def _where(state: State, eni_id: str) -> tuple[str, str]:
    """The ENI's status and whose it is, as EC2 sees it."""
    attachment = state.enis[eni_id].attachment
    if attachment is None:
        return "available", ""
    return attachment.status.value, state.instances[attachment.instance_id].name


def _status(one: MemberFiles) -> Document | None:
    try:
        return Client(one.socket_path).status().document
    except UnreachableError:
        return None


def _differences(at: float, before: Document, now: Document) -> Iterator[Happening]:
    member = now["member"]
    if now["role"] != before.get("role"):
        text = f"{member} is {now['role']}"
        yield Happening(
            at=at, event=DemoEvent.ROLE_CHANGED, text=text, facts={"member": member, "role": now["role"]}
        )
    if now["ready"] and not before.get("ready") and now["role"] == Role.STANDBY:
        text = f"{member} is ready to take over"
        yield Happening(at=at, event=DemoEvent.MEMBER_READY, text=text, facts={"member": member})
    verdicts = {probe["name"]: probe["state"] for probe in before.get("probes", ())}
    for probe in now["probes"]:
        if probe["state"] not in {verdicts.get(probe["name"]), Answer.UNKNOWN}:
            yield _probe_changed(at, member, probe)
    if now["takeover"] is not None and before.get("takeover") is None:
        yield _started(at, member, now["takeover"])
    if now["last_takeover"] is not None and now["last_takeover"] != before.get("last_takeover"):
        yield _ended(at, member, now["last_takeover"])


def _probe_changed(at: float, member: str, probe: Document) -> Happening:
    return Happening(
        at=at,
        event=DemoEvent.PROBE_CHANGED,
        text=f"{member}'s probe {probe['name']} says that {probe['member']} is {probe['state']}",
        facts={"member": member, "probe": probe["name"], "probed": probe["member"], "state": probe["state"]},
    )


def _started(at: float, member: str, takeover: Document) -> Happening:
    trigger, reason = takeover["trigger"], takeover["reason"]
    return Happening(
        at=at,
        event=DemoEvent.TAKEOVER_STARTED,
        text=f"{member} takes over: {reason}",
        facts={"member": member, "trigger": trigger, "reason": reason},
    )


def _ended(at: float, member: str, ended: Document) -> Happening:
    return Happening(
        at=at,
        event=DemoEvent.TAKEOVER_ENDED,
        text=f"{member}'s takeover has ended: {ended['result']}",
        facts={"member": member, "id": ended["id"], "result": ended["result"]},
    )
