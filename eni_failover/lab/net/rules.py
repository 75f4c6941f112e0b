"""The packet rules of the VPC as one nftables ruleset: the source check, partitions, losses.

Owns: the text that `nft` gets, made from values alone. Must not know: namespaces, EC2, who asks for a
rule. Does not guarantee: an order of drops; a packet is dropped by the first rule that says so.

A packet that enters the VPC by a port must have that port's MAC and one of its addresses, whatever the guest
has made of its link. An ARP request is delivered to the port whose address it asks for and to no other: a
VPC answers them itself, so that Linux's habit of answering on every link does no harm there, nor here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

TABLE: Final = "vpc"

_LINK_LOCAL: Final = ("::", "fe80::/10")


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """Where a link enters the VPC, on the bridge by one of `links`. Addresses may be prefixes."""

    name: str
    links: tuple[str, ...]
    mac: str
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    checked: bool = True
    """Whether the addresses are checked; the MAC always is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One end of a `Cut`: the links of a host, or of none (the EC2 API, the router), and its addresses."""

    links: tuple[str, ...] = ()
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What `origin` sends to `target` is dropped."""

    origin: Place
    target: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A share of what goes in and out by these links is dropped, by chance."""

    links: tuple[str, ...]
    percent: float


def render(ports: Iterable[Port], cuts: Iterable[Cut] = (), losses: Iterable[Loss] = ()) -> str:
    """The whole ruleset; counters keep their values when it is loaded again."""
    ports, cuts, losses = tuple(ports), tuple(cuts), tuple(losses)
    lines = [f"add table bridge {TABLE}", f"flush table bridge {TABLE}", f"table bridge {TABLE} {{"]
    for port in ports:
        lines += [f"counter {port.name} {{ }}", *_chain(f"from-{port.name}", _source_check(port))]
    jumps = ", ".join(f"{_quoted(link)} : jump from-{port.name}" for port in ports for link in port.links)
    entering = [f"iifname vmap {{ {jumps} }}", *_cuts_without_port(cuts), *_losses(losses, "iifname")]
    leaving = [*map(_arp_for_others, ports), *_cuts_at_port(cuts), *_losses(losses, "oifname")]
    lines += _chain("entering", ["type filter hook prerouting priority 0; policy accept;", *entering])
    lines += _chain("leaving", ["type filter hook postrouting priority 0; policy accept;", *leaving])
    return "\n".join([*lines, "}", ""])


def _chain(name: str, rules: Iterable[str]) -> list[str]:
    return [f"chain {name} {{", *rules, "}"]


def _source_check(port: Port) -> Iterator[str]:
    own = f"ether saddr {port.mac}"
    if port.checked:
        yield f"{own} arp saddr ether {port.mac} arp saddr ip {_set(('0.0.0.0', *port.ipv4))} return"  # noqa: S104 - the sender of an ARP probe
        if port.ipv4:
            yield f"{own} ip saddr {_set(port.ipv4)} return"
        yield f"{own} ip saddr 0.0.0.0 udp dport 67 return"
        yield f"{own} ip6 saddr {_set((*_LINK_LOCAL, *port.ipv6))} return"
    else:
        yield f"{own} return"
    yield f"counter name {port.name} drop"


def _arp_for_others(port: Port) -> str:
    asked = f"arp daddr ip != {_set(port.ipv4)} " if port.ipv4 else ""
    return f"oifname {_links(port.links)} arp operation request {asked}drop"


def _cuts_without_port(cuts: Iterable[Cut]) -> Iterator[str]:
    for cut in cuts:
        if not cut.target.links:
            yield from _drops("iifname", cut.origin.links, "daddr", cut.target)


def _cuts_at_port(cuts: Iterable[Cut]) -> Iterator[str]:
    """By address, so that the way by the router is closed too, and at the last moment."""
    for cut in cuts:
        if cut.target.links:
            yield from _drops("oifname", cut.target.links, "saddr", cut.origin)


def _drops(side: str, links: tuple[str, ...], field: str, place: Place) -> Iterator[str]:
    for family, addresses in (("ip", place.ipv4), ("ip6", place.ipv6)):
        if addresses:
            yield f"{side} {_links(links)} {family} {field} {_set(addresses)} drop"


def _losses(losses: Iterable[Loss], side: str) -> Iterator[str]:
    for loss in losses:
        last = max(round(loss.percent * 100) - 1, 0)
        yield f"{side} {_links(loss.links)} numgen random mod 10000 <= {last} drop"


def _set(members: Iterable[str]) -> str:
    return "{ " + ", ".join(members) + " }"


def _links(names: Iterable[str]) -> str:
    return _set(map(_quoted, names))


def _quoted(name: str) -> str:
    return f'"{name}"'
