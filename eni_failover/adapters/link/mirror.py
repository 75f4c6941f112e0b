"""What the kernel has told about links, addresses, rules and default routes, and what an ENI lacks.

Owns the meaning of netlink messages and of "ready". Must not know sockets, clocks or waiting. Does not
guarantee to be complete by events alone: `apply` says which part has to be read anew.

The rule and the route are needed because EC2 drops packets that leave by another ENI than the one
whose address they carry, so each address of a secondary ENI needs a routing table of its own:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/best-practices-for-configuring-network-interfaces.html
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from eni_failover.core.model import Eni

# From linux/rtnetlink.h, linux/if.h, linux/if_addr.h and linux/fib_rules.h.
_NEWLINK: Final = 16
_DELLINK: Final = 17
_NEWADDR: Final = 20
_DELADDR: Final = 21
_ROUTES: Final = (24, 25)
_RULES: Final = (32, 33)
_IFF_UP: Final = 0x1
_IFF_LOWER_UP: Final = 0x10000
_UNUSABLE: Final = 0x08 | 0x40  # duplicate address found, or still looking for one
_FR_ACT_TO_TBL: Final = 1
_FIB_RULE_INVERT: Final = 0x2
_RTN_UNICAST: Final = 1
_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)

# Links on top of others carry the same MAC, and none of them is the ENI.
_STACKED: Final = frozenset({"vlan", "macvlan", "macvtap", "ipvlan", "bridge", "bond", "team"})
# Selectors that make a rule hold for some packets of an address only.
_NARROWING: Final = ("FRA_DST", "FRA_IIFNAME", "FRA_OIFNAME", "FRA_FWMARK", "FRA_UID_RANGE", "FRA_IP_PROTO")

Message = Any
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Part(StrEnum):
    """A part of the mirror that only a new reading makes right."""

    RULES = "rules"
    ROUTES = "routes"


class Missing(StrEnum):
    """What a present link lacks; the words of `core.model.Link.missing`."""

    DOWN = "down"
    NO_CARRIER = "no_carrier"
    ADDRESS = "address"
    RULE = "rule"
    ROUTE = "route"


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelLink:
    """One link as the kernel has it; `is_physical` means not on top of another one."""

    index: int
    name: str
    mac: str
    is_up: bool
    has_carrier: bool
    is_physical: bool


class Mirror:
    """The kernel's state as far as it matters, fed by messages of dumps and of events alike."""

    def __init__(self) -> None:
        self._links: dict[int, KernelLink] = {}
        self._addresses: dict[tuple[int, Address], bool] = {}
        self._rules: frozenset[tuple[Network, int]] = frozenset()
        self._default_routes: frozenset[tuple[int, int, int]] = frozenset()

    @property
    def macs(self) -> frozenset[str]:
        """The MACs of all links."""
        return frozenset(link.mac for link in self._links.values() if link.mac)

    def apply(self, message: Message) -> Part | None:
        """Take one message about a link or an address; the part that must be read anew, if any.

        Rules and routes are never taken from events: the kernel removes the IPv4 routes of a link
        that goes down, or loses its last address, without a message.
        """
        kind = message["header"]["type"]
        # AF_BRIDGE has the same message types: there, a "deleted" link has only left its bridge.
        if kind in {_NEWLINK, _DELLINK} and message["family"] == socket.AF_UNSPEC:
            return self._apply_link(message, is_gone=kind == _DELLINK)
        if kind in {_NEWADDR, _DELADDR}:
            return self._apply_address(message, is_gone=kind == _DELADDR)
        if kind in _RULES:
            return Part.RULES
        if kind in _ROUTES and message["dst_len"] == 0:
            return Part.ROUTES
        return None

    def read_rules(self, messages: Iterable[Message]) -> None:
        """Replace the rules by those of a dump: from which network, to which table."""
        self._rules = frozenset(found for message in messages for found in _read_rule(message))

    def read_routes(self, messages: Iterable[Message]) -> None:
        """Replace the default routes by those of a dump: family, table and link."""
        self._default_routes = frozenset(found for message in messages for found in _read_route(message))

    def find(self, mac: str) -> KernelLink | None:
        """The link that is the ENI with this MAC."""
        return next(
            (link for link in self._links.values() if link.mac == mac and link.is_physical and mac), None
        )

    def missing(self, eni: Eni, link: KernelLink) -> tuple[str, ...]:
        """What this host still lacks to serve the ENI's addresses by this link, in a fixed order."""
        wanted = [ipaddress.ip_address(one) for one in (*eni.addresses, *eni.ipv6_addresses)]
        tables = {address: self._tables(address) for address in wanted}
        lacks = {
            Missing.DOWN: not link.is_up,
            Missing.NO_CARRIER: link.is_up and not link.has_carrier,
            Missing.ADDRESS: not all(self._addresses.get((link.index, address)) for address in wanted),
            Missing.RULE: not all(tables.values()),
            Missing.ROUTE: any(
                found and not any(self._leads_to(link, address, table) for table in found)
                for address, found in tables.items()
            ),
        }
        return tuple(word for word, is_lacking in lacks.items() if is_lacking)

    def _tables(self, address: Address) -> list[int]:
        """The tables that packets from this address are looked up in, by rules that name it."""
        return [
            table
            for network, table in self._rules
            if network.version == address.version and address in network
        ]

    def _leads_to(self, link: KernelLink, address: Address, table: int) -> bool:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        return (family, table, link.index) in self._default_routes

    def _apply_link(self, message: Message, *, is_gone: bool) -> Part | None:
        index = message["index"]
        was_up = index in self._links and self._links[index].is_up
        if is_gone:
            self._links.pop(index, None)
            self._addresses = {key: usable for key, usable in self._addresses.items() if key[0] != index}
            return Part.ROUTES if self._routes_by(index) else None
        link = self._links[index] = _read_link(message)
        return Part.ROUTES if was_up and not link.is_up and self._routes_by(index) else None

    def _apply_address(self, message: Message, *, is_gone: bool) -> Part | None:
        # On a point-to-point link IFA_ADDRESS is the far end; IPv6 has no IFA_LOCAL then.
        text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        if text is None:
            return None
        index = message["index"]
        key = index, ipaddress.ip_address(text)
        if is_gone:
            self._addresses.pop(key, None)
            return Part.ROUTES if self._routes_by(index) else None
        flags = message.get_attr("IFA_FLAGS") or message["flags"]
        self._addresses[key] = not flags & _UNUSABLE
        return None

    def _routes_by(self, index: int) -> bool:
        return any(route[2] == index for route in self._default_routes)


