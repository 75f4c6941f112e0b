"""What is written into the journal can be read again, whatever peers say and clocks show."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from eni_failover.core.model import History, PauseKind, PauseRequest
from eni_failover.core.pause import LONGEST, adopt
from eni_failover.core.policy import Member
from eni_failover.core.state import Durable, RecentTakeover
from eni_failover.core.vocabulary import Reason, Result, Trigger
from eni_failover.history import Journal, Moment
from eni_failover.status import peer_from_document
from tests.core import strategies
from tests.core.builders import attached, obs, policy
from tests.fuzz.efforts import FEW

ALPHA = Member(name="alpha", instance_id="i-alpha", address="10.0.1.11")
SETTABLE = datetime(2232, 1, 1, tzinfo=UTC).timestamp()  # the kernel takes no later clock (KTIME_SEC_MAX)

walls = st.floats(0.0, SETTABLE)
moments = st.floats(0.0, 1e9)  # of a monotonic clock, which begins with the boot: 30 years
texts = st.text(max_size=600)
stamps = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001 - given a zone here
    lambda moment: moment.replace(tzinfo=UTC).isoformat()
)


def documents():
    """A /status of alpha with any pause record."""
    record = st.fixed_dictionaries(
        {
            "kind": st.sampled_from(PauseKind),
            "at": stamps,
            "until": st.none() | stamps,
            "remaining_s": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "reason": texts,
            "by": texts,
        }
    )
    return record.map(
        lambda one: {"schema": 1, "member": "alpha", "instance_id": "i-alpha", "pause_record": one}
    )


def requests():
    """What the control socket lets through."""
    words = st.text(max_size=500).filter(str.isprintable)
    return st.builds(
        PauseRequest,
        kind=st.sampled_from(PauseKind),
        duration=st.none() | st.floats(1e-3, LONGEST),
        reason=words,
        by=words,
        local=st.booleans(),
    )


def read_again(durable: Durable, *, now: float, wall: float, ended: tuple[History, ...] = ()):
    """What the next process of this boot finds at the same moment, after this was written."""
    moment = Moment(now=now, wall=wall)
    with tempfile.TemporaryDirectory() as name:

        def journal() -> Journal:
            made = {"group": "orders", "instance_id": "i-beta", "boot": "boot", "uptime": lambda: now}
            return Journal(Path(name), **made)

        async def write() -> str:
            written = journal()
            for line in ended:
                await written.record(line, moment)
            await written.remember(durable, moment)
            written.close()
            return written.problem

        assert asyncio.run(write()) == ""
        return journal().load(moment, me="i-beta")


@FEW
@given(documents(), st.lists(requests(), max_size=3), walls, moments)
def test_every_pause_that_is_taken_is_read_again(document, asked, wall, now):
    """Adopted from any document, by any clock, and what operators say after it."""
    peer = peer_from_document(document, ALPHA, now)
    heard = adopt(Durable(), replace(obs(attached("alpha"), now=now, peers=(peer,)), wall=wall))
    durable = adopt(heard, replace(obs(attached("alpha"), now=now, requests=tuple(asked)), wall=wall))
    found = read_again(durable, now=now, wall=wall)

    assert (found.durable, found.problems) == (durable, ())


@FEW
@given(st.data(), walls)
def test_every_memory_is_read_again(data, wall):
    """Of any takeover in any state, with any count."""
    group = policy()
    members = st.sampled_from([member.instance_id for member in group.members])
    durable = data.draw(strategies.durables(group, members))
    many = data.draw(st.integers(0, 10**11))  # a try each second for three thousand years
    past = tuple(RecentTakeover(trigger=trigger, ended_at=strategies.NOW) for trigger in Trigger)
    takeover = durable.takeover and replace(durable.takeover, fence_attempts=many, started_wall=wall)
    durable = replace(durable, takeover=takeover, past=past, pause=None, local_pause=None)
    found = read_again(durable, now=strategies.NOW, wall=wall)

    assert found.problems == ()
    if takeover is None or takeover.trigger is not Trigger.MANUAL:
        assert found.durable == durable


@FEW
@given(walls, walls, texts)
def test_every_takeover_of_the_history_is_read_again(started, ended, detail):
    """By clocks that were set meanwhile, with the words of whoever asked."""
    line = History(
        takeover_id="t1",
        trigger=Trigger.MANUAL,
        reason=Reason.OPERATOR,
        from_member="alpha",
        to_member="beta",
        started_wall=started,
        ended_wall=ended,
        result=Result.SUCCESS,
        detail="".join(filter(str.isprintable, detail)),
    )
    found = read_again(Durable(), now=1.0, wall=ended, ended=(line,))

    assert (found.history, found.problems) == ((line,), ())
