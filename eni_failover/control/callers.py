"""Who is at the other end of a connection, as the kernel says it, and under which names a browser may ask."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from eni_failover.core.policy import Member

_UCRED = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED
_THIS_HOST = frozenset({"127.0.0.1", "::1"})
# What EC2 delegates to one interface: "IPv6 prefixes must be /80", Assigning prefixes to network interfaces,
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-prefix-eni.html. Counted by single addresses, one
# interface would be 2^48 callers.
_IPV6_PREFIX = 80


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a connection counts for. `is_known`: a member, this host, or who runs the daemon."""

    key: str
    is_known: bool


class TcpCallers:
    """Callers by their address. `members` are those in force, which a reload or discovery changes."""

    def __init__(self, members: Callable[[], Iterable[Member]]) -> None:
        self._members = members

    def __call__(self, sock: socket.socket) -> Caller:
        """Whose connection this is. Raises OSError when it has gone already."""
        host = str(sock.getpeername()[0])
        if ":" in host:
            address = ipaddress.IPv6Address(host)
            if address.ipv4_mapped is not None:
                host = str(address.ipv4_mapped)
        if host in _THIS_HOST or any(member.address == host for member in self._members()):
            return Caller(host, is_known=True)
        if ":" in host:
            host = str(ipaddress.ip_network((int(address), _IPV6_PREFIX), strict=False))
        return Caller(host, is_known=False)


def unix_caller(sock: socket.socket) -> Caller:
    """The user at the other end of the control socket."""
    uid = user_of(sock)
    return Caller(f"uid {uid}", is_known=uid in {0, os.geteuid()})


def user_of(sock: socket.socket) -> int:
    """The uid that the kernel took down when this Unix connection was made."""
    _, uid, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return int(uid)


class Names:
    """Under which names a browser may see this member.

    A page of somebody else whose name is made to resolve to this address ("DNS rebinding") would read ours as
    if it were its own; its `Host` is that name. An address as `Host` is nobody's page, whichever it is: also
    the floating one, an Elastic IP, or that of a forwarded port.
    """

    def __init__(self, members: Callable[[], Iterable[Member]]) -> None:
        self._members = members
        self._own = {"localhost", socket.gethostname().lower()}

    def allow(self, host: str | None) -> bool:
        """Whether this `Host` is an address or one of our names. A browser always sends one."""
        if host is None:
            return True
        name = _without_port(host).lower().removesuffix(".")
        if name in self._own or _is_address(name):
            return True
        return any(name in {str(member.name).lower(), member.address.lower()} for member in self._members())


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
