"""The sentences at the top of the page: who holds, who would follow, and what that means for this member."""

from __future__ import annotations

from eni_failover.control.page.moments import Tone
from eni_failover.core.model import AttachmentStatus
from eni_failover.core.snapshot import Snapshot
from eni_failover.core.vocabulary import NO_MEMBER, Answer, CheckResult, Role, Scope, clause, wrong

_MOVING = frozenset({AttachmentStatus.ATTACHING, AttachmentStatus.DETACHING})


def headline(snapshot: Snapshot) -> str:
    """How the group stands, in one sentence without its full stop."""
    if _is_moving(snapshot):
        return f"{snapshot.member} is taking over" if snapshot.takeover else "The group is moving"
    if snapshot.outage is not None:
        return f"Outage: {wrong(snapshot.holder, snapshot.outage.reason)}"
    if snapshot.holder in NO_MEMBER:
        return _capital(NO_MEMBER[snapshot.holder])
    if snapshot.next_holder.member is None:
        return f"{snapshot.holder} holds the group, and nobody could take over"
    return f"{snapshot.holder} holds the group, and {snapshot.next_holder.member} could take over"


def because(reason: str) -> str:
    """The reason as a clause; a word that this version does not know, as it is."""
    return clause(reason) or reason


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
    stands = f"{headline(snapshot)}."
    return stands if snapshot.role is Role.TAKING else f"{stands} {snapshot.member} is {snapshot.role}."


def tone(snapshot: Snapshot) -> Tone:
    """How the whole stands, the worst first."""
    if snapshot.role is Role.FAULT:
        return Tone.BAD
    if _is_moving(snapshot):
        return Tone.BUSY
    if snapshot.outage is not None or snapshot.holder in NO_MEMBER:
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


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
