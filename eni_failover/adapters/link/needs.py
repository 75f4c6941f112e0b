"""What a link still lacks before this host serves the ENI's addresses by it, whoever configures it.

Owns the meaning of "ready", for each address family by itself. Must not know who configures the link, or
how.

The rule and the route are needed because EC2 drops packets that leave by another ENI than the one
whose address they carry, so each address of a secondary ENI needs a routing table of its own:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/best-practices-for-configuring-network-interfaces.html
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from eni_failover.adapters.link.families import BOTH
from eni_failover.adapters.link.fib import FAR, Way
from eni_failover.adapters.link.kernel import Address, KernelLink, Network, Route
from eni_failover.adapters.link.mirror import Mirror
from eni_failover.adapters.link.rules import ANOTHER, PLAIN, Packet
from eni_failover.core.model import Eni


class Missing(StrEnum):
    """What a present link lacks; the words of `core.model.Link.missing`."""

    DOWN = "down"
    NO_CARRIER = "no_carrier"
    # A bridge or a bond has the link: answers of neighbours, the router too, come in elsewhere.
    ENSLAVED = "enslaved"
    # ARP is switched off: no neighbour's MAC is ever found.
    NO_ARP = "no_arp"
    ADDRESS = "address"
    RULE = "rule"
    ROUTE = "route"
    # The answer from an address leaves by another link, or not at all, though rule and route are there.
    ANSWER = "answer"
    # The address is there, and the kernel takes no packet to it in.
    LOCAL = "local"
    # Nothing answers at the router's address by this link.
    PATH = "path"
    # Mode `manage` has to know the subnet, and EC2 has not told it.
    SUBNET = "subnet"
    # The kernel carries none of the ENI's address families on this link.
    FAMILY = "family"


FindWay: TypeAlias = Callable[[Address, Address, Packet], Way | None]
"""Which way such a packet to the first address goes that carries the second; None when it would not leave."""

TakesIn: TypeAlias = Callable[[Address, int], bool]
"""Whether packets to this address, on the link with this index, are for this host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """What the kernel is asked beside the mirror.

    `carried` are the IP versions that it carries on the link, `refused` addresses that it did not take;
    `way` and `takes_in` raise OSError.
    """

    carried: frozenset[int] = BOTH
    way: FindWay | None = None
    takes_in: TakesIn | None = None
    refused: frozenset[Address] = frozenset()


def missing(mirror: Mirror, eni: Eni, link: KernelLink, kernel: Kernel | None = None) -> tuple[str, ...]:
    """What this host still lacks to serve all of the ENI's addresses that its kernel can carry."""
    return words(lacking(mirror, eni, link, kernel or Kernel()))


def lacking(mirror: Mirror, eni: Eni, link: KernelLink, kernel: Kernel) -> dict[int, frozenset[Missing]]:
    """What each address family of the ENI lacks, by IP version.

    A family is left out that the kernel does not carry, or of which it refuses every address, unless no
    other is left.
    """
    carried = versions(eni) & kernel.carried & mirror.routed
    if not carried:
        return {0: frozenset({*_of_link(link), Missing.FAMILY})}
    able = {version for version in carried if not _is_refused_whole(mirror, eni, link, kernel, version)}
    return {
        version: frozenset(_of_link(link) | _of_family(mirror, eni, link, kernel, version))
        for version in sorted(able or carried)
    }


def words(lacks: Mapping[int, frozenset[Missing]]) -> tuple[str, ...]:
    """What is missing, in a fixed order, each word once."""
    found = frozenset[Missing]().union(*lacks.values())
    return tuple(word for word in Missing if word in found)


def _of_link(link: KernelLink) -> set[Missing]:
    if not link.is_up:
        return {Missing.DOWN}
    found = {
        Missing.NO_CARRIER: not link.has_carrier,
        Missing.ENSLAVED: link.is_port,
        Missing.NO_ARP: not link.has_arp,
    }
    return {word for word, is_so in found.items() if is_so}


def _of_family(mirror: Mirror, eni: Eni, link: KernelLink, kernel: Kernel, version: int) -> set[Missing]:
    found: set[Missing] = set()
    own = [address for address in addresses(eni) if address.version == version]
    taken = [address for address in own if not _is_refused(mirror, link, address, kernel)]
    if own and not (taken and all(_is_usable(mirror, link, address) for address in taken)):
        found.add(Missing.ADDRESS)
    refused = {ipaddress.ip_network(address) for address in own} - {ipaddress.ip_network(a) for a in taken}
    for network in sources(eni):
        if network.version != version or network in refused:
            continue
        tables = _tables(mirror, network)
        if not tables:
            found.add(Missing.RULE)
        elif not any(_defaults(mirror, link, network, table) for table in tables):
            found.add(Missing.ROUTE)
    if not found:
        if not all(_leaves(kernel, mirror, link, address) for address in taken):
            found.add(Missing.ANSWER)
        if kernel.takes_in and not all(kernel.takes_in(address, link.index) for address in taken):
            found.add(Missing.LOCAL)
    return found


