"""Whatever stands in the journal: what cannot be used is reported, and the daemon starts."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eni_failover.core.model import History, PauseKind, PauseRecord
from eni_failover.core.state import Durable
from eni_failover.history import Journal, Moment, Recovered
from eni_failover.journal_file import FILE
from eni_failover.journal_lines import read_history
from eni_failover.status import history_document
from tests.fuzz.efforts import LONG, QUICK

GROUP, INSTANCE = "orders", "i-0bbbbbbbbbbbbbbb2"
NOW = Moment(now=50.0, wall=2_000.0)

TAKEOVER = {
    "takeover_id": "t1",
    "trigger": "probes",
    "reason": "holder_down",
    "from_member": "alpha",
    "started_at": 90.0,
    "started_wall": 990.0,
    "cause_at": 88.0,
    "matched_at": 89.0,
    "moves": [{"eni_id": "eni-1", "recorded": "att-1", "detach": "accepted", "detach_sent_at": 90.0}],
    "committed": True,
}
DURABLE = {
    "last_had": "alpha",
    "lost_at": 60.0,
    "past": [{"trigger": "probes", "ended_at": 40.0}],
    "pause": {"kind": "pause", "at": 990.0, "until": 3_000.0, "reason": "work", "by": "root@alpha"},
    "takeover": TAKEOVER,
}
ENDED = {
    "takeover_id": "t0",
    "trigger": "probes",
    "reason": "holder_down",
    "from_member": "alpha",
    "to_member": "beta",
    "started_wall": 900.0,
    "ended_wall": 906.0,
    "result": "success",
    "phases": [["detach", 3.1], ["attach", 2.1]],
}


def line(kind: str = "memory", data: object = DURABLE, **changes: object) -> dict[str, object]:
    stamp = {"group": GROUP, "instance_id": INSTANCE, "boot_id": "boot-1", "wall": 1_000.0, "now": 100.0}
    return {"kind": kind, **stamp, "data": data, **changes}


def recovered(content: bytes) -> tuple[Recovered, tuple[History, ...]]:
    """What a starting daemon and the `history` command read from a journal of these bytes."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / FILE).write_bytes(content)
        journal = Journal(directory, group=GROUP, instance_id=INSTANCE, boot="boot-2")
        try:
            found = journal.load(NOW, me="i-beta")
        finally:
            journal.close()
        return found, read_history(directory, group=GROUP, wall=NOW.wall).takeovers


def check(content: bytes) -> Recovered:
    """Values of the right types come out, each problem is one line, and the history can be shown."""
    found, ended = recovered(content)

    assert isinstance(found.durable, Durable)
    assert all(isinstance(one, History) for one in (*found.history, *ended))
    assert all(isinstance(problem, str) and problem for problem in found.problems)
    return found


def test_a_good_journal_is_read_whole():
    """What is spoiled below is a good journal to begin with."""
    content = "".join(json.dumps(one) + "\n" for one in (line("history", ENDED), line()))
    found = check(content.encode())

    assert found.problems == ()
    assert found.durable.pause == PauseRecord(
        kind=PauseKind.PAUSE, at=990.0, until=3_000.0, ends_at=1_050.0, reason="work", by="root@alpha"
    )
    assert found.durable.takeover.moves[0].recorded == "att-1"
    assert [history_document(one)["id"] for one in found.history] == ["t0"]


TORN = {
    "nothing": b"",
    "NUL": b"\0" * 4096,
    "no UTF-8": b"\xff\xfe\n",
    "a number": b"1\n",
    "a list": b"[]\n",
    "text": b'"memory"\n',
    "another object": b"{}\n",
    "cut": json.dumps(line()).encode()[:-9],
    "glued": json.dumps(line()).encode() * 2,
    "digits": json.dumps(line()).replace("1000.0", "9" * 5000).encode(),
    "a kind that is a list": json.dumps(line(kind=["memory"])).encode(),
    "a lone surrogate": json.dumps(line(group="\ud800")).encode(),
    "no data": json.dumps({key: one for key, one in line().items() if key != "data"}).encode(),
    "another group": json.dumps(line(group="other")).encode(),
    "another machine": json.dumps(line(instance_id="i-9")).encode(),
    "endless future": json.dumps(line(wall=math.inf)).encode(),
    "a kind nobody knows": json.dumps(line(kind="frob")).encode(),
}

# Ours by its stamp, and not to be understood: of another version, say.
NOT_UNDERSTOOD = {
    "data of another kind": json.dumps(line(data=[1])).encode(),
    "fields of other types": json.dumps(line(data={"past": 1, "pause": "x", "lost_at": []})).encode(),
    "words nobody knows": json.dumps(line(data={"past": [{"trigger": "frob", "ended_at": 1}]})).encode(),
}


