"""The sentences at the top of the page: who holds, who would follow, and what that means for this member."""

from __future__ import annotations

from eni_failover.control.page.moments import Tone
from eni_failover.core.model import AttachmentStatus
from eni_failover.core.snapshot import FOREIGN, NOBODY, UNKNOWN, Snapshot
from eni_failover.core.told import Outage
from eni_failover.core.words import Answer, CheckResult, Reason, Role, Scope

_MOVING = frozenset({AttachmentStatus.ATTACHING, AttachmentStatus.DETACHING})
_NO_MEMBER = {
    NOBODY: "Nobody holds the group",
    FOREIGN: "An instance outside the group has its interfaces",
    UNKNOWN: "It is not known who holds the group",
}
_BROKEN = {
    Reason.ENI_MISSING: "an interface of the group does not exist",
    Reason.FOREIGN_HOLDER: "an instance outside the group has its interface",
    Reason.GROUP_SPLIT: "an interface of the group is on nobody",
    Reason.ENI_UNKNOWN: "the holder's probes are down, and EC2 does not answer",
}
_BECAUSE = {
    Reason.PAUSED: "the group is paused",
    Reason.STARTUP_GRACE: "the daemon has just started",
    Reason.UNPROVEN_HOLDER: "this holder was never seen up from here",
    Reason.COOLDOWN: "the last takeover was a short while ago",
    Reason.LIMIT_REACHED: "the group has moved too often",
    Reason.NOT_MY_TURN: "another member comes first",
    Reason.WITNESSES_DOWN: "no witness answers",
    Reason.SELF_PROBE_DOWN: "its own service does not answer",
    Reason.ATTACH_DENIED: "IAM denies the attach",
    Reason.ATTACH_REFUSED: "EC2 refuses the attach",
    Reason.EC2_SILENT: "EC2 does not answer",
    Reason.ENI_UNKNOWN: "EC2 does not answer",
    Reason.PEER_SILENT: "its daemon does not answer",
    Reason.OBSERVES: 'the file says takeover = "observe"',
    Reason.NO_OTHER_MEMBER: "there is no other member",
    Reason.FENCING: "the holder's instance is being stopped",
    Reason.FENCE_REFUSED: "EC2 refuses to stop the holder's instance",
    Reason.LINK_NOT_READY: "a link of the holder does not serve it",
}


def headline(snapshot: Snapshot) -> str:
    """How the group stands, in one sentence without its full stop."""
    if _is_moving(snapshot):
        return f"{snapshot.member} is taking over" if snapshot.takeover else "The group is moving"
    if snapshot.outage is not None:
        return f"Outage: {_wrong(snapshot, snapshot.outage)}"
    if snapshot.holder in _NO_MEMBER:
        return _NO_MEMBER[snapshot.holder]
    if snapshot.next_holder.member is None:
        return f"{snapshot.holder} holds the group, and nobody could take over"
    return f"{snapshot.holder} holds the group, and {snapshot.next_holder.member} could take over"


def _wrong(snapshot: Snapshot, outage: Outage) -> str:
    found = next((text for reason, text in _BROKEN.items() if reason == outage.reason), None)
    if found is not None:
        return found
    if outage.reason == Reason.LINK_NOT_READY:
        return f"{snapshot.holder} holds the group, and its link does not serve it"
    if snapshot.holder in _NO_MEMBER:
        return _NO_MEMBER[snapshot.holder][0].lower() + _NO_MEMBER[snapshot.holder][1:]
    return f"{snapshot.holder} holds the group, and is down"


def because(reason: str) -> str:
    """The reason as a clause; a word that this version does not know, as it is."""
    return next((text for known, text in _BECAUSE.items() if known == reason), reason)


def title(snapshot: Snapshot) -> str:
    """What the browser's tab is called."""
    return f"{snapshot.group}: {headline(snapshot)} (seen by {snapshot.member})"


def role_sentence(snapshot: Snapshot) -> str:
    """What this member is, and whether it could take over."""
    me = snapshot.member
    match snapshot.role:
        case Role.ACTIVE if snapshot.outage is None:
            return f"{me} is active: it has every interface, and its links are ready."
        case Role.ACTIVE:
            return f"{me} is active: it has every interface, but the others find it down."
        case Role.TAKING:
            return f"{me} is taking over."
        case Role.FAULT:
            return f"{me} is in fault: it holds the group, but is not ready to serve it."
        case Role.STANDBY:
            return _standby_sentence(snapshot)


def _standby_sentence(snapshot: Snapshot) -> str:
    if snapshot.ready and snapshot.paused:
        return f"{snapshot.member} is standby and ready, and the pause holds it back."
    return f"{snapshot.member} is standby and {'could' if snapshot.ready else 'could not'} take over now."


def announcement(snapshot: Snapshot) -> str:
    """What a screen reader is told when it changes: how the group stands and this member's role."""
    return f"{headline(snapshot)}. {snapshot.member} is {snapshot.role}."


def tone(snapshot: Snapshot) -> Tone:
    """How the whole stands, the worst first."""
    if snapshot.role is Role.FAULT:
        return Tone.BAD
    if _is_moving(snapshot):
        return Tone.BUSY
    if snapshot.outage is not None or snapshot.holder in _NO_MEMBER:
        return Tone.BAD
    troubled = any(check.result is not CheckResult.PASS for check in snapshot.checks)
    down = any(probe.scope is Scope.HOLDER and probe.state is Answer.DOWN for probe in snapshot.probes)
    if snapshot.next_holder.member is None or troubled or down or not snapshot.ready or snapshot.paused:
        return Tone.WARN
    return Tone.GOOD


def _is_moving(snapshot: Snapshot) -> bool:
    """Whether EC2 shows a move, or this member is between two steps of one."""
    mine = snapshot.takeover is not None or snapshot.role is Role.TAKING
    return mine or any(eni.status in _MOVING for eni in snapshot.enis)
