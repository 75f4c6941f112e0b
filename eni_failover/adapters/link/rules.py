"""Rules by which the kernel may decide before it comes to those of an ENI's addresses, and for which packets.

Owns the meaning of a rule's selectors. Does not guarantee to know every rule: those for packets that come
in, that leave by one link or that a tunnel carries are left out, and those that jump to another (`goto`).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from eni_failover.adapters.link.kernel import MAIN_TABLE, Message, Network

# From linux/fib_rules.h.
_TO_TABLE: Final = 1
_REFUSING: Final = {6: "blackhole", 7: "unreachable", 8: "prohibit"}
_INVERT: Final = 0x2
_NOT_OF_ANSWERS: Final = ("FRA_OIFNAME", "FRA_L3MDEV", "FRA_TUN_ID")
# Those that the kernel takes in a question: linux/rtnetlink.h, rtm_getroute_parse_ip_proto.
_PROTOCOLS: Final = {
    socket.IPPROTO_ICMP: "icmp",
    socket.IPPROTO_TCP: "tcp",
    socket.IPPROTO_UDP: "udp",
    socket.IPPROTO_ICMPV6: "ipv6-icmp",
}
_VERSIONS: Final = {socket.AF_INET: 4, socket.AF_INET6: 6}
_WHOLE: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """What rules may ask of a packet beside its addresses; `user` is this process's when None."""

    mark: int = 0
    user: int | None = None
    protocol: int = 0
    source_port: int = 0
    port: int = 0
    tos: int = 0


PLAIN: Final = Packet()
"""A packet that nothing is known of; for IPv4 the kernel takes it for one of UDP."""

ANOTHER: Final = Packet(protocol=socket.IPPROTO_TCP, user=65534)
"""Of another protocol and user than the plain one: what holds for it too is for more than some packets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyRule:
    """A rule for some packet of this host. `table` is 0 when it refuses; `packet` is one that it is for.

    `text` is how `ip rule` shows it.
    """

    version: int
    priority: int
    table: int
    text: str
    packet: Packet = PLAIN
    source: Network | None = None
    destination: Network | None = None

    @property
    def is_for_some(self) -> bool:
        """Whether it leaves other packets from the same address alone."""
        return self.destination is not None or self.packet != PLAIN


def read_any_rule(message: Message) -> Iterator[AnyRule]:
    """The rule, when a packet can be told that it is for."""
    action, is_inverted = message["action"], bool(message["flags"] & _INVERT)
    protocol = message.get_attr("FRA_IP_PROTO") or 0
    if (
        message["family"] not in _VERSIONS
        or (action != _TO_TABLE and action not in _REFUSING)
        or message.get_attr("FRA_IIFNAME") not in {None, "lo"}
        or any(message.get_attr(name) for name in _NOT_OF_ANSWERS)
        or (protocol and protocol not in _PROTOCOLS)
        or (is_inverted and (message["src_len"] or message["dst_len"]))
    ):
        return
    yield AnyRule(
        version=_VERSIONS[message["family"]],
        priority=message.get_attr("FRA_PRIORITY") or 0,
        table=0 if action in _REFUSING else message.get_attr("FRA_TABLE") or message["table"],
        text=_text(message, is_inverted=is_inverted),
        # What is not for some marked packets is for all that are not marked.
        packet=PLAIN if is_inverted else _packet(message),
        source=_network(message, "FRA_SRC", "src_len"),
        destination=_network(message, "FRA_DST", "dst_len"),
    )


def _packet(message: Message) -> Packet:
    users = message.get_attr("FRA_UID_RANGE")
    return Packet(
        mark=message.get_attr("FRA_FWMARK") or 0,
        user=None if users is None else int(users.split(":")[0]),
        protocol=message.get_attr("FRA_IP_PROTO") or 0,
        source_port=_last(message.get_attr("FRA_SPORT_RANGE")),
        port=_last(message.get_attr("FRA_DPORT_RANGE")),
        tos=message["tos"],
    )


def _last(ports: str | None) -> int:
    """The last port of a range: the first may be 0, which no packet has."""
    return 0 if ports is None else int(ports.split(":")[1])


def _network(message: Message, name: str, length: str) -> Network | None:
    address = message.get_attr(name)
    if not address or not message[length]:
        return None
    return ipaddress.ip_network((address, message[length]), strict=False)


def _text(message: Message, *, is_inverted: bool) -> str:
    source, destination = _network(message, "FRA_SRC", "src_len"), _network(message, "FRA_DST", "dst_len")
    selectors = {
        "from": _short(source) if source else "all",
        "to": _short(destination) if destination else None,
        "tos": hex(message["tos"]) if message["tos"] else None,
        "fwmark": _mark(message.get_attr("FRA_FWMARK") or 0, message.get_attr("FRA_FWMASK")),
        "iif": message.get_attr("FRA_IIFNAME"),
        "uidrange": (message.get_attr("FRA_UID_RANGE") or "").replace(":", "-"),
        "ipproto": _PROTOCOLS.get(message.get_attr("FRA_IP_PROTO")),
        "sport": _range(message.get_attr("FRA_SPORT_RANGE")),
        "dport": _range(message.get_attr("FRA_DPORT_RANGE")),
    }
    words = " ".join(f"{name} {value}" for name, value in selectors.items() if value)
    table = message.get_attr("FRA_TABLE") or message["table"]
    does = _REFUSING.get(message["action"]) or f"lookup {'main' if table == MAIN_TABLE else table}"
    start = f"{message.get_attr('FRA_PRIORITY') or 0}: {'not ' if is_inverted else ''}"
    return f"{start}{words} {does} (IPv{_VERSIONS[message['family']]})"


def _mark(mark: int, mask: int | None) -> str | None:
    if mask is None:
        return None
    return hex(mark) if mask == _WHOLE else f"{mark:#x}/{mask:#x}"


def _short(network: Network) -> str:
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _range(numbers: str | None) -> str | None:
    if numbers is None:
        return None
    first, last = numbers.split(":")
    return first if first == last else f"{first}-{last}"
