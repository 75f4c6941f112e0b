"""The service under systemd: start, stop, restart, upgrade, watchdog. None of it moves the ENI."""

import time

import hosts_stage
import hosts_tree
import pytest

UNIT = hosts_stage.UNIT
wait = hosts_stage.wait

UPGRADE = f"{hosts_tree.PIP_INSTALL} --force-reinstall ./eni_failover-*.whl"


@pytest.fixture(params=["holder", "standby"])
def member(request, pair):
    """The host of the holder, then that of the standby."""
    return pair.alpha if request.param == "holder" else pair.beta


def sees_the_holder_up(pair, times):
    """Waits until beta has found the holder up so many times more."""
    begun = pair.status(pair.beta)["probes"][0]["consecutive"]
    pair.until(
        pair.beta,
        lambda one: one["probes"][0]["state"] == "up" and one["probes"][0]["consecutive"] >= begun + times,
        "the holder is up",
    )


def test_it_is_active_only_once_its_first_pass_has_ended(pair):
    """The start is done when the daemon says so; the next command can rely on it."""
    pair.beta.run(f"systemctl stop {UNIT} && systemctl --no-block start {UNIT}")
    wait(lambda: pair.pid(pair.beta), "a process")
    pair.beta.run(f"systemctl kill --signal=STOP --kill-whom=main {UNIT}")
    before = pair.beta.show(UNIT, "ActiveState", "SubState")
    pair.beta.run(f"systemctl kill --signal=CONT --kill-whom=main {UNIT} && systemctl start {UNIT}")
    status = pair.status(pair.beta)

    assert before == {"ActiveState": "activating", "SubState": "start"}
    assert status["decision"]["reason"]


def test_a_host_that_boots_starts_it(pair):
    """An enabled unit runs after a reboot, the member is ready, and the ENI is where it was."""
    held = pair.attachment()
    pair.beta.reboot()
    pair.at_rest()

    assert pair.beta.show(UNIT, "ActiveState", "UnitFileState") == {
        "ActiveState": "active",
        "UnitFileState": "enabled",
    }
    assert pair.attachment() == held


@pytest.mark.parametrize("verb", ["restart", "stop"])
def test_a_stop_and_a_start_move_nothing(verb, pair, member):
    """Stopping or restarting the daemon, on either side, leaves the ENI where it is, and is quick."""
    held = pair.attachment()
    begun = time.monotonic()
    member.run(f"systemctl {verb} {UNIT}")
    took = time.monotonic() - begun
    if verb == "stop":
        stopped = member.show(UNIT, "ActiveState", "Result")
        if member is pair.alpha:
            sees_the_holder_up(pair, 10)
        member.run(f"systemctl start {UNIT}")
        assert stopped == {"ActiveState": "inactive", "Result": "success"}
    pair.at_rest()

    assert pair.attachment() == held
    assert took < 5


def test_an_upgrade_moves_nothing(pair, member):
    """The wheel installed anew beneath the running daemon, then a restart: the ENI stays."""
    held = pair.attachment()
    before = pair.pid(member)
    member.run(UPGRADE)
    running = pair.pid(member)
    member.run(f"systemctl restart {UNIT}")
    pair.at_rest()

    assert running == before
    assert pair.pid(member) != before
    assert pair.attachment() == held


def test_an_upgrade_in_the_middle_of_a_takeover_finishes_it(pair):
    """A daemon that is replaced while the ENI is detaching leaves the rest to its successor."""
    pair.net.hang(pair.alpha.name)
    try:
        pair.until(pair.beta, lambda one: one["takeover"], "beta takes over")
        wait(lambda: pair.attachment().status == "detaching", "detaching")
        pair.beta.run(UPGRADE)
        before = pair.attachment().status
        pair.beta.run(f"systemctl restart {UNIT}")
        status = pair.active(pair.beta)
    finally:
        pair.net.thaw(pair.alpha.name)

    assert before == "detaching"
    assert status["takeover"] is None
    assert pair.holder() is pair.beta


def test_a_killed_daemon_is_started_again(pair, member):
    """After kill -9 systemd starts it again, however often; the ENI has not moved."""
    held = pair.attachment()
    times = 7 if member is pair.beta else 1  # the default limit is 5 in 10 s
    for _ in range(times):
        before = pair.pid(member)
        member.run(f"systemctl kill --signal=KILL --kill-whom=main {UNIT}")
        wait(lambda before=before: pair.pid(member) not in {0, before}, "a new process")
    pair.at_rest()

    assert member.show(UNIT, "NRestarts")["NRestarts"] == str(times)
    assert pair.attachment() == held


def test_the_watchdog_ends_a_daemon_that_stands_still(pair, member):
    """A daemon that pets no watchdog is killed and started again; the ENI has not moved."""
    hosts_stage.dropped_in(member, "[Service]\nWatchdogSec=2\n")
    member.run(f"systemctl restart {UNIT}")
    pair.at_rest()
    held = pair.attachment()
    before = pair.pid(member)
    begun = time.monotonic()
    member.run(f"systemctl kill --signal=STOP --kill-whom=main {UNIT}")
    wait(lambda: pair.pid(member) not in {0, before}, "a new process", 40)
    took = time.monotonic() - begun
    pair.at_rest()
    said = [entry["MESSAGE"] for entry in member.journal(UNIT) if entry.get("_PID") == "1"]

    assert any("Watchdog timeout" in line for line in said)
    assert pair.attachment() == held
    assert took < 15  # TimeoutStopSec is not waited out as well


def test_a_bad_file_is_not_tried_again(pair):
    """Exit status 2 is final: nothing starts it again, and the journal has the mistake with its line."""
    pair.edit(pair.beta, "rise = 2", "rise = 2\nraise = 3")
    done = pair.beta.run(f"systemctl restart {UNIT}", check=False)
    time.sleep(1.5)  # longer than RestartSec: this is about what does not happen
    shown = pair.beta.show(UNIT, "ActiveState", "ExecMainStatus", "NRestarts")
    said = " ".join(entry["MESSAGE"] for entry in pair.beta.journal(UNIT, "--lines=10"))

    assert done.returncode != 0
    assert shown == {"ActiveState": "failed", "ExecMainStatus": "2", "NRestarts": "0"}
    assert "raise" in said
    assert "config.toml:" in said
