"""The documents of /status and history, and what is taken from another member's."""

import json
import math
from dataclasses import replace

import pytest

from eni_failover.core.model import (
    Expected,
    History,
    NextHolder,
    Outage,
    PauseKind,
    PauseRecord,
    PauseRequest,
    Peer,
    PeerEni,
)
from eni_failover.core.pause import LONGEST, stamp
from eni_failover.core.policy import AttachmentId, EniId, InstanceId, Member, MemberName
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
from eni_failover.status import (
    history_document,
    pause_answer,
    pause_in_force,
    peer_from_document,
    time_text,
    to_document,
)

BETA = Member(name=MemberName("beta"), instance_id=InstanceId("i-0bbbbbbbbbbbbbbb2"), address="10.0.1.12")
WALL = 1_795_000_000.25
WALL_TEXT = "2026-11-18T11:06:40.250000Z"
NOW = 500.0  # monotonic, as WALL
PAUSE = PauseRecord(
    kind=PauseKind.PAUSE,
    at=WALL - 60,
    until=WALL + 1800,
    ends_at=NOW + 1800,
    reason="kernel update",
    by="root@alpha",
)
LAST = History(
    takeover_id="19-beta",
    trigger=Trigger.PROBES,
    reason=Reason.HOLDER_DOWN,
    from_member="alpha",
    to_member="beta",
    started_wall=WALL - 10,
    ended_wall=WALL - 4,
    result=Result.SUCCESS,
    phases=((Phase.ATTACH, 2.0), (Phase.DETECT, 3.0), (Phase.ATTACH, 0.5), (Phase.LINK, 0.25)),
    detail="twice attached",
)
OUTAGE = Outage(since_wall=WALL, reason="paused", ends_at_wall=None, remedy="eni-failover resume")


def snapshot(**changes) -> Snapshot:
    """A standby in a group of two that has everything to show."""
    base = Snapshot(
        version="0.1.0",
        group="orders",
        member=MemberName("beta"),
        instance_id="i-0bbbbbbbbbbbbbbb2",
        config_hash="c0ffee",
        role=Role.TAKING,
        holder="alpha",
        at_wall=WALL,
        at=NOW,
        enis=(
            EniLine(
                eni_id=EniId("eni-1"),
                status="attached",
                member="alpha",
                attachment_id=AttachmentId("eni-attach-1"),
                addresses=("10.0.1.100",),
            ),
        ),
        probes=(
            ProbeLine(
                name="web",
                scope=Scope.HOLDER,
                member="alpha",
                state=Answer.DOWN,
                consecutive=3,
                detail="timeout",
            ),
        ),
        ready=True,
        checks=(
            Check(name="slot", result=CheckResult.FAIL, detail="no_slot", remedy="free an interface slot"),
        ),
        decision=DecisionLine(action=Action.TAKE_OVER, reason=Reason.HOLDER_DOWN, at_wall=WALL - 1),
        pause=PAUSE,
        paused=True,
        takeover=TakeoverLine(
            takeover_id="20-beta",
            detail="kernel update on alpha",
            trigger=Trigger.PROBES,
            phase=Phase.DETACH,
            since_wall=WALL - 2,
            reason=Reason.HOLDER_DOWN,
        ),
        takeovers=(LAST,),
        outage=OUTAGE,
        expected=Expected(detect=4.0, detach=3.0),
        next_holder=NextHolder(member=None, reason="no_slot"),
        peers=(
            Peer(
                member=MemberName("alpha"),
                instance_id=InstanceId("i-alpha"),
                reachable=True,
                role="fault",
                version="0.1.0",
                config_hash="c0ffee",
                paused=True,
                pause=PAUSE,
                ready=True,
                reasons=("limit_reached",),
            ),
        ),
    )
    return replace(base, **changes)


def document(**changes) -> dict:
    """What beta's /status looks like to another member, through JSON."""
    return {**json.loads(json.dumps(to_document(snapshot()))), **changes}