@pytest.mark.parametrize("name", TORN)
def test_a_line_that_is_none_is_left_out(name):
    """An empty memory, and one line about each that was left out."""
    found = check(TORN[name])

    assert found.durable == Durable()
    assert found.history == ()
    assert bool(found.problems) is (name != "nothing")


@pytest.mark.parametrize("name", NOT_UNDERSTOOD)
def test_a_memory_that_is_not_understood_is_reported(name):
    """What of it is understood counts, and where nothing is, the memory before it."""
    found = check(b"\n".join([json.dumps(line()).encode(), NOT_UNDERSTOOD[name], b""]))

    assert (found.durable.last_had == "alpha") is (name == "data of another kind")
    assert found.problems


@pytest.mark.parametrize("name", TORN)
def test_what_stands_around_it_is_kept(name):
    """A torn line costs itself alone."""
    good = json.dumps(line()).encode()

    assert check(b"\n".join([good, TORN[name].strip(b"\n"), b""])).durable.last_had == "alpha"


@pytest.mark.parametrize("torn", [b"[" * 100_000, b'{"a":' * 100_000], ids=["brackets", "braces"])
def test_a_line_nested_without_end_is_left_out(torn):
    """A daemon that does not start for it would never start again."""
    assert check(torn).durable == Durable()


@pytest.mark.parametrize("changes", [{"wall": -(10**400)}, {"now": 10**400}, {"now": -(10**400)}])
def test_a_time_beyond_floats_is_left_out(changes):
    """JSON has integers of any size."""
    assert check(json.dumps(line(**changes)).encode()).durable == Durable()


@pytest.mark.parametrize("odd", [math.nan, -math.inf, "nan", "-inf", 1e300, True])
@pytest.mark.parametrize("where", ["wall", "now"])
def test_a_line_whose_time_is_no_number_is_left_out(where, odd):
    """Nothing in it has an age."""
    assert check(json.dumps(line(**{where: odd})).encode()).durable == Durable()


@pytest.mark.parametrize("odd", [math.nan, -math.inf, "nan", "-inf", 1e300, True, [], {}])
@pytest.mark.parametrize("where", ["lost_at", "pause", "takeover"])
def test_a_time_that_is_no_number_is_not_believed(where, odd):
    """No comparison with it is ever true: a pause would never end, and no status could be shown."""
    data = json.loads(json.dumps(DURABLE))
    around, name = {
        "lost_at": (data, "lost_at"),
        "pause": (data["pause"], "ends_at"),
        "takeover": (data["takeover"], "started_at"),
    }[where]
    around[name] = odd
    durable = check(json.dumps(line(data=data)).encode()).durable

    if durable != Durable():  # the whole line was left out
        assert durable.takeover.is_committed
        assert durable.pause.ends_at == 1_050.0
        assert math.isfinite(durable.takeover.started_at)
        assert durable.lost_at == (None if where == "lost_at" else pytest.approx(-990.0))


@pytest.mark.parametrize("wall", [math.nan, math.inf, 1e300, 1e12])
def test_a_takeover_outside_the_calendar_is_left_out_of_the_history(wall):
    """What cannot be written as a date again must not reach /status, which shows the last takeover."""
    found = check(json.dumps(line("history", {**ENDED, "ended_wall": wall})).encode())

    assert [history_document(one)["id"] for one in found.history] == []


def test_what_another_machine_is_called_stays_in_its_line():
    """A problem is one line for a person, whatever the journal holds."""
    found = check(json.dumps(line(instance_id="i-9\n\x1b[2J\ud800")).encode())

    assert [one for one in found.problems if not one.isprintable()] == []


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.sampled_from(
        ["", "memory", "history", GROUP, INSTANCE, "probes", "pause", "accepted", "\ud800", "a\nb"]
    )
)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3), max_leaves=4)


def spoil(draw: st.DrawFn, value: object) -> object:
    """This value with one thing in it, however deep, replaced, left out, or added."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 9)) == 0:
            return {name: one for name, one in value.items() if name != key}
        return {**value, key: spoil(draw, value[key])}
    if isinstance(value, list) and value and draw(st.booleans()):
        return [spoil(draw, value[0]), *value[1:]]
    return draw(values)


@st.composite
def journals(draw: st.DrawFn) -> bytes:
    """Some lines, each with something spoiled, and bytes in between."""
    lines = []
    for _ in range(draw(st.integers(1, 4))):
        whole = draw(st.sampled_from([line(), line("history", ENDED)]))
        lines.append(json.dumps(spoil(draw, whole)).encode())
        if draw(st.integers(0, 4)) == 0:
            lines.append(draw(st.binary(max_size=30)))
    return b"\n".join(lines)


@QUICK
@given(journals())
def test_any_journal(content):
    """Spoiled anywhere, a journal is read as far as it goes."""
    check(content)


@pytest.mark.slow
@pytest.mark.timeout(600)
@LONG
@given(journals())
def test_any_journal_at_length(content):
    """The same, for minutes."""
    check(content)
