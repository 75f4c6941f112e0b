"""Where the demo's two members live on one machine: addresses, ports, files.

Owns the choice of loopback addresses and the members' configuration files. The files differ only in
what two hosts would each have for themselves: socket, role file, state directory (and the ports, where
the machine has one loopback address only).
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from eni_failover.lab.world import floating_eni_id

GROUP = "orders"
HOLDER, STANDBY = "alpha", "beta"
ENI = floating_eni_id(1)
PROBE = "web"
ADDRESSES = ("127.0.1.11", "127.0.1.12")
# Members need addresses that differ; where 127.0.0.1 is the only one (macOS), one of them is its name.
ONE_ADDRESS = ("127.0.0.1", "localhost")
_TRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFiles:
    """One member's name, and where its files are."""

    name: str
    directory: Path

    @property
    def config(self) -> Path:
        """Its configuration file."""
        return self.directory / f"{self.name}.toml"

    @property
    def socket_path(self) -> Path:
        """Its daemon's control socket."""
        return self.directory / f"{self.name}.sock"

    @property
    def log(self) -> Path:
        """What its daemon writes."""
        return self.directory / f"{self.name}.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place(MemberFiles):
    """One member's. `service` is its service's socket, listening already; `port` is for its daemon."""

    instance_id: str
    address: str
    service: socket.socket
    service_port: int
    port: int


def loopback_addresses() -> tuple[str, str]:
    """Two addresses of this machine: different ones where it has them."""
    for address in ADDRESSES:
        with socket.socket() as probe:
            try:
                probe.bind((address, 0))
            except OSError:
                return ONE_ADDRESS
    return ADDRESSES


def places(
    members: Mapping[str, str], addresses: tuple[str, str], directory: Path, stack: ExitStack
) -> tuple[Place, Place]:
    """A place for each of two members, name and instance id; `stack` closes the sockets. Raises OSError."""
    services = [stack.enter_context(one) for one in _listeners(addresses)]
    with ExitStack() as briefly:
        # The daemons open these themselves: for a moment somebody else could.
        free = [_port(briefly.enter_context(one)) for one in _listeners(addresses)]
    first, second = (
        Place(
            name=name,
            instance_id=members[name],
            address=addresses[number],
            directory=directory,
            service=services[number],
            service_port=_port(services[number]),
            port=free[number],
        )
        for number, name in enumerate(members)
    )
    return first, second


def _port(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


def _listeners(addresses: tuple[str, str]) -> tuple[socket.socket, socket.socket]:
    """A listening socket at each address, of one port number where the addresses allow it."""
    if addresses == ONE_ADDRESS:
        return socket.create_server((addresses[0], 0)), socket.create_server((addresses[0], 0))
    for _ in range(_TRIES):
        first = socket.create_server((addresses[0], 0))
        try:
            return first, socket.create_server((addresses[1], _port(first)))
        except OSError:
            first.close()
    raise OSError(f"no port is free at both {addresses[0]} and {addresses[1]}")


def config_text(own: Place, peer: Place, *, eni_id: str, interval: str) -> str:
    """The configuration file of one member."""
    members = "".join(
        f'[[member]]\nname = "{one.name}"\ninstance_id = "{one.instance_id}"\naddress = "{one.address}"\n'
        for one in sorted((own, peer), key=lambda place: place.name)
    )
    return f"""\
config_version = 1
group = "{GROUP}"

[eni]
ids = ["{eni_id}"]

{members}
[[probe]]
name = "{PROBE}"
type = "http"
url = "http://{{address}}:{peer.service_port}/healthz"
interval = "{interval}"
timeout = "1s"
fall = 3

[network]
mode = "off"
[server]
listen = "{{address}}:{own.port}"
[control]
socket = "{own.socket_path}"
role_file = "{own.directory / own.name}.role"
[state]
directory = "{own.directory / own.name}.state"
[log]
format = "json"
"""
