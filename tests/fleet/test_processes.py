"""Twenty real daemons on one account whose buckets are small: each holder dies in the same second."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.places import wait
from eni_failover.client import Client, UnreachableError
from eni_failover.lab import Durations, LabThread, Settings, World
from tests.ports import common_port

pytestmark = pytest.mark.slow

PAIRS = 20
START_WITHIN, SERVED_WITHIN = 90.0, 90.0
# Such a share of EC2's that the last of twenty detaches has to wait about ten seconds for its token.
BUCKETS = {
    "DescribeNetworkInterfaces": (20.0, 6.0),
    "DetachNetworkInterface": (5.0, 1.5),
    "AttachNetworkInterface": (5.0, 1.5),
}


class Pair:
    """A holder without a daemon, whose service is a listening socket, and a standby with one."""

    def __init__(self, number: int, lab: LabThread, directory: Path, port: int) -> None:
        self.standby, self.eni = f"i-{number:017x}", f"eni-{number:017x}"
        holder, address = f"i-{number + 256:017x}", f"127.3.{number}.11"
        own = f"127.3.{number}.12"
        lab.world.add_instance(holder, address=f"10.0.1.{number}")
        lab.world.add_instance(self.standby, address=f"10.0.1.{100 + number}")
        lab.world.add_eni(self.eni, addresses=[f"10.0.1.{200 + number}"])
        lab.world.place(self.eni, holder, index=1)
        self._service = socket.create_server((address, port))
        self.client = Client(directory / f"{number}.sock")
        config = directory / f"{number}.toml"
        config.write_text(f"""
group = "orders-{number}"
[eni]
ids = ["{self.eni}"]
[[member]]
name = "alpha"
instance_id = "{holder}"
address = "{address}"
[[member]]
name = "beta"
instance_id = "{self.standby}"
address = "{own}"
[[probe]]
name = "web"
type = "tcp"
host = "{{address}}"
port = {port}
[network]
mode = "off"
[server]
listen = "{own}:{port}"
[control]
socket = "{directory}/{number}.sock"
role_file = "{directory}/{number}.role"
[state]
directory = "{directory}/{number}.state"
[log]
level = "warning"
""")
        ours = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ENI_FAIL"))}
        with (directory / f"{number}.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "eni_failover", "run", "--config", str(config)],
                env={**ours, **lab.env(self.standby)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def is_ready(self) -> bool:
        """Whether it could take over now, and has seen its holder up."""
        with contextlib.suppress(UnreachableError):
            status = self.client.status().document
            return bool(status["ready"]) and all(probe["state"] == "up" for probe in status["probes"])
        return False

    def die(self) -> None:
        """The holder's service refuses from now on."""
        self._service.close()

    def end(self) -> None:
        """Nothing of it is left."""
        self.die()
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def lab() -> Iterator[LabThread]:
    settings = Settings(latency=0.02, throttle=False, durations=Durations(detach=1.0, attach=0.5))
    with LabThread(World.pair(settings=settings)) as served:
        yield served


@pytest.fixture
def pairs(lab, tmp_path) -> Iterator[list[Pair]]:
    port = common_port()
    with contextlib.ExitStack() as stack:
        started = []
        for number in range(1, PAIRS + 1):
            started.append(Pair(number, lab, tmp_path, port))
            stack.callback(started[-1].end)
        yield started


@pytest.mark.timeout(START_WITHIN + SERVED_WITHIN + 30)
def test_twenty_daemons_are_all_served_and_none_moves_anything_twice(lab, pairs):
    """At the buckets' pace, though many calls are refused; each detach and attach is accepted once."""
    wait(lambda: all(map(Pair.is_ready, pairs)), "all ready", START_WITHIN)
    before = len(lab.world.calls)
    lab.world.configure(throttle=True, buckets=BUCKETS)
    lab.world.fill()
    for pair in pairs:
        pair.die()

    def is_served(pair: Pair) -> bool:
        attachment = lab.world.eni(pair.eni).attachment
        return (
            attachment is not None
            and (attachment.instance_id, attachment.status) == (pair.standby, "attached")
            and pair.client.status().document["role"] == "active"
        )

    wait(lambda: all(map(is_served, pairs)), "all served", SERVED_WITHIN)
    calls = lab.world.calls[before:]
    accepted = Counter((call.action, call.caller) for call in calls if call.accepted)

    assert set(accepted.values()) == {1}
    assert len(accepted) == 2 * PAIRS
    assert any(call.code == "RequestLimitExceeded" for call in calls)
    assert len(calls) < 30 * PAIRS
