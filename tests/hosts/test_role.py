"""eni-failover-role@.path: root's own work follows the role."""

import hosts_stage
import pytest

wait = hosts_stage.wait

BILLING = """\
[Unit]
PartOf=eni-failover-active@{group}.target
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=eni-failover-active@{group}.target
"""


def state(machine, unit="billing.service"):
    """What systemd says of a unit."""
    return machine.show(unit, "ActiveState")["ActiveState"]


PATH = "eni-failover-role@{group}.path"


def give_billing(machine, group):
    """A service that is to run where this group is active."""
    machine.put("/etc/systemd/system/billing.service", BILLING.format(group=group))
    machine.run("systemctl daemon-reload && systemctl enable billing")


def take_billing(machine, group):
    """Undoes it, and what follows the role."""
    target = f"eni-failover-active@{group}.target"
    machine.run(
        f"systemctl disable --now {PATH.format(group=group)} billing"
        f" && systemctl stop eni-failover-role@{group} {target}"
    )


@pytest.fixture
def followed(pair):
    """Both hosts have such a service, and follow the role."""
    for machine in pair.machines:
        give_billing(machine, "orders")
        machine.run(f"systemctl enable --now {PATH.format(group='orders')}")
    yield pair
    for machine in pair.machines:
        take_billing(machine, "orders")


def test_a_service_runs_where_the_group_is_active(followed):
    """It starts for the role that is there already, moves with a takeover, and runs on no standby."""
    alpha, beta = followed.machines
    wait(lambda: state(alpha) == "active", "billing on alpha")
    before = state(beta)
    alpha.run("systemctl stop web.service")
    followed.active(beta)
    wait(lambda: (state(alpha), state(beta)) == ("inactive", "active"), "billing has moved")

    assert before == "inactive"


def test_it_follows_after_a_boot(followed):
    """After a reboot of a standby nothing runs there before it is active; then it does."""
    followed.beta.reboot()
    followed.at_rest()
    before = state(followed.beta)
    followed.beta.run("eni-failover takeover --yes")
    wait(lambda: state(followed.beta) == "active", "billing on beta")

    assert before == "inactive"


def test_a_restart_of_the_daemon_leaves_the_service_alone(followed):
    """Root's work does not notice that the daemon is stopped and started."""
    wait(lambda: state(followed.alpha) == "active", "billing on alpha")
    before = followed.alpha.show("billing.service", "MainPID", "ActiveState")
    followed.alpha.run(f"systemctl restart {hosts_stage.UNIT}")
    followed.at_rest()

    assert before["ActiveState"] == "active"
    assert followed.alpha.show("billing.service", "MainPID", "ActiveState") == before


@pytest.fixture
def scratch(pair):
    """beta follows a role that the test writes: standby, and that is settled."""
    give_billing(pair.beta, "scratch")
    say(pair.beta, "standby")
    pair.beta.run(f"systemctl start {PATH.format(group='scratch')}")
    is_settled(pair.beta)
    yield pair.beta
    take_billing(pair.beta, "scratch")
    pair.beta.run("rm /run/eni-failover/scratch.role")


def say(machine, *roles):
    """Writes these roles, one after the other, as a daemon does it."""
    words = " ".join(roles)
    machine.run(
        f"cd /run/eni-failover; for role in {words};"
        " do echo $role > .new; mv .new scratch.role; sleep 0.02; done"
    )


def is_settled(machine):
    """Waits until nothing that a change has started runs any more."""
    units = ("eni-failover-role-changed@scratch.service", "eni-failover-role@scratch.service")
    wait(lambda: {state(machine, unit) for unit in units} == {"inactive"}, "root's work is done")


@pytest.mark.parametrize("slow", ["eni-failover-role@.service", "eni-failover-role-changed@.service"])
def test_a_change_while_root_works_is_not_lost(slow, scratch):
    """However long a unit takes, a role that changes back meanwhile is the one that counts in the end."""
    hosts_stage.dropped_in(scratch, "[Service]\nExecStartPost=/bin/sleep 1\n", slow)
    unit = slow.replace("@.", "@scratch.")
    say(scratch, "active")
    wait(lambda: state(scratch) == "active", "billing on beta")
    wait(lambda: scratch.show(unit, "SubState") == {"SubState": "start-post"}, "the unit lingers")
    say(scratch, "standby")
    is_settled(scratch)

    assert state(scratch) == "inactive"


def test_many_changes_are_no_reason_to_give_up(scratch):
    """After sixty changes in a row the last one counts, and the next one is followed too."""
    say(scratch, *["active", "standby"] * 30)
    is_settled(scratch)
    after_many = state(scratch)
    say(scratch, "active")

    wait(lambda: state(scratch) == "active", "billing on beta")
    assert after_many == "inactive"
