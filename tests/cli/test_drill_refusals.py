"""What keeps a drill from beginning, told by this member's status and the holder's."""

from __future__ import annotations

import pytest

from eni_failover.cli.drill_eyes import as_status
from eni_failover.cli.drill_refusals import why_not_back, why_not_here
from eni_failover.core.model import History, PauseKind, PauseRecord, Peer
from eni_failover.core.policy import Member
from eni_failover.core.snapshot import Check, DecisionLine, EniLine, ProbeLine, TakeoverLine
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
from eni_failover.status import to_document

ALPHA = Member(name="alpha", instance_id="i-alpha", address="10.0.1.11")
WALL = 1_800_000_000.0
PAUSE = PauseRecord(kind=PauseKind.PAUSE, at=WALL, until=None, reason="upgrade", by="root@alpha", local=False)
MOVING = TakeoverLine(takeover_id="t1", trigger=Trigger.PROBES, phase=Phase.DETACH, since_wall=WALL)
FAILING = Check(name="slot", result=CheckResult.FAIL, detail="no_slot", remedy="free an interface slot")


def line(**changes) -> EniLine:
    shown = {"eni_id": "eni-0ffffffffffffff01", "status": "attached", "member": "alpha", **changes}
    return EniLine(attachment_id="eni-attach-01", **shown)


def web(state: Answer, scope: Scope = Scope.HOLDER) -> ProbeLine:
    return ProbeLine(name="web", scope=scope, member="alpha", state=state, consecutive=3)


def waits(reason: Reason) -> DecisionLine:
    return DecisionLine(action=Action.WAIT, reason=reason, at_wall=WALL)


def peer(name: str = "alpha", **changes) -> Peer:
    return Peer(
        **{
            "member": name,
            "instance_id": f"i-{name}",
            "reachable": True,
            "role": "active",
            "config_hash": "abc123",
            **changes,
        }
    )


@pytest.fixture
def holder(standby):
    """Builds what alpha, the holder, shows."""

    def build(**changes):
        shown = {
            "member": "alpha",
            "instance_id": "i-alpha",
            "role": Role.ACTIVE,
            "probes": (),
            "peers": (peer("beta"),),
            **changes,
        }
        return to_document(standby(**shown))

    return build


def test_in_health_nothing_is_in_the_way(standby, holder):
    """A ready standby of a group at rest and a holder in health may drill, with holder probes or without."""
    here = to_document(standby())
    without = to_document(standby(probes=(), decision=waits(Reason.NO_HOLDER_PROBE)))

    assert (why_not_here(here), why_not_here(without)) == ("", "")
    assert why_not_back(here, holder()) == ""


SILENT = (
    "alpha's daemon gives no answer, and only it can take the group back:"
    " is it running, and its port open to this member?"
)
HERE = {
    "a takeover under way": (
        {"takeover": MOVING},
        "a takeover of beta is under way (probes: detach): wait until it has ended",
    ),
    "the holder itself": ({"holder": "beta"}, "beta holds orders itself: run the drill on alpha"),
    "nobody": ({"holder": "none"}, "no member holds orders (none): see 'eni-failover status'"),
    "a foreign instance": (
        {"holder": "foreign"},
        "no member holds orders (foreign): see 'eni-failover status'",
    ),
    "unknown": ({"holder": "unknown"}, "no member holds orders (unknown): see 'eni-failover status'"),
    "no ENI known": ({"enis": ()}, "orders is not whole on alpha: see 'eni-failover status'"),
    "moving": (
        {"enis": (line(status="detaching"),)},
        "orders is not whole on alpha: see 'eni-failover status'",
    ),
    "split": (
        {"enis": (line(), line(member="beta"))},
        "orders is not whole on alpha: see 'eni-failover status'",
    ),
    "paused": (
        {"pause": PAUSE, "paused": True},
        "orders is paused (upgrade, root@alpha): end it with 'eni-failover resume', or drill later",
    ),
    "fault": ({"role": Role.FAULT}, "beta is fault, not standby: see 'eni-failover status'"),
    "not able": (
        {"ready": False, "checks": (FAILING,)},
        "beta is not ready: slot: no_slot (free an interface slot)",
    ),
    "not ready without a word": ({"ready": False}, "beta is not ready: see 'eni-failover status' there"),
    "the holder's daemon is silent": (
        {"peers": (peer(reachable=False),)},
        SILENT,
    ),
    "a third member takes": (
        {"peers": (peer(), peer("gamma", role="taking"))},
        "gamma is taking over: wait until it has ended",
    ),
    "a holder that is not well": (
        {"probes": (web(Answer.DOWN),)},
        "not every probe says that alpha is up (web down): a drill begins with all in health",
    ),
    "a holder nobody knows about": (
        {"probes": (web(Answer.UNKNOWN),)},
        "not every probe says that alpha is up (web unknown): a drill begins with all in health",
    ),
    "a failback to come": (
        {"decision": waits(Reason.FAILBACK_DELAY)},
        "the daemon is not at rest (failback_delay): see 'eni-failover status', and wait",
    ),
}


