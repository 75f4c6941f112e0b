"""The client commands against two real daemons on a lab."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from eni_failover.lab import Durations, LabThread, Settings, World, demo_children, demo_places
from eni_failover.lab.demo import ENI
from eni_failover.lab.demo_watch import Watch
from eni_failover.lab.world import instance_id_of

SETTINGS = Settings(latency=0.01, durations=Durations(detach=0.3, attach=0.2))


@pytest.fixture
def group(tmp_path):
    """Alpha holds, beta is ready: a function that runs a command on a member, one that waits for statuses."""
    addresses = demo_places.loopback_addresses()
    world = World.pair(addresses=addresses, settings=SETTINGS)
    ids = {"alpha": instance_id_of(1), "beta": instance_id_of(2)}
    with ExitStack() as stack:
        lab = stack.enter_context(LabThread(world))
        members = demo_places.places(ids, addresses, tmp_path, stack)
        for own, peer in (members, members[::-1]):
            own.config.write_text(demo_places.config_text(own, peer, eni_id=ENI, interval="200ms"))
            stack.enter_context(demo_children.service(own))
            stack.enter_context(demo_children.daemon(own, lab.env(own.name)))
        watch = Watch(lambda _: None)

        def wait(condition) -> None:
            while not condition(watch.statuses):
                watch.look(members)
                time.sleep(0.05)  # pytest's own timeout bounds it

        def on(member: str, command: str, *options: str) -> subprocess.CompletedProcess[str]:
            config = tmp_path / f"{member}.toml"
            words = [sys.executable, "-m", "eni_failover", command, "--config", str(config), *options]
            return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

        wait(lambda seen: {"alpha", "beta"} <= set(seen))
        wait(lambda seen: seen["alpha"]["role"] == "active" and seen["beta"]["ready"])
        wait(lambda seen: seen["beta"]["peers"] and seen["beta"]["peers"][0]["reachable"])
        yield on, wait


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_an_operators_day(group):
    """Status, pause, takeover, resume, history and reload do with real daemons what their help says."""
    on, wait = group

    assert on("alpha", "status", "--is-active").returncode == 0
    assert on("beta", "status", "--is-active").returncode == 1
    assert json.loads(on("beta", "status", "--json").stdout)["holder"] == "alpha"

    paused = on("beta", "pause", "--for", "30m", "--reason", "drill")
    assert (paused.returncode, paused.stderr) == (0, "")
    assert paused.stdout.endswith("acknowledged by beta, alpha\n")

    assert on("beta", "takeover").returncode == 4
    moved = on("beta", "takeover", "--yes", "--reason", "drill")
    assert (moved.returncode, moved.stderr) == (0, "")
    assert moved.stdout.splitlines()[-1].startswith("beta holds orders and is ready, took ")
    assert on("beta", "status", "--is-active").returncode == 0

    resumed = on("beta", "resume")
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert resumed.stdout == "resumed\nacknowledged by beta, alpha\n"

    (line,) = on("beta", "history", "--json").stdout.splitlines()
    assert (json.loads(line)["trigger"], json.loads(line)["result"]) == ("manual", "success")

    assert on("beta", "reload").stdout == "reloaded\n"
    wait(lambda seen: seen["alpha"]["holder"] == "beta")
    back = on("alpha", "takeover", "--yes", "--no-wait")
    assert (back.returncode, back.stdout.partition(":")[0]) == (5, "accepted")
    wait(lambda seen: seen["alpha"]["role"] == "active")
