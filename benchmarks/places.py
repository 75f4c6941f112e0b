"""Where a host dies: in network namespaces with real links (root), or on loopback addresses.

Owns the fake EC2, the two hosts alpha and beta, and the client's host. A place knows no contender.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from eni_failover.lab import LabThread, Settings, World
from eni_failover.lab.net import NetWorld
from eni_failover.lab.net.clients import SERVICE_PORT

HOLDER, STANDBY = "alpha", "beta"
GATEWAY = "10.0.1.1"


class Place(ABC):
    """One pair on one fake EC2. `floating` are the addresses of the ENIs, in their order.

    `directory` is for the files of one run, and is gone with the place.
    """

    name: str
    client_host: str
    has_links: bool

    def __init__(self, world: World, enis: int, directory: Path) -> None:
        self.world, self.enis, self.directory = world, enis, directory
        self.addresses: dict[str, str] = {}
        self.floating: list[str] = []
        self.any_address = ""

    @abstractmethod
    def spawn(self, host: str, argv: Sequence[str], **options: Any) -> subprocess.Popen:
        """Start a program on a host, with what it needs to find EC2."""

    @abstractmethod
    def die(self, host: str) -> None:
        """The host and everything on it is gone at once."""

    def instance(self, host: str) -> str:
        """The instance id of a member."""
        return self.world.instance(host).id

    def eni_ids(self) -> list[str]:
        """The floating ENIs."""
        return [self.world.eni(f"floating-{number}").id for number in range(1, self.enis + 1)]


class NetPlace(Place):
    """Hosts are namespaces; a dead one is silent: what asks it runs into its timeout."""

    name, client_host, has_links = "net", "client-other", True

    def __init__(self, net: NetWorld, enis: int, directory: Path) -> None:
        super().__init__(net.world, enis, directory)
        self.net = net
        self.any_address = "0.0.0.0"  # noqa: S104 - in a namespace of its own
        self.addresses = {HOLDER: "10.0.1.11", STANDBY: "10.0.1.12"}
        self.floating = [f"10.0.1.{100 + number}" for number in range(1, enis + 1)]

    def spawn(self, host: str, argv: Sequence[str], **options: Any) -> subprocess.Popen:
        """Start a program in a host's namespace."""
        return self.net.spawn(host, argv, **options)

    def die(self, host: str) -> None:
        """Power lost."""
        self.net.die(host)


class LoopbackPlace(Place):
    """Hosts are loopback addresses; a dead one refuses. Who has the ENI answers at its address."""

    name, client_host, has_links = "loopback", "client", False

    def __init__(self, lab: LabThread, enis: int, directory: Path, network: str) -> None:
        super().__init__(lab.world, enis, directory)
        self._lab = lab
        self.addresses = {HOLDER: f"{network}.11", STANDBY: f"{network}.12"}
        self.floating = [f"{network}.{100 + number}" for number in range(1, enis + 1)]
        self._started: list[tuple[str, subprocess.Popen]] = []

    def spawn(self, host: str, argv: Sequence[str], **options: Any) -> subprocess.Popen:
        """Start a program with the environment of a host."""
        ours = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ENI_FAIL"))}
        env = {**ours, **self._lab.env(host if host in self.addresses else None), **options.pop("env", {})}
        process = subprocess.Popen(argv, env=env, start_new_session=True, **options)
        self._started.append((host, process))
        return process

    def die(self, host: str) -> None:
        """SIGKILL to everything that was started on it."""
        self.end(host)

    def end(self, only: str | None = None) -> None:
        """Kill what was started, with what it started itself (its session)."""
        for host, process in self._started:
            if only in {None, host} and process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, 9)
                process.wait(10)

    def follow(self, number: int, ended: threading.Event) -> None:
        """Answers at a floating address with its holder's name while it is attached."""
        server, name = None, None
        while not ended.wait(0.002):
            attachment = self.world.eni(f"floating-{number}").attachment
            attached = attachment is not None and attachment.status == "attached"
            now = self.world.instance(attachment.instance_id).name if attached else None
            if now == HOLDER and not self._lives(HOLDER):
                now = None
            if now != name:
                if server is not None:
                    server.close()
                name = now
                address = (self.floating[number - 1], SERVICE_PORT)
                server = socket.create_server(address, backlog=256) if now else None
                if server is not None:
                    server.settimeout(0)
            self._answer(server, name)
        if server is not None:
            server.close()

    @staticmethod
    def _answer(server: socket.socket | None, name: str | None) -> None:
        while server is not None:
            try:
                asker = server.accept()[0]
            except BlockingIOError:
                return
            with asker, contextlib.suppress(OSError):
                asker.sendall(f"{name}\n".encode())

    def _lives(self, host: str) -> bool:
        return all(process.poll() is None for where, process in self._started if where == host)


def why_no_net() -> str:
    """Why there can be no namespaces here; empty when there can."""
    missing = [program for program in ("ip", "nft", "setpriv") if shutil.which(program) is None]
    if os.geteuid() != 0:
        return "needs root"
    return f"missing: {', '.join(missing)}" if missing else ""


@contextlib.contextmanager
def place(settings: Settings, enis: int = 1, *, loopback: bool = False) -> Iterator[Place]:
    """The best place that there can be here; everything in it is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="enif-bench-") as name:
        directory = Path(name)
        if loopback or why_no_net():
            with _on_loopback(settings, enis, directory) as found:
                yield found
        else:
            with NetWorld(members=2, enis=enis, settings=settings) as net:
                yield NetPlace(net, enis, directory)


@contextlib.contextmanager
def _on_loopback(settings: Settings, enis: int, directory: Path) -> Iterator[Place]:
    network = f"127.{20 + os.getpid() // 250 % 200}.{1 + os.getpid() % 250}"
    world = World.pair(
        members=2,
        enis=enis,
        addresses=[f"{network}.11", f"{network}.12"],
        instance_type="c5n.18xlarge",
        settings=settings,
    )
    ended = threading.Event()
    with LabThread(world) as lab:
        found = LoopbackPlace(lab, enis, directory, network)
        followers = [threading.Thread(target=found.follow, args=(number, ended)) for number in {1, enis}]
        for follower in followers:
            follower.start()
        try:
            yield found
        finally:
            ended.set()
            for follower in followers:
                follower.join()
            found.end()


def serve(pair: Place, host: str) -> subprocess.Popen:
    """Start the service of a member; it writes its questions into `service-HOST`."""
    address = pair.any_address or pair.addresses[host]
    script = str(Path(__file__).with_name("service.py"))
    notes = str(pair.directory / f"service-{host}")
    return pair.spawn(host, [sys.executable, "-I", script, host, address, str(SERVICE_PORT), notes])


def wait(fact: Any, what: str, within: float) -> None:
    """Poll until fact() is true. Raises TimeoutError."""
    deadline = time.monotonic() + within
    while not fact():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not seen within {within:g} s: {what}")
        time.sleep(0.02)


def read(notes: Path) -> list[list[str]]:
    """The complete lines of a file that somebody is writing, as words."""
    if not notes.exists():
        return []
    return [line.split() for line in notes.read_text().split("\n")[:-1]]
