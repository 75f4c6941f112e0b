"""Real hosts, links, packets and daemons: what the end-to-end tests on the net world stand on.

Every member is a network namespace with a service and a daemon of its own, which runs without root: as
`nobody`, with CAP_NET_ADMIN and CAP_NET_RAW. Clients ask the floating addresses all the time.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import e2e_harness
import pytest
from pyroute2 import IPRoute

from eni_failover.lab import Durations, Settings
from eni_failover.lab.net import NetWorld
from eni_failover.lab.net.clients import SERVICE_PORT, Client, service

DETACH = ATTACH = 0.3
SETTINGS = Settings(latency=0.005, durations=Durations(attach=ATTACH, detach=DETACH, force_detach=0.2))
CAPABILITIES = ("net_admin", "net_raw")
CLIENT_SERVICE = service("witness")

PROBE = f"""
[[probe]]
name = "web"
type = "tcp"
scope = "holder"
host = "{{address}}"
port = {SERVICE_PORT}
interval = "200ms"
timeout = "300ms"
fall = 3
rise = 1
"""

QUICK = """
[policy]
stagger = "300ms"
cooldown = "2s"
unproven_grace = "6s"
force_detach_after = "2s"
[timing]
observe_interval = "500ms"
idle_interval = "1s"
move_interval = "50ms"
"""

HOOKED = """
[hooks]
on_active = ["{script}", "active"]
on_standby = ["{script}", "standby"]
"""

NETWORK = """
[network]
mode = "manage"
path_check = true
"""

wait = e2e_harness.wait


class NetMember(e2e_harness.Member):
    """One member: its host in the net world, its files, its service, its daemon."""

    def __init__(self, group, name):
        self.net = group.net
        address = group.address(name)
        super().__init__(group, name, address, None)
        self.directory.chmod(0o777)
        self.rights = {"user": "nobody", "capabilities": CAPABILITIES} if is_readable_by_all() else {}

    def start(self, *arguments):
        command = [sys.executable, "-m", "eni_failover", "run", "--config", str(self.config), *arguments]
        with self.log.open("ab") as log:
            self.process = self.net.spawn(
                self.name,
                command,
                env={"HOME": str(self.directory), **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                **self.rights,
            )
        return self

    def serve(self):
        """Starts the member's service."""
        self.service = self.net.spawn(self.name, service(self.name), stdin=subprocess.DEVNULL)
        return self

    def shut(self):
        """Kills the member's service."""
        self.service.kill()
        self.service.wait(10)

    def env(self):
        return {**self.net.env(self.name), "HOME": str(self.directory), "PATH": "/usr/bin:/bin"}

    def inside(self, work):
        """The result of `work(kernel)`, with netlink inside this member's namespace."""

        def run():
            with IPRoute() as kernel:
                return work(kernel)

        return self.net.run(self.name, run)

    def links(self):
        """The MACs of the links of this host."""
        return self.inside(lambda kernel: {link.get_attr("IFLA_ADDRESS") for link in kernel.get_links()})

    def addresses(self):
        """All addresses of this host but those of every host."""
        return self.inside(
            lambda kernel: {
                one.get_attr("IFA_ADDRESS")
                for one in kernel.get_addr()
                if not one.get_attr("IFA_ADDRESS").startswith(("127.", "169.254.", "fe80", "::1"))
            }
        )

    def sources(self):
        """The networks that have a rule of their own."""
        return self.inside(
            lambda kernel: {
                f"{rule.get_attr('FRA_SRC')}/{rule['src_len']}"
                for family in (socket.AF_INET, socket.AF_INET6)
                for rule in kernel.get_rules(family=family)
                if rule.get_attr("FRA_SRC")
            }
        )

    def tables(self):
        """The routing tables in use beside the three that the kernel makes."""
        return self.inside(
            lambda kernel: (
                {
                    route.get_attr("RTA_TABLE")
                    for family in (socket.AF_INET, socket.AF_INET6)
                    for route in kernel.get_routes(family=family)
                }
                - {253, 254, 255}
            )
        )


