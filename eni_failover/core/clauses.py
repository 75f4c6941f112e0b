"""Reasons and holders as clauses of an English sentence, for everything that shows them to a person."""

from __future__ import annotations

from eni_failover.core.snapshot import FOREIGN, NOBODY, UNKNOWN
from eni_failover.core.vocabulary import Reason

NO_MEMBER = {
    NOBODY: "nobody holds the group",
    FOREIGN: "an instance outside the group has its interfaces",
    UNKNOWN: "it is not known who holds the group",
}
_BROKEN = {
    Reason.ENI_MISSING: "an interface of the group does not exist",
    Reason.FOREIGN_HOLDER: "an instance outside the group has its interface",
    Reason.GROUP_SPLIT: "an interface of the group is unattached",
    Reason.ENI_UNKNOWN: "the holder's probes are down, and EC2 does not answer",
}
_BECAUSE = {
    Reason.HOLDER_DOWN: "its probes are down",
    Reason.HOLDER_STOPPED: "EC2 says that its instance is stopped",
    Reason.HOLDER_GONE: "EC2 does not know its instance any more",
    Reason.ENI_UNOWNED: "no instance has its interface",
    Reason.STUCK_DETACHING: "EC2 does not end a detach",
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
    Reason.NOT_READY: "it is not ready",
    Reason.STARTING: "the daemon has just started",
    Reason.LOOP_LAG: "its host is short of CPU",
    Reason.FENCING: "the holder's instance is being stopped",
    Reason.FENCE_REFUSED: "EC2 refuses to stop the holder's instance",
    Reason.LINK_NOT_READY: "a link of the holder does not serve it",
}


def clause(reason: object) -> str | None:
    """Why something is or is not done; None for a word that this version does not know."""
    return next((text for known, text in _BECAUSE.items() if known == reason), None)


def wrong(holder: str, reason: object) -> str:
    """What is wrong with the group in an outage of this reason."""
    broken = next((text for known, text in _BROKEN.items() if known == reason), None)
    if broken is not None:
        return broken
    if reason == Reason.LINK_NOT_READY:
        return f"{holder} holds the group, and its link does not serve it"
    return NO_MEMBER.get(holder, f"{holder} holds the group, and is down")
