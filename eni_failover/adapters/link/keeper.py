"""Makes the changes of a plan by netlink: needs CAP_NET_ADMIN, calls no program, writes no sysctl.

Owns the requests and what counts as done already. Must not know why a change is wanted. Does not
guarantee that a change stays: the watcher sees what others undo, and compares anew.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final

from eni_failover.adapters.link import netlink
from eni_failover.adapters.link.kernel import Interface, Route, Rule
from eni_failover.adapters.link.plan import Change

if TYPE_CHECKING:
    from pyroute2 import AsyncIPRoute

# From linux/if_addr.h. No duplicate is looked for: EC2 gives each address to one ENI.
_IFA_F_NODAD: Final = 0x02
_IFA_F_NOPREFIXROUTE: Final = 0x200
# From linux/rtnetlink.h.
_SCOPE_UNIVERSE: Final = 0
_SCOPE_LINK: Final = 253
_DONE_ALREADY: Final = frozenset({errno.EEXIST, errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL})


async def make(change: Change, kernel: AsyncIPRoute) -> None:
    """Make all of it, in the order in which each step needs the ones before.

    Raises NetlinkError when the kernel refuses, and OSError; what was made until then stays.
    """
    for index in change.up:
        await kernel.link("set", index=index, state="up")
    for rule in change.stale_rules:
        await _once(kernel.rule("del", **_rule(rule)))
    for found in change.stale_addresses:
        await _once(
            kernel.addr("del", index=found.index, address=str(found.address), prefixlen=found.prefix_length)
        )
    for index, interface in change.addresses:
        await _once(kernel.addr("replace", index=index, **_address(interface)))
    for route in change.routes:
        await kernel.route("replace", **_route(route))
    for route in change.stale_routes:
        await _once(kernel.route("del", **_route(route)))
    for rule in change.rules:
        await _once(kernel.rule("add", **_rule(rule)))


async def _once(request: Awaitable[object]) -> None:
    """A request whose effect may be there already; pyroute2's errors carry the kernel's number."""
    try:
        await request
    except netlink.errors() as error:
        if getattr(error, "code", None) not in _DONE_ALREADY:
            raise


def _address(interface: Interface) -> dict[str, Any]:
    nodad = _IFA_F_NODAD if interface.version == 6 else 0
    return {
        "address": str(interface.ip),
        "prefixlen": interface.network.prefixlen,
        "flags": _IFA_F_NOPREFIXROUTE | nodad,
    }


def _route(route: Route) -> dict[str, Any]:
    request: dict[str, Any] = {
        "family": _family(route.destination.version),
        "dst": str(route.destination),
        "oif": route.index,
        "table": route.table,
        "proto": route.protocol,
        "scope": _SCOPE_LINK if route.gateway is None and route.destination.version == 4 else _SCOPE_UNIVERSE,
    }
    if route.gateway is not None:
        request["gateway"] = str(route.gateway)
    if route.metric:
        request["priority"] = route.metric
    if route.source is not None:
        request["prefsrc"] = str(route.source)
    return request


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "family": _family(rule.source.version),
        "src": str(rule.source),
        "table": rule.table,
        "priority": rule.priority,
        "protocol": rule.protocol,
    }


def _family(version: int) -> int:
    return socket.AF_INET if version == 4 else socket.AF_INET6
