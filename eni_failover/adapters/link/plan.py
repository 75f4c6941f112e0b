"""How this program sets up an ENI's link in mode `manage`: addresses, a table of its own, rules.

Owns the numbers and the structures that are wanted, and which ones that are there have to go. Pure:
compares, changes nothing. Does not guarantee that a plan is enough: `needs` says whether it was.

The layout is that of the AWS guide for instances with several ENIs. No route is put into `main`, and the
addresses are marked so that the kernel puts none there: the host's own traffic stays on its primary
ENI. No sysctl is needed: the reverse lookup of a strict rp_filter honours the rules.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from eni_failover.adapters.link import needs
from eni_failover.adapters.link.families import BOTH
from eni_failover.adapters.link.kernel import (
    DHCP_PROTOCOL,
    EVERYWHERE,
    KERNEL_PROTOCOLS,
    MAIN_TABLE,
    Address,
    Interface,
    KernelAddress,
    KernelLink,
    Network,
    Route,
    Rule,
)
from eni_failover.adapters.link.mirror import Mirror
from eni_failover.core.model import Eni, Subnet

PROTOCOL: Final = 110
"""Marks rules and routes as ours; not among those that iproute2's rt_protos names."""

PRIORITY: Final = 9000
"""Of our rules: before those of amazon-ec2-net-utils (from 10000) and cloud-init, and before `main`."""

FIRST_TABLE: Final = 20_000
"""A link's table is this plus its index: unique on the host, whatever other groups it has, and clear of
amazon-ec2-net-utils (10000 to 12000) and cloud-init (from 101)."""

