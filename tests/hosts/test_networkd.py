"""systemd-networkd beside the daemon: what it does is undone, and with the shipped files it does nothing."""

import json

import hosts_stage
import hosts_tree
import pytest

UNIT = hosts_stage.UNIT
wait = hosts_stage.wait

SYSTEMD = hosts_tree.ROOT / "deploy" / "systemd"
# What a distribution's file does by DHCP, as far as it is in the way: a default route.
CONFIGURED = """\
[Match]
MACAddress={mac}
[Network]
LinkLocalAddressing=no
[Route]
Gateway=10.0.1.1
GatewayOnLink=yes
Metric=50
"""


@pytest.fixture
def networkd(pair):
    """alpha with networkd, which has the shipped drop-in and would configure the ENI; all gone afterwards."""
    alpha = pair.alpha
    shipped = (SYSTEMD / "networkd-eni-failover.conf").read_text()
    alpha.put("/etc/systemd/networkd.conf.d/eni-failover.conf", shipped)
    mac = pair.world.eni("floating-1").mac
    alpha.put("/etc/systemd/network/80-ec2.network", CONFIGURED.format(mac=mac))
    yield alpha
    alpha.run(
        "systemctl disable --now systemd-networkd.service systemd-networkd.socket;"
        " systemctl unmask systemd-networkd.service;"
        " rm -rf /etc/systemd/networkd.conf.d /etc/systemd/network /run/systemd/netif",
        check=False,
    )


def restart_networkd(machine, state):
    """networkd anew; back when it says so of the ENI's link."""
    machine.run("systemctl restart systemd-networkd")
    wait(lambda: state in setup_of_links(machine), f"networkd has a link that is {state}")


def setup_of_links(machine):
    """What networkd says of the links with an ENI's name."""
    lines = machine.run("networkctl list --no-pager --no-legend").stdout.splitlines()
    return {fields[4] for line in lines if (fields := line.split())[1].startswith("ens")}


def repairs(machine):
    """What the daemon has said of repairs."""
    names = ("network.link_repaired", "network.repair_conflict")
    lines = [entry["MESSAGE"] for entry in machine.journal(UNIT)]
    return [json.loads(line) for line in lines if any(f'"{name}"' in line for name in names)]


def check(machine, name):
    """One verdict of `eni-failover check`."""
    document = json.loads(machine.run("eni-failover check --json", check=False).stdout)
    return next(one for one in document["checks"] if one["name"] == name)


def default_routes(machine):
    """The default routes of the main table."""
    return machine.run("ip -4 route show default").stdout.splitlines()


def test_a_networkd_that_configures_the_link_is_found_and_undone(pair, networkd):
    """check names its file; the default route that it makes at each restart goes, and the log says so."""
    before = default_routes(networkd)
    restart_networkd(networkd, "configured")
    repaired = wait(lambda: repairs(networkd), "the route was removed")
    wait(lambda: default_routes(networkd) == before, "the default route is the primary link's")
    said = check(networkd, "network_manager")

    assert {"what": "route"}.items() <= repaired[-1].items()
    assert said["result"] == "warn"
    assert "/etc/systemd/network/80-ec2.network" in said["detail"]
    assert pair.holder() is pair.alpha


def test_with_the_file_of_the_remedy_networkd_leaves_the_link_alone(pair, networkd):
    """The remedy of check is a command; after it restarts of networkd change nothing and log nothing."""
    before = default_routes(networkd)
    restart_networkd(networkd, "configured")
    networkd.run(check(networkd, "network_manager")["remedy"])
    wait(lambda: setup_of_links(networkd) == {"unmanaged"}, "the link is left alone")
    wait(lambda: default_routes(networkd) == before, "what was there is gone")
    quiet = len(repairs(networkd))
    for _ in range(3):
        restart_networkd(networkd, "unmanaged")

    assert len(repairs(networkd)) == quiet
    assert default_routes(networkd) == before
    assert check(networkd, "network_manager")["result"] == "pass"


def test_a_networkd_that_is_masked_is_not_blamed(pair, networkd):
    """What it has left below /run is no sign of life."""
    networkd.run("systemctl start systemd-networkd")
    found = check(networkd, "network_manager")
    networkd.run("systemctl mask --now systemd-networkd.service systemd-networkd.socket")
    after = check(networkd, "network_manager")

    assert "systemd-networkd" in found["detail"]
    assert (after["result"], "systemd-networkd" in after["detail"]) == ("pass", False)
