"""The first boot of a pair in the lab: real daemons with the template's configuration, the ENI on nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pytest

from eni_failover.lab import Durations, LabThread, Settings, World, demo_children, demo_places
from eni_failover.lab.demo_watch import Watch
from eni_failover.lab.world import floating_eni_id, instance_id_of
from tests.cloudformation.stack import ENI, resolved

SETTINGS = Settings(latency=0.01, durations=Durations(detach=0.3, attach=0.2))

# What two members on one machine must have apart.
APART = """
[network]
mode = "off"
[server]
listen = "{{address}}:{own.port}"
[control]
socket = "{own.socket_path}"
role_file = "{own.directory}/{own.name}.role"
[state]
directory = "{own.directory}/{own.name}.state"
"""


def config_text(own):
    """The configuration of the user data, with this member's own places appended."""
    text = resolved(ServicePort=str(own.service_port)).config.replace(ENI, floating_eni_id(1))
    return text + APART.format(own=own)


@contextmanager
def daemon(own, env):
    """The member's daemon, who learns from IMDS and the tags which member it is."""
    ours = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ENI_FAILOVER_"))
    }
    command = [sys.executable, "-m", "eni_failover", "run", "--config", str(own.config)]
    with (
        own.log.open("wb") as log,
        subprocess.Popen(command, env={**ours, **env}, stdout=log, stderr=subprocess.STDOUT) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)


@pytest.mark.slow
def test_the_daemons_attach_what_no_resource_does(tmp_path):
    """Nobody has ever had the floating ENI: alpha, of the first rank, takes it; beta is a ready standby."""
    addresses = demo_places.loopback_addresses()
    world = World.pair(addresses=addresses, settings=SETTINGS, enis=0)
    world.add_eni(floating_eni_id(1), addresses=["10.0.1.101"])
    ids = {"alpha": instance_id_of(1), "beta": instance_id_of(2)}
    watch = Watch(lambda _: None)
    daemons = []
    with ExitStack() as stack:
        lab = stack.enter_context(LabThread(world))
        members = demo_places.places(ids, addresses, tmp_path, stack)
        for own in members:
            own.config.write_text(config_text(own))
            stack.enter_context(demo_children.service(own))
            daemons.append(stack.enter_context(daemon(own, lab.env(own.name))))

        def done():
            alpha, beta = (watch.statuses.get(one.name) for one in members)
            return (
                alpha and beta and alpha["role"] == "active" and beta["ready"] and beta["holder"] == "alpha"
            )

        while not done():
            assert [one.poll() for one in daemons] == [None, None], [one.log.read_text() for one in members]
            watch.look(members)
            time.sleep(0.05)  # pytest's own timeout bounds it

    assert watch.statuses["beta"]["role"] == "standby"