IPV6_METRIC: Final = 1024
"""IP6_RT_PRIO_USER, which the kernel gives to IPv6 routes without a metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one link should have. `subnets` are its networks, which `main` must not reach by it."""

    link: KernelLink
    addresses: tuple[Interface, ...] = ()
    routes: frozenset[Route] = frozenset()
    rules: frozenset[Rule] = frozenset()
    subnets: tuple[Network, ...] = ()

    def but_for(self, change: Change) -> Plan:
        """What of it is there while this change is still to be made."""
        coming = {interface for _, interface in change.addresses}
        return replace(
            self,
            addresses=tuple(interface for interface in self.addresses if interface not in coming),
            routes=self.routes - set(change.routes),
            rules=self.rules - set(change.rules),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """From what is to what should be. Nothing in it means that there is nothing to do."""

    up: tuple[int, ...] = ()
    addresses: tuple[tuple[int, Interface], ...] = ()
    routes: tuple[Route, ...] = ()
    rules: tuple[Rule, ...] = ()
    stale_addresses: tuple[KernelAddress, ...] = ()
    stale_routes: tuple[Route, ...] = ()
    stale_rules: tuple[Rule, ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)

    def repairs(self, before: Plan) -> tuple[str, ...]:
        """What it puts right of what was there before, as `link_repairs_total` counts it.

        A route that the kernel made by itself is tidied up with each router advertisement; that is
        no repair.
        """
        competing = any(route.protocol not in KERNEL_PROTOCOLS for route in self.stale_routes)
        found = {
            "link": bool(self.up),
            "address": any(interface in before.addresses for _, interface in self.addresses),
            "route": not before.routes.isdisjoint(self.routes) or competing,
            "rule": not before.rules.isdisjoint(self.rules),
        }
        return tuple(word for word, is_so in found.items() if is_so)


def table_of(link: KernelLink) -> int:
    """The routing table of this link."""
    return FIRST_TABLE + link.index


def plan_for(
    eni: Eni,
    subnet: Subnet,
    link: KernelLink,
    mirror: Mirror,
    *,
    ipv6_router: str = "",
    carried: frozenset[int] = BOTH,
) -> Plan:
    """What this link should have while its ENI is here; `carried` are the IP versions that it can have."""
    subnets = tuple(ipaddress.ip_network(one) for one in (subnet.network, *subnet.ipv6_networks) if one)
    carried &= mirror.routed
    sources = [source for source in needs.sources(eni) if source.version in carried]
    versions = {source.version for source in sources}
    routes: set[Route] = set()
    for network in subnets:
        if network.version not in versions:
            continue
        router = _router(network, link, mirror, configured=ipv6_router)
        routes.add(_route(network, None, link, source=_first(eni, network)))
        if router is not None:
            routes.add(_route(EVERYWHERE[network.version], router, link, source=None))
    table = table_of(link)
    return Plan(
        link=link,
        addresses=tuple(
            _interface(address, subnets, is_first=address == _of(eni))
            for address in needs.addresses(eni)
            if address.version in carried
        ),
        routes=frozenset(routes),
        rules=frozenset(
            Rule(source=source, table=table, priority=PRIORITY, protocol=PROTOCOL) for source in sources
        ),
        subnets=subnets,
    )


def change_to(plan: Plan, mirror: Mirror) -> Change:
    """What has to change on this link, and in its table."""
    link, table = plan.link, table_of(plan.link)
    wanted = {one.ip for one in plan.addresses}
    ours = [rule for rule in mirror.rules if rule.protocol == PROTOCOL and rule.table == table]
    stale_rules = [rule for rule in ours if rule not in plan.rules]
    former = {_single(rule.source) for rule in stale_rules}
    by_link = [route for route in mirror.routes if route.index == link.index]
    return Change(
        up=(link.index,) if plan.addresses and not link.is_up else (),
        addresses=tuple(
            (link.index, one) for one in plan.addresses if mirror.address(link.index, one.ip) is None
        ),
        routes=tuple(sorted(plan.routes - mirror.routes, key=lambda route: -route.destination.prefixlen)),
        rules=tuple(plan.rules - mirror.rules),
        stale_addresses=tuple(
            one for one in mirror.addresses(link.index) if one.address in former and one.address not in wanted
        ),
        stale_routes=tuple(
            route
            for route in by_link
            if (route.table == table and route.protocol == PROTOCOL and route not in plan.routes)
            or _competes(route, plan)
        ),
        stale_rules=tuple(stale_rules),
    )


def is_ours(link: KernelLink, mirror: Mirror) -> bool:
    """Whether there are rules of ours for this link's table."""
    return any(rule.protocol == PROTOCOL and rule.table == table_of(link) for rule in mirror.rules)


def leftovers(enis: Iterable[Eni], mirror: Mirror) -> Change:
    """Our rules of links that have left. The kernel removes all else with the link, but no rule.

    Those of another group's links on this host stay: their link is there.
    """
    sources = {source: eni.mac for eni in enis for source in needs.sources(eni)}
    stale = []
    for rule in mirror.rules:
        if rule.protocol != PROTOCOL or rule.priority != PRIORITY:
            continue
        link = mirror.links.get(rule.table - FIRST_TABLE)
        if link is None or sources.get(rule.source, link.mac) != link.mac:
            stale.append(rule)
    return Change(stale_rules=tuple(stale))


def _competes(route: Route, plan: Plan) -> bool:
    """Whether the host's own traffic could take this route instead of its primary ENI's.

    A route elsewhere stays when a person or a hook has made it; one that came with a lease, an address or
    an advertisement has only come with the link.
    """
    if route.table != MAIN_TABLE or not is_of_networks(route.destination):
        return False
    return (
        route.is_default
        or any(needs.is_within(route.destination, subnet) for subnet in plan.subnets)
        or route.protocol in (*KERNEL_PROTOCOLS, DHCP_PROTOCOL)
    )


def is_of_networks(destination: Network) -> bool:
    """Whether it leads to more than this link's own neighbours, which IPv6 finds by routes of their own."""
    return not destination.is_multicast and not (destination.version == 6 and destination.is_link_local)


def _router(network: Network, link: KernelLink, mirror: Mirror, *, configured: str) -> Address | None:
    """The subnet's router, None while none is known.

    For IPv4 it is the subnet's first address:
    https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
    For IPv6 it advertises itself. A host that forwards does not listen to that, and the kernel's own
    question takes a second; a link that has been in the same subnet for longer knows it already.
    """
    if isinstance(network, ipaddress.IPv4Network):
        return network[1]
    if configured:
        return ipaddress.ip_address(configured)
    known = [
        route
        for route in mirror.routes
        if route.is_default and route.gateway is not None and route.destination.version == network.version
    ]
    here = [route for route in known if route.index == link.index]
    beside = [
        route for route in known if any(one.address in network for one in mirror.addresses(route.index))
    ]
    # What this link was told by the router itself comes first, then what was made of it earlier.
    here.sort(key=lambda route: route.protocol == PROTOCOL)
    return next((route.gateway for route in (*here, *beside)), None)


def _route(network: Network, gateway: Address | None, link: KernelLink, *, source: Address | None) -> Route:
    return Route(
        destination=network,
        gateway=gateway,
        index=link.index,
        table=table_of(link),
        protocol=PROTOCOL,
        metric=0 if network.version == 4 else IPV6_METRIC,
        source=source,
    )


def _of(eni: Eni) -> Address | None:
    """The ENI's primary address."""
    return ipaddress.ip_address(eni.addresses[0]) if eni.addresses else None


def _first(eni: Eni, network: Network) -> Address | None:
    """The address that packets into the subnet carry when nobody chose one; IPv6 has its own choice."""
    primary = _of(eni)
    return primary if network.version == 4 else None


def _interface(address: Address, subnets: Iterable[Network], *, is_first: bool) -> Interface:
    """The primary address with the subnet's prefix, as a DHCP client would set it; each other one alone."""
    length = next((one.prefixlen for one in subnets if is_first and address in one), address.max_prefixlen)
    return ipaddress.ip_interface((address, length))


def _single(network: Network) -> Address | None:
    """The address, when the network is only one."""
    return network.network_address if network.num_addresses == 1 else None
