"""Makes the changes of a plan by netlink: needs CAP_NET_ADMIN, calls no program, writes no sysctl.

Owns the requests and what counts as done already. Must not know why a change is wanted. Does not
guarantee that a change stays: the watcher sees what others undo, and compares anew. What the kernel
refuses stops nothing else: an address family that is switched off is one failed thing.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

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
# Steps that nobody else can have done with such an answer.
_NEVER_DONE_ALREADY: Final = frozenset({"up", "routes"})

_Request: TypeAlias = Callable[[], Awaitable[object]]


class Step(NamedTuple):
    """One request of a change: the field of it, and the item there."""

    field: str
    item: Any


def steps(change: Change) -> Iterator[Step]:
    """All steps of a change, in no order."""
    for field in change.__slots__:
        for item in getattr(change, field):
            yield Step(field, item)


def without(change: Change, left_out: Collection[Step]) -> Change:
    """The change but for these steps."""
    return replace(
        change,
        **{
            field: tuple(item for item in getattr(change, field) if Step(field, item) not in left_out)
            for field in change.__slots__
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A step that the kernel refused, as `ip` would name it, and the errno's text."""

    step: Step
    what: str
    why: str
    number: int

    @property
    def is_late(self) -> bool:
        """Whether the link has left meanwhile: its event is on the way."""
        return self.number == errno.ENODEV


async def make(change: Change, kernel: AsyncIPRoute) -> tuple[Refusal, ...]:
    """Make all of it, in the order in which each step needs the ones before; what was refused."""
    refusals = []
    for step, (what, request) in _requests(change, kernel):
        try:
            await request()
        except netlink.errors() as error:
            number = getattr(error, "code", None) or getattr(error, "errno", None) or 0
            if step.field in _NEVER_DONE_ALREADY or number not in _DONE_ALREADY:
                why = os.strerror(number) if number else repr(error)
                refusals.append(Refusal(step=step, what=what, why=why, number=number))
    return tuple(refusals)


def _requests(change: Change, kernel: AsyncIPRoute) -> Iterator[tuple[Step, tuple[str, _Request]]]:
    """Each step with its name and its request, in order."""
    kinds: dict[str, Callable[[Any], tuple[str, _Request]]] = {
        "up": lambda index: ("set the link up", partial(kernel.link, "set", index=index, state="up")),
        "stale_rules": lambda rule: (f"remove {_named(rule)}", partial(kernel.rule, "del", **_rule(rule))),
        "stale_addresses": lambda found: (
            f"remove address {found.address}/{found.prefix_length}",
            partial(
                kernel.addr,
                "del",
                index=found.index,
                address=str(found.address),
                prefixlen=found.prefix_length,
            ),
        ),
        "addresses": lambda pair: (
            f"add address {pair[1]}",
            partial(kernel.addr, "replace", index=pair[0], **_address(pair[1])),
        ),
        "routes": lambda route: (f"add {_named(route)}", partial(kernel.route, "replace", **_route(route))),
        "stale_routes": lambda route: (
            f"remove {_named(route)}",
            partial(kernel.route, "del", **_route(route)),
        ),
        "rules": lambda rule: (f"add {_named(rule)}", partial(kernel.rule, "add", **_rule(rule))),
    }
    for field, request_of in kinds.items():
        for item in getattr(change, field):
            yield Step(field, item), request_of(item)


def _named(thing: Route | Rule) -> str:
    """A rule or a route as `ip` writes it."""
    if isinstance(thing, Rule):
        return f"rule from {thing.source} lookup {thing.table}"
    destination = "default" if thing.is_default else str(thing.destination)
    via = f" via {thing.gateway}" if thing.gateway is not None else ""
    return f"route {destination}{via} table {thing.table}"


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
