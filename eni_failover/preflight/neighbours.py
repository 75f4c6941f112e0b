"""What other daemons say of themselves, asked once.

Owns one bounded request for a /status. Reads it as the daemon does (`status.peer_from_document`).
"""

from __future__ import annotations

import asyncio
import json

import aiohttp

from eni_failover.config import Config
from eni_failover.core.model import Peer
from eni_failover.core.policy import Member
from eni_failover.status import peer_from_document

_TIMEOUT = aiohttp.ClientTimeout(total=2.0)
_LARGEST = 256 * 1024


async def ask_peers(config: Config, me: Member | None) -> tuple[Peer, ...]:
    """Every other member; one that gives no answer of use is not reachable."""
    others = [one for one in config.members if one != me]
    async with asyncio.TaskGroup() as group:
        asking = [
            group.create_task(status_at(config.status_url(one), one, group=config.group)) for one in others
        ]
    return tuple(task.result()[0] for task in asking)


async def status_at(url: str, member: Member, *, group: str) -> tuple[Peer, str]:
    """The member's /status at this URL, and why there is none."""
    document, why = await document_at(url)
    peer = peer_from_document(document, member, group=group)
    if peer.reachable or why:
        return peer, why
    return peer, "not a /status of this member"


async def document_at(url: str) -> tuple[object, str]:
    """What JSON is at this URL, None and why when there is none. Anybody may answer there."""
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, auto_decompress=False, trust_env=False) as session,
            session.get(url, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as response,
        ):
            if response.status != 200:
                return None, f"HTTP status {response.status}"
            body = await response.content.read(_LARGEST)
            while not response.content.at_eof() and len(body) < _LARGEST:
                body += await response.content.read(_LARGEST - len(body))
            return json.loads(body), ""
    except (aiohttp.ClientError, OSError, ValueError, RecursionError) as error:
        return None, type(error).__name__