def _read_link(message: Message) -> KernelLink:
    flags = message["flags"]
    info = message.get_attr("IFLA_LINKINFO")
    kind = info.get_attr("IFLA_INFO_KIND") if info is not None else None
    return KernelLink(
        index=message["index"],
        name=message.get_attr("IFLA_IFNAME") or "",
        mac=(message.get_attr("IFLA_ADDRESS") or "").lower(),
        is_up=bool(flags & _IFF_UP),
        # Drivers that do not report an operational state say UNKNOWN and mean up.
        has_carrier=bool(flags & _IFF_LOWER_UP) and message.get_attr("IFLA_OPERSTATE") in {"UP", "UNKNOWN"},
        is_physical=kind not in _STACKED,
    )


def _read_rule(message: Message) -> Iterator[tuple[Network, int]]:
    """The rule, when it sends all packets from some network to a table."""
    source, length = message.get_attr("FRA_SRC"), message["src_len"]
    if (
        message["family"] in _FAMILIES
        and message["action"] == _FR_ACT_TO_TBL
        and not message["flags"] & _FIB_RULE_INVERT
        and source
        and length
        and not any(message.get_attr(name) for name in _NARROWING)
    ):
        yield ipaddress.ip_network((source, length), strict=False), _table(message, "FRA_TABLE")


def _read_route(message: Message) -> Iterator[tuple[int, int, int]]:
    """The default route, once for each link that it leads to."""
    if message["dst_len"] != 0 or message["type"] != _RTN_UNICAST or message["family"] not in _FAMILIES:
        return
    hops = message.get_attr("RTA_MULTIPATH") or ()
    for index in (message.get_attr("RTA_OIF"), *(hop["oif"] for hop in hops)):
        if index:
            yield message["family"], _table(message, "RTA_TABLE"), index


def _table(message: Message, name: str) -> int:
    """The table's number; the header has room for numbers up to 255 only."""
    return int(message.get_attr(name) or message["table"])
