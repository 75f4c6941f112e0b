"""`check` beside two real daemons on a lab."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from eni_failover.lab import LabThread, Settings, World, demo_children, demo_places
from eni_failover.lab.demo import ENI
from eni_failover.lab.demo_watch import Watch
from eni_failover.lab.world import instance_id_of


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_check_beside_daemons_finds_nothing_wrong(tmp_path):
    """Port, socket and lock are the daemon's own, the peer has the same configuration; nothing moves."""
    addresses = demo_places.loopback_addresses()
    world = World.pair(addresses=addresses, settings=Settings(latency=0.01))
    ids = {"alpha": instance_id_of(1), "beta": instance_id_of(2)}
    with ExitStack() as stack:
        lab = stack.enter_context(LabThread(world))
        members = demo_places.places(ids, addresses, tmp_path, stack)
        for own, peer in (members, members[::-1]):
            own.config.write_text(demo_places.config_text(own, peer, eni_id=ENI, interval="200ms"))
            stack.enter_context(demo_children.service(own))
            stack.enter_context(demo_children.daemon(own, lab.env(own.name)))
        watch = Watch(lambda _: None)
        while not {"alpha", "beta"} <= set(watch.statuses):  # pytest's own timeout bounds it
            watch.look(members)
            time.sleep(0.05)
        before = world.state
        foreign = ("AWS_", "ENI_FAILOVER_")
        env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        done = subprocess.run(
            [sys.executable, "-m", "eni_failover", "check", "--json", "--config", str(members[1].config)],
            env={**env, **lab.env("beta")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        after = world.state
    checks = {one["name"]: one for one in json.loads(done.stdout)["checks"]}

    assert (done.returncode, done.stderr) == (0, "")
    # The demo's daemons leave links alone, and its file has a holder probe only.
    wrong = [name for name, one in checks.items() if one["result"] != "pass"]
    assert sorted(wrong) == ["self_probes", "source_routing", "witnesses"]
    assert checks["ports"]["detail"].endswith("the daemon of this group")
    assert checks["control_socket"]["detail"].endswith("the daemon of this group")
    assert checks["holder_probes"]["detail"] == "web alpha up (status 200)"
    assert checks["peers"]["detail"] == "alpha"
    assert after == before
