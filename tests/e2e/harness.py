"""Real daemons, real sockets, the lab's EC2: what the end-to-end tests stand on.

Every member has a loopback address of its own, a service there that holder probes ask, and a daemon
as a process of its own. Only processes started here are ever signalled.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from pathlib import Path

from eni_failover.lab import Durations, LabThread, Settings, World
from tests.ports import common_port

ADDRESSES = ("127.0.1.11", "127.0.1.12", "127.0.1.13", "127.0.1.14")
NAMES = ("alpha", "beta", "gamma", "delta")
LONG = 40.0

PROBE = """
[[probe]]
name = "web"
type = "tcp"
scope = "holder"
host = "{{address}}"
port = {service}
interval = "100ms"
timeout = "200ms"
fall = 3
rise = 1
"""

QUICK = """
[policy]
stagger = "200ms"
cooldown = "1s"
unproven_grace = "2s"
force_detach_after = "2s"
[timing]
observe_interval = "500ms"
idle_interval = "1s"
move_interval = "50ms"
"""


class _Accept(socketserver.BaseRequestHandler):
    def handle(self):
        self.server.asked_at = time.monotonic()
        self.request.sendall(b"hello\n")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    asked_at = 0.0


class Service:
    """What a member serves: accepts and answers, can be shut and opened again on the same port."""

    def __init__(self, address, port):
        self.address, self.port = address, port
        self.asked_at = 0.0  # monotonic seconds of the last question, known once it is shut
        self._server = None
        self.open()

    def open(self):
        self._server = _Server((self.address, self.port), _Accept)
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def shut(self):
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self.asked_at = self._server.asked_at
            self._server = None


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the control socket."""

    def __init__(self, path, timeout=10.0):
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Member:
    """One member: its files, its service, its daemon."""

    def __init__(self, group, name, address, service):
        self.group, self.name, self.address, self.service = group, name, address, service
        self.directory = group.directory / name
        self.directory.mkdir()
        self.config = self.directory / "config.toml"
        self.socket = self.directory / "c.sock"
        self.role_file = self.directory / "role"
        self.state = self.directory / "state"
        self.log = self.directory / "log"
        self.process = None
        self.environment = {}
        self.prefix = []  # a program that starts the daemon's, as setpriv(1)

    def write(self, text):
        self.config.write_text(text)

    def command(self, *arguments, **options):
        """Runs one client command; returns the finished process."""
        command = [sys.executable, "-m", "eni_failover", *arguments]
        command[4:4] = ["--config", str(self.config)]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=60, env=self.env(), **options
        )

    def env(self):
        dropped = ("AWS_", "ENI_FAILOVER_")
        base = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
        return {**base, **self.group.lab.env(self.name), "HOME": str(self.directory), **self.environment}

    def start(self, *arguments):
        command = [*self.prefix, sys.executable, "-m", "eni_failover", "run"]
        command += ["--config", str(self.config), *arguments]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=self.env()
            )
        return self

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def stop(self):
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)

    def ended(self):
        """Waits for the daemon to end by itself; its exit status."""
        return self.process.wait(LONG)

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()

    def ask(self, method, path, body=None):
        connection = UnixConnection(self.socket)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode()
            return response.status, text
        finally:
            connection.close()

    def status(self):
        """The daemon's /status, or None when it does not answer one."""
        try:
            code, text = self.ask("GET", "/status")
        except OSError:
            return None
        return json.loads(text) if code == 200 else None

    def metric(self, name, **labels):
        """One sample of /metrics, or None."""
        _, text = self.ask("GET", "/metrics")
        wanted = {**labels, "group": "orders"}
        for line in text.splitlines():
            if line.startswith(name + "{"):
                inside, value = line[len(name) + 1 :].rsplit("} ", 1)
                have = dict(part.split("=", 1) for part in inside.split(",") if part)
                if all(have.get(key) == f'"{value_}"' for key, value_ in wanted.items()):
                    return float(value)
        return None

    def logs(self):
        lines = []
        for line in self.log.read_text().splitlines():
            with contextlib.suppress(ValueError):
                lines.append(json.loads(line))
        return lines

    def events(self, name):
        return [line for line in self.logs() if line["event"] == name]

    def until(self, fact, what="", within=LONG):
        """Waits until fact(status) is true; returns that status."""
        return wait(lambda: (status := self.status()) and fact(status) and status, what, within, self)


