"""Real `eni-failover run` processes of a place: their files, their start, and when they are ready."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.places import HOLDER, STANDBY, Place, wait
from eni_failover.client import Client, UnreachableError
from eni_failover.lab.net.clients import SERVICE_PORT

LISTEN_PORT = 10177
READY_WITHIN = 60.0
DONE_WITHIN = 30.0


def tcp_probe(interval: str, timeout: str) -> str:
    """The probe of the benchmarks' service, of which the third down decides."""
    return f"""
[[probe]]
name = "web"
type = "tcp"
host = "{{address}}"
port = {SERVICE_PORT}
interval = "{interval}"
timeout = "{timeout}"
fall = 3
"""


TCP_PROBE = tcp_probe("1s", "1s")


def config_text(place: Place, member: str, probes: str) -> str:
    """The example's configuration with these probes: everything else is a default, but for the paths."""
    members = "".join(
        f'[[member]]\nname = "{name}"\ninstance_id = "{place.instance(name)}"\naddress = "{address}"\n'
        for name, address in place.addresses.items()
    )
    ids = ", ".join(f'"{eni}"' for eni in place.eni_ids())
    return f"""\
group = "orders"
[eni]
ids = [{ids}]
{members}
{probes}
[network]
mode = "{"manage" if place.has_links else "off"}"
[server]
listen = "{{address}}:{LISTEN_PORT}"
[control]
socket = "{place.directory}/{member}.sock"
role_file = "{place.directory}/{member}.role"
[state]
directory = "{place.directory}/{member}.state"
[log]
format = "json"
"""


class Daemon:
    """One member's daemon."""

    def __init__(self, place: Place, member: str, probes: str = TCP_PROBE) -> None:
        self.place, self.member = place, member
        self.config = place.directory / f"{member}.toml"
        self.config.write_text(config_text(place, member, probes))
        self.log = place.directory / f"{member}.log"
        self.client = Client(place.directory / f"{member}.sock")
        self.process: subprocess.Popen | None = None

    def start(self, *interpreter: str) -> Daemon:
        """Start it; `interpreter` are options of Python."""
        command = [sys.executable, *interpreter, "-m", "eni_failover", "run", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = self.place.spawn(
                self.member,
                command,
                env={"HOME": str(self.place.directory)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def status(self) -> dict:
        """Its /status; empty before there is one."""
        try:
            return self.client.status().document
        except UnreachableError:
            return {}

    def is_ready(self) -> bool:
        """Whether it could take over now, or holds, and has a verdict of each probe that it runs."""
        status = self.status()
        if not status.get("ready") or (self.member == HOLDER and status["role"] != "active"):
            return False
        return self.member == HOLDER or all(probe["state"] == "up" for probe in status["probes"])

    def take(self) -> None:
        """An operator's takeover, until it is active. Raises TimeoutError."""
        self.order("/takeover", {"reason": "benchmark"}, 202)
        wait(lambda: self.status().get("role") == "active", f"{self.member} active", DONE_WITHIN)

    def order(self, path: str, body: dict[str, str], status: int) -> None:
        """Give the order until it is answered so. Raises TimeoutError."""
        wait(lambda: self.client.order(path, body).status == status, f"{path} of {self.member}", DONE_WITHIN)


def start_pair(place: Place, probes: str = TCP_PROBE) -> dict[str, Daemon]:
    """Both daemons; back when the holder is active and the standby ready."""
    daemons = {name: Daemon(place, name, probes).start() for name in (HOLDER, STANDBY)}
    for daemon in daemons.values():
        wait(daemon.is_ready, f"{daemon.member} ready; its log: {daemon.log}", READY_WITHIN)
    return daemons
