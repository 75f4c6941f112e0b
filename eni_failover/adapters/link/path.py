"""Whether packets with the ENI's addresses reach the subnet's router by the ENI's link.

Owns one question: does the router's address resolve to a MAC there (ARP, RFC 826; neighbour discovery,
RFC 4861)? One empty datagram from the address makes the kernel ask, by way of the rules and routes that
clients' answers will take, and the kernel tells when it knows. Needs no privilege. Does not guarantee
anything beyond the router: security groups and network ACLs are not tried.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from eni_failover.adapters.link import netlink
from eni_failover.adapters.link.grace import ALONE_AFTER
from eni_failover.adapters.link.kernel import Address

if TYPE_CHECKING:
    from pyroute2 import AsyncIPRoute

_DISCARD: Final = 9  # RFC 863
_RTMGRP_NEIGH: Final = 0x4  # of linux/rtnetlink.h
_RESOLVED: Final = 0x02 | 0x04 | 0x08 | 0x10 | 0x80  # reachable, stale, delay, probe, permanent
_ASK_AGAIN: Final = 0.5


async def find(index: int, routers: Mapping[Address, Address]) -> None:
    """Wait until the routers answer by this link; each is asked twice a second until then, for ever.

    `routers` has the router by the address of ours to ask from, one of each address family. When one
    answers, another has a few seconds more: each family serves by itself. Raises OSError when no address
    can be used, as when the link has left, and NetlinkError.
    """
    searches = {asyncio.ensure_future(_search(index, source, router)) for source, router in routers.items()}
    try:
        waiting, errors = searches, list[BaseException]()
        while waiting and len(errors) == len(searches) - len(waiting):
            ended, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            errors += [error for search in ended if (error := search.exception()) is not None]
        if len(errors) == len(searches):
            raise errors[0]
        if waiting:
            await asyncio.wait(waiting, timeout=ALONE_AFTER)
    finally:
        for search in searches:
            search.cancel()
        await asyncio.gather(*searches, return_exceptions=True)


async def _search(index: int, source: Address, router: Address) -> None:
    """Wait until this router answers."""
    with contextlib.ExitStack() as stack:
        events, queries = netlink.open_socket(), netlink.open_socket()
        stack.callback(events.close)
        stack.callback(queries.close)
        await events.bind(groups=_RTMGRP_NEIGH)
        while not await _is_known(queries, index, router):
            _ask(index, source, router)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ASK_AGAIN):
                    await _change(events)


def _ask(index: int, source: Address, router: Address) -> None:
    """Send an empty datagram; whether the router takes it does not matter."""
    if source.version == 4:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.bind((str(source), 0))
            asking.sendto(b"", (str(router), _DISCARD))
    else:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asking:
            asking.bind((str(source), 0))
            # A link-local router is one on this link.
            asking.sendto(b"", (str(router), _DISCARD, 0, index))


async def _change(events: AsyncIPRoute) -> None:
    """Wait for any news about neighbours."""
    async for _ in events.get():
        return


async def _is_known(queries: AsyncIPRoute, index: int, router: Address) -> bool:
    found = [one async for one in await queries.get_neighbours(ifindex=index, dst=str(router))]
    return any(one["state"] & _RESOLVED for one in found)
