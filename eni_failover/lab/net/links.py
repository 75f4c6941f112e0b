"""Links, addresses and routes by netlink: what `ip link`, `ip address` and `ip route` would do.

Owns: the words of rtnetlink. Every function works on the namespace of the thread that calls it, unless it
is given namespaces. Must not know: EC2, who needs which link. Does not guarantee: to undo what it did when
it fails half-way.
"""

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path
from socket import AF_INET, AF_INET6
from typing import Any, Final

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from eni_failover.lab.net.namespaces import Namespace
from eni_failover.lab.net.plan import API_ADDRESS, IMDS_ADDRESS, Subnet

ETHERNET: Final = "eth0"
"""The name of a host's primary link."""

_PROTO_RA: Final = 9
_PRIMARY_METRIC: Final = 100
"""As netplan and NetworkManager have it: better than the 256 of what a kernel learns on another link."""
_LOCAL_TABLE: Final = 255
_KERNEL_RULES: Final = frozenset({0, 32766, 32767})
_MTU: Final = 1500
_NO_ARP: Final = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAddresses:
    """What a host's primary link has; the first IPv4 address is with its subnet."""

    subnet: Subnet
    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...] = ()


def sysctl(name: str, value: int) -> None:
    """Set `net.<name>` of this namespace, with slashes: "ipv4/ip_forward"."""
    Path("/proc/sys/net", name).write_text(str(value))


def build_vpc(subnets: Iterable[Subnet]) -> None:
    """The router: a bridge for each subnet, forwarding, and the address of the EC2 API."""
    for name, value in {
        "ipv4/ip_forward": 1,
        "ipv4/conf/all/rp_filter": 0,
        "ipv4/conf/default/rp_filter": 0,
        "ipv4/conf/all/send_redirects": 0,
        "ipv4/conf/default/send_redirects": 0,
        "ipv6/conf/all/forwarding": 1,
        # Far ends have no address of their own; bridges are exempted below.
        "ipv6/conf/default/disable_ipv6": 1,
    }.items():
        sysctl(name, value)
    with IPRoute() as ip:
        _set_up_loopback(ip, API_ADDRESS)
        for subnet in subnets:
            ip.link(
                "add",
                ifname=subnet.bridge,
                kind="bridge",
                address=subnet.mac,
                br_stp_state=0,
                br_mcast_snooping=0,
            )
            sysctl(f"ipv6/conf/{subnet.bridge}/accept_dad", 0)
            sysctl(f"ipv6/conf/{subnet.bridge}/disable_ipv6", 0)
            index = index_of(ip, subnet.bridge)
            ip.link("set", index=index, state="up")
            _add_address(ip, index, subnet.ipv4)
            _add_address(ip, index, subnet.ipv6)


def build_host(*, rp_filter: int, is_member: bool) -> None:
    """A host before its first link: reverse path filter and loopback, a member's with the address of IMDS."""
    sysctl("ipv4/conf/all/rp_filter", rp_filter)
    sysctl("ipv4/conf/default/rp_filter", rp_filter)
    with IPRoute() as ip:
        _set_up_loopback(ip, IMDS_ADDRESS if is_member else None)


def add_port(bridge: str, port: str, near: str, mac: str, owner: Namespace) -> None:
    """A link whose far end is on the bridge and whose near end, with that MAC, is with its owner, down."""
    with IPRoute() as ip:
        peer = {"ifname": near, "address": mac, "net_ns_fd": owner.name}
        ip.link("add", ifname=port, kind="veth", peer=peer)
        ip.link("set", index=index_of(ip, port), master=index_of(ip, bridge), state="up")


def set_port(port: str, *, up: bool) -> None:
    """Give the near end a carrier, or none; it is well if a guest has deleted the link."""
    with IPRoute() as ip:
        for index in ip.link_lookup(ifname=port):
            ip.link("set", index=index, state="up" if up else "down")


def detour(port: str) -> str:
    """The name of the link that a port is on the bridge by while its frames take a detour."""
    return f"d-{port}"


def begin_detour(port: str, bridge: str) -> str:
    """Take a port off the bridge and put another link there; the name of that one's other end.

    Nothing is carried between the two until somebody does it.
    """
    end = f"r-{port}"
    with IPRoute() as ip:
        ip.link("add", ifname=detour(port), kind="veth", peer=end)
        for name in (port, end):
            # Else the router would answer there itself.
            ip.link("set", index=index_of(ip, name), flags=_NO_ARP, mask=_NO_ARP)
        ip.link("set", index=index_of(ip, end), state="up")
        ip.link("set", index=index_of(ip, port), master=0)
        ip.link("set", index=index_of(ip, detour(port)), master=index_of(ip, bridge), state="up")
    return end


