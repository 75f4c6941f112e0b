"""`drill` on two real daemons: there and back, and every way in which it can be cut short."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys

import pytest
from e2e_harness import PROBE, QUICK, running_group, wait

from eni_failover.lab import Durations, Settings

SLOW_MOVES = Settings(latency=0.005, durations=Durations(attach=1.0, detach=1.0))
SELF = """
[[probe]]
name = "me"
type = "tcp"
scope = "self"
host = "{{address}}"
port = {service}
interval = "100ms"
fall = 2
rise = 1
"""


def way_back(member) -> str:
    """The command by which this member takes back; it would be an ssh."""
    words = [sys.executable, "-m", "eni_failover", "takeover", "--config", str(member.config)]
    return shlex.join([*words, "--yes", "--reason", "drill"])


def drilled(group, *options):
    """A whole drill on beta with alpha's way back: the finished process and its document."""
    done = group.beta.command(
        "drill", "--yes", "--json", "--stay", "300ms", "--back-command", way_back(group.alpha), *options
    )
    return done, json.loads(done.stdout)


def started(group, *options):
    """A drill on beta, running; Ctrl-C reaches it also where this test runs as a background job."""
    words = ["env", "--default-signal=INT", sys.executable, "-m", "eni_failover", "drill", "--yes"]
    words += ["--config", str(group.beta.config)]
    return subprocess.Popen(
        [*words, *options], env=group.beta.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def acquainted(group):
    group.start()
    group.acquainted()
    group.beta.until(lambda one: one["decision"]["reason"] == "holder_up", "at rest")
    return group


def identity(group):
    eni = group.lab.world.eni("floating-1")
    return eni.id, eni.mac, eni.addresses, eni.groups


def test_there_and_back(idle_pair):
    """The ENI ends where it began, unchanged, and both histories say that it was a drill."""
    idle_pair.configure(rest=QUICK.replace('"1s"', '"1h"') + "[hooks]\n")
    acquainted(idle_pair)
    before = identity(idle_pair)

    done, document = drilled(idle_pair)
    here, back = document["legs"]

    assert (done.returncode, document["result"], document["problem"]) == (0, "success", "")
    assert idle_pair.holder() == "alpha"
    assert identity(idle_pair) == before
    assert idle_pair.mutations() == [
        ("detach", "beta"),
        ("attach", "beta"),
        ("detach", "alpha"),
        ("attach", "alpha"),
    ]
    for leg, ends in ((here, ("alpha", "beta")), (back, ("beta", "alpha"))):
        assert (leg["from"], leg["to"], leg["trigger"], leg["result"]) == (*ends, "manual", "success")
        assert 0.6 <= leg["gap_s"] <= leg["took_s"] + 0.5
        assert {"detach_s", "attach_s", "link_s"} <= set(leg["phases"])
    assert document["stay"]["stayed_s"] >= 0.3
    assert [(one["name"], one["state"]) for one in document["stay"]["probes"]] == [("web", "up")]
    assert set(document["same"].values()) == {True}
    for member in (idle_pair.alpha, idle_pair.beta):
        (line,) = member.command("history", "--json").stdout.splitlines()
        assert (json.loads(line)["trigger"], json.loads(line)["detail"]) == ("manual", "drill")
        assert member.status()["paused"] is None
        assert member.status()["pause_record"] is None

    # An hour of cooldown, and a drill is none of what it follows.
    idle_pair.alpha.service.shut()
    status = idle_pair.beta.until(lambda one: one["role"] == "active", "beta active")
    assert status["last_takeover"]["trigger"] == "probes"


@pytest.mark.slow
def test_back_by_hand(idle_pair):
    """Without a back command the drill says what to run on the other member, and waits for it."""
    acquainted(idle_pair)
    process = started(idle_pair, "--stay", "300ms", "--reason", "quarterly")
    asked = ""
    while "the way back, on alpha, within 600 s: " not in asked:
        asked = process.stdout.readline()
        assert asked, process.communicate()
    command = shlex.split(asked.rpartition("600 s: ")[2])
    assert command[:3] == ["eni-failover", "takeover", "--config"]
    moved = idle_pair.alpha.command("takeover", *command[4:])
    out, err = process.communicate(timeout=30)

    assert (moved.returncode, process.returncode) == (0, 0), err
    assert "success: orders went from alpha to beta and back" in out.splitlines()
    assert idle_pair.alpha.status()["last_takeover"]["detail"] == "drill: quarterly"


@pytest.mark.slow
def test_the_former_holders_daemon_dies_in_the_middle(idle_pair):
    """Nobody can take it back: the ENI stays where it is ready, and the one line says how to get it home."""
    acquainted(idle_pair)
    process = started(idle_pair, "--stay", "1m", "--back-command", way_back(idle_pair.alpha))
    idle_pair.beta.until(lambda one: one["role"] == "active", "here")
    idle_pair.alpha.kill()
    _, err = process.communicate(timeout=40)
    last = err.splitlines()[-1]

    assert process.returncode == 1
    assert last.startswith(
        "eni-failover: drill failed: alpha's daemon gave no answer during the stay,"
        " then the back command ended with 3;"
        " eni-0ffffffffffffff01 attached (beta); beta's daemon holds it and serves on;"
    )
    assert " to bring it home, on alpha: eni-failover takeover --config " in last
    assert idle_pair.holder() == "beta"

    idle_pair.alpha.start()
    idle_pair.alpha.until(lambda one: one["ready"] and one["holder"] == "beta", "alpha again")
    assert (
        idle_pair.alpha.command("takeover", *shlex.split(last.rpartition("takeover ")[2])[2:]).returncode == 0
    )
    assert idle_pair.holder() == "alpha"


@pytest.mark.slow
def test_nobody_goes_back(idle_pair):
    """An order that does not come in time is 5, with where the ENI is."""
    acquainted(idle_pair)
    done = idle_pair.beta.command("drill", "--yes", "--json", "--stay", "100ms", "--back-within", "500ms")
    document = json.loads(done.stdout)

    assert (done.returncode, document["result"]) == (5, "unfinished")
    assert "the way back is not begun in time" in document["problem"]
    assert document["where"] == [{"eni_id": "eni-0ffffffffffffff01", "status": "attached", "member": "beta"}]
    assert document["home"].startswith("eni-failover takeover --config ")
    assert idle_pair.holder() == "beta"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_in_the_middle(tmp_path, number):
    """Ctrl-C and SIGTERM are 5: the line says where the ENI is, and the daemon ends what it began."""
    with running_group(tmp_path, settings=SLOW_MOVES) as group:
        acquainted(group)
        process = started(group, "--back-command", way_back(group.alpha))
        group.beta.until(lambda one: one["takeover"] and one["takeover"]["phase"] == "detach", "detaching")
        process.send_signal(number)
        _, err = process.communicate(timeout=60)

        assert process.returncode == 5
        assert "Traceback" not in err
        assert "drill not finished: interrupted; eni-0ffffffffffffff01 " in err
        assert "; beta's daemon goes on with its takeover (" in err
        group.beta.until(lambda one: one["role"] == "active" and one["takeover"] is None, "ended")
        assert group.mutations() == [("detach", "beta"), ("attach", "beta")]


@pytest.mark.slow
def test_both_daemons_die_in_the_middle(tmp_path):
    """Without a daemon to ask, EC2 says where the ENI is; started again, the daemon ends what it began."""
    with running_group(tmp_path, settings=SLOW_MOVES) as group:
        acquainted(group)
        process = started(group, "--timeout", "4s", "--back-command", way_back(group.alpha))
        group.beta.until(lambda one: one["takeover"] and one["takeover"]["phase"] == "detach", "detaching")
        group.alpha.kill()
        group.beta.kill()
        _, err = process.communicate(timeout=30)

        assert process.returncode == 5
        assert "beta's daemon gives no answer; eni-0ffffffffffffff01 available (none); " in err
        assert "started again, it ends what had begun" in err

        group.beta.start()
        group.beta.until(lambda one: one["role"] == "active", "rolled forward")


@pytest.mark.slow
def test_a_service_that_does_not_answer_here(idle_pair):
    """Not proven: the drill goes back all the same, and is 1."""
    idle_pair.configure(rest=QUICK.replace('"1s"', '"1h"'))  # else alpha would take it back by itself
    acquainted(idle_pair)
    process = started(idle_pair, "--json", "--stay", "300ms", "--back-command", way_back(idle_pair.alpha))
    idle_pair.beta.until(lambda one: one["takeover"], "asked before, and found up")
    idle_pair.beta.service.shut()
    out, _ = process.communicate(timeout=60)
    document = json.loads(out)

    assert (process.returncode, document["result"]) == (1, "failed")
    assert document["problem"].startswith("drill failed: not proven on beta: web down (")
    assert document["problem"].endswith("; alpha holds the group again")
    assert [leg["result"] for leg in document["legs"]] == ["success", "success"]
    assert idle_pair.holder() == "alpha"


@pytest.mark.slow
@pytest.mark.parametrize("where", ["beta", "alpha"])
def test_with_automatic_failback_nothing_is_undone(tmp_path, where):
    """An operator's takeover is not undone, so a drill ends where it began, on the primary or beside it."""
    policy = 'failback = "automatic"\nfailback_delay = "200ms"\n[timing]'
    with running_group(tmp_path) as group:
        group.configure(PROBE + SELF, QUICK.replace("[timing]", policy))
        acquainted(group)
        there, home = group.by_name[where], "alpha" if where == "beta" else "beta"
        if where == "alpha":
            assert group.beta.command("takeover", "--yes").returncode == 0
            group.alpha.until(lambda one: one["holder"] == "beta" and one["ready"], "alpha standby")
            group.alpha.until(lambda one: one["decision"]["reason"] == "holder_up", "at rest")
            group.alpha.until(lambda one: one["probes"][0]["state"] == "up", "web up")
        moved = len(group.mutations())
        done = there.command(
            *("drill", "--yes", "--json", "--stay", "300ms", "--back-command", way_back(group.by_name[home]))
        )
        passes = group.alpha.metric("eni_failover_reconcile_total", result="success")
        wait(
            lambda: group.alpha.metric("eni_failover_reconcile_total", result="success") > passes + 10,
            "ten passes",
        )

        assert done.returncode == 0, done.stdout
        assert group.holder() == home
        assert len(group.mutations()) == moved + 4
