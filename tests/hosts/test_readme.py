"""The README's way from nothing to a drilled pair, walked on two fresh hosts."""

import json

import hosts_stage
import hosts_tree
import pytest

UNIT = hosts_stage.UNIT
wait = hosts_stage.wait


@pytest.fixture
def bare_pair(place, debian):
    """Two hosts with Debian, a service and the two files that `make wheel` and the checkout give."""
    layer, wheel = debian
    furnish = hosts_tree.furnisher(wheel)
    with hosts_stage.two_hosts(place / "readme", [layer], furnish=furnish) as pair:
        yield pair


def test_from_nothing_to_a_drilled_pair(bare_pair, place):
    """Each command of the README's section, in its order, does what it says; the ENI is there and back."""
    both = bare_pair.machines
    alpha, beta = both
    log = place / "drill"
    program, configuration, service, drill, way_back = hosts_tree.readme("Install")
    hosts_tree.side_by_side(hosts_tree.make_python, both)
    hosts_tree.side_by_side(lambda machine: hosts_tree.walk(machine, program), both)
    configured = [hosts_tree.walk(machine, configuration) for machine in both]
    started = [hosts_tree.walk(machine, service) for machine in both]
    bare_pair.at_rest()
    drilling = beta.begin("\n".join(drill), log)
    wait(lambda: "the way back, on alpha" in log.read_text(), "the drill waits", 60)
    away = bare_pair.holder()
    hosts_tree.walk(alpha, way_back)
    status = drilling.wait(60)
    bare_pair.at_rest()

    assert len({bare_pair.text(machine) for machine in both}) == 1
    assert all('"ec2:AttachNetworkInterface"' in printed for printed in configured)
    assert all("group     orders" in printed for printed in started)
    assert away is beta
    assert status == 0, log.read_text()
    assert bare_pair.holder() is alpha
    assert [[one["result"] for one in history(machine)] for machine in both] == [["success"], ["success"]]


def history(machine):
    """The takeovers of a member."""
    return [json.loads(line) for line in machine.run("eni-failover history --json").stdout.splitlines()]
