"""What the unit's restrictions leave: enough for the daemon, its hooks and its probes, and nothing more."""

import re

import hosts_stage
import hosts_tree
import pytest
from pyroute2 import IPRoute

from eni_failover.lab.net.links import sysctl

UNIT = hosts_stage.UNIT
wait = hosts_stage.wait

SYSTEMD = hosts_tree.ROOT / "deploy" / "systemd"
INSTANCES = sorted(
    file.name.replace("@.", "@orders.")
    for file in SYSTEMD.iterdir()
    if file.suffix in {".service", ".path", ".target"}
)
NET_ADMIN, NET_RAW = 1 << 12, 1 << 13
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")

STOCK = "/etc/eni-failover/stock.toml"
HOOK = """\
#!/bin/sh
{
    echo "role $ENI_FAILOVER_ROLE"
    echo "user $(id -un)"
    nice -n 5 true && echo "nice goes on"
    touch /etc/x 2>/dev/null || echo "/etc is read-only"
    systemctl start web.service 2>/dev/null || echo "starts no service"
    env | grep -q AWS_ && echo "has AWS variables"
} > /run/eni-failover/hook.new
mv /run/eni-failover/hook.new /run/eni-failover/hook
"""
EXEC_PROBE = """
[[probe]]
name = "disk"
type = "exec"
scope = "self"
command = ["/usr/bin/test", "-w", "/run/eni-failover"]
interval = "200ms"
"""
ICMP_PROBE = """
[[probe]]
name = "gateway"
type = "icmp"
scope = "witness"
host = "10.0.1.1"
interval = "200ms"
"""


