"""Whatever another member's /status says: a bounded, printable Peer that can be shown again, or no answer."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eni_failover.core.model import PauseKind, Peer
from eni_failover.core.policy import Member
from eni_failover.core.snapshot import Snapshot
from eni_failover.core.vocabulary import Role
from eni_failover.status import peer_from_document, to_document
from tests.fuzz.efforts import LONG, QUICK
from tests.fuzz.peer_documents import GOOD, TIME

ALPHA = Member(name="alpha", instance_id="i-alpha", address="10.0.1.1")
BETA = Member(name="beta", instance_id="i-beta", address="10.0.1.2")
MINE = Snapshot(
    version="1.2.3",
    group="orders",
    member="beta",
    instance_id="i-beta",
    config_hash="c0ffee",
    role=Role.STANDBY,
    holder="alpha",
    at_wall=1_795_000_000.0,
    ready=True,
)
LONGEST = {"role": 32, "version": 64, "config_hash": 128, "takeover_trigger": 32, "last_takeover_trigger": 32}


def check(document: object) -> Peer:
    """The oracle: bounded, printable, and fit for this member's own /status and page."""
    peer = peer_from_document(document, ALPHA, group="orders")

    assert peer.member == "alpha"
    for name, longest in LONGEST.items():
        text = getattr(peer, name)
        assert isinstance(text, str)
        assert len(text) <= longest
        assert text == "" or text.isprintable()
    assert isinstance(peer.paused, bool)
    record = peer.pause
    if record is not None:
        assert record.kind in set(PauseKind)
        assert (record.reason + record.by).isprintable() or not record.reason + record.by
        assert len(record.reason) <= 500
        assert len(record.by) <= 200
    if not peer.reachable:
        assert peer == Peer(member="alpha", instance_id="i-alpha", reachable=False)
    adopted = replace(MINE, peers=(peer,), pause=record, paused=record is not None)
    shown = json.loads(json.dumps(to_document(adopted), allow_nan=False))
    again = peer_from_document(shown, BETA)
    assert again.reachable
    assert (again.pause is None) is (record is None)
    return peer


def test_a_good_document_is_read_whole():
    """What is spoiled below is a good document to begin with."""
    peer = check(GOOD)

    assert (peer.reachable, peer.role, peer.paused) == (True, "active", True)
    assert (peer.takeover_trigger, peer.last_takeover_trigger) == ("probes", "failback")
    assert (peer.pause.reason, peer.pause.by) == ("work", "root@alpha")


MALFORMED = {
    "nothing": None,
    "a list": [GOOD],
    "text": "active",
    "a number": 1,
    "an empty object": {},
    "no schema": {name: one for name, one in GOOD.items() if name != "schema"},
    "schema 2": {**GOOD, "schema": 2},
    "schema true": {**GOOD, "schema": True},
    "schema 1.0": {**GOOD, "schema": 1.0},
    "schema as text": {**GOOD, "schema": "1"},
    "another member": {**GOOD, "member": "beta"},
    "another group": {**GOOD, "group": "billing"},
    "a member that is a list": {**GOOD, "member": ["alpha"]},
    "a role that is a number": {**GOOD, "role": 1},
    "a pause that is true": {**GOOD, "paused": True},
    "a record that is a list": {**GOOD, "pause_record": [GOOD["pause_record"]]},
    "a kind that is a number": {**GOOD, "pause_record": {**GOOD["pause_record"], "kind": 1}},
    "a rest that is text": {**GOOD, "pause_record": {**GOOD["pause_record"], "remaining_s": "60"}},
    **{
        f"a record of {at!r}": {**GOOD, "pause_record": {**GOOD["pause_record"], "at": at}}
        for at in (
            None,
            0,
            "",
            "yesterday",
            "2026-11-23",
            "2026-11-23T03:17:00",
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59-23:59",
            "10000-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-11-23T03:17:00+99:99",
            "\uff12026-11-23T03:17:00Z",
        )
    },
    "a local that is text": {**GOOD, "pause_record": {**GOOD["pause_record"], "local": "false"}},
    "a trigger that is an object": {**GOOD, "takeover": {"trigger": {}}},
    "a takeover that is text": {**GOOD, "takeover": "probes"},
    "an end that is no time": {**GOOD, "last_takeover": {"trigger": "manual", "ended_at": "soon"}},
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_document_is_no_answer(name):
    """A known field of a wrong type makes the whole document none: the peer is not reachable."""
    assert not check(MALFORMED[name]).reachable


@pytest.mark.parametrize("field", ["role", "version", "config_hash"])
def test_texts_are_cut_and_cleaned(field):
    """What goes on into logs, metrics and the page is short and printable."""
    nasty = "<script>\x1b[31m\r\n\u202e\u2028\0\ud800" + "A" * 1_000_000

    text = getattr(check({**GOOD, field: nasty}), field)
    assert text.startswith("<script>[31m")
    assert len(text) <= LONGEST[field]


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["\ud800", "A" * 3000, TIME, "2026-11-23T03:17:00+00:00:00.000001", "pause", "resume", "active"]
    )
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(GOOD)), inner, max_size=3)
    ),
    max_leaves=5,
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, object]:
    """A good document with one to four things in it replaced."""
    document = dict(GOOD)
    for _ in range(draw(st.integers(1, 4))):
        name = draw(st.sampled_from(sorted(GOOD)))
        inner = document[name]
        if isinstance(inner, dict) and inner and draw(st.integers(0, 3)):
            document[name] = {**inner, draw(st.sampled_from(sorted(inner))): draw(values)}
        else:
            document[name] = draw(values)
    return document


@QUICK
@given(documents() | values)
def test_any_document(document):
    """Spoiled anywhere, it is read or refused as a whole."""
    check(document)


@pytest.mark.slow
@pytest.mark.timeout(600)
@LONG
@given(documents() | values)
def test_any_document_at_length(document):
    """The same, for minutes."""
    check(document)