class NetGroup(e2e_harness.Group):
    """A group of members on a net world."""

    member_kind = NetMember

    def __init__(self, directory, net, enis, *, network, probe):
        self.directory, self.net, self.lab, self.enis = directory, net, net.lab, enis
        self.network, self.probe = network, probe
        self.clients = []
        self.members = [self.member_kind(self, name) for name in net.members]
        self.by_name = {member.name: member for member in self.members}
        for member in self.members:
            member.write(self.text(member))

    def address(self, name):
        """The primary address of a member."""
        instance = self.net.world.instance(name).id
        return next(
            eni.addresses[0].ip
            for eni in self.net.world.state.enis.values()
            if eni.attachment and eni.attachment.instance_id == instance and eni.attachment.device_index == 0
        )

    def text(self, member):
        ids = ", ".join(f'"{self.net.world.eni(f"floating-{n}").id}"' for n in range(1, self.enis + 1))
        members = "".join(
            f'[[member]]\nname = "{one}"\ninstance_id = "{self.net.world.instance(one).id}"\n'
            f'address = "{self.address(one)}"\n'
            for one in self.net.members
        )
        return f"""\
group = "orders"
[eni]
ids = [{ids}]
{members}
{self.probe}
{QUICK}
{self.network}
[control]
socket = "{member.socket}"
role_file = "{member.role_file}"
[state]
directory = "{member.state}"
[log]
format = "json"
level = "debug"
"""

    def start(self):
        """Services and daemons on every member; back when the first is active and the rest are ready."""
        for member in self.members:
            member.serve()
            member.start()
        for member in self.members:
            member.until(lambda status: status["ready"], "ready")
        self.members[0].until(lambda status: status["role"] == "active", "active")
        return self

    def client(self, host, address, interval=0.01):
        """A client on this host that asks this address from now on."""
        notes = self.directory / f"client-{len(self.clients)}"
        self.clients.append(Client(self.net, host, address, notes, interval=interval))
        return self.clients[-1]

    def ask(self, *addresses, hosts=None, interval=0.02):
        """Clients in all three places ask these addresses; back when each has an answer from the holder."""
        for host in hosts or self.net.clients:
            for address in addresses:
                self.client(host, address, interval)
        self.answered_by(self.holder())

    def calls(self, action):
        """The accepted calls of this action, in order."""
        return [
            call
            for call in self.net.world.calls
            if call.action == action and call.accepted and not call.dry_run
        ]

    def answered_by(self, name, within=10.0):
        """Waits until every client's newest answer, asked for from now on, is this member's."""
        since = time.monotonic()
        for client in self.clients:
            for protocol in ("tcp", "udp"):
                what = f"{client.host} asking {client.address} over {protocol}: an answer of {name}"
                wait(
                    lambda client=client, protocol=protocol: any(
                        one.asked >= since and one.name == name for one in client.answers(protocol)[-20:]
                    ),
                    what,
                    within,
                    self.by_name[name],
                )

    def moved_to(self, name, within=e2e_harness.LONG):
        """Waits until this member is active; then every client has its answers from it."""
        status = self.by_name[name].until(lambda one: one["role"] == "active", f"{name} active", within)
        self.answered_by(name)
        return status

    def end(self):
        """Nothing: the net world ends what runs in it."""


@functools.cache
def is_readable_by_all():
    """Whether another user can run this interpreter and this package: not below root's own directory."""
    command = ["setpriv", "--reuid=nobody", "--clear-groups", sys.executable, "-c", "import eni_failover"]
    return subprocess.run(command, capture_output=True, check=False, cwd="/").returncode == 0


needs_readable = pytest.mark.skipif(
    os.geteuid() == 0 and not is_readable_by_all(),
    reason="NEEDS A CHECKOUT THAT ALL USERS CAN READ: the daemons of these tests ran as root",
)


def floating(net, number=1):
    """The n-th floating ENI, counted from 1."""
    return net.world.eni(f"floating-{number}")


needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nft") is None,
    reason="NEEDS ROOT AND nft: no real link was tested; run `make e2e` as root (apt-get install nftables)",
)


@contextlib.contextmanager
def net_group(*, kind=NetGroup, enis=1, settings=SETTINGS, network=NETWORK, probe=PROBE, **world):
    """A net world and a group on it, not started; every process and namespace is gone at the end.

    `kind`: the class of the group. `world`: options of `NetWorld`.
    """
    world = NetWorld(enis=enis, settings=settings, **world)
    directory = Path(tempfile.mkdtemp(prefix="enif-e2e-"))
    directory.chmod(0o755)  # the daemons are not root
    try:
        with world as net:
            yield kind(directory, net, enis, network=network, probe=probe)
    finally:
        shutil.rmtree(directory)


def hooked(group):
    """Hooks that write down which they are and the role they were told."""
    for member in group.members:
        script = member.directory / "hook"
        script.write_text(
            f'#!/bin/sh\nsleep 0.05\necho "$1 $ENI_FAILOVER_ROLE" >> {member.directory}/hooks\n'
        )
        script.chmod(0o755)
        member.write(member.config.read_text() + HOOKED.format(script=script))


def hooks(member):
    try:
        return [line.split() for line in (member.directory / "hooks").read_text().splitlines()]
    except FileNotFoundError:
        return []
