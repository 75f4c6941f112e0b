"""The closed vocabularies: every word that reaches a log line, a label, the status or the journal.

Owns the spelling. A word here is part of the product's contract: add, never rename.
"""

from __future__ import annotations

from enum import StrEnum


class Answer(StrEnum):
    """What one probe attempt, or a probe's verdict, says."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


class Scope(StrEnum):
    """Whom a probe is about: the holder, this member itself, or the network between."""

    HOLDER = "holder"
    SELF = "self"
    WITNESS = "witness"


class ProbeType(StrEnum):
    """How a probe asks."""

    TCP = "tcp"
    HTTP = "http"
    ICMP = "icmp"
    EXEC = "exec"
    PEER = "peer"


class Role(StrEnum):
    """A member's role, as the role file and the metrics spell it."""

    ACTIVE = "active"
    STANDBY = "standby"
    TAKING = "taking"
    FAULT = "fault"


class Trigger(StrEnum):
    """What started a takeover."""

    PROBES = "probes"
    EC2 = "ec2"
    UNOWNED = "unowned"
    SPLIT = "split"
    MANUAL = "manual"
    FAILBACK = "failback"


class Result(StrEnum):
    """How a takeover ended."""

    SUCCESS = "success"
    FAILED = "failed"
    LOST = "lost"


class Phase(StrEnum):
    """The parts of a takeover, in order."""

    DETECT = "detect"
    WAIT = "wait"
    OBSERVE = "observe"
    FENCE = "fence"
    DETACH = "detach"
    ATTACH = "attach"
    LINK = "link"


class Action(StrEnum):
    """What a pass decided to do."""

    WAIT = "wait"
    CONFIRM = "confirm"
    TAKE_OVER = "take_over"
    MOVE = "move"
    HOLD = "hold"
    END = "end"
    REFUSE = "refuse"
    WOULD_TAKE_OVER = "would_take_over"


class Reason(StrEnum):
    """Why a pass decided so: the same word in the log, the metric label, the status and the history."""

    # Row 1 and 2: what cannot be decided about.
    ENI_UNKNOWN = "eni_unknown"
    FOREIGN_HOLDER = "foreign_holder"
    ENI_MISSING = "eni_missing"
    # Row 3: everything is here.
    HELD = "held"
    LINK_WAIT = "link_wait"
    LINK_NOT_READY = "link_not_ready"
    SUBNET_UNKNOWN = "subnet_unknown"
    # Row 4: a takeover that must be carried on.
    DETACHING = "detaching"
    FORCE_DETACH = "force_detach"
    ATTACHING = "attaching"
    ATTACH_STUCK = "attach_stuck"
    ANSWER_PENDING = "answer_pending"
    EC2_REFUSED = "ec2_refused"
    LOST_TO_ANOTHER = "lost_to_another"
    ATTACHMENT_GONE = "attachment_gone"
    # What starts a takeover.
    OPERATOR = "operator"
    ENI_UNOWNED = "eni_unowned"
    STUCK_DETACHING = "stuck_detaching"
    GROUP_SPLIT = "group_split"
    HOLDER_STOPPED = "holder_stopped"
    HOLDER_GONE = "holder_gone"
    HOLDER_DOWN = "holder_down"
    PRIMARY_RECOVERED = "primary_recovered"
    # What holds one back, or ends it before its point of no return.
    PAUSED = "paused"
    STARTUP_GRACE = "startup_grace"
    MOVING = "moving"
    OTHER_TAKEOVER = "other_takeover"
    NOT_MY_TURN = "not_my_turn"
    UNPROVEN_HOLDER = "unproven_holder"
    COOLDOWN = "cooldown"
    LIMIT_REACHED = "limit_reached"
    WITNESSES_DOWN = "witnesses_down"
    FAILBACK_DELAY = "failback_delay"
    PEERS_DIFFER = "peers_differ"
    FENCING = "fencing"
    FENCE_REFUSED = "fence_refused"
    REQUEST_EXPIRED = "request_expired"
    CAUSE_GONE = "cause_gone"
    # What makes this member unable or unfit.
    INSTANCE_NOT_RUNNING = "instance_not_running"
    EC2_SILENT = "ec2_silent"
    OTHER_ZONE = "other_zone"
    ENI_PRIMARY = "eni_primary"
    REQUESTER_MANAGED = "requester_managed"
    SERVICE_MANAGED = "service_managed"
    NO_SLOT = "no_slot"
    NO_INDEX = "no_index"
    TOO_MANY_ADDRESSES = "too_many_addresses"
    ATTACH_DENIED = "attach_denied"
    ATTACH_REFUSED = "attach_refused"
    SELF_PROBE_DOWN = "self_probe_down"
    LOOP_LAG = "loop_lag"
    # Nothing to do.
    HOLDER_UP = "holder_up"
    PROBE_UNKNOWN = "probe_unknown"
    NO_HOLDER_PROBE = "no_holder_probe"
    STARTING = "starting"
    # Why nobody would take over.
    OBSERVES = "observe"
    PEER_SILENT = "peer_silent"
    NOT_READY = "not_ready"
    NO_OTHER_MEMBER = "no_other_member"


class CheckResult(StrEnum):
    """The outcome of one readiness check."""

    PASS = "pass"  # noqa: S105 - the word of a check, no password
    WARN = "warn"
    FAIL = "fail"


NOBODY = "none"
FOREIGN = "foreign"
UNKNOWN = "unknown"
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