def _is_refused_whole(mirror: Mirror, eni: Eni, link: KernelLink, kernel: Kernel, version: int) -> bool:
    own = [address for address in addresses(eni) if address.version == version]
    return bool(own) and all(_is_refused(mirror, link, address, kernel) for address in own)


def _is_refused(mirror: Mirror, link: KernelLink, address: Address, kernel: Kernel) -> bool:
    """Whether the kernel will not have it: another one may serve all the same."""
    known = mirror.address(link.index, address)
    return address in kernel.refused if known is None else known.is_duplicate


def _leaves(kernel: Kernel, mirror: Mirror, link: KernelLink, source: Address) -> bool:
    """Whether answers from this address leave by the link: to far away, and to its own subnet.

    Another rule may come before the one that names the address. One for some packets only is its owner's.
    """
    if kernel.way is None:
        return True
    far = _way_by(link, kernel.way, FAR[source.version], source)
    if far is None:
        return False
    near = far.gateway
    if near is None or near.is_link_local:
        near = neighbour(mirror, source)
    return _way_by(link, kernel.way, near, source) is not None


def _way_by(link: KernelLink, find: FindWay, destination: Address, source: Address) -> Way | None:
    """The way by this link of a plain packet, or of another one; None when neither goes by it."""
    ways = (find(destination, source, packet) for packet in (PLAIN, ANOTHER))
    return next((way for way in ways if way is not None and way.link == link.index), None)


def neighbour(mirror: Mirror, source: Address) -> Address:
    """Another host's address in the smallest subnet that EC2 has for this family: a /28, a /64."""
    return stranger(mirror, ipaddress.ip_network((source, 28 if source.version == 4 else 64), strict=False))


def stranger(mirror: Mirror, network: Network) -> Address:
    """An address of this network that is none of this host's, if there is one."""
    numbers = range(2, min(network.num_addresses, 1 << 16))
    return next(
        (network[number] for number in numbers if not mirror.has(network[number])),
        ipaddress.ip_address(network.network_address),
    )


def addresses(eni: Eni) -> tuple[Address, ...]:
    """The addresses that the link carries."""
    return tuple(ipaddress.ip_address(one) for one in eni.private_addresses)


def sources(eni: Eni) -> tuple[Network, ...]:
    """Where packets that must leave by this link come from: its addresses and its delegated prefixes.

    The addresses of a prefix belong to whatever it was delegated for, containers mostly; only their
    way out is the link's.
    """
    prefixes = (ipaddress.ip_network(one) for one in (*eni.prefixes, *eni.ipv6_prefixes))
    return (*(ipaddress.ip_network(one) for one in addresses(eni)), *prefixes)


def versions(eni: Eni) -> frozenset[int]:
    """The IP versions of its addresses and prefixes."""
    return frozenset(source.version for source in sources(eni))


def gateways(mirror: Mirror, eni: Eni, link: KernelLink) -> dict[Address, Address]:
    """The router of each family, by the first address of that family, as the kernel would use it."""
    found: dict[Address, Address] = {}
    for address in addresses(eni):
        if any(known.version == address.version for known in found):
            continue
        network = ipaddress.ip_network(address)
        routers = (
            route.gateway
            for table in _tables(mirror, network)
            for route in _defaults(mirror, link, network, table)
            if route.gateway is not None
        )
        router = next(routers, None)
        if router is not None:
            found[address] = router
    return found


def _is_usable(mirror: Mirror, link: KernelLink, address: Address) -> bool:
    found = mirror.address(link.index, address)
    return found is not None and not found.is_tentative and not found.is_duplicate


def _tables(mirror: Mirror, network: Network) -> list[int]:
    """The tables that packets from this network are looked up in, by rules that name it."""
    return [rule.table for rule in mirror.rules if is_within(network, rule.source)]


def is_within(inner: Network, outer: Network) -> bool:
    """Whether all of `inner` is in `outer`."""
    if isinstance(inner, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)


def _defaults(mirror: Mirror, link: KernelLink, network: Network, table: int) -> Iterable[Route]:
    """The default routes by this link in this table, for packets from this network."""
    return [
        route
        for route in mirror.routes
        if route.is_default
        and (route.table, route.index) == (table, link.index)
        and route.destination.version == network.version
    ]
