"""What is wrong with a net world at the moment, and the packet rules that make it so.

Owns: the frozen value `Troubles` and its translation. Must not know: namespaces, how rules are written.
Does not guarantee: that a host stays reachable by other ways; a cut goes by all addresses that a host has at
the time, its floating ENIs' included.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from eni_failover.lab.net.plan import API_ADDRESS, EC2, ROUTER, ROUTER_ADDRESSES
from eni_failover.lab.net.rules import Cut, Loss, Place, Port

_WITHOUT_PORT: Final = {
    EC2: Place(ipv4=(API_ADDRESS,)),
    ROUTER: Place(
        ipv4=tuple(a for a in ROUTER_ADDRESSES if ":" not in a),
        ipv6=tuple(a for a in ROUTER_ADDRESSES if ":" in a),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """Nothing is wrong unless said here. Hosts and ENIs by name."""

    cuts: frozenset[tuple[str, str]] = frozenset()
    """(origin, target): what the one sends to the other is lost."""
    losses: Mapping[str, float] = field(default_factory=dict)
    """Percent of what a host sends and gets."""
    delays: Mapping[str, float] = field(default_factory=dict)
    """Seconds by which everything that a host sends and gets is late."""
    dead: frozenset[str] = frozenset()
    hung: frozenset[str] = frozenset()
    """Members that do not let go of a link when EC2 asks for it."""
    unplugged: frozenset[str] = frozenset()
    """Hosts whose primary link, and ENIs whose link, has no carrier."""


def cuts_of(troubles: Troubles, ports: Mapping[str, Collection[Port]]) -> Iterator[Cut]:
    """The cuts as rules know them; `ports` are those of each host at the time."""
    for origin, target in sorted(troubles.cuts):
        yield Cut(origin=_place(origin, ports), target=_place(target, ports))


def losses_of(troubles: Troubles, ports: Mapping[str, Collection[Port]]) -> Iterator[Loss]:
    """The losses as rules know them."""
    for host, percent in troubles.losses.items():
        yield Loss(links=tuple(link for port in ports[host] for link in port.links), percent=percent)


def _place(name: str, ports: Mapping[str, Collection[Port]]) -> Place:
    if name in _WITHOUT_PORT:
        return _WITHOUT_PORT[name]
    own = ports[name]
    return Place(
        links=tuple(link for port in own for link in port.links),
        ipv4=tuple(address for port in own for address in port.ipv4),
        ipv6=tuple(address for port in own for address in port.ipv6),
    )
