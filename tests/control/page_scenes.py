"""Snapshots that the page's tests show: an ordinary moment, and one with everything out of order."""

import dataclasses
from dataclasses import dataclass, replace
from enum import Enum

from eni_failover.core.model import Expected, History, NextHolder, Outage, PauseKind, PauseRecord, Peer
from eni_failover.core.policy import AttachmentId, EniId, InstanceId, MemberName
from eni_failover.core.snapshot import Check, DecisionLine, EniLine, ProbeLine, Snapshot, TakeoverLine
from eni_failover.core.vocabulary import (
    Action,
    Answer,
    CheckResult,
    Phase,
    Reason,
    Result,
    Role,
    Scope,
    Trigger,
)
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
            ready=True,
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
            ready=True,
            role="standby",
            version="0.1.0",
            config_hash="c0ffee",
        ),
    ),
    takeovers=(FAILED, TAKEOVER),
    next_holder=NextHolder(member=MemberName("beta"), reason="ready"),
    expected=Expected(detect=4.0, detach=3.0, attach=2.1),
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
            remedy="fix what this member's own probes report",
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


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A situation, and what the page must say of it."""

    snapshot: Snapshot
    headline: str
    tone: str
    says: tuple[str, ...] = ()


def _outage(reason: str, ends_at_wall: float | None, remedy: str, **changes: object) -> Snapshot:
    """alpha is down, seen by beta, which waits for that reason."""
    outage = Outage(since_wall=WALL - 30, reason=reason, ends_at_wall=ends_at_wall, remedy=remedy)
    down = replace(CALM.probes[0], state=Answer.DOWN, consecutive=3, detail="refused")
    return replace(CALM, outage=outage, probes=(down, *CALM.probes[1:]), **changes)


def _alone(reason: str, **changes: object) -> Snapshot:
    """alpha holds, and nobody could take over for that reason."""
    return replace(CALM, next_holder=NextHolder(member=None, reason=reason), **changes)


_HOLDER = {"member": MemberName("alpha"), "role": Role.ACTIVE}
_DOWN = "✕ Outage: alpha holds the group, and is down |"
_NOBODY = "! alpha holds the group, and nobody could take over |"
SCENES = {
    "well": Scene(
        snapshot=CALM,
        headline="✓ alpha holds the group, and beta could take over |",
        tone="good",
        says=("To expect: a death is detected after 4.00 s at most, then by EC2, as last time, 3.00 s",),
    ),
    "standby-dead": Scene(
        snapshot=_alone(
            "self_probe_down",
            ready=False,
            checks=(
                Check(
                    name="self_probes",
                    result=CheckResult.FAIL,
                    detail="self_probe_down app",
                    remedy="fix what this member's own probes report",
                ),
            ),
        ),
        headline=_NOBODY,
        tone="warn",
        says=(
            "If the holder died now, its addresses would stay there: its own service does not answer",
            "beta is standby and could not take over now.",
        ),
    ),
    "paused": Scene(
        snapshot=_outage(
            "paused",
            WALL + 1740,
            "eni-failover resume, or once: eni-failover takeover",
            paused=True,
            pause=PAUSE,
        ),
        headline=_DOWN,
        tone="bad",
        says=(
            "Since 2026-11-18 11:06:10 UTC (30 s ago). beta takes over by itself at 2026-11-18 11:35:40 UTC",
            "the group is paused (paused).",
            "What to do: eni-failover resume, or once: eni-failover takeover |",
            "beta is standby and ready, and the pause holds it back.",
        ),
    ),
    "unproven": Scene(
        snapshot=_outage("unproven_holder", WALL + 90, "to move it sooner: eni-failover takeover"),
        headline=_DOWN,
        tone="bad",
        says=(
            "beta takes over by itself at 2026-11-18 11:08:10 UTC (in 1 min): this holder was never seen up",
            "What to do: to move it sooner: eni-failover takeover |",
        ),
    ),
    "limit": Scene(
        snapshot=_outage("limit_reached", WALL + 600, "fix what moves the group, then: eni-failover resume"),
        headline=_DOWN,
        tone="bad",
        says=("(in 10 min): the group has moved too often (limit_reached).", "then: eni-failover resume |"),
    ),
    "observe": Scene(
        snapshot=_outage("observe", None, "eni-failover takeover"),
        headline=_DOWN,
        tone="bad",
        says=(
            'beta does not take over by itself: the file says takeover = "observe" (observe).',
            "What to do: eni-failover takeover |",
        ),
    ),
    "attach-denied": Scene(
        snapshot=_alone(
            "attach_denied",
            peers=(replace(CALM.peers[1], ready=False, reasons=("attach_denied",)),),
            **_HOLDER,
        ),
        headline=_NOBODY,
        tone="warn",
        says=(
            "would stay there: IAM denies the attach (attach_denied).",
            "gamma | · standby ! not ready | version 0.1.0 | not ready: attach_denied |",
        ),
    ),
    "peer-dead": Scene(
        snapshot=_alone("peer_silent", peers=(replace(CALM.peers[1], reachable=False),), **_HOLDER),
        headline=_NOBODY,
        tone="warn",
        says=("would stay there: its daemon does not answer (peer_silent).", "gamma | ! not reachable |"),
    ),
    "unattached": Scene(
        snapshot=replace(
            CALM,
            holder="none",
            enis=(EniLine(eni_id=EniId("eni-0ffffffffffffff01"), status="available", member="none"),),
            outage=Outage(
                since_wall=WALL - 1,
                reason="not_my_turn",
                ends_at_wall=WALL + 3,
                remedy="to move it sooner: eni-failover takeover",
            ),
        ),
        headline="✕ Outage: nobody holds the group |",
        tone="bad",
        says=("beta takes over by itself at 2026-11-18 11:06:43 UTC (in 3 s): another member comes first",),
    ),
    "under-way": Scene(
        snapshot=TROUBLED,
        headline="→ beta is taking over |",
        tone="busy",
        says=("Takeover under way", "Trigger manual, reason operator"),
    ),
}


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
