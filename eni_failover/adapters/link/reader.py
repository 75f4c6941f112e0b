"""Reading the kernel's state into a mirror, by a socket without events: nothing can cut an answer short."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from eni_failover.adapters.link import netlink
from eni_failover.adapters.link.fib import FAMILIES
from eni_failover.adapters.link.kernel import Message
from eni_failover.adapters.link.mirror import Mirror

if TYPE_CHECKING:
    from pyroute2 import AsyncIPRoute

_READ_TIMEOUT: Final = 5.0


async def read_links(queries: AsyncIPRoute, mirror: Mirror) -> None:
    """Links and their addresses."""
    for message in [*await _read(queries, "get_links"), *await _read(queries, "get_addr")]:
        mirror.apply(message)


async def read_rules(queries: AsyncIPRoute, mirror: Mirror) -> list[Message]:
    """The rules of each family that has any: a kernel may be without policy routing, or without IPv6.

    The messages are for who wants to know more of them than the mirror does.
    """
    found: dict[int, list[Message]] = {}
    for version, family in FAMILIES.items():
        try:
            found[version] = await _read(queries, "get_rules", family=family)
        except netlink.errors() as error:
            if not netlink.is_unsupported(error):
                raise
    mirror.routed = frozenset(found)
    rules = [message for messages in found.values() for message in messages]
    mirror.read_rules(rules)
    return rules


async def _read(queries: AsyncIPRoute, dump: str, **which: int) -> list[Message]:
    async with asyncio.timeout(_READ_TIMEOUT):
        return [message async for message in await getattr(queries, dump)(**which)]
