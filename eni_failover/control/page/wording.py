"""The sentences at the top of the page: who holds, and what that means for this member."""

from __future__ import annotations

from eni_failover.control.page.moments import Tone
from eni_failover.core.model import AttachmentStatus
from eni_failover.core.snapshot import FOREIGN, NOBODY, UNKNOWN, Snapshot
from eni_failover.core.words import Answer, CheckResult, Role, Scope

_MOVING = frozenset({AttachmentStatus.ATTACHING, AttachmentStatus.DETACHING})
_NO_MEMBER = {
    NOBODY: "Nobody holds the group",
    FOREIGN: "An instance outside the group has its interfaces",
    UNKNOWN: "It is not known who holds the group",
}


def holder_sentence(snapshot: Snapshot) -> str:
    """Who holds the group, in one sentence without its full stop."""
    if snapshot.holder == NOBODY and _is_moving(snapshot):
        return "The group is moving"
    return _NO_MEMBER.get(snapshot.holder, f"{snapshot.holder} holds the group")


def title(snapshot: Snapshot) -> str:
    """What the browser's tab is called."""
    return f"{snapshot.group}: {holder_sentence(snapshot)} (seen by {snapshot.member})"


def role_sentence(snapshot: Snapshot) -> str:
    """What this member is, and whether it could take over."""
    me = snapshot.member
    match snapshot.role:
        case Role.ACTIVE:
            return f"{me} is active: it has every interface, and its links are ready."
        case Role.TAKING:
            return f"{me} is taking over."
        case Role.FAULT:
            return f"{me} is in fault: it holds the group, but is not ready to serve it."
        case Role.STANDBY if snapshot.ready:
            return f"{me} is standby and could take over now."
        case Role.STANDBY:
            return f"{me} is standby and could not take over now."


def announcement(snapshot: Snapshot) -> str:
    """What a screen reader is told when it changes: the holder and this member's role, nothing else."""
    return f"{holder_sentence(snapshot)}. {snapshot.member} is {snapshot.role}."


def tone(snapshot: Snapshot) -> Tone:
    """How the whole stands, the worst first."""
    if snapshot.role is Role.FAULT:
        return Tone.BAD
    if _is_moving(snapshot):
        return Tone.BUSY
    if snapshot.holder in _NO_MEMBER:
        return Tone.BAD
    troubled = any(check.result is not CheckResult.PASS for check in snapshot.checks)
    down = any(probe.scope is Scope.HOLDER and probe.state is Answer.DOWN for probe in snapshot.probes)
    return Tone.WARN if troubled or down or not snapshot.ready or snapshot.paused else Tone.GOOD


def _is_moving(snapshot: Snapshot) -> bool:
    """Whether EC2 shows a move, or this member is between two steps of one."""
    mine = snapshot.takeover is not None or snapshot.role is Role.TAKING
    return mine or any(eni.status in _MOVING for eni in snapshot.enis)
