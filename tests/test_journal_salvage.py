"""What a line of another version still says: as much as can be, and the safe side of the rest."""

from __future__ import annotations

import copy
import json

import pytest

from eni_failover.core.model import History, PauseKind, PauseRecord
from eni_failover.core.state import Durable, Move, RecentTakeover, Sent, Takeover
from eni_failover.core.vocabulary import Phase, Reason, Result, Trigger
from eni_failover.journal_lines import DURABLE, HISTORY
from eni_failover.journal_salvage import salvaged

MOVE = Move(
    eni_id="eni-1",
    recorded="att-1",
    detach=Sent.ACCEPTED,
    detach_sent_at=90.0,
    attach=Sent.NO,
    refused_indexes=(1, 2),
)
TAKEOVER = Takeover(
    takeover_id="t1",
    trigger=Trigger.PROBES,
    reason=Reason.HOLDER_DOWN,
    from_member="alpha",
    started_at=90.0,
    started_wall=990.0,
    cause_at=88.0,
    matched_at=89.0,
    moves=(MOVE, Move(eni_id="eni-2", recorded="att-2")),
    committed=True,
)
MEMORY = Durable(
    last_had="alpha",
    lost_at=60.0,
    failback_at=50.0,
    past=(
        RecentTakeover(trigger=Trigger.EC2, ended_at=40.0),
        RecentTakeover(trigger=Trigger.PROBES, ended_at=45.0),
    ),
    pause=PauseRecord(kind=PauseKind.PAUSE, at=980.0, until=3_000.0, ends_at=2_100.0, by="root@alpha"),
    local_pause=PauseRecord(kind=PauseKind.RESUME, at=970.0, local=True),
    takeover=TAKEOVER,
)
NOW, WALL = 100.0, 1_000.0


def line(data: object, kind: str = "memory") -> dict:
    return {"kind": kind, "now": NOW, "wall": WALL, "data": data}


def spoiled(place: str, value: object) -> dict:
    """The memory with this value in that place; `...` takes the field away."""
    data = DURABLE.dump_python(MEMORY, mode="json")
    *way, last = [int(step) if step.isdigit() else step for step in place.split(".")]
    around = data
    for step in way:
        around = around[step]
    if value is ...:
        del around[last]
    else:
        around[last] = value
    return data


def read(data: object) -> tuple[Durable | None, list[str]]:
    problems: list[str] = []
    return salvaged(DURABLE, line(data), problems), problems


def found(durable: Durable, place: str) -> object:
    value: object = durable
    for step in place.split("."):
        value = value[int(step)] if step.isdigit() else getattr(value, step)
    return value


def test_a_memory_of_this_version_is_read_as_it_was_written():
    """And there is nothing to report."""
    assert read(DURABLE.dump_python(MEMORY, mode="json")) == (MEMORY, [])


SAFE = [
    ("takeover.trigger", "leader", Trigger.UNOWNED),
    ("takeover.reason", "rebalance", Reason.HOLDER_DOWN),
    ("takeover.takeover_id", 7, "unknown"),
    ("takeover.from_member", None, "unknown"),
    ("takeover.started_at", "soon", NOW),
    ("takeover.started_wall", ..., WALL),
    ("takeover.cause_at", None, NOW),
    ("takeover.matched_at", [], NOW),
    ("takeover.moves.0.detach", "queued", Sent.UNANSWERED),
    ("takeover.moves.1.attach", "queued", Sent.UNANSWERED),
    ("takeover.moves.0.detach_sent_at", "now", NOW),
    ("takeover.moves.0.recorded", 5, None),
    ("takeover.moves.0.refused_indexes.1", "all", (1,)),
    ("takeover.fence", "queued", Sent.UNANSWERED),
    ("takeover.link_since", {}, None),
    ("pause.kind", "freeze", PauseKind.PAUSE),
    ("pause.at", ..., WALL),
    ("pause.reason", 5, ""),
    ("pause.ends_at", "tomorrow", None),
    ("local_pause.kind", "freeze", PauseKind.PAUSE),
    ("local_pause.local", "yes", True),
    ("past.0.trigger", "release", Trigger.PROBES),
    ("past.1.ended_at", ..., NOW),
    ("past.1.forgiven", "perhaps", False),
    ("last_had", 5, None),
    ("lost_at", "then", None),
    ("failback_at", "then", NOW),
    ("failback_blocked", "maybe", True),
    ("unfit_since_loss", "maybe", False),
]


