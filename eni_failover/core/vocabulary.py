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
