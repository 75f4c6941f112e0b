"""Router advertisements on the members' subnet, as a VPC's router sends them.

Owns: one raw socket and one thread. Must not know: hosts. Does not guarantee: a DHCPv6 server, which the
advertisements point to: a guest gets its IPv6 addresses from EC2's API or not at all.

RFC 4861, sections 4.2 and 4.6. A VPC leaves the autonomous flag out, so guests make no addresses themselves;
it is the link-local source that becomes their default gateway.
"""

import select
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Final, Self

from eni_failover.lab.net.namespaces import Namespace
from eni_failover.lab.net.plan import Subnet

LIFETIME: Final = 1800
INTERVAL: Final = 5.0

_PATIENCE: Final = 10.0
_SOLICITATION: Final = 133
_ADVERTISEMENT: Final = 134
_MANAGED: Final = 0x80
_ON_LINK: Final = 0x80
_HOP_LIMIT: Final = 255
_ICMP6_FILTER: Final = 1
_ALL_NODES: Final = "ff02::1"
_ALL_ROUTERS: Final = socket.inet_pton(socket.AF_INET6, "ff02::2")


def advertisement(subnet: Subnet) -> bytes:
    """The message for a subnet; the kernel fills in the checksum."""
    head = struct.pack("!BBHBBHII", _ADVERTISEMENT, 0, 0, 64, _MANAGED, LIFETIME, 0, 0)
    source = struct.pack("!BB6s", 1, 1, bytes.fromhex(subnet.mac.replace(":", "")))
    network = subnet.ipv6.network
    prefix = struct.pack(
        "!BBBBIII16s",
        3,
        4,
        network.prefixlen,
        _ON_LINK,
        LIFETIME,
        LIFETIME,
        0,
        network.network_address.packed,
    )
    return head + source + prefix


class Advertiser:
    """Advertises every few seconds and whenever a guest asks, while its `with` block lasts."""

    def __init__(self, vpc: Namespace, subnet: Subnet) -> None:
        self._vpc = vpc
        self._message = advertisement(subnet)
        self._bridge = subnet.bridge
        self._thread = threading.Thread(target=self._run, name="router-advertisements", daemon=True)

    def __enter__(self) -> Self:
        self._socket = self._vpc.run(self._open)
        self._wakeup, self._waker = socket.socketpair()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waker.close()
        self._thread.join(_PATIENCE)
        self._wakeup.close()
        self._socket.close()

    def _open(self) -> socket.socket:
        """A socket that hears solicitations on the subnet's bridge, and none from elsewhere."""
        index = socket.if_nametoindex(self._bridge)
        sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        # A set bit is a type that is not wanted.
        wanted = bytearray(b"\xff" * 32)
        struct.pack_into("=I", wanted, _SOLICITATION // 32 * 4, 0xFFFFFFFF ^ 1 << _SOLICITATION % 32)
        sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, bytes(wanted))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._bridge.encode())
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _HOP_LIMIT)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        group = _ALL_ROUTERS + struct.pack("=I", index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        return sock

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            readable, _, _ = select.select(
                [self._socket, self._wakeup], [], [], max(0.0, due - time.monotonic())
            )
            if self._wakeup in readable:
                return
            if self._socket in readable:
                self._socket.recv(2048)
            self._socket.sendto(self._message, (_ALL_NODES, 0))
            due = time.monotonic() + INTERVAL
