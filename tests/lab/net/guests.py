"""What tests do on the hosts of a net world: services, links, addresses, packets."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from pyroute2 import IPRoute

from eni_failover.lab import Durations, Settings
from eni_failover.lab.net import NetWorld

NOT_POSSIBLE = "" if os.geteuid() == 0 else "NOT ROOT"
NOT_POSSIBLE = NOT_POSSIBLE or ("" if shutil.which("nft") else "NO nft ON THIS HOST")
needs_net = pytest.mark.skipif(bool(NOT_POSSIBLE), reason=f"{NOT_POSSIBLE}: real links are not tested")

FLOATING = "10.0.1.101"
FLOATING_MAC = "0a:ff:00:00:00:01"
ENI = "eni-0ffffffffffffff01"
PORT = 8080
TABLE = 10001
SILENCE = 0.3
RTM_DELLINK = 17


def at_once(**durations: float) -> Settings:
    """EC2 that takes no time, but for what is said."""
    return Settings(latency=0.0, durations=Durations(**{"attach": 0.0, "detach": 0.0, **durations}))


def eventually(is_so: Callable[[], bool]) -> None:
    """Return as soon as it is so; fail after ten seconds."""
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to be so"
        time.sleep(0.01)


@contextmanager
def service(net: NetWorld, host: str) -> Iterator[None]:
    """A service on every address of a host: it tells each caller the host's name."""

    def open_server() -> socket.socket:
        return socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True)

    def serve() -> None:
        with suppress(OSError):  # closed at the end
            while True:
                caller, _ = server.accept()
                with caller:
                    caller.sendall(host.encode())

    server = net.run(host, open_server)
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(10)


def ask(net: NetWorld, host: str, address: str, timeout: float = 8.0) -> str:
    """Who answers a host at that address; "silence" when nobody does within the time."""

    def connect() -> str:
        try:
            with socket.create_connection((address, PORT), timeout=timeout) as connection:
                return connection.recv(100).decode()
        except TimeoutError:
            return "silence"

    return net.run(host, connect)


def call(net: NetWorld, action: str, **parameters: object) -> None:
    """Call EC2 as an operator, and wait for the links to follow."""
    net.world.call(action, parameters, caller="operator")
    net.settled()


def detach(net: NetWorld, eni: str = "floating-1", **options: object) -> None:
    attachment = net.world.eni(eni).attachment
    assert attachment is not None
    call(net, "DetachNetworkInterface", AttachmentId=attachment.id, **options)


def attach(net: NetWorld, member: str, eni: str = "floating-1", index: int = 1) -> None:
    eni_id, instance_id = net.world.eni(eni).id, net.world.instance(member).id
    call(net, "AttachNetworkInterface", NetworkInterfaceId=eni_id, InstanceId=instance_id, DeviceIndex=index)


def links(net: NetWorld, host: str) -> dict[str, str]:
    """The links of a host but loopback: MAC by name."""

    def look() -> dict[str, str]:
        with IPRoute() as ip:
            return {link.get("ifname"): link.get("address") for link in ip.get_links()}

    return {name: mac for name, mac in net.run(host, look).items() if name != "lo"}


def floating_link(net: NetWorld, host: str, mac: str = FLOATING_MAC) -> str | None:
    """The name of the floating link in a host, None when it is not there."""
    return next((name for name, found in links(net, host).items() if found == mac), None)


def set_link(net: NetWorld, host: str, name: str, **options: object) -> None:
    """As `ip link set`."""

    def change() -> None:
        with IPRoute() as ip:
            ip.link("set", index=ip.link_lookup(ifname=name)[0], **options)

    net.run(host, change)


def configure(net: NetWorld, host: str, *, with_rule: bool = True) -> None:
    """Give the floating link its address and routes, and the rule that makes its packets leave by it."""
    name = floating_link(net, host)

    def change() -> None:
        with IPRoute() as ip:
            index = ip.link_lookup(ifname=name)[0]
            ip.link("set", index=index, state="up")
            ip.addr("add", index=index, address=FLOATING, prefixlen=24, metric=600)
            ip.route("add", dst="10.0.1.0/24", oif=index, table=TABLE)
            ip.route("add", dst="default", gateway="10.0.1.1", oif=index, table=TABLE)

    net.run(host, change)
    if with_rule:
        add_rule(net, host)


def add_rule(net: NetWorld, host: str) -> None:
    def change() -> None:
        with IPRoute() as ip:
            ip.rule("add", src=f"{FLOATING}/32", table=TABLE, priority=TABLE)

    net.run(host, change)


def send_as(net: NetWorld, host: str, source: str, target: str, count: int = 1) -> None:
    """Send UDP packets from an address that need not be the host's."""
    ip_transparent = 19

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.IPPROTO_IP, ip_transparent, 1)
            sender.bind((source, 0))
            for _ in range(count):
                sender.sendto(b"?", (target, PORT))

    net.run(host, send)


def link_events(net: NetWorld, host: str) -> socket.socket:
    """A netlink socket in the host that hears of its links from now on."""

    def open_events() -> socket.socket:
        events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        events.bind((0, 1))
        events.settimeout(10)
        return events

    return net.run(host, open_events)


def sees_link_go(events: socket.socket, mac: str = FLOATING_MAC) -> bool:
    """Whether the kernel tells that a link with this MAC is gone; TimeoutError when it tells nothing."""
    octets = bytes.fromhex(mac.replace(":", ""))
    while True:
        message = events.recv(65536)
        kind = struct.unpack_from("=H", message, 4)[0]
        if kind == RTM_DELLINK and octets in message:
            return True
