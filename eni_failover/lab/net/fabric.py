"""The VPC and its hosts as namespaces and links: built, changed and removed.

Owns: the namespaces of one net world and what is in them. Must not know: what EC2 says, who wants which
change. Does not guarantee: that two threads may change it at once; after the building only one does.
"""

import itertools
import json
import subprocess
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, Final

from eni_failover.lab.net import links
from eni_failover.lab.net.hosts import Host, hosts_of, is_primary
from eni_failover.lab.net.namespaces import Namespace, own_name
from eni_failover.lab.net.plan import MEMBERS_SUBNET, SUBNETS
from eni_failover.lab.net.processes import kill_all
from eni_failover.lab.net.relay import Relay, open_link
from eni_failover.lab.net.rules import TABLE
from eni_failover.lab.values import State

_NFT_TIMEOUT: Final = 10.0
_FIRST_NUMBER: Final = 5


class Fabric:
    """The namespaces and links of one net world. `ports` are those of floating ENIs, by their ids."""

    def __init__(self, number: int, state: State, *, rp_filter: int) -> None:
        self.vpc = Namespace(own_name(number, "vpc"))
        self._parked = Namespace(own_name(number, "parked"))
        self.hosts = hosts_of(number, state)
        self.ports = {
            eni.id: eni.tags.get("Name", eni.id) for eni in state.enis.values() if not is_primary(eni)
        }
        self._macs = {eni_id: state.enis[eni_id].mac for eni_id in self.ports}
        self._rp_filter = rp_filter
        self._without_carrier: set[str] = set()
        self._relays: dict[str, Relay] = {}
        self._numbers = itertools.count(_FIRST_NUMBER)

    @property
    def namespaces(self) -> tuple[Namespace, ...]:
        """All of them."""
        return (self.vpc, self._parked, *(host.namespace for host in self.hosts.values()))

    def build(self) -> None:
        """Make everything; ENIs are on nobody. Raises OSError or NetlinkError, then call `remove`."""
        for namespace in self.namespaces:
            namespace.create()
        self.vpc.run(lambda: links.build_vpc(SUBNETS))
        for host in self.hosts.values():
            self._add_host(host)
        for eni_id in self.ports:
            self._add_eni_port(eni_id)

    def _add_host(self, host: Host) -> None:
        is_member = host.instance_id is not None
        host.namespace.run(lambda: links.build_host(rp_filter=self._rp_filter, is_member=is_member))
        bridge = host.addresses.subnet.bridge
        self._add_port(bridge, host.name, links.ETHERNET, host.mac, host.namespace)
        self.power_on(host)

    def remove(self) -> None:
        """Remove everything, whatever is there of it. Raises OSError that names what could not be removed."""
        for relay in self._relays.values():
            relay.close()
        failed = []
        for namespace in self.namespaces:
            try:
                namespace.remove()
            except OSError as error:
                failed.append(f"{namespace.name}: {error}")
        if failed:
            raise OSError("network namespaces were not removed: " + "; ".join(failed))

    def kill_all(self) -> None:
        """SIGKILL every process of every host. Raises TimeoutError."""
        for host in self.hosts.values():
            kill_all(host.namespace.path)

    # --- changes ------------------------------------------------------------------------------------------

    def load(self, ruleset: str) -> None:
        """Put these packet rules into force at once. Raises RuntimeError when nft refuses them."""
        self._nft("-f", "-", text=ruleset)

    def dropped(self, name: str) -> int:
        """How many packets the source check of that port has dropped so far."""
        answer = json.loads(self._nft("-j", "list", "counter", "bridge", TABLE, name))
        counters: list[Any] = [item["counter"] for item in answer["nftables"] if "counter" in item]
        return int(counters[0]["packets"])

    def set_carriers(self, without: Collection[str]) -> None:
        """Have the links of exactly these ports be without a carrier."""
        for port in self._without_carrier.symmetric_difference(without):
            self.vpc.run(partial(links.set_port, port, up=port not in without))
        self._without_carrier = set(without)

    def links_of(self, port: str) -> tuple[str, ...]:
        """The links on the bridge by which frames of that port may come and go; a client's is never late."""
        host = self.hosts.get(port)
        return (port,) if host and not host.instance_id else (port, links.detour(port))

    def set_delays(self, delays: Mapping[str, float]) -> None:
        """Have what goes in and out by exactly these ports be late by so many seconds; not by a client's."""
        for port in self._relays.keys() | delays.keys():
            if port not in self._relays or self._relays[port].seconds != delays.get(port):
                self._end_delay(port)
                if port in delays:
                    self._begin_delay(port, delays[port])

    def _begin_delay(self, port: str, seconds: float) -> None:
        end = self.vpc.run(lambda: links.begin_detour(port, MEMBERS_SUBNET.bridge))
        ends = self.vpc.run(lambda: (open_link(port), open_link(end)))
        self._relays[port] = Relay(ends, seconds)

    def _end_delay(self, port: str) -> None:
        if relay := self._relays.pop(port, None):
            relay.close()
            self.vpc.run(lambda: links.end_detour(port, MEMBERS_SUBNET.bridge))

    def power_off(self, host: Host) -> None:
        """Kill all processes and forget what only the kernel of the host knew."""
        kill_all(host.namespace.path)
        host.namespace.run(links.forget_configuration)

    def power_on(self, host: Host) -> None:
        """Configure the primary link as at boot; nothing is started."""
        host.namespace.run(lambda: links.configure_primary(host.addresses))

    def unplug(self, eni_id: str, host: Host) -> None:
        """Take an ENI's link from a host; one that its guest has deleted or hidden is made anew."""
        port = self.ports[eni_id]
        if not self._hand_over(eni_id, host.namespace, self._parked, port):
            self._end_delay(port)
            self.vpc.run(lambda: links.remove_link(port))
            self._add_eni_port(eni_id)

    def plug(self, eni_id: str, host: Host) -> None:
        """Let a host have an ENI's link, under a name that none had before, as from a distribution."""
        self._hand_over(eni_id, self._parked, host.namespace, f"ens{next(self._numbers)}")

    def _hand_over(self, eni_id: str, origin: Namespace, to: Namespace, name: str) -> bool:
        pair = self.vpc.run(lambda: links.pair_of(self.ports[eni_id]))
        return pair is not None and origin.run(
            lambda: links.hand_over(pair, to=to, name=name, mac=self._macs[eni_id])
        )

    def _add_eni_port(self, eni_id: str) -> None:
        port = self.ports[eni_id]
        self._add_port(MEMBERS_SUBNET.bridge, port, port, self._macs[eni_id], self._parked)
        self._without_carrier.discard(port)

    def _add_port(self, bridge: str, port: str, near: str, mac: str, owner: Namespace) -> None:
        self.vpc.run(lambda: links.add_port(bridge, port, near, mac, owner))

    def _nft(self, *arguments: str, text: str = "") -> str:
        def run() -> subprocess.CompletedProcess[str]:
            command = ["nft", *arguments]
            return subprocess.run(  # noqa: S603 - nft, with words of this package
                command, input=text, capture_output=True, text=True, check=False, timeout=_NFT_TIMEOUT
            )

        done = self.vpc.run(run)
        if done.returncode:
            raise RuntimeError(f"nft {' '.join(arguments)}: {done.stderr}\n{text}")
        return done.stdout
