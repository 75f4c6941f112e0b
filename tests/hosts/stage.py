"""Two hosts with the project installed, in a net world: what the tests of the service stand on.

Owns: the pair's configuration, what its daemons say, and how a test finds it as the one before did.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path

import hosts_machine
import hosts_tree

from eni_failover.client import Client, UnreachableError
from eni_failover.lab import Durations, Settings
from eni_failover.lab.net import NetWorld

UNIT = "eni-failover.service"
CONFIG = "/etc/eni-failover/config.toml"
SETTINGS = Settings(latency=0.005, durations=Durations(attach=0.5, detach=0.5, force_detach=0.2))
INIT = (
    "install -d /etc/eni-failover && eni-failover init --probe 'http://{address}:8080/healthz' --output "
    + CONFIG
)
# In the place of the defaults that `init` shows. With more takeovers, and sooner, than anybody wants.
QUICK = {
    '#interval = "1s"': 'interval = "200ms"',
    '#timeout = "1s"': 'timeout = "500ms"',
    "[policy]\n": '[policy]\ncooldown = "1s"\nunproven_grace = "3s"\n',
    '#force_detach_after = "15s"': 'force_detach_after = "4s"',
    "#max_takeovers = 3": "max_takeovers = 1000",
    "[network]\n": '[timing]\nobserve_interval = "1s"\nidle_interval = "2s"\n\n[network]\n',
}

wait = hosts_machine.wait


@contextlib.contextmanager
def directory():
    """A folder in memory, gone at the end: to delete so many files elsewhere takes longer than the tests."""
    hosts_machine.sweep()
    prefix = hosts_machine.PREFIX
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        if hosts_machine.is_orphan(left):
            _remove(left)
    path = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-"))
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3g,mode=755", "tmpfs", path], check=True)
        yield path
    finally:
        _remove(path)


def _remove(path):
    if path.is_mount():
        subprocess.run(["umount", path], check=True)
    path.rmdir()


class Pair:
    """alpha, which has the ENI, and beta."""

    def __init__(self, net, machines):
        self.net, self.world = net, net.world
        self.machines = machines
        self.alpha, self.beta = machines
        self.original = ""

    def attachment(self, number=1):
        """The attachment of an ENI: who has it, and since which move."""
        return self.world.eni(f"floating-{number}").attachment

    def holder(self, number=1):
        """The host that has the ENI attached; None while it is on its way."""
        attachment = self.attachment(number)
        if attachment is None or attachment.status != "attached":
            return None
        return next(m for m in self.machines if self.world.instance(m.name).id == attachment.instance_id)

    def set_the_second_eni_apart(self):
        """It belongs to a group of its own, "stock"."""
        self.world.change_eni("floating-2", tags={"Name": "floating-2", "eni-failover-group": "stock"})

    def configure(self):
        """The same file on both, made by `init` on one."""
        self.alpha.run(INIT)
        text = self.text(self.alpha)
        for default, quick in QUICK.items():
            assert text.count(default) == 1, default
            text = text.replace(default, quick)
        self.original = text
        for machine in self.machines:
            machine.put(CONFIG, text)

    def start(self):
        """The services, until alpha is active and beta is ready."""
        hosts_tree.side_by_side(lambda machine: machine.run(f"systemctl enable --now {UNIT}"), self.machines)
        self.at_rest()

    def at_rest(self):
        """Alpha active, beta ready, and each knows of the other."""
        for machine, role in ((self.alpha, "active"), (self.beta, "standby")):
            self.until(
                machine,
                lambda one, role=role: (
                    one["role"] == role and one["ready"] and all(peer["reachable"] for peer in one["peers"])
                ),
                f"{machine.name} is {role} and ready",
            )

    def status(self, machine, group="orders"):
        """What the daemon of this group says of itself; None when it does not answer."""
        with contextlib.suppress(UnreachableError):
            return Client(machine.root / "run/eni-failover" / f"{group}.sock").status().document
        return None

    def until(self, machine, fact, what, within=20.0):
        """The first status of which fact(status) is true; a failure shows what the host says."""
        try:
            return wait(lambda: (status := self.status(machine)) and fact(status) and status, what, within)
        except AssertionError as error:
            said = machine.run("journalctl --boot --unit='eni-failover*' --lines=30 --no-pager", check=False)
            raise AssertionError(f"{error}\n{self.status(machine)}\n{said.stdout}") from None

    def pid(self, machine, unit=UNIT):
        """The daemon's process, as the host counts."""
        return int(machine.show(unit, "MainPID")["MainPID"])

    def active(self, machine, within=20.0):
        """Waits until this host is active; its status."""
        return self.until(machine, lambda one: one["role"] == "active", f"{machine.name} is active", within)

    def restore(self):
        """As it was: files, services, the ENI on alpha, both daemons at rest."""
        for machine in self.machines:
            if machine.leader is None:
                machine.boot()
        hosts_tree.side_by_side(self._put_right, self.machines)
        if self.holder() is not self.alpha:
            self.until(self.alpha, lambda one: one["ready"], "alpha is ready")
            self.alpha.run("eni-failover takeover --yes")
        self.at_rest()

    def _put_right(self, machine):
        """The unit and its file as they were; a daemon that has known no others goes on."""
        dropped = list((machine.root / "etc/systemd/system").glob("eni-failover*.d"))
        verb = "restart" if dropped or self.text(machine) != self.original else "start"
        machine.put(CONFIG, self.original)
        machine.run(
            "rm -rf /etc/systemd/system/eni-failover*.d && systemctl daemon-reload"
            f" && systemctl reset-failed && systemctl start web.service && systemctl {verb} {UNIT}"
        )

    def text(self, machine):
        """The configuration file of a host."""
        return (machine.root / CONFIG.lstrip("/")).read_text()

    def edit(self, machine, old, new):
        """Changes the file on this host, which the next start or reload reads."""
        text = self.text(machine)
        assert old in text
        machine.put(CONFIG, text.replace(old, new, 1))


def dropped_in(machine, text, unit=UNIT):
    """A drop-in of the service, with these lines; the next start has it."""
    machine.put(f"/etc/systemd/system/{unit}.d/test.conf", text)
    machine.run("systemctl daemon-reload")


@contextlib.contextmanager
def two_hosts(place, layers, *, furnish=lambda _: None, **world):
    """A net world and a host in each of its members, up; all gone at the end."""
    with NetWorld(settings=SETTINGS, **world) as net:
        machines = [
            hosts_machine.Machine(
                name,
                place / name,
                layers,
                net.namespace(name),
                binds={"/wheels": hosts_tree.wheels()},
                environment=hosts_tree.EC2,
            )
            for name in net.members
        ]
        for machine in machines:
            furnish(machine)
        try:
            for machine in machines:
                machine.start()
            hosts_tree.side_by_side(lambda machine: machine.booted(), machines)
            yield Pair(net, machines)
        finally:
            hosts_tree.side_by_side(lambda machine: machine.halt(), machines)