def end_detour(port: str, bridge: str) -> None:
    """Undo `begin_detour`."""
    with IPRoute() as ip:
        ip.link("del", index=index_of(ip, detour(port)))
        for index in ip.link_lookup(ifname=port):
            ip.link("set", index=index, flags=0, mask=_NO_ARP)
            ip.link("set", index=index, master=index_of(ip, bridge))


def configure_primary(addresses: HostAddresses) -> None:
    """What a distribution does at boot: addresses and default routes of the primary link, and up."""
    # As amazon-ec2-net-utils and systemd-networkd do: no duplicate address detection, routers by themselves.
    sysctl(f"ipv6/conf/{ETHERNET}/accept_dad", 0)
    sysctl(f"ipv6/conf/{ETHERNET}/accept_ra", 0)
    subnet = addresses.subnet
    with IPRoute() as ip:
        index = index_of(ip, ETHERNET)
        for number, address in enumerate(addresses.ipv4):
            length = 32 if number else subnet.ipv4.network.prefixlen
            _add_address(ip, index, IPv4Interface(f"{address}/{length}"))
        ip.link("set", index=index, state="up")
        ip.route("add", dst="default", gateway=str(subnet.ipv4.ip), oif=index)
        for address in addresses.ipv6:
            _add_address(ip, index, IPv6Interface(f"{address}/128"))
        if addresses.ipv6:
            options = {"oif": index, "proto": _PROTO_RA, "priority": _PRIMARY_METRIC}
            ip.route("add", dst=str(subnet.ipv6.network), **options)
            ip.route("add", dst="default", family=AF_INET6, gateway=subnet.link_local, **options)


def forget_configuration() -> None:
    """What a host loses with its power: all addresses, routes and rules; the links stay, down."""
    with IPRoute() as ip:
        for link in ip.get_links():
            if link.get("ifname") != "lo":
                ip.link("set", index=link["index"], state="down")
                ip.flush_addr(index=link["index"])
        for family in (AF_INET, AF_INET6):
            ip.flush_rules(family=family, priority=lambda p: p is not None and p not in _KERNEL_RULES)
            for table in {route.get("table") for route in ip.get_routes(family=family)} - {_LOCAL_TABLE}:
                ip.flush_routes(family=family, table=table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The two ends of a link, by their indexes; each counts in its own namespace."""

    far: int
    near: int


def pair_of(port: str) -> Pair | None:
    """The ends of a port, asked where its far end is; None: a guest has deleted it."""
    with IPRoute() as ip:
        if not ip.link_lookup(ifname=port):
            return None
        far = index_of(ip, port)
        return Pair(far=far, near=int(ip.get_links(far)[0].get("link")))


def hand_over(pair: Pair, *, to: Namespace, name: str, mac: str) -> bool:
    """Move the near end from here to another namespace, down, as if it were new.

    False: it is not here any more, for a guest may give it away.
    """
    with IPRoute() as ip:
        try:
            link = ip.get_links(pair.near)[0]
            if link.get("link") != pair.far:
                return False
            for alternative in _alternative_names(link):
                ip.link("property_del", index=pair.near, altname=alternative)
            ip.link("set", index=pair.near, state="down", address=mac, mtu=_MTU)
            ip.link("set", index=pair.near, net_ns_fd=to.name, ifname=name)
        except NetlinkError as error:
            if error.code != errno.ENODEV:
                raise
            return False
    return True


def remove_link(name: str) -> None:
    """Delete a link and its other end; it is well if there is none."""
    with IPRoute() as ip:
        for index in ip.link_lookup(ifname=name):
            ip.link("del", index=index)


def _alternative_names(link: Any) -> list[str]:
    properties = link.get("prop_list")
    return list(properties.get_attrs("IFLA_ALT_IFNAME")) if properties else []


def index_of(ip: Any, name: str) -> int:
    """The index of the link with that name. Raises LookupError."""
    found = ip.link_lookup(ifname=name)
    if not found:
        raise LookupError(f"there is no link {name}")
    return int(found[0])


def _set_up_loopback(ip: Any, address: str | None) -> None:
    index = index_of(ip, "lo")
    ip.link("set", index=index, state="up")
    if address:
        ip.addr("add", index=index, address=address, prefixlen=32)


def _add_address(ip: Any, index: int, address: IPv4Interface | IPv6Interface) -> None:
    ip.addr("add", index=index, address=str(address.ip), prefixlen=address.network.prefixlen)
