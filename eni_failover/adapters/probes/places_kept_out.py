"""Where no redirect may lead: this host itself, its link, and AWS's services there.

A probe runs where instance metadata gives out the role's credentials, and where other services trust
loopback; whoever answers it must not choose to ask those.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from eni_failover.adapters.probes.names import Address

_IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# "This host" (RFC 1122, section 3.2.1.3), and where EC2 has metadata, time, DNS and credentials of pods:
# https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html#subnet-sizing-ipv6
_THIS_HOST = ipaddress.IPv4Network("0.0.0.0/8")
_AWS = ipaddress.IPv6Network("fd00:ec2::/32")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052


def is_kept_out(address: Address, home: Iterable[Address]) -> bool:
    """Whether a redirect may not lead there, from a target with the addresses `home`.

    A target may redirect to itself; one on loopback also to the rest of loopback.
    """
    there = _meant(address)
    homes = {_meant(one) for one in home}
    if there in homes or (there.is_loopback and any(one.is_loopback for one in homes)):
        return False
    return (
        there.is_loopback
        or there.is_link_local
        or there.is_unspecified
        or (isinstance(there, ipaddress.IPv4Address) and there in _THIS_HOST)
        or (isinstance(there, ipaddress.IPv6Address) and there in _AWS)
    )


def is_localhost(host: str) -> bool:
    """Whether the name means loopback everywhere (RFC 6761, section 6.3)."""
    return f".{host.rstrip('.').lower()}".endswith(".localhost")


def _meant(address: Address) -> _IpAddress:
    """The address; the IPv4 address that an IPv6 one stands for."""
    found = ipaddress.ip_address(address.packed)
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped
        if found in _NAT64:
            return ipaddress.IPv4Address(address.packed[-4:])
    return found