@pytest.mark.parametrize(("place", "value", "safe"), SAFE, ids=[place for place, *_ in SAFE])
def test_what_is_not_understood_becomes_what_is_safe(place, value, safe):
    """That field alone, in one line for the operator; everything else is as it was."""
    durable, problems = read(spoiled(place, value))
    *way, last = place.split(".")
    shown = found(durable, ".".join(way) if last.isdigit() else place)

    assert shown == safe
    assert len(problems) == 1
    assert place in problems[0]
    assert durable.takeover.is_committed
    assert [move.eni_id for move in durable.takeover.moves] == ["eni-1", "eni-2"]
    assert len(durable.past) == 2
    assert durable.pause.by == "root@alpha"


def test_a_takeover_of_a_later_version_still_rolls_forward():
    """Each of its words is new."""
    data = spoiled("takeover.trigger", "leader")
    data["takeover"]["reason"] = "not_the_leader"
    data["takeover"]["moves"][0]["detach"] = "queued"
    takeover = read(data)[0].takeover

    assert (takeover.trigger, takeover.reason) == (Trigger.UNOWNED, Reason.ENI_UNOWNED)
    assert takeover.is_committed
    assert takeover.moves[0].recorded == "att-1"


@pytest.mark.parametrize("call", ["detach", "attach"])
def test_a_call_that_may_have_been_made_has_a_time(call):
    """Without one nobody would ever find out what has become of it."""
    data = spoiled(f"takeover.moves.1.{call}", "queued")
    move = read(data)[0].takeover.moves[1]

    assert getattr(move, f"{call}_sent_at") == NOW


@pytest.mark.parametrize(
    ("place", "value", "left"),
    [
        ("takeover.moves.0.eni_id", 5, {"takeover": ["eni-2"]}),
        ("takeover.moves.0", "eni-1", {"takeover": ["eni-2"]}),
        ("takeover.moves", None, {"takeover": []}),
        ("past.0", 5, {"past": [45.0]}),
        ("past", 5, {"past": []}),
        ("pause", "until noon", {"pause": None}),
        ("takeover", "t1", {"takeover": None}),
    ],
)
def test_an_item_that_says_nothing_is_left_out_alone(place, value, left):
    """The items around it stay."""
    durable, problems = read(spoiled(place, value))
    shown = {
        "takeover": None if durable.takeover is None else [move.eni_id for move in durable.takeover.moves],
        "past": [taken.ended_at for taken in durable.past],
        "pause": durable.pause,
    }

    assert {name: shown[name] for name in left} == left
    assert durable.last_had == "alpha"
    assert place in problems[0]


def test_fields_of_a_later_version_are_ignored_and_named():
    """Wherever they are."""
    data = spoiled("maintenance", {"since": 5})
    data["takeover"]["moves"][1]["lease"] = "x"
    durable, problems = read(data)

    assert durable == MEMORY
    assert [problem.split(": ")[1] for problem in problems] == ["takeover.moves.lease", "maintenance"]


@pytest.mark.parametrize("data", [None, 5, [], "memory"])
def test_what_is_no_memory_at_all_is_none(data):
    """An older line may be better."""
    assert read(data) == (None, ["journal memory not understood: ignored"])


def test_what_stood_there_is_reported_on_one_line_and_short():
    """Whoever has written it."""
    (problem,) = read(spoiled("takeover.trigger", "\n\x1b[2J\ud800" * 100))[1]

    assert problem.isprintable()
    assert len(problem) < 160


def test_the_line_itself_is_left_as_it_is():
    """It is kept in the file for a version that understands it."""
    before = line(spoiled("takeover.trigger", "leader"))
    after = copy.deepcopy(before)
    salvaged(DURABLE, after, [])

    assert after == before


def test_of_a_history_line_what_is_new_is_left_out():
    """A phase is; a result that nobody knows leaves nothing to show."""
    ended = History(
        takeover_id="t0",
        trigger=Trigger.PROBES,
        reason=Reason.HOLDER_DOWN,
        from_member="alpha",
        to_member="beta",
        started_wall=900.0,
        ended_wall=906.0,
        result=Result.SUCCESS,
        phases=((Phase.DETACH, 3.0), (Phase.ATTACH, 2.0)),
    )
    data = json.loads(json.dumps(HISTORY.dump_python(ended, mode="json")))
    data["phases"].insert(1, ["drain", 1.0])
    problems: list[str] = []
    shown = salvaged(HISTORY, line(data, "history"), problems)

    assert shown == ended
    assert len(problems) == 1
    assert salvaged(HISTORY, line({**data, "result": "vetoed"}, "history"), problems) is None
