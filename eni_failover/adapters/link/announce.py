"""Tells neighbours once which MAC has an address: gratuitous ARP, unsolicited neighbour advertisement.

Owns the two packets. In a VPC nobody needs them, since address and MAC move together and the mapping
service answers ARP; on other networks they shorten the gap. Needs CAP_NET_RAW. Does not guarantee that
anybody listens.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Final

from eni_failover.adapters.link.kernel import Address, KernelLink

_ETH_P_ARP: Final = 0x0806
_BROADCAST: Final = b"\xff" * 6
_ALL_NODES: Final = "ff02::1"
_NEIGHBOUR_ADVERTISEMENT: Final = 136
_OVERRIDE: Final = 0x20


def announce(link: KernelLink, addresses: Iterable[str]) -> None:
    """Send one announcement for each address by this link; one that fails keeps no other back.

    Raises the first OSError (PermissionError) when all are tried.
    """
    errors = []
    for address in map(ipaddress.ip_address, addresses):
        try:
            _announce(link, address)
        except OSError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _announce(link: KernelLink, address: Address) -> None:
    mac = bytes.fromhex(link.mac.replace(":", ""))
    if address.version == 4:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ARP)) as sending:
            sending.bind((socket.if_indextoname(link.index), _ETH_P_ARP))
            sending.send(gratuitous_arp(mac, address.packed))
    else:
        with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as sending:
            # Receivers drop it when it could have passed a router (RFC 4861, section 7.1.2).
            sending.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            sending.bind((str(address), 0))
            sending.sendto(neighbour_advertisement(mac, address.packed), (_ALL_NODES, 0, 0, link.index))


def gratuitous_arp(mac: bytes, address: bytes) -> bytes:
    """An Ethernet frame: a request for an address by its owner (RFC 5227, section 3)."""
    header = b"\x00\x01\x08\x00\x06\x04\x00\x01"
    return _BROADCAST + mac + _ETH_P_ARP.to_bytes(2, "big") + header + mac + address + bytes(6) + address


def neighbour_advertisement(mac: bytes, address: bytes) -> bytes:
    """An ICMPv6 message whose checksum the kernel fills in: the target, and its MAC as an option."""
    return bytes([_NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, _OVERRIDE, 0, 0, 0]) + address + b"\x02\x01" + mac
