"""The demo's stage with real links: two hosts in network namespaces, and clients that keep asking.

Owns the hosts' files and programs and what the clients saw. Needs root, iproute2 and nftables; sends
traffic only inside network namespaces of its own, which are gone at the end.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute

from eni_failover.errors import StartError
from eni_failover.lab.demo_children import daemon_command
from eni_failover.lab.demo_places import ENI, GROUP, HOLDER, PROBE, STANDBY, MemberFiles
from eni_failover.lab.demo_values import ClientView, DemoEvent, Packets
from eni_failover.lab.demo_watch import Watch
from eni_failover.lab.net import NetWorld
from eni_failover.lab.net.clients import PROTOCOLS, SERVICE_PORT, Client, service
from eni_failover.lab.settings import Settings
from eni_failover.lab.world import World

PROGRAMS = ("ip", "nft", "setpriv")
ASK_EVERY = 0.01
_PLACES = {
    "client-same": "in the same subnet",
    "client-other": "in another subnet",
    "client-outside": "behind the router",
}


@dataclass(slots=True, kw_only=True)
class _Actor:
    """A program on a host."""

    name: str
    process: subprocess.Popen[Any]

    @property
    def exit_status(self) -> int | None:
        """What it ended with, None while it runs."""
        return self.process.poll()


def refuse_without_means() -> None:
    """Raises StartError with one line when this machine cannot play it."""
    if os.geteuid() != 0:
        raise StartError(
            "demo --net makes network namespaces: run it as root (sudo); plain 'demo' needs none"
        )
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        raise StartError(f"demo --net needs {', '.join(missing)}: install iproute2, nftables and util-linux")


class NetStage:
    """See `demo.Stage`. The holder dies as by a power cut: its processes killed, its links down."""

    def __init__(self, settings: Settings, interval: str) -> None:
        self._net = NetWorld(members=2, enis=1, settings=settings)
        self._interval = interval
        self._programs: list[_Actor] = []
        self._holders: list[_Actor] = []
        self._clients: list[Client] = []
        self._killed_at = 0.0
        self._mac_before = ""

    @property
    def world(self) -> World:
        """The fake EC2's."""
        return self._net.world

    @property
    def actors(self) -> Sequence[_Actor]:
        """The processes that should run."""
        return self._programs

    def set_up(self, stack: ExitStack, directory: Path, watch: Watch) -> tuple[MemberFiles, MemberFiles]:
        """Make the hosts, start services and daemons. Raises OSError when the kernel refuses."""
        net = stack.enter_context(self._net)
        stack.callback(self.world.subscribe(watch.follow_eni(ENI)))
        where = net.namespace(HOLDER).name.rsplit("-", 1)[0]
        watch.note(DemoEvent.LAB_STARTED, f"two hosts in network namespaces: ip netns exec {where}-... bash")
        holder, standby = (MemberFiles(name=name, directory=directory) for name in (HOLDER, STANDBY))
        for files in (holder, standby):
            files.config.write_text(self._config(files), encoding="utf-8")
            self._start(files, watch)
        for host in net.clients:
            notes = directory / f"{host}.answers"
            self._clients.append(Client(net, host, self._floating, notes, interval=ASK_EVERY))
        return holder, standby

    def is_prepared(self) -> bool:
        """Whether every client is answered."""
        return all(client.last(protocol) for client in self._clients for protocol in PROTOCOLS)

    def kill_holder(self, watch: Watch) -> None:
        """Let its host lose power."""
        self._mac_before = self._neighbour()
        self._programs = [one for one in self._programs if one not in self._holders]
        self._killed_at = time.time()
        self._net.die(HOLDER)
        watch.note(DemoEvent.HOST_KILLED, f"{HOLDER}'s host dies: its processes killed, its links down")

    def is_over(self) -> bool:
        """Whether every client is answered by the new holder."""
        return all(
            (last := client.last(protocol)) is not None and last.name == STANDBY
            for client in self._clients
            for protocol in PROTOCOLS
        )

    def packets(self, takeover: Mapping[str, Any]) -> Packets:
        """What each client saw, and the floating address's MAC in a neighbour's table."""
        views = [
            ClientView(
                client=_PLACES[client.host],
                protocol=protocol,
                before=gap.before,
                after=gap.after,
                gap=gap.seconds,
            )
            for client in self._clients
            for protocol in PROTOCOLS
            if (gap := client.gap(protocol)) is not None
        ]
        decided = datetime.fromisoformat(takeover["started_at"]).timestamp() - self._killed_at
        durations = self.world.settings.durations
        return Packets(
            clients=tuple(views),
            neighbour_before=self._mac_before,
            neighbour_after=self._neighbour(),
            # The describe that confirms is ours, not the probes'.
            detection=decided - takeover["phases"].get("observe_s", 0.0),
            ec2=durations.detach + durations.attach,
        )

    @property
    def _floating(self) -> str:
        return self.world.eni(ENI).addresses[0].ip

    def _start(self, files: MemberFiles, watch: Watch) -> None:
        name = files.name
        serving = self._net.spawn(name, service(name), stdin=subprocess.DEVNULL)
        where = f"{self._address(name)}:{SERVICE_PORT}"
        text = f"{name}'s service listens at {where} (pid {serving.pid})"
        watch.note(DemoEvent.SERVICE_STARTED, text, member=name, pid=serving.pid)
        with files.log.open("wb") as log:
            running = self._net.spawn(
                name,
                daemon_command(files),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        text = f"{name}'s daemon runs (pid {running.pid})"
        watch.note(DemoEvent.DAEMON_STARTED, text, member=name, pid=running.pid)
        mine = [
            _Actor(name=f"{name}'s service", process=serving),
            _Actor(name=f"{name}'s daemon", process=running),
        ]
        self._programs = [*self._programs, *mine]
        if name == HOLDER:
            self._holders = mine

    def _address(self, name: str) -> str:
        """The member's address on its primary ENI."""
        wanted = self.world.instance(name).id
        return next(
            eni.addresses[0].ip
            for eni in self.world.state.enis.values()
            if eni.attachment and (eni.attachment.instance_id, eni.attachment.device_index) == (wanted, 0)
        )

    def _neighbour(self) -> str:
        """The MAC that the client in the same subnet knows for the floating address."""

        def look() -> str:
            with IPRoute() as kernel:
                found = list(kernel.get_neighbours(dst=self._floating))
            return str(found[0].get_attr("NDA_LLADDR") or "") if found else ""

        return self._net.run("client-same", look)

    def _config(self, files: MemberFiles) -> str:
        members = "".join(
            f'[[member]]\nname = "{name}"\ninstance_id = "{self.world.instance(name).id}"\n'
            f'address = "{self._address(name)}"\n'
            for name in (HOLDER, STANDBY)
        )
        return f"""\
config_version = 1
group = "{GROUP}"

[eni]
ids = ["{ENI}"]

{members}
[[probe]]
name = "{PROBE}"
type = "tcp"
host = "{{address}}"
port = {SERVICE_PORT}
interval = "{self._interval}"
timeout = "{self._interval}"
fall = 3

[network]
mode = "manage"
path_check = true
[control]
socket = "{files.socket_path}"
role_file = "{files.directory / files.name}.role"
[state]
directory = "{files.directory / files.name}.state"
[log]
format = "json"
"""