def process(pair, machine):
    """The lines of the daemon's /proc/PID/status, by name."""
    text = (machine.root / f"proc/{pair.pid(machine)}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines())


def capabilities(pair, machine):
    """The daemon's five sets of capabilities."""
    shown = process(pair, machine)
    return [int(shown[name], 16) for name in SETS]


def drop_in_of_the_comment():
    """What the unit's own comment says a drop-in with CAP_NET_RAW looks like."""
    text = (SYSTEMD / UNIT).read_text()
    (block,) = re.findall(r"^#   \[Service\]\n(?:#   \w+=\w*\n)+", text, re.MULTILINE)
    return block.replace("#   ", "")


def probe(status, name):
    """One of the probes of a status."""
    return next(one for one in status["probes"] if one["name"] == name)


@pytest.mark.parametrize("unit", INSTANCES)
def test_systemd_has_nothing_to_say(unit, pair):
    """Where they are installed, systemd-analyze verify is silent about every unit and instance."""
    done = pair.alpha.run(f"systemd-analyze verify --man=no {unit}", check=False)

    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize("unit", [UNIT, "eni-failover@orders.service"])
def test_the_exposure_is_small(unit, pair):
    """systemd-analyze security gives the unit as it is installed 2.0 or less."""
    done = pair.alpha.run(f"systemd-analyze security --threshold=20 --no-pager {unit}", check=False)
    figure = float(re.search(r"Overall exposure level for .*: ([\d.]+)", done.stdout)[1])

    assert figure <= 2.0
    assert done.returncode == 0


def test_the_process_may_configure_links_and_nothing_else(pair):
    """It is not root, can become no more than it is, and has CAP_NET_ADMIN alone in every set."""
    shown = process(pair, pair.alpha)
    uid = pair.alpha.run("id -u eni-failover").stdout.strip()

    assert shown["Uid"].split() == [uid] * 4 != ["0"] * 4
    assert capabilities(pair, pair.alpha) == [NET_ADMIN] * len(SETS)
    assert (shown["NoNewPrivs"], shown["Seccomp"]) == ("1", "2")


def test_directories_are_for_the_service(pair):
    """The journal is for the service's group, the runtime directory can be read by all, both are its own."""
    paths = (
        "/var/lib/eni-failover /run/eni-failover /run/eni-failover/orders.sock /run/eni-failover/orders.role"
    )
    shown = pair.alpha.run(f"stat --format='%n %a %U:%G' {paths}").stdout.splitlines()

    assert [line.split("/")[-1] for line in shown] == [
        "eni-failover 750 eni-failover:eni-failover",
        "eni-failover 755 eni-failover:eni-failover",
        "orders.sock 660 eni-failover:eni-failover",
        "orders.role 644 eni-failover:eni-failover",
    ]


def test_the_socket_is_for_members_of_the_group(pair):
    """A user of the group eni-failover asks and orders; another one is told that nobody answers."""
    pair.alpha.run("useradd --no-create-home -G eni-failover olga; useradd --no-create-home otto")
    allowed = pair.alpha.run(
        "eni-failover status && eni-failover pause --for 1m && eni-failover resume", user="olga"
    )
    refused = pair.alpha.run("eni-failover status", user="otto", check=False)

    assert "orders" in allowed.stdout
    assert refused.returncode == 3
    assert refused.stdout == ""


def test_no_secret_is_anywhere(pair):
    """The keys come from IMDS, and are in no unit, no environment and no journal."""
    callers = {call.caller for call in pair.world.calls if call.action == "DescribeNetworkInterfaces"}
    for machine in pair.machines:
        keys = pair.world.credentials(machine.name)
        shown = machine.run(f"systemctl show {UNIT}; systemctl cat {UNIT}; journalctl --boot; env").stdout
        shown += (machine.root / f"proc/{pair.pid(machine)}/environ").read_text()

        assert pair.world.instance(machine.name).id in callers
        assert keys.secret_access_key not in shown
        assert keys.session_token not in shown
        assert "AWS_SECRET" not in shown
        assert "AWS_ACCESS_KEY" not in shown


def links_of(pair, machine):
    """The addresses of a host, and the sources that have a rule of their own."""

    def look():
        with IPRoute() as kernel:
            addresses = {one.get_attr("IFA_ADDRESS") for one in kernel.get_addr()}
            rules = {rule.get_attr("FRA_SRC") for rule in kernel.get_rules()}
            return addresses, rules - {None}

    return pair.net.run(machine.name, look)


def test_a_dead_service_moves_the_eni_and_its_link(pair):
    """The daemon sets the link up from within the sandbox, takes its rule away at the loss, and hooks run."""
    floating = "10.0.1.101"
    for machine in pair.machines:
        machine.put("/usr/local/bin/hook", HOOK, 0o755)
        pair.edit(machine, "#on_active = []", 'on_active = ["/usr/local/bin/hook"]')
        pair.edit(machine, "\n[policy]\n", EXEC_PROBE + "\n[policy]\n")
        machine.run(f"systemctl restart {UNIT}")
    pair.at_rest()
    pair.alpha.run("systemctl stop web.service")
    status = pair.active(pair.beta)
    wait(lambda: floating not in links_of(pair, pair.alpha)[1], "alpha has no rule for it")
    ran = wait(lambda: pair.beta.run("cat /run/eni-failover/hook", check=False).stdout, "the hook ran")

    assert pair.holder() is pair.beta
    assert floating in links_of(pair, pair.beta)[0]
    assert floating in links_of(pair, pair.beta)[1]
    assert floating not in links_of(pair, pair.alpha)[0]
    assert probe(status, "disk")["state"] == "up"
    assert ran.splitlines() == [
        "role active",
        "user eni-failover",
        "nice goes on",
        "/etc is read-only",
        "starts no service",
    ]


def test_a_host_without_power_loses_the_eni(pair):
    """When the holder's power goes the standby is active soon; the host that comes back is a standby."""
    pair.net.die(pair.alpha.name)
    pair.alpha.kill()
    pair.active(pair.beta)
    pair.net.revive(pair.alpha.name)
    pair.alpha.boot()
    status = pair.until(pair.alpha, lambda one: one["ready"], "alpha is ready")

    assert (status["role"], status["holder"]) == ("standby", "beta")


def test_icmp_needs_the_drop_in_of_the_units_comment(pair):
    """Where no group may ping the service ends and says why; with the drop-in it pings and announces."""
    pair.net.run(pair.beta.name, lambda: sysctl("ipv4/ping_group_range", "1 0"))
    pair.edit(pair.beta, "\n[policy]\n", ICMP_PROBE + "\n[policy]\n")
    without = pair.beta.run(f"systemctl restart {UNIT}", check=False)
    said = pair.beta.run(f"systemctl status --no-pager --full {UNIT}", check=False).stdout
    hosts_stage.dropped_in(pair.beta, drop_in_of_the_comment())
    pair.beta.run(f"systemctl start {UNIT}")
    pair.until(pair.beta, lambda one: probe(one, "gateway")["state"] == "up", "the witness is up")
    pair.until(pair.beta, lambda one: one["ready"], "beta is ready")
    pair.beta.run("eni-failover takeover --yes")
    warnings = [
        entry["MESSAGE"] for entry in pair.beta.journal(UNIT) if "announce_failed" in entry["MESSAGE"]
    ]

    assert without.returncode != 0
    assert "CAP_NET_RAW" in said
    assert capabilities(pair, pair.beta) == [NET_ADMIN | NET_RAW] * len(SETS)
    assert warnings == []


def test_icmp_needs_nothing_where_the_group_may_ping(pair):
    """With the group within net.ipv4.ping_group_range an icmp probe works in the unit as it is."""
    pair.net.run(pair.beta.name, lambda: sysctl("ipv4/ping_group_range", "0 2147483647"))
    try:
        pair.edit(pair.beta, "\n[policy]\n", ICMP_PROBE + "\n[policy]\n")
        pair.beta.run(f"systemctl restart {UNIT}")
        pair.until(pair.beta, lambda one: probe(one, "gateway")["state"] == "up", "the witness is up")
    finally:
        pair.net.run(pair.beta.name, lambda: sysctl("ipv4/ping_group_range", "1 0"))

    assert capabilities(pair, pair.beta) == [NET_ADMIN] * len(SETS)


def test_a_drop_in_takes_the_last_capability_away(pair):
    """With both lines empty the daemon has no capability, and leaves links to another program."""
    hosts_stage.dropped_in(pair.beta, "[Service]\nCapabilityBoundingSet=\nAmbientCapabilities=\n")
    pair.beta.run(f"systemctl restart {UNIT}")
    pair.until(pair.beta, lambda one: one["ready"], "beta is ready")
    modes = [entry["MESSAGE"] for entry in pair.beta.journal(UNIT) if "mode_chosen" in entry["MESSAGE"]]

    assert capabilities(pair, pair.beta) == [0] * len(SETS)
    assert '"mode": "verify"' in modes[-1]


def test_groups_run_side_by_side(pair):
    """An instance of the template serves a second group beside the first, with files of its own."""
    members = " ".join(
        f"--member {machine.name}={pair.world.instance(machine.name).id}" for machine in pair.machines
    )
    for machine in pair.machines:
        machine.run(
            f"eni-failover init --group stock {members} --probe tcp:8080 --output {STOCK}"
            f" && sed -i 's/^#listen = .*/listen = \"{{address}}:10178\"/' {STOCK}"
            " && systemctl enable --now eni-failover@stock"
        )
    wait(lambda: (pair.status(pair.alpha, "stock") or {}).get("role") == "active", "stock is active on alpha")
    wait(lambda: (pair.status(pair.beta, "stock") or {}).get("ready"), "stock is ready on beta")
    pair.beta.run("eni-failover takeover --group stock --yes")
    pair.at_rest()
    shown = pair.beta.run("ls /var/lib/eni-failover /run/eni-failover/*.sock").stdout.split()
    for machine in pair.machines:
        machine.run("systemctl disable --now eni-failover@stock")

    assert (pair.holder(1), pair.holder(2)) == (pair.alpha, pair.beta)
    assert {"orders", "stock", "/run/eni-failover/orders.sock"} <= set(shown)
    assert pair.beta.run("ls /run/eni-failover/orders.sock").returncode == 0
