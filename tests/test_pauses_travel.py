"""A pause in any group, however its members' clocks differ: it lasts as long as was asked, and a little.

Real records, documents and journals; the members' clocks, the network and the restarts are made up.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from eni_failover.core.model import PauseKind, PauseRequest, Peer
from eni_failover.core.pause import adopt, is_in_force
from eni_failover.core.policy import Member as GroupMember
from eni_failover.core.policy import MemberName
from eni_failover.core.snapshot import Snapshot
from eni_failover.core.state import Durable
from eni_failover.core.vocabulary import Role
from eni_failover.history import Journal, Moment
from eni_failover.status import peer_from_document, to_document
from tests.core.builders import attached, obs

EPOCH = 1_800_000_000.0
RATE = 1e-4  # by which two clocks may go apart, as the kernel allows
HELD_UP = 7.0  # the oldest snapshot, five seconds, on the slowest way


@dataclass
class Member:
    """A member whose host has been up for `up` seconds, and whose clock is off by `off`."""

    name: str
    directory: Path
    up: float
    off: float
    rate: float
    durable: Durable = field(default_factory=Durable)
    mono: float = 0.0  # what a container adds to the monotonic clock

    def now(self, time: float) -> float:
        return self.mono + self.up + time * self.rate

    def wall(self, time: float) -> float:
        return EPOCH + time * self.rate + self.off

    def moment(self, time: float) -> Moment:
        return Moment(now=self.now(time), wall=self.wall(time))

    def passes(self, time: float, *, peers: tuple[Peer, ...] = (), requests=()) -> None:
        seen = obs(attached("alpha"), now=self.now(time), peers=peers, requests=requests)
        self.durable = adopt(self.durable, replace(seen, wall=self.wall(time)))

    def document(self, time: float) -> object:
        snapshot = Snapshot(
            version="0",
            group="orders",
            member=MemberName(self.name),
            instance_id=f"i-{self.name}",
            config_hash="",
            role=Role.STANDBY,
            holder="alpha",
            at_wall=self.wall(time),
            at=self.now(time),
            pause=self.durable.pause,
            paused=self.is_paused(time),
        )
        return json.loads(json.dumps(to_document(snapshot)))

    @property
    def known_as(self) -> GroupMember:
        return GroupMember(name=self.name, instance_id=f"i-{self.name}", address="10.0.1.1")

    def hears(self, other: Member, time: float, late: float) -> None:
        """Takes in what the other has shown so long ago."""
        peer = peer_from_document(other.document(time - late), other.known_as, self.now(time))
        self.passes(time, peers=(peer,))

    def restarts(self, time: float) -> None:
        """The daemon ends and starts; it may be in another container, with another monotonic clock."""
        asyncio.run(self._write(time))
        self.mono += 1_000.0
        journal = self._journal(time)
        found = journal.load(self.moment(time), me=self.known_as.instance_id)
        journal.close()
        assert found.problems == ()
        self.durable = found.durable

    async def _write(self, time: float) -> None:
        journal = self._journal(time)
        await journal.remember(self.durable, self.moment(time))
        journal.close()
        assert journal.problem == ""

    def _journal(self, time: float) -> Journal:
        return Journal(
            self.directory / self.name,
            group="orders",
            instance_id=f"i-{self.name}",
            boot="boot-1",
            uptime=lambda: self.up + time * self.rate,
        )

    def is_paused(self, time: float) -> bool:
        return is_in_force(self.durable.pause, self.now(time))


def groups(directory: Path):
    rates = st.floats(1.0 - RATE, 1.0 + RATE)
    # No two clocks further apart than a record may be ahead.
    one = st.tuples(st.floats(1_000.0, 1e6), st.floats(-1_750.0, 1_750.0), rates)
    return st.lists(one, min_size=2, max_size=5).map(
        lambda clocks: [
            Member(name=f"m{number}", directory=directory, up=up, off=off, rate=rate)
            for number, (up, off, rate) in enumerate(clocks)
        ]
    )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_pause_lasts_as_long_as_was_asked_and_no_echo_prolongs_it(data):
    """Whoever hears it from whom, however late, whatever is restarted or done to a clock meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        members = data.draw(groups(Path(name)))
        for member in members:
            (member.directory / member.name).mkdir()
        asked = data.draw(st.floats(1.0, 3_000.0))
        drift = 0.01 + 4 * RATE * asked
        pause = PauseRequest(kind=PauseKind.PAUSE, duration=asked, by="op")
        time, over_at = 10.0, 10.0 + asked
        members[0].passes(time, requests=(pause,))
        record = members[0].durable.pause
        hops = {members[0].name: 0}  # of those whom it holds back, or has held back
        for _ in range(data.draw(st.integers(1, 25))):
            time += data.draw(st.floats(0.0, asked / 8))
            member, other = (data.draw(st.sampled_from(members)) for _ in range(2))
            match data.draw(st.sampled_from(("hear", "hear", "hear", "restart", "set"))):
                case "restart":
                    member.restarts(time)
                case "set":
                    member.off = data.draw(st.floats(-1_750.0, 1_750.0))
                case _ if other is not member:
                    late = data.draw(st.floats(0.0, HELD_UP))
                    is_news = (member.durable.pause is None) and other.durable.pause is not None
                    member.hears(other, time, late)
                    if is_news and member.is_paused(time):
                        hops[member.name] = hops[other.name] + 1
                    assert not is_news or member.is_paused(time) or time - late >= over_at - drift
        assert {member.durable.pause.at for member in members if member.durable.pause} == {record.at}
        for member in [member for member in members if member.name in hops]:
            ends = (member.durable.pause.ends_at - member.now(0.0)) / member.rate
            assert over_at - drift <= ends <= over_at + hops[member.name] * HELD_UP + drift
