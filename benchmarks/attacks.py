"""What a stranger's bytes cost a takeover: quiet against attacked, real daemons on loopback.

Usage: make attacks, or .venv/bin/python -m benchmarks.attacks [--only chunks silent] [--runs 3]

Each attack is played on the standby while the holder's service dies: the seconds from the death to the
accepted detach as a multiple of the quiet ones beside it, the standby's memory, how many of a load balancer's
checks of `/active`, from an address of its own, had an answer, and whether the other member was heard.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.daemons import LISTEN_PORT, Daemon, start_pair, tcp_probe
from benchmarks.measured import cpu_seconds, memory_mb
from benchmarks.places import HOLDER, STANDBY, Place, place, read, serve, wait
from benchmarks.results import machine
from eni_failover.lab import Durations, Settings

OUTPUT = Path(__file__).parents[1] / "build" / "bench" / "attacks.json"
SETTINGS = Settings(latency=0.04, durations=Durations(detach=0.5, attach=0.5))
PROBES = tcp_probe("500ms", "500ms")
ATTACKED_FOR = 3.0
"""Seconds of attack before the death."""
LONGEST = 30.0
"""What no takeover within it counts as."""
MOST_TIME, MOST_MEMORY = 1.2, 16.0
"""What is to be reached: times the quiet takeover, and MB above the quiet memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One row: an attack of attacker.py, by so many processes with so many addresses each."""

    name: str
    script: str
    attackers: int = 1
    sources: int = 1
    on_socket: bool = False


ATTACKS = (
    Attack(name="bodies in one-byte chunks, 60 connections", script="chunks"),
    Attack(name="the same from two attackers", script="chunks", attackers=2),
    Attack(name="the same on the Unix socket", script="orders", on_socket=True),
    Attack(name="pipelined requests, answers not read", script="pipelining"),
    Attack(name="silent connections", script="silent"),
    Attack(name="silent connections from 20 addresses", script="silent", sources=20, attackers=2),
    Attack(name="heads in single bytes", script="dripping"),
    Attack(name="heads of a megabyte", script="headers"),
    Attack(name="requests without end", script="requests"),
    Attack(name="requests without end, 20 addresses", script="requests", sources=20, attackers=2),
    Attack(name="answers that are not read", script="slow-reading", sources=20),
    Attack(name="connections opened and closed", script="connects"),
    Attack(name="event streams", script="streams", sources=20),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One takeover: seconds from the death to the accepted detach, CPU of a core, MB, checks answered."""

    seconds: float
    cpu: float
    memory: float
    answered: float
    peers_heard: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One attack beside the quiet takeovers of the same minutes: medians, and the most memory."""

    name: str
    quiet: float
    attacked: float
    cpu: float
    memory: float
    answered: float
    peers_heard: bool

    @property
    def ratio(self) -> float:
        """How many quiet takeovers an attacked one takes."""
        return self.attacked / self.quiet

    @property
    def is_borne(self) -> bool:
        """Whether the bounds on time and memory hold."""
        return self.ratio <= MOST_TIME and self.memory <= MOST_MEMORY and self.peers_heard

    def line(self) -> str:
        """As a line of a Markdown table."""
        heard = "yes" if self.peers_heard else "no"
        return (
            f"| {self.name} | {self.quiet:.2f} | {self.attacked:.2f} | {self.ratio:.2f} "
            f"| {self.cpu:.0%} | {self.memory:+.0f} | {self.answered:.0%} | {heard} |"
        )


HEAD = """\
| attack | quiet, s | attacked, s | ratio | CPU of a core | memory, MB | `/active` answered | peers heard |
|---|---|---|---|---|---|---|---|"""


def main() -> None:
    """Plays each attack, prints its line as it is found, writes attacks.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=sorted({attack.script for attack in ATTACKS}))
    parser.add_argument("--runs", type=int, default=3, help="takeovers of each kind")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    print(f"{machine()}\n\n{HEAD}", flush=True)
    found = []
    for attack in ATTACKS:
        if options.only is None or attack.script in options.only:
            found.append(play(attack, options.runs))
            print(found[-1].line(), flush=True)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine(), "attacks": [asdict(result) for result in found]}
    options.output.write_text(json.dumps(document, indent=1) + "\n")
    print(f"\n{options.output}")
    sys.exit(0 if all(result.is_borne for result in found) else 1)