def test_document_is_the_contract() -> None:
    """/status has every field of schema 1, with the documented names, and survives JSON unchanged."""
    pause = {
        "until": "2026-11-18T11:36:40.250000Z",
        "remaining_s": 1800.0,
        "reason": "kernel update",
        "by": "root@alpha",
        "at": "2026-11-18T11:05:40.250000Z",
    }
    expected = {
        "schema": 1,
        "version": "0.1.0",
        "group": "orders",
        "member": "beta",
        "instance_id": "i-0bbbbbbbbbbbbbbb2",
        "role": "taking",
        "holder": "alpha",
        "enis": [
            {
                "id": "eni-1",
                "status": "attached",
                "member": "alpha",
                "attachment_id": "eni-attach-1",
                "addresses": ["10.0.1.100"],
            }
        ],
        "probes": [
            {
                "name": "web",
                "scope": "holder",
                "member": "alpha",
                "state": "down",
                "consecutive": 3,
                "detail": "timeout",
            }
        ],
        "ready": True,
        "checks": [
            {"name": "slot", "result": "fail", "detail": "no_slot", "remedy": "free an interface slot"}
        ],
        "decision": {"action": "take_over", "reason": "holder_down", "at": "2026-11-18T11:06:39.250000Z"},
        "paused": {**pause, "local": False},
        "pause_record": {"kind": "pause", **pause, "local": False},
        "acknowledged": ["beta", "alpha"],
        "takeover": {
            "id": "20-beta",
            "trigger": "probes",
            "reason": "holder_down",
            "phase": "detach",
            "since": "2026-11-18T11:06:38.250000Z",
            "detail": "kernel update on alpha",
        },
        "last_takeover": history_document(LAST),
        "takeovers": [history_document(LAST)],
        "outage": {
            "since": WALL_TEXT,
            "reason": "paused",
            "ends_at": None,
            "remedy": "eni-failover resume",
        },
        "expected": {"detect_s": 4.0, "detach_s": 3.0, "attach_s": None},
        "next_holder": {"member": None, "reason": "no_slot"},
        "peers": [
            {
                "member": "alpha",
                "instance_id": "i-alpha",
                "reachable": True,
                "ready": True,
                "reasons": ["limit_reached"],
                "role": "fault",
                "paused": True,
                "version": "0.1.0",
                "config_hash": "c0ffee",
            }
        ],
        "config_hash": "c0ffee",
        "now": WALL_TEXT,
    }

    assert expected == json.loads(json.dumps(to_document(snapshot())))


def test_document_says_null_for_what_is_not() -> None:
    """No pause, no takeover and no history are null, not absent."""
    actual = to_document(snapshot(pause=None, paused=False, takeover=None, takeovers=()))

    assert [actual[key] for key in ("paused", "pause_record", "takeover", "last_takeover")] == [None] * 4
    assert actual["acknowledged"] == []


def test_history_document_keeps_the_order_of_phases_and_only_those_that_happened() -> None:
    """A history line has the phases in their order, one that happened twice summed, in seconds."""
    expected = {
        "id": "19-beta",
        "trigger": "probes",
        "reason": "holder_down",
        "from": "alpha",
        "to": "beta",
        "started_at": "2026-11-18T11:06:30.250000Z",
        "ended_at": "2026-11-18T11:06:36.250000Z",
        "result": "success",
        "duration_s": 5.75,
        "phases": {"detect_s": 3.0, "attach_s": 2.5, "link_s": 0.25},
        "detail": "twice attached",
    }
    actual = history_document(LAST)

    assert expected == actual
    assert list(expected["phases"]) == list(actual["phases"])


def test_paused_is_null_when_the_pause_has_ended() -> None:
    """A pause record whose time is over is still published for the peers, but nobody is paused."""
    actual = to_document(snapshot(paused=False))

    assert actual["paused"] is None
    assert actual["pause_record"] is not None


