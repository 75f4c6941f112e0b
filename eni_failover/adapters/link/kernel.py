"""Links, addresses, rules and routes as this program compares them, and how netlink messages say them.

Owns the meaning of netlink messages. Must not know ENIs, sockets or what is wanted. Does not guarantee
that a value says everything that the kernel knows: only what decides where packets go is kept.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

# From linux/rtnetlink.h, linux/if.h, linux/if_addr.h and linux/fib_rules.h.
MAIN_TABLE: Final = 254
KERNEL_PROTOCOLS: Final = (2, 9)  # RTPROT_KERNEL and RTPROT_RA: routes that nobody asked for
DHCP_PROTOCOL: Final = 16  # RTPROT_DHCP
_IFF_UP: Final = 0x1
_IFF_NOARP: Final = 0x80
_IFF_LOWER_UP: Final = 0x10000
_DUPLICATE: Final = 0x08
_TENTATIVE: Final = 0x40
_FR_ACT_TO_TBL: Final = 1
_FIB_RULE_INVERT: Final = 0x2
_RTN_UNICAST: Final = 1
_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)
_IFF_LOOPBACK: Final = 0x8
# Selectors that make a rule hold for some packets of an address only.
_NARROWING: Final = (
    "FRA_DST",
    "FRA_IIFNAME",
    "FRA_OIFNAME",
    "FRA_FWMARK",
    "FRA_UID_RANGE",
    "FRA_IP_PROTO",
    "FRA_SPORT_RANGE",
    "FRA_DPORT_RANGE",
    "FRA_TUN_ID",
)

Message = Any
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

EVERYWHERE: Final[dict[int, Network]] = {
    4: ipaddress.ip_network("0.0.0.0/0"),
    6: ipaddress.ip_network("::/0"),
}
"""The destination of a default route, by IP version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelLink:
    """One link as the kernel has it. `kind` is "" for a device, as EC2 plugs one in.

    `has_own_mac`: the MAC is not known to be another than the hardware's. `is_paired`: its other end is in
    this network namespace as well. `is_port`: a bridge or a bond has it, and gets what it receives;
    `has_arp`: it asks for its neighbours' MACs. `born` counts the links that came before it: indexes are
    used again.
    """

    index: int
    name: str
    mac: str
    is_up: bool
    has_carrier: bool
    kind: str = ""
    has_own_mac: bool = True
    is_paired: bool = False
    is_loopback: bool = False
    is_port: bool = False
    has_arp: bool = True
    born: int = 0

    @property
    def is_device(self) -> bool:
        """Whether it is a device of its own, and not made of other links or by a program."""
        return not self.kind and not self.is_loopback

    def is_same_as(self, other: KernelLink) -> bool:
        """Whether it is that link still, whatever its name and state are now."""
        return (self.index, self.born) == (other.index, other.born)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelAddress:
    """One address of a link. `is_tentative`: a duplicate is looked for; `is_duplicate`: one was found."""

    index: int
    address: Address
    prefix_length: int
    is_tentative: bool = False
    is_duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule that sends all packets from `source` to `table`. `protocol` names who made it."""

    source: Network
    table: int
    priority: int
    protocol: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A unicast route to `destination` by the link with this index; no gateway: it is on the link."""

    destination: Network
    gateway: Address | None
    index: int
    table: int
    protocol: int
    metric: int
    source: Address | None = None

    @property
    def is_default(self) -> bool:
        """Whether it leads everywhere."""
        return self.destination.prefixlen == 0


def read_link(message: Message) -> KernelLink:
    """A link message."""
    flags = message["flags"]
    info = message.get_attr("IFLA_LINKINFO")
    mac = (message.get_attr("IFLA_ADDRESS") or "").lower()
    hardware_mac = (message.get_attr("IFLA_PERM_ADDRESS") or mac).lower()
    return KernelLink(
        index=message["index"],
        name=message.get_attr("IFLA_IFNAME") or "",
        mac=mac,
        is_up=bool(flags & _IFF_UP),
        # Drivers that do not report an operational state say UNKNOWN and mean up.
        has_carrier=bool(flags & _IFF_LOWER_UP) and message.get_attr("IFLA_OPERSTATE") in {"UP", "UNKNOWN"},
        kind=(info.get_attr("IFLA_INFO_KIND") if info is not None else None) or "",
        has_own_mac=mac == hardware_mac,
        is_paired=bool(message.get_attr("IFLA_LINK")) and message.get_attr("IFLA_LINK_NETNSID") is None,
        is_loopback=bool(flags & _IFF_LOOPBACK),
        # A VRF is a master as well, and leaves packets to its links.
        is_port=bool(message.get_attr("IFLA_MASTER"))
        and (info is None or info.get_attr("IFLA_INFO_SLAVE_KIND") != "vrf"),
        has_arp=not flags & _IFF_NOARP,
    )


def read_address(message: Message) -> KernelAddress | None:
    """An address message; None when it carries no address."""
    # On a point-to-point link IFA_ADDRESS is the far end; IPv6 has no IFA_LOCAL then.
    text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    if text is None:
        return None
    flags = message.get_attr("IFA_FLAGS") or message["flags"]
    return KernelAddress(
        index=message["index"],
        address=ipaddress.ip_address(text),
        prefix_length=message["prefixlen"],
        is_tentative=bool(flags & _TENTATIVE),
        is_duplicate=bool(flags & _DUPLICATE),
    )


def read_rule(message: Message) -> Iterator[Rule]:
    """The rule, when it sends all packets from some network to a table."""
    source, length = message.get_attr("FRA_SRC"), message["src_len"]
    if (
        message["family"] in _FAMILIES
        and message["action"] == _FR_ACT_TO_TBL
        and not message["flags"] & _FIB_RULE_INVERT
        and source
        and length
        and not message["tos"]
        and not any(message.get_attr(name) for name in _NARROWING)
    ):
        yield Rule(
            source=ipaddress.ip_network((source, length), strict=False),
            table=_table(message, "FRA_TABLE"),
            priority=message.get_attr("FRA_PRIORITY") or 0,
            protocol=message.get_attr("FRA_PROTOCOL") or 0,
        )


def read_route(message: Message) -> Iterator[Route]:
    """The route, once for each link that it leads to."""
    family = message["family"]
    if message["type"] != _RTN_UNICAST or family not in _FAMILIES:
        return
    source = message.get_attr("RTA_PREFSRC")
    hops = [(message.get_attr("RTA_OIF"), message.get_attr("RTA_GATEWAY"))]
    hops += [(hop["oif"], hop.get_attr("RTA_GATEWAY")) for hop in message.get_attr("RTA_MULTIPATH") or ()]
    for index, gateway in hops:
        if index:
            yield Route(
                destination=_destination(message),
                gateway=ipaddress.ip_address(gateway) if gateway else None,
                index=index,
                table=_table(message, "RTA_TABLE"),
                protocol=message["proto"],
                metric=message.get_attr("RTA_PRIORITY") or 0,
                source=ipaddress.ip_address(source) if source else None,
            )


def _destination(message: Message) -> Network:
    network = message.get_attr("RTA_DST")
    if network is None:
        return EVERYWHERE[4 if message["family"] == socket.AF_INET else 6]
    return ipaddress.ip_network((network, message["dst_len"]), strict=False)


def _table(message: Message, name: str) -> int:
    """The table's number; the header has room for numbers up to 255 only."""
    return int(message.get_attr(name) or message["table"])