def play(attack: Attack, runs: int) -> Result:
    """So many takeovers, quiet and attacked in turn."""
    quiet, attacked = [], []
    for _ in range(runs):
        quiet.append(_takeover(None))
        attacked.append(_takeover(attack))
    return Result(
        name=attack.name,
        quiet=statistics.median(seen.seconds for seen in quiet),
        attacked=statistics.median(seen.seconds for seen in attacked),
        cpu=statistics.median(seen.cpu for seen in attacked),
        memory=max(seen.memory for seen in attacked) - statistics.median(seen.memory for seen in quiet),
        answered=statistics.median(seen.answered for seen in attacked),
        peers_heard=all(seen.peers_heard for seen in attacked),
    )


def _takeover(attack: Attack | None) -> Seen:
    with place(SETTINGS, loopback=True) as pair:
        service = serve(pair, HOLDER)
        serve(pair, STANDBY)
        standby = start_pair(pair, PROBES)[STANDBY]
        with _attacked(pair, attack), _watched(pair, standby) as watch:
            began, used = time.monotonic(), cpu_seconds(standby.process.pid)
            time.sleep(ATTACKED_FOR)
            cpu = (cpu_seconds(standby.process.pid) - used) / (time.monotonic() - began)
            heard = [peer["reachable"] for peer in standby.status().get("peers", ())] == [True]
            died = _kill_after_a_probe(pair, service)
            with contextlib.suppress(TimeoutError):
                wait(lambda: _detached_at(pair), "a detach", LONGEST)
        return Seen(
            seconds=(_detached_at(pair) or [died + LONGEST])[0] - died,
            cpu=cpu,
            memory=max(watch.memory),
            answered=statistics.mean(watch.answered),
            peers_heard=heard,
        )


def _kill_after_a_probe(pair: Place, service: subprocess.Popen) -> float:
    """Always at the same moment between two probes: how long detection takes must not be chance."""
    notes = pair.directory / f"service-{HOLDER}"
    before = len(read(notes))
    wait(lambda: len(read(notes)) > before, "a probe", 10)
    time.sleep(0.1)
    service.kill()
    return time.monotonic()


def _detached_at(pair: Place) -> list[float]:
    return [
        call.decided_at
        for call in pair.world.calls
        if call.action == "DetachNetworkInterface" and call.accepted and not call.dry_run
    ]


@contextlib.contextmanager
def _attacked(pair: Place, attack: Attack | None) -> Iterator[None]:
    """The attackers, while the block runs."""
    script = str(Path(__file__).with_name("attacker.py"))
    network = pair.addresses[STANDBY].rpartition(".")[0]
    victim = (str(pair.directory / f"{STANDBY}.sock"), "0")
    if attack is not None and not attack.on_socket:
        victim = (pair.addresses[STANDBY], str(LISTEN_PORT))
    started = []
    try:
        for number in range(0 if attack is None else attack.attackers):
            sources = [f"{network}.{150 + 40 * number + one}" for one in range(attack.sources)]
            command = [sys.executable, "-I", script, attack.script, *victim, *sources]
            started.append(subprocess.Popen(command))
        yield
    finally:
        for process in started:
            process.kill()
            process.wait(10)


class _Watch:
    """A load balancer that checks /active ten times a second, and the standby's memory beside it."""

    def __init__(self, pair: Place, standby: Daemon) -> None:
        self.memory: list[float] = []
        self.answered: list[bool] = []
        self._address = pair.addresses[STANDBY]
        self._source = self._address.rpartition(".")[0] + ".50"
        self._pid = standby.process.pid
        self._ended = threading.Event()

    def run(self) -> None:
        """Until the end; the first check comes when the attack is under way."""
        while not self._ended.wait(0.1):
            self.memory.append(memory_mb(self._pid))
            self.answered.append(self._is_answered())

    def _is_answered(self) -> bool:
        connection = http.client.HTTPConnection(
            self._address, LISTEN_PORT, timeout=1, source_address=(self._source, 0)
        )
        try:
            connection.request("GET", "/active")
            return connection.getresponse().status in {200, 503}
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def end(self) -> None:
        """No more checks."""
        self._ended.set()


@contextlib.contextmanager
def _watched(pair: Place, standby: Daemon) -> Iterator[_Watch]:
    watch = _Watch(pair, standby)
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        yield watch
    finally:
        watch.end()
        thread.join()


if __name__ == "__main__":
    main()