def test_pause_in_force_is_the_one_that_ends_last() -> None:
    """Of the group's pause and the member's own, the later end holds; one without an end ends last."""
    longer = replace(PAUSE, ends_at=NOW + 7200, local=True)
    endless = replace(PAUSE, ends_at=None, local=True)
    resumed = replace(PAUSE, kind=PauseKind.RESUME, ends_at=None, local=True)

    assert longer == pause_in_force(snapshot(local_pause=longer))
    assert endless == pause_in_force(snapshot(local_pause=endless))
    assert pause_in_force(snapshot(local_pause=resumed)) == PAUSE
    assert pause_in_force(snapshot(pause=None, local_pause=None)) is None


def test_local_pause_is_shown_but_not_offered_to_peers() -> None:
    """A local pause makes `paused`, and never reaches `pause_record`, which peers adopt."""
    local = replace(PAUSE, local=True)
    actual = to_document(snapshot(pause=None, local_pause=local))

    assert actual["paused"]["local"] is True
    assert actual["pause_record"] is None


RESUME = replace(PAUSE, kind=PauseKind.RESUME, until=None, ends_at=None)


def peers(*, paused: bool) -> tuple[Peer, ...]:
    """One peer with the record that its name says, and all of them held back, or none."""
    records = {
        "same": replace(PAUSE, at=PAUSE.at + 1e-6, ends_at=NOW + 1795),
        "older": replace(PAUSE, at=PAUSE.at - 5),
        "resumed": RESUME,
        "none": None,
    }
    return tuple(
        Peer(
            member=MemberName(name),
            instance_id=InstanceId(f"i-{name}"),
            reachable=True,
            paused=paused,
            pause=record,
        )
        for name, record in records.items()
    )


def test_pause_answer_names_whom_the_record_holds_back() -> None:
    """This member at once; a peer counts when it publishes the same record and says that it is paused."""
    held = snapshot(peers=peers(paused=True))

    assert pause_answer(PAUSE, held)["acknowledged"] == ["beta", "same"]
    assert pause_answer(replace(PAUSE, local=True), held)["acknowledged"] == ["beta"]
    assert pause_answer(None, snapshot())["pause_record"] is None
    assert pause_answer(RESUME, snapshot())["paused"] is None


def test_whom_a_pause_does_not_hold_back_has_not_acknowledged_it() -> None:
    """A record that is known and over keeps nobody from a takeover; a silent peer says nothing."""
    silent = tuple(replace(peer, reachable=False) for peer in peers(paused=True))

    assert to_document(snapshot(paused=False, peers=peers(paused=False)))["acknowledged"] == []
    assert to_document(snapshot(peers=silent))["acknowledged"] == ["beta"]


def test_who_has_resumed_has_acknowledged_a_resume() -> None:
    """Whatever pause of its own still holds it back."""
    resumed = snapshot(pause=RESUME, paused=False, peers=peers(paused=False))

    assert to_document(resumed)["acknowledged"] == ["beta", "resumed"]


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, 1800.0),
        ({"remaining_s": 60, "until": None}, 60.0),
        ({"remaining_s": 0.0}, 0.0),
        ({"remaining_s": -5.0}, 0.0),
        ({"remaining_s": 30 * 86400.0}, LONGEST),
        ({"remaining_s": None}, 1800.0),
        ({"remaining_s": None, "until": None}, LONGEST),
    ],
)
def test_what_remains_of_a_peers_pause_counts_from_when_it_was_heard(changes, left) -> None:
    """An older version tells its end and its own clock; no pause is longer than a week."""
    shown = document()
    shown["pause_record"].update(changes)

    assert peer_from_document(shown, BETA, 70.0).pause.ends_at == 70.0 + left


