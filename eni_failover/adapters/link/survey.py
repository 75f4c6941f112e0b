"""What this host's kernel would do with the links of ENIs, or does: asked once, for a check."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eni_failover.adapters.link import astray, families, needs, netlink, plan
from eni_failover.adapters.link.choice import LinkChoice
from eni_failover.adapters.link.fib import FAR, Fib
from eni_failover.adapters.link.kernel import (
    DHCP_PROTOCOL,
    KERNEL_PROTOCOLS,
    MAIN_TABLE,
    Address,
    KernelLink,
    Network,
    Route,
)
from eni_failover.adapters.link.mirror import Mirror
from eni_failover.adapters.link.reader import read_links, read_rules
from eni_failover.core.model import Eni
from eni_failover.core.policy import EniId
from eni_failover.errors import TransientError


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSurvey:
    """`carried` and `routed` are the IP versions that a new link can have, and that rules can route.

    `catching` are rules before those of the ENIs' addresses that their answers would take, `catching_some`
    those for some answers only, as `ip rule` shows them; `hears_ipv6_router`: a link knows an IPv6 router,
    or a new link will hear it. By ENI whose link is here: `silent`, what one address family lacks while
    another serves, and `own_ways`, the routes in `main` by its link that packets of the host itself take.
    """

    carried: frozenset[int]
    routed: frozenset[int]
    catching: tuple[str, ...] = ()
    catching_some: tuple[str, ...] = ()
    hears_ipv6_router: bool = True
    silent: Mapping[EniId, str] = field(default_factory=dict)
    own_ways: Mapping[EniId, tuple[str, ...]] = field(default_factory=dict)


async def survey(enis: Iterable[Eni], *, proc: Path = Path("/proc")) -> LinkSurvey:
    """Ask the kernel of this network namespace. Raises TransientError."""
    try:
        with contextlib.ExitStack() as stack:
            queries, fib = netlink.open_socket(), Fib()
            stack.callback(queries.close)
            stack.callback(fib.close)
            known = tuple(eni for eni in enis if eni.mac)
            mirror, choice = Mirror({eni.mac for eni in known}), LinkChoice(lambda: 0.0)
            await read_links(queries, mirror)
            rules = await read_rules(queries, mirror)
            mirror.routes = fib.routes(mirror.own, mirror.beside)
            links = {eni: choice.find(eni, mirror) for eni in known}
            taken = await astray.find(links, rules, mirror, fib)
            return _judged(links, taken, mirror, fib, proc)
    except netlink.errors() as error:
        raise TransientError(f"the kernel's links cannot be read: {error!r}") from error


def _judged(
    links: Mapping[Eni, KernelLink | None], taken: astray.Astray, mirror: Mirror, fib: Fib, proc: Path
) -> LinkSurvey:
    here = [(eni, link) for eni, link in links.items() if link is not None]
    return LinkSurvey(
        carried=families.carried(families.NEW_LINKS, proc=proc),
        routed=mirror.routed,
        catching=taken.of_all,
        catching_some=taken.of_some,
        hears_ipv6_router=families.hears_routers(families.NEW_LINKS, proc=proc)
        or any(route.is_default and route.destination.version == 6 for route in mirror.routes),
        silent={eni.eni_id: text for eni, link in here if (text := _silent(eni, link, mirror, fib, proc))},
        own_ways={eni.eni_id: ways for eni, link in here if (ways := _own_ways(eni, link, mirror, fib))},
    )


def _silent(eni: Eni, link: KernelLink, mirror: Mirror, fib: Fib, proc: Path) -> str:
    """What one family lacks while another serves."""
    carried = families.carried_by(link.index, proc=proc)
    kernel = needs.Kernel(carried=carried, way=fib.way, takes_in=fib.takes_in)
    lacks = needs.lacking(mirror, eni, link, kernel)
    if all(lacks.values()):
        return ""
    return ", ".join(
        f"IPv{version} {' '.join(needs.words({version: found}))}" for version, found in lacks.items() if found
    )


def _own_ways(eni: Eni, link: KernelLink, mirror: Mirror, fib: Fib) -> tuple[str, ...]:
    """The routes by this link that win though a packet has no address of the ENI yet."""
    found = [
        route
        for route in mirror.routes
        if (route.index, route.table) == (link.index, MAIN_TABLE)
        and plan.is_of_networks(route.destination)
        and not _is_deliberate(route, eni)
        and (way := fib.way(_sample(route.destination, mirror))) is not None
        and way.link == link.index
    ]
    return tuple(sorted("default" if route.is_default else str(route.destination) for route in found))


def _is_deliberate(route: Route, eni: Eni) -> bool:
    """Whether a person made it for some networks elsewhere."""
    return (
        not route.is_default
        and route.protocol not in (*KERNEL_PROTOCOLS, DHCP_PROTOCOL)
        and not any(address in route.destination for address in needs.addresses(eni))
    )


def _sample(network: Network, mirror: Mirror) -> Address:
    """An address that a route to this network is for."""
    return needs.stranger(mirror, network) if network.prefixlen else FAR[network.version]
