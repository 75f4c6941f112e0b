"""What the other members say of themselves: their /status, asked every two seconds.

Owns the asking: one task for each peer, a bound on time and size, no redirects, no proxies. Must not
know what a document means; `parse` does. Does not guarantee that an answer is true or fresh, only
that nothing a peer does, or does not do, stops this member.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Never

import aiohttp
import structlog

from eni_failover.adapters.bounded_connector import BoundedConnector
from eni_failover.core.model import PauseRecord, Peer
from eni_failover.core.policy import Member

MAX_BODY = 256 * 1024
_OK = 200


class PeerWatcher:
    """Keeps the last word of every other member.

    `url_of` gives a member's /status, `parse` reads its JSON, heard at that time (a peer that is not
    `reachable` is no answer), `on_change` is called when something that a decision may depend on has
    changed. Times are seconds; `interval` is from the start of one question to the start of the next.
    """

    def __init__(
        self,
        members: Iterable[Member],
        *,
        me: Member,
        url_of: Callable[[Member], str],
        parse: Callable[[object, Member, float], Peer],
        clock: Callable[[], float],
        on_change: Callable[[], None],
        interval: float = 2.0,
        timeout: float = 1.0,
    ) -> None:
        self._me = me
        self._url_of = url_of
        self._parse = parse
        self._clock = clock
        self._on_change = on_change
        self._interval = interval
        self._timeout = timeout
        self._known: dict[Member, Peer] = {}
        self._heard: dict[Member, bool] = {}
        self._replaced = asyncio.Event()
        self._log = structlog.get_logger("eni_failover.peers")
        self.replace(members)

    def peers(self) -> tuple[Peer, ...]:
        """The other members in their order; one that has not answered yet is not reachable."""
        return tuple(self._known.values())

    def replace(self, members: Iterable[Member]) -> None:
        """From now on these are the members. What is known of those that stay is kept."""
        known = {peer.instance_id: peer for peer in self._known.values()}
        self._known = {
            member: replace(known.get(member.instance_id) or _silent(member), member=member.name)
            for member in members
            if member.instance_id != self._me.instance_id
        }
        self._heard = {member: heard for member, heard in self._heard.items() if member in self._known}
        self._replaced.set()

    async def run(self) -> Never:
        """Ask every peer, until cancelled."""
        session = aiohttp.ClientSession(
            connector=BoundedConnector(),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            # What is not unpacked cannot grow: the bound on the body is a bound on memory.
            auto_decompress=False,
            headers={"Accept-Encoding": "identity"},
        )
        async with session, asyncio.TaskGroup() as group:
            tasks: dict[Member, asyncio.Task[Never]] = {}
            while True:
                self._replaced.clear()
                for member in tasks.keys() - self._known.keys():
                    tasks.pop(member).cancel()
                for member in self._known.keys() - tasks.keys():
                    tasks[member] = group.create_task(
                        self._watch(session, member), name=f"peer {member.name}"
                    )
                await self._replaced.wait()

    async def _watch(self, session: aiohttp.ClientSession, member: Member) -> Never:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            answer, problem = await self._ask(session, member)
            self._keep(member, answer, problem)
            due = max(due + self._interval, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _ask(self, session: aiohttp.ClientSession, member: Member) -> tuple[Peer, str]:
        """What the member says now; not reachable, and why, when it says nothing of use."""
        try:
            async with session.get(self._url_of(member), allow_redirects=False) as response:
                if response.status != _OK:
                    return _silent(member), f"HTTP status {response.status}"
                document = json.loads(await _read(response))
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as error:
            # Its words are not repeated: aiohttp's quote what came, and any service may answer there.
            return _silent(member), type(error).__name__
        peer = self._parse(document, member, self._clock())
        return peer, "" if peer.reachable else "not a /status of this member"

    def _keep(self, member: Member, answer: Peer, problem: str) -> None:
        last = self._known.get(member)
        if last is None:
            return
        answer = replace(answer, member=last.member)
        if not answer.reachable:
            # What it was doing is not known any more; what it has said still stands, a pause above all.
            answer = replace(last, reachable=False, role="", takeover_trigger="")
        elif _is_same(answer.pause, last.pause):
            # What remains of a pause counts from when it was first heard of: heard again, it is no news.
            answer = replace(answer, pause=last.pause)
        self._known[member] = answer
        if self._heard.get(member) is not answer.reachable:
            self._heard[member] = answer.reachable
            if answer.reachable:
                self._log.info("peer.reachable", peer=member.name, version=answer.version)
            else:
                self._log.warning("peer.unreachable", peer=member.name, error=problem)
        if _to_decide_on(last) != _to_decide_on(answer):
            self._on_change()


def _to_decide_on(peer: Peer) -> Peer:
    """Without what is only shown: the next pass shows it, and none is made for it."""
    return replace(peer, version="", ready=False, reasons=(), outage=None, takeovers=())


def _silent(member: Member) -> Peer:
    return Peer(member=member.name, instance_id=member.instance_id, reachable=False)


def _is_same(record: PauseRecord | None, known: PauseRecord | None) -> bool:
    return record is not None and known is not None and (record.kind, record.at) == (known.kind, known.at)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body. Raises ValueError when it is larger than any /status is."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY:
            raise ValueError(f"more than {MAX_BODY} bytes")
    return bytes(body)