def test_an_older_version_that_does_not_tell_its_clock_has_given_the_whole_length() -> None:
    """Its documents have had `now` for long: this is a document of somebody's own making."""
    shown = document(now=None)
    shown["pause_record"]["remaining_s"] = None

    assert peer_from_document(shown, BETA).pause.ends_at == 1860.0


def test_a_word_of_a_later_version_is_no_pause_and_no_resume() -> None:
    """The rest of that member's document counts."""
    shown = document(pause_record={"kind": "freeze", "at": WALL_TEXT})
    peer = peer_from_document(shown, BETA, group="orders")

    assert (peer.reachable, peer.pause) == (True, None)


def test_peer_reads_what_another_member_wrote() -> None:
    """A peer read from a document is what that member's snapshot said."""
    expected = Peer(
        member=MemberName("beta"),
        instance_id=BETA.instance_id,
        reachable=True,
        role="taking",
        version="0.1.0",
        config_hash="c0ffee",
        enis=(PeerEni(eni_id="eni-1", attachment_id="eni-attach-1", addresses=("10.0.1.100",)),),
        paused=True,
        pause=PAUSE,
        ready=True,
        reasons=("no_slot",),
        outage=OUTAGE,
        takeovers=(replace(LAST, phases=((Phase.DETECT, 3.0), (Phase.ATTACH, 2.5), (Phase.LINK, 0.25))),),
        takeover_trigger="probes",
        last_takeover_trigger="probes",
        last_takeover_ended_wall=WALL - 4,
    )

    assert expected == peer_from_document(document(), BETA, NOW, group="orders")


def test_an_older_version_tells_nothing_of_outages() -> None:
    """It is not ready for it, either: nobody has said so."""
    shown = document()
    for name in ("ready", "checks", "outage", "takeovers"):
        del shown[name]
    peer = peer_from_document(shown, BETA, NOW, group="orders")

    assert (peer.reachable, peer.ready, peer.reasons) == (True, False, ())
    assert (peer.outage, peer.takeovers) == (None, ())


@pytest.mark.parametrize(
    "changes",
    [
        {"trigger": "release"},
        {"reason": "leaving"},
        {"result": "given"},
        {"started_at": None},
        {"phases": None},
    ],
    ids=repr,
)
def test_a_takeover_in_the_words_of_a_later_version_is_left_out(changes: dict) -> None:
    """The rest of that member's document counts."""
    lines = [{**history_document(LAST), **changes}, history_document(LAST)]
    peer = peer_from_document(document(takeovers=lines), BETA, NOW, group="orders")

    assert (peer.reachable, [line.takeover_id for line in peer.takeovers]) == (True, ["19-beta"])


def test_record_is_the_same_however_often_it_is_passed_on() -> None:
    """A time that was written once keeps its text on every further hop: no record grows by travelling."""
    first = time_text(1_795_000_000.123456789)
    text = first
    for _ in range(5):
        text = time_text(peer_from_document(document(pause_record={**RECORD, "at": text}), BETA).pause.at)

    assert first == text


@pytest.mark.parametrize("wall", [1_800_078_787.4487436, 1_795_000_000.123456789, 1_795_000_000.9999996])
def test_peer_reads_a_record_as_it_was_stamped(wall: float) -> None:
    """Else its author would take what the others show of it for a newer word."""
    record = stamp(PauseRequest(kind=PauseKind.PAUSE, duration=60.0, by="op"), None, now=NOW, wall=wall)
    shown = to_document(snapshot(pause=record, paused=True))

    assert peer_from_document(shown, BETA, NOW).pause == record


def test_peer_ignores_what_it_does_not_know() -> None:
    """Fields of a later version change nothing, fields that are absent say nothing."""
    minimal = {"schema": 1, "member": "beta", "new": {"deep": [1]}}

    assert Peer(
        member=MemberName("beta"), instance_id=BETA.instance_id, reachable=True
    ) == peer_from_document(minimal, BETA)


