"""Snapshots that the page's tests show: an ordinary moment, and one with everything out of order."""

import dataclasses
from dataclasses import replace
from enum import Enum

from eni_failover.core.model import PauseKind, PauseRecord, Peer
from eni_failover.core.policy import AttachmentId, EniId, InstanceId, MemberName
from eni_failover.core.snapshot import (
    Check,
    DecisionLine,
    EniLine,
    History,
    ProbeLine,
    Snapshot,
    TakeoverLine,
)
from eni_failover.core.words import Action, Answer, CheckResult, Phase, Reason, Result, Role, Scope, Trigger
from tests.control.support import READY, WALL

# What a stranger might write; the end of it is a line end, a mark that turns the text, and no character.
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&lt;\n\u202e\udc80"
PASSED = ("ec2_api", "instance", "eni_movable", "zone", "slot", "device_index", "attach_permission", "links")
TAKEOVER = History(
    takeover_id="t1",
    trigger=Trigger.PROBES,
    reason=Reason.HOLDER_DOWN,
    from_member="alpha",
    to_member="beta",
    started_wall=WALL - 7200,
    ended_wall=WALL - 7194.2,
    result=Result.SUCCESS,
    phases=(
        (Phase.DETECT, 1.5),
        (Phase.OBSERVE, 0.06),
        (Phase.DETACH, 3.04),
        (Phase.ATTACH, 2.11),
        (Phase.LINK, 0.42),
    ),
)
CALM = replace(
    READY,
    enis=(
        EniLine(
            eni_id=EniId("eni-0ffffffffffffff01"),
            status="attached",
            member="alpha",
            attachment_id=AttachmentId("eni-attach-01"),
            addresses=("10.0.1.101", "10.0.1.102", "2001:db8::1:65"),
        ),
        EniLine(eni_id=EniId("eni-0ffffffffffffff02"), status="attached", member="alpha"),
    ),
    probes=(
        ProbeLine(
            name="web",
            scope=Scope.HOLDER,
            member="alpha",
            state=Answer.UP,
            consecutive=4128,
            detail="status 200",
        ),
        ProbeLine(
            name="app",
            scope=Scope.SELF,
            member="beta",
            state=Answer.UP,
            consecutive=812,
            detail="connected",
        ),
        ProbeLine(
            name="gateway",
            scope=Scope.WITNESS,
            member="beta",
            state=Answer.UNKNOWN,
            consecutive=0,
        ),
    ),
    checks=tuple(Check(name=name, result=CheckResult.PASS) for name in PASSED),
    decision=DecisionLine(action=Action.WAIT, reason=Reason.HOLDER_UP, at_wall=WALL - 372),
    peers=(
        Peer(
            member=MemberName("alpha"),
            instance_id=InstanceId("i-alpha"),
            reachable=True,
            role="active",
            version="0.1.0",
            config_hash="c0ffee",
            last_takeover_trigger="manual",
            last_takeover_ended_wall=WALL - 86400,
        ),
        Peer(
            member=MemberName("gamma"),
            instance_id=InstanceId("i-gamma"),
            reachable=True,
            role="standby",
            version="0.1.0",
            config_hash="c0ffee",
        ),
    ),
    last_takeover=TAKEOVER,
)
PAUSE = PauseRecord(
    kind=PauseKind.PAUSE, at=WALL - 60, until=WALL + 1740, reason="kernel update of alpha", by="root@alpha"
)
TROUBLED = replace(
    CALM,
    ready=False,
    enis=(
        EniLine(eni_id=EniId("eni-0ffffffffffffff01"), status="detaching", member="alpha"),
        EniLine(
            eni_id=EniId("eni-0ffffffffffffff02"),
            status="available",
            member="none",
            unowned_since_wall=WALL - 9,
        ),
    ),
    holder="none",
    role=Role.TAKING,
    probes=(
        replace(CALM.probes[0], state=Answer.DOWN, consecutive=3, detail="no answer in time"),
        *CALM.probes[1:],
    ),
    checks=(
        *CALM.checks,
        Check(
            name="self_probes",
            result=CheckResult.FAIL,
            detail="self_probe_down app",
            remedy="mend what this member's own probes say",
        ),
        Check(name="paused", result=CheckResult.WARN, detail="paused", remedy="eni-failover resume"),
    ),
    decision=DecisionLine(action=Action.MOVE, reason=Reason.DETACHING, at_wall=WALL - 2),
    pause=PAUSE,
    paused=True,
    takeover=TakeoverLine(
        takeover_id="t2",
        trigger=Trigger.MANUAL,
        phase=Phase.DETACH,
        since_wall=WALL - 3,
        reason=Reason.OPERATOR,
    ),
    peers=(
        replace(CALM.peers[0], paused=True, pause=PAUSE, config_hash="beef"),
        replace(CALM.peers[1], reachable=False),
    ),
)
FAILED = replace(
    TAKEOVER,
    takeover_id="t0",
    trigger=Trigger.EC2,
    reason=Reason.CAUSE_GONE,
    result=Result.FAILED,
    started_wall=WALL - 250_000,
    ended_wall=WALL - 249_940,
    phases=((Phase.DETECT, 75.0), (Phase.OBSERVE, 4.1), (Phase.FENCE, 61.0)),
)


def at(snapshot: Snapshot, wall: float) -> Snapshot:
    """The same moment, taken then."""
    return replace(snapshot, at_wall=wall)


def filled(value, text):
    """The same value, with this text behind every text in it. What was equal stays equal."""
    if isinstance(value, tuple):
        return tuple(filled(one, text) for one in value)
    if dataclasses.is_dataclass(value):
        fields = {field.name: filled(getattr(value, field.name), text) for field in dataclasses.fields(value)}
        return replace(value, **fields)
    return value + text if isinstance(value, str) and not isinstance(value, Enum) else value
