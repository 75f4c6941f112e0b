"""What the kernel has told about links, addresses, rules and routes.

Owns how events change the picture, and which part only a new reading makes right. Must not know sockets,
clocks, waiting or what is wanted. Does not guarantee to be complete by events alone: `apply` says which
part has to be read anew.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from enum import StrEnum
from typing import Final

from eni_failover.adapters.link.families import BOTH
from eni_failover.adapters.link.kernel import (
    Address,
    KernelAddress,
    KernelLink,
    Message,
    Route,
    Rule,
    read_address,
    read_link,
    read_rule,
)

# From linux/rtnetlink.h.
_NEWLINK: Final = 16
_DELLINK: Final = 17
_NEWADDR: Final = 20
_DELADDR: Final = 21
_ROUTES: Final = (24, 25)
_RULES: Final = (32, 33)

_births: Final = itertools.count()


class Part(StrEnum):
    """A part of the mirror that only a new reading makes right."""

    RULES = "rules"
    ROUTES = "routes"


class Mirror:
    """The kernel's state as far as it matters, fed by messages of dumps and of events alike.

    `routed` are the IP versions that the kernel routes by rules.

    `routes` are set by whoever asks for them: those by links with one of `own_macs`, which may grow, and
    the default routes of IPv6 beside them. A router of the Internet has a million others.
    """

    def __init__(self, own_macs: AbstractSet[str] = frozenset()) -> None:
        self._own_macs = own_macs
        self.links: dict[int, KernelLink] = {}
        self.rules: frozenset[Rule] = frozenset()
        self.routed: frozenset[int] = BOTH
        self.routes: frozenset[Route] = frozenset()
        self._addresses: dict[tuple[int, Address], KernelAddress] = {}

    @property
    def macs(self) -> frozenset[str]:
        """The MACs of all links."""
        return frozenset(link.mac for link in self.links.values() if link.mac)

    @property
    def own(self) -> frozenset[int]:
        """The indexes of the links with our ENIs' MACs."""
        return frozenset(link.index for link in self.links.values() if link.mac in self._own_macs)

    @property
    def beside(self) -> frozenset[int]:
        """The indexes of other links that have an IPv6 address of a network, and so may know its router."""
        return (
            frozenset(
                found.index
                for found in self._addresses.values()
                if found.address.version == 6
                and not (found.address.is_link_local or found.address.is_loopback)
            )
            - self.own
        )

    def with_mac(self, mac: str) -> tuple[KernelLink, ...]:
        """All links with this MAC."""
        return tuple(link for link in self.links.values() if link.mac == mac and mac)

    def address(self, index: int, address: Address) -> KernelAddress | None:
        """This address on this link."""
        return self._addresses.get((index, address))

    def has(self, address: Address) -> bool:
        """Whether any link has this address."""
        return any(known == address for _, known in self._addresses)

    def addresses(self, index: int) -> tuple[KernelAddress, ...]:
        """All addresses of this link."""
        return tuple(one for one in self._addresses.values() if one.index == index)

    def inherit(self, before: Mirror) -> None:
        """Know the links again that another mirror had, after everything was read anew."""
        for index, link in self.links.items():
            was = before.links.get(index)
            if was is not None and (was.mac, was.kind) == (link.mac, link.kind):
                self.links[index] = replace(link, born=was.born)

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
        return Part.ROUTES if kind in _ROUTES and self._matters(message) else None

    def read_rules(self, messages: Iterable[Message]) -> None:
        """Replace the rules by those of a dump."""
        self.rules = frozenset(rule for message in messages for rule in read_rule(message))

    def _matters(self, message: Message) -> bool:
        """Whether this route is a default route, or by a link of ours; `sieve` leaves few others."""
        link = self.links.get(message.get_attr("RTA_OIF"))
        return message["dst_len"] == 0 or (link is not None and link.mac in self._own_macs)

    def _apply_link(self, message: Message, *, is_gone: bool) -> Part | None:
        index = message["index"]
        was = self.links.get(index)
        if is_gone:
            self.links.pop(index, None)
            self._addresses = {key: one for key, one in self._addresses.items() if key[0] != index}
            return Part.ROUTES if self._has_routes(index) else None
        found = read_link(message)
        link = self.links[index] = replace(found, born=next(_births) if was is None else was.born)
        has_become_ours = link.mac in self._own_macs and was is not None and was.mac != link.mac
        went_down = was is not None and was.is_up and not link.is_up and self._has_routes(index)
        return Part.ROUTES if has_become_ours or went_down else None

    def _apply_address(self, message: Message, *, is_gone: bool) -> Part | None:
        found = read_address(message)
        if found is None:
            return None
        if is_gone:
            self._addresses.pop((found.index, found.address), None)
            return Part.ROUTES if self._has_routes(found.index) else None
        beside = self.beside
        self._addresses[found.index, found.address] = found
        return None if self.beside == beside else Part.ROUTES

    def _has_routes(self, index: int) -> bool:
        return any(route.index == index for route in self.routes)