def wait(fact, what="", within=LONG, member=None):
    """Polls until fact() is true; fails loudly with the daemon's log."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        value = fact()
        if value:
            return value
        if member is not None and member.process is not None and member.process.poll() is not None:
            break
        time.sleep(0.02)
    tail = ""
    if member is not None:
        tail = f"\nstatus: {member.status()}\n" + member.log.read_text()[-6000:]
    raise AssertionError(f"not seen: {what}{tail}")


class Group:
    """A group of members on the lab."""

    def __init__(self, directory: Path, lab: LabThread, members: int, enis: int):
        self.directory, self.lab, self.enis = directory, lab, enis
        addresses = ADDRESSES[:members]
        self.service_port = common_port(addresses)
        self.listen_port = common_port(addresses)
        self.members = [
            Member(self, name, address, Service(address, self.service_port))
            for name, address in zip(NAMES, addresses, strict=False)
        ]
        self.by_name = {member.name: member for member in self.members}
        self.configure()

    def configure(self, probe=PROBE, rest=QUICK, **top):
        for member in self.members:
            member.write(self.text(member, probe, rest))

    def text(self, member, probe=PROBE, rest=QUICK):
        ids = ", ".join(f'"eni-0ffffffffffffff{number:02}"' for number in range(1, self.enis + 1))
        lines = [
            'group = "orders"',
            "[eni]",
            f"ids = [{ids}]",
        ]
        for one in self.members:
            instance = self.lab.world.instance(one.name).id
            lines += [
                "[[member]]",
                f'name = "{one.name}"',
                f'instance_id = "{instance}"',
                f'address = "{one.address}"',
            ]
        lines += [
            probe.format(service=self.service_port),
            rest,
            "[network]",
            'mode = "off"',
            "[server]",
            f'listen = "{{address}}:{self.listen_port}"',
            "[control]",
            f'socket = "{member.socket}"',
            f'role_file = "{member.role_file}"',
            "[state]",
            f'directory = "{member.state}"',
            "[log]",
            'format = "json"',
            'level = "debug"',
        ]
        return "\n".join(lines) + "\n"

    def __getattr__(self, name):
        try:
            return self.__dict__["by_name"][name]
        except KeyError:
            raise AttributeError(name) from None

    def holder(self, number=1):
        """The name of the instance that has this ENI, and its attachment's status."""
        attachment = self.lab.world.eni(f"floating-{number}").attachment
        if attachment is None:
            return None
        status = attachment.status
        name = self.name_of(attachment.instance_id)
        return name if status == "attached" else f"{status} {name}"

    def name_of(self, instance_id):
        return self.lab.world.instance(instance_id).tags["Name"]

    def mutations(self):
        """The accepted attaches and detaches, in order, as (action, caller)."""
        short = {"AttachNetworkInterface": "attach", "DetachNetworkInterface": "detach"}
        return [
            (short[call.action], self.name_of(call.caller))
            for call in self.lab.world.calls
            if call.action in short and call.accepted and not call.dry_run
        ]

    def start(self):
        for member in self.members:
            member.start()
        for member in self.members:
            member.until(lambda status: status["ready"], "ready")
        return self

    def acquainted(self):
        """Waits until every daemon has heard of every other."""
        for member in self.members:
            member.until(lambda status: all(peer["reachable"] for peer in status["peers"]), "peers")

    def end(self):
        for member in self.members:
            member.end()
            member.service.shut()


@contextlib.contextmanager
def running_group(directory, *, members=2, enis=1, settings=None, world=None):
    """A lab and a group on it, not started; ends every process at the end."""
    quick = settings or Settings(latency=0.005, durations=Durations(attach=0.3, detach=0.3, force_detach=0.2))
    world = world or World.pair(
        members=members,
        enis=enis,
        addresses=ADDRESSES[:members],
        settings=quick,
        instance_type="c5n.18xlarge",
    )
    with LabThread(world) as lab:
        group = Group(directory, lab, members, enis)
        try:
            yield group
        finally:
            group.end()
