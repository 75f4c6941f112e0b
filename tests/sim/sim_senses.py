"""What a daemon's probes and its questions to peers are answered, from the truth about hosts and network.

Owns the stand-ins for probes and for asking /status; the schedule of the probes and what is made of an
answer are the daemon's own. Does not guarantee that a peer is asked again when nothing has changed that
an answer could tell: at rest nobody asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Never

from eni_failover.adapters.peers import PeerWatcher
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import ProbeSpec, Target
from eni_failover.core.model import Peer
from eni_failover.core.policy import InstanceId, Member
from eni_failover.core.vocabulary import Answer

PEER_TIMEOUT = 1.0
STEPS = 2  # an exchange is more than one event: after a stall its deadline comes before its end

Ask = Callable[[ProbeSpec, Target], ProbeResult | None]
AskStatus = Callable[[InstanceId], object | None]


class SimProbe:
    """One probe: `ask` gives the answer, None for silence."""

    unsent = ""

    def __init__(self, spec: ProbeSpec, ask: Ask, *, round_trip: float) -> None:
        self._spec = spec
        self._ask = ask
        self._round_trip = round_trip

    async def __call__(self, target: Target) -> ProbeResult:
        """Ask once; silence lasts until the caller's deadline."""
        answer = self._ask(self._spec, target)
        for _ in range(STEPS):
            await asyncio.sleep(self._round_trip / STEPS)
        if answer is None:
            await asyncio.get_running_loop().create_future()
        return answer or ProbeResult(answer=Answer.UNKNOWN, answered=False, detail="")

    async def close(self) -> None:
        """There is nothing to free."""


class SimPeers(PeerWatcher):
    """The real watcher's memory, with questions that go through the simulated network.

    `poke` says that an answer may be another than the last one; the question comes within an interval.
    """

    def __init__(self, *args: Any, ask: AskStatus, again: Callable[[], bool], **options: Any) -> None:
        self._ask_status = ask
        self._again = again
        self._pace = float(options.get("interval", 2.0))
        super().__init__(*args, **options)

    def poke(self) -> None:
        """Something has changed out there."""
        self._replaced.set()

    async def run(self) -> Never:
        """Ask every peer whenever there may be something new, in the steps of the interval."""
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        while True:
            self._replaced.clear()
            for member in list(self._known):
                answer = self._answer(member)
                if not answer.reachable:
                    await asyncio.sleep(PEER_TIMEOUT)
                self._keep(member, answer, "" if answer.reachable else "no answer")
            if not self._again():
                await self._replaced.wait()
            await asyncio.sleep(self._pace - (loop.time() - began_at) % self._pace)

    def _answer(self, member: Member) -> Peer:
        document = self._ask_status(member.instance_id)
        if document is None:
            return Peer(member=member.name, instance_id=member.instance_id, reachable=False)
        return self._parse(document, member, self._clock())
