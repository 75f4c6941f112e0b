"""What a link still lacks before this host serves the ENI's addresses by it, whoever configures it.

Owns the meaning of "ready". Pure. Must not know who configures the link, or how.

The rule and the route are needed because EC2 drops packets that leave by another ENI than the one
whose address they carry, so each address of a secondary ENI needs a routing table of its own:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/best-practices-for-configuring-network-interfaces.html
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from enum import StrEnum

from eni_failover.adapters.link.kernel import Address, KernelLink, Network, Route
from eni_failover.adapters.link.mirror import Mirror
from eni_failover.core.model import Eni


class Missing(StrEnum):
    """What a present link lacks; the words of `core.model.Link.missing`."""

    DOWN = "down"
    NO_CARRIER = "no_carrier"
    ADDRESS = "address"
    RULE = "rule"
    ROUTE = "route"
    # Nothing answers at the router's address by this link.
    PATH = "path"
    # Mode `manage` has to know the subnet, and EC2 has not told it.
    SUBNET = "subnet"


def missing(mirror: Mirror, eni: Eni, link: KernelLink) -> tuple[str, ...]:
    """What this host still lacks to serve the ENI's addresses by this link, in a fixed order."""
    tables = {network: _tables(mirror, network) for network in sources(eni)}
    lacks = {
        Missing.DOWN: not link.is_up,
        Missing.NO_CARRIER: link.is_up and not link.has_carrier,
        Missing.ADDRESS: not all(_is_usable(mirror, link, one) for one in addresses(eni)),
        Missing.RULE: not all(tables.values()),
        Missing.ROUTE: any(
            found and not any(_defaults(mirror, link, network, table) for table in found)
            for network, found in tables.items()
        ),
    }
    return tuple(word for word, is_lacking in lacks.items() if is_lacking)


def addresses(eni: Eni) -> tuple[Address, ...]:
    """The addresses that the link carries."""
    return tuple(ipaddress.ip_address(one) for one in (*eni.addresses, *eni.ipv6_addresses))


def sources(eni: Eni) -> tuple[Network, ...]:
    """Where packets that must leave by this link come from: its addresses and its delegated prefixes.

    The addresses of a prefix belong to whatever it was delegated for, containers mostly; only their
    way out is the link's.
    """
    prefixes = (ipaddress.ip_network(one) for one in (*eni.prefixes, *eni.ipv6_prefixes))
    return (*(ipaddress.ip_network(one) for one in addresses(eni)), *prefixes)


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
    return found is not None and found.is_usable


def _tables(mirror: Mirror, network: Network) -> list[int]:
    """The tables that packets from this network are looked up in, by rules that name it."""
    return [rule.table for rule in mirror.rules if _is_within(network, rule.source)]


def _is_within(inner: Network, outer: Network) -> bool:
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