RECORD = {"kind": "pause", "at": WALL_TEXT}


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": 2},
        {"instance_id": "i-0aaaaaaaaaaaaaaa1"},
        {"instance_id": 5},
        {"instance_id": None, "member": "alpha"},
        {"schema": True},
        {"schema": "1"},
        {"schema": None},
        {"member": 5},
        {"group": "payments"},
        {"role": 5},
        {"role": ["active"]},
        {"config_hash": {}},
        {"paused": True},
        {"paused": "yes"},
        {"pause_record": []},
        {"pause_record": {}},
        {"pause_record": {"kind": 1, "at": WALL_TEXT}},
        {"pause_record": {**RECORD, "remaining_s": "600"}},
        {"pause_record": {**RECORD, "remaining_s": True}},
        {"pause_record": {**RECORD, "remaining_s": math.nan}},
        {"pause_record": {"kind": "pause", "at": WALL}},
        {"pause_record": {"kind": "pause", "at": "yesterday"}},
        {"pause_record": {"kind": "pause", "at": "2026-11-18T11:06:40"}},
        {"pause_record": {"kind": "pause", "at": "9999-12-31T23:59:59.999999Z"}},
        {"pause_record": {**RECORD, "until": "9999-12-31T23:59:59.999999Z"}},
        {"pause_record": {**RECORD, "until": "0001-01-01T00:00:00+14:00"}},
        {"pause_record": {**RECORD, "local": 1}},
        {"pause_record": {**RECORD, "reason": 1}},
        {"enis": {}},
        {"enis": ["eni-1"]},
        {"enis": [{"id": 1}]},
        {"enis": [{"id": "eni-1", "addresses": "10.0.1.1"}]},
        {"enis": [{"id": "eni-1", "addresses": [1]}]},
        {"takeover": "probes"},
        {"takeover": {"trigger": 1}},
        {"last_takeover": {"trigger": "probes", "ended_at": 1}},
        {"ready": "yes"},
        {"checks": "all"},
        {"checks": [{"result": 1}]},
        {"outage": "paused"},
        {"outage": {"since": 1}},
        {"outage": {"since": WALL_TEXT, "remedy": 1}},
        {"takeovers": {}},
        {"takeovers": [1]},
        {"takeovers": [{"phases": 1}]},
    ],
    ids=repr,
)
def test_hostile_document_is_not_ours(changes: dict) -> None:
    """A known field of a wrong type, another schema, member or group is no answer of this peer."""
    expected = Peer(member=MemberName("beta"), instance_id=BETA.instance_id, reachable=False)

    assert expected == peer_from_document(document(**changes), BETA, group="orders")


@pytest.mark.parametrize("whole", [None, 1, "x", [], float("nan"), [{}]], ids=repr)
def test_anything_but_an_object_is_not_ours(whole: object) -> None:
    """A JSON value that is no object is no answer."""
    assert Peer(
        member=MemberName("beta"), instance_id=BETA.instance_id, reachable=False
    ) == peer_from_document(whole, BETA)


def test_peer_texts_are_bounded_and_printable() -> None:
    """A peer's texts are cut, and lose what could forge a log line or break the encoding of ours."""
    hostile = {**RECORD, "reason": "a\nb\x1b[2J\ud800" + "x" * 10_000, "by": "r\0oot"}
    peer = peer_from_document(document(pause_record=hostile), BETA)

    assert peer.pause.reason.startswith("ab[2Jxxx")
    assert len(peer.pause.reason) <= 500
    assert peer.pause.by == "root"


def test_what_was_taken_from_a_peer_can_be_written_again() -> None:
    """The latest time that is accepted from a peer does not break this member's own /status."""
    latest = {**RECORD, "until": "9998-12-31T23:59:59Z"}
    peer = peer_from_document(document(pause_record=latest), BETA)
    actual = to_document(snapshot(pause=peer.pause))

    assert actual["paused"]["until"].startswith("9998-12-31T23:59:59")
