"""`eni-failover demo --net` as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from e2e_net_harness import needs_root

pytestmark = [pytest.mark.root, pytest.mark.e2e, needs_root]


def namespaces():
    return {line.split()[0] for line in subprocess.check_output(["ip", "netns"], text=True).splitlines()}


def test_the_demo_moves_packets_and_leaves_nothing_behind():
    """Six clients' views of one gap, the same MAC in the neighbour's table, no namespace left."""
    command = [sys.executable, "-m", "eni_failover", "demo", "--net", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as playing:
        output, errors = playing.communicate(timeout=55)
    told = json.loads(output)

    assert (playing.returncode, errors, told["result"]) == (0, "", "success")
    assert all(told["same"].values())
    assert {(one["client"], one["protocol"]) for one in told["packets"]["clients"]} == {
        (place, protocol)
        for place in ("in the same subnet", "in another subnet", "behind the router")
        for protocol in ("tcp", "udp")
    }
    assert {(one["before"], one["after"]) for one in told["packets"]["clients"]} == {("alpha", "beta")}
    mac = told["before"][0]["mac"]
    assert told["packets"]["neighbour_mac"] == {"before": mac, "after": mac}
    assert not [name for name in namespaces() if name.startswith(f"enif-{playing.pid}-")]