@pytest.mark.parametrize("situation", HERE)
def test_refused_by_this_member(standby, situation):
    """Each state of this member that is no time for a drill has its line with the remedy."""
    changes, why = HERE[situation]

    assert why == why_not_here(to_document(standby(**changes)))


def test_a_local_pause_has_its_own_remedy(standby):
    """A pause of this member alone ends with resume --local."""
    alone = PauseRecord(kind=PauseKind.PAUSE, at=WALL, until=None, reason="", by="", local=True)
    why = why_not_here(to_document(standby(local_pause=alone, paused=True)))

    assert why == "orders is paused: end it with 'eni-failover resume --local', or drill later"


def test_only_holder_probes_speak_of_the_holder(standby):
    """A witness that is down is no word about the holder; `check` has its own about it."""
    assert why_not_here(to_document(standby(probes=(web(Answer.DOWN, Scope.WITNESS),)))) == ""


THERE = {
    "taking": ({"takeover": MOVING}, "a takeover of alpha is under way (probes: detach)"),
    "fault": ({"role": Role.FAULT}, "alpha is fault, not active"),
    "not whole": ({"enis": (line(member="beta"),)}, "alpha does not know that it holds"),
    "paused": ({"pause": PAUSE, "paused": True}, "alpha is paused (upgrade, root@alpha)"),
    "another file": ({"config_hash": "other"}, "alpha has another [eni] or [[member]]"),
    "not able": ({"checks": (FAILING,)}, "alpha could not take the group back: slot: no_slot (free"),
}


@pytest.mark.parametrize("situation", THERE)
def test_refused_by_the_holder(standby, holder, situation):
    """A holder that could not take the group back, as far as its status tells, is a refusal."""
    changes, why = THERE[situation]

    assert why_not_back(to_document(standby()), holder(**changes)).startswith(why)


def test_refused_without_the_holders_word(standby):
    """A holder that says nothing cannot take the group back."""
    assert why_not_back(to_document(standby()), None) == SILENT


LAST = History(
    takeover_id="t0",
    trigger=Trigger.MANUAL,
    reason=Reason.OPERATOR,
    from_member="beta",
    to_member="alpha",
    started_wall=WALL,
    ended_wall=WALL + 5,
    result=Result.SUCCESS,
    phases=((Phase.DETACH, 3.0),),
)


@pytest.mark.parametrize(
    ("changes", "is_one"),
    [
        ({}, True),
        ({"unheard_of": 1}, True),
        ({"instance_id": "i-beta"}, False),
        ({"group": "other"}, False),
        ({"schema": 2}, False),
        ({"enis": "none"}, False),
        ({"enis": [None]}, False),
        ({"checks": {"name": "slot"}}, False),
        ({"probes": ["web"]}, False),
        ({"takeover": "soon"}, False),
        ({"last_takeover": {"phases": {"detach_s": "long"}}}, False),
        ({"last_takeover": {"phases": [1]}}, False),
    ],
)
def test_what_answers_at_the_holders_port(holder, changes, is_one):
    """Anybody may answer there: only a status of that member whose parts have their types is read."""
    document = {**holder(takeovers=(LAST,)), **changes}

    assert is_one == (as_status(document, ALPHA, "orders") is not None)


@pytest.mark.parametrize("document", [None, [], "status", 1])
def test_what_is_no_document(document):
    """JSON that is no object is no status."""
    assert as_status(document, ALPHA, "orders") is None
