"""What an operator does to a running pair: takeover, pause, reload, restart, stop."""

from __future__ import annotations

import concurrent.futures
import json
import signal

import pytest
from e2e_harness import QUICK, wait

GRACE = 0.5


def test_a_manual_takeover_from_a_healthy_holder(pair):
    """The manual trigger works whether or not the holder is healthy, and says how it went."""
    done = pair.beta.command("takeover", "--yes", "--reason", "drill")

    status = pair.beta.status()
    assert done.returncode == 0, done.stderr
    assert (status["role"], status["last_takeover"]["trigger"]) == ("active", "manual")
    assert pair.holder() == "beta"
    assert status["last_takeover"]["detail"] == "drill"
    assert pair.beta.events("takeover.ended")[0]["detail"] == "drill"
    assert pair.beta.command("history").stdout.splitlines()[-1].endswith(" said: drill")


def test_what_an_operator_says_of_a_takeover_is_told_everywhere(pair):
    """The text of --reason is in the log, while it is under way in the status, and in the history."""
    pair.beta.command("takeover", "--yes", "--no-wait", "--reason", "kernel update on alpha")
    under_way = pair.beta.until(lambda one: one["takeover"], "taking")["takeover"]
    pair.beta.until(lambda one: one["last_takeover"] and not one["takeover"], "ended")

    logged = [line["detail"] for line in pair.beta.logs() if line["event"].startswith("takeover.")]
    history = pair.beta.command("history").stdout
    assert under_way["detail"] == "kernel update on alpha"
    assert logged == ["kernel update on alpha", "kernel update on alpha"]
    assert "kernel update on alpha" in history
    assert pair.beta.status()["last_takeover"]["detail"] == "kernel update on alpha"


@pytest.mark.slow
def test_a_role_file_named_by_a_reload_has_the_role(pair):
    """Without waiting for the next change of role, which may be a year away; the old file is gone."""
    elsewhere = pair.beta.directory / "elsewhere"
    text = pair.beta.config.read_text()
    pair.beta.write(text.replace(str(pair.beta.role_file), str(elsewhere)))

    assert pair.beta.command("reload").returncode == 0
    wait(elsewhere.exists, "the new role file", member=pair.beta)
    wait(lambda: not pair.beta.role_file.exists(), "the old role file's end", member=pair.beta)
    assert elsewhere.read_text() == "standby\n"


@pytest.mark.slow
def test_a_takeover_of_what_is_held_already_moves_nothing(pair):
    """Asked of the holder itself: held, exit 0, no call."""
    done = pair.alpha.command("takeover", "--yes")

    assert done.returncode == 0
    assert pair.mutations() == []


def test_a_flood_of_requests_is_one_takeover(pair):
    """Twenty operators at once: all accepted, the ENI moves once."""
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: pair.beta.ask("POST", "/takeover", {"reason": "flood"}), range(20)))
    pair.beta.until(lambda one: one["role"] == "active" and one["takeover"] is None, "active")

    assert {code for code, _ in answers} == {202}
    assert pair.mutations() == [("detach", "beta"), ("attach", "beta")]


@pytest.mark.slow
def test_a_takeover_is_refused_at_once_when_this_member_is_not_able(pair):
    """No permission to attach: 409 and exit 4 with the reason, and nothing is detached."""
    pair.lab.world.deny("AttachNetworkInterface", caller="beta")
    pair.beta.kill()
    pair.beta.start()
    pair.beta.until(
        lambda one: (
            [check["name"] for check in one["checks"] if check["result"] == "fail"] == ["attach_permission"]
        ),
        "denied",
    )

    code, text = pair.beta.ask("POST", "/takeover", {"reason": "drill"})
    done = pair.beta.command("takeover", "--yes")

    assert (code, json.loads(text)["reason"]) == (409, "attach_denied")
    assert done.returncode == 4
    assert "attach_denied" in done.stderr
    assert pair.mutations() == []


@pytest.mark.slow
def test_pause_holds_the_whole_group_and_resume_lets_go(pair):
    """Paused on one member: the other adopts it; a dead holder stays; after resume it is taken over."""
    pair.acquainted()
    done = pair.alpha.command("pause", "--for", "10m", "--reason", "work")
    pair.beta.until(lambda one: one["paused"] and one["paused"]["reason"] == "work", "adopted")

    pair.alpha.service.shut()
    pair.beta.until(lambda one: one["probes"][0]["state"] == "down", "down")
    status = pair.beta.until(lambda one: one["decision"]["reason"] == "paused", "paused")
    assert done.returncode == 0
    assert "beta" in done.stdout
    assert status["holder"] == "alpha"
    assert pair.beta.metric("eni_failover_paused") == 1
    for member in pair.members:
        told = [(line["kind"], line["by"], line["detail"]) for line in member.events("pause.changed")]
        assert told == [("pause", status["paused"]["by"], "work")]

    assert pair.beta.command("resume").returncode == 0
    pair.beta.until(lambda one: one["role"] == "active", "active")
    pair.alpha.until(lambda one: one["paused"] is None, "alpha resumed")

    assert pair.mutations() == [("detach", "beta"), ("attach", "beta")]


@pytest.mark.slow
def test_a_pause_survives_a_restart_and_its_author(pair):
    """The record is in every member's journal: kill the author, restart the other, still paused."""
    pair.alpha.command("pause", "--reason", "work")
    pair.beta.until(lambda one: one["paused"], "adopted")

    pair.alpha.kill()
    pair.beta.kill()
    pair.beta.start()
    status = pair.beta.until(lambda one: one["holder"] == "alpha", "known")

    assert status["paused"]["reason"] == "work"


@pytest.mark.slow
def test_a_local_pause_is_this_members_alone(pair):
    """--local is never adopted."""
    pair.beta.command("pause", "--local", "--reason", "only me")
    pair.alpha.until(lambda one: one["peers"][0]["paused"], "seen")

    assert pair.alpha.status()["paused"] is None
    assert pair.beta.status()["paused"]["reason"] == "only me"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alpha", "beta"])
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restart_moves_nothing(pair, name, how):
    """Stop, start and crash of the daemon on either side leave the ENI where it is."""
    member = pair.by_name[name]
    role = member.role_file.read_text().strip()
    ended = getattr(member, how)()
    member.log.write_text("")

    member.start()
    member.until(lambda one: one["ready"], "ready again")
    wait(lambda: member.metric("eni_failover_reconcile_total", result="success") > 5, "passes")

    assert ended in {0, None}
    assert pair.mutations() == []
    assert pair.holder() == "alpha"
    assert [line["to"] for line in member.events("role.changed")] == [role]


@pytest.mark.slow
def test_a_good_file_is_taken_and_a_bad_one_refused(pair):
    """reload: 0 and in force, or 2 with the errors and the old one stays."""
    good = pair.beta.config.read_text().replace("fall = 3", "fall = 7")
    pair.beta.write(good)
    taken = pair.beta.command("reload")
    pair.beta.write(good.replace("fall = 7", "fall = 0"))
    refused = pair.beta.command("reload")
    pair.beta.write(good.replace('group = "orders"', 'group = "other"'))
    restart = pair.beta.command("reload")
    pair.beta.write(good.replace(pair.beta.socket.name, "moved.sock"))
    socket = pair.beta.command("reload")
    head, rest = good.split("[[member]]", 1)
    pair.beta.write(head + '[discovery]\ntag = "team"\n[[probe]]' + rest.split("[[probe]]", 1)[1])
    discovery = pair.beta.command("reload")

    assert taken.returncode == 0, taken.stderr
    assert refused.returncode == 2
    assert "fall" in refused.stderr
    assert restart.returncode == 2
    assert "restart" in restart.stderr
    assert socket.returncode == 2
    assert "control.socket: changing it needs a restart" in socket.stderr
    assert "discovery: changing it needs a restart ([[member]] to the tag team)" in discovery.stderr
    assert pair.beta.status()["group"] == "orders"
    assert pair.beta.metric("eni_failover_config_last_reload_successful") == 0


def test_a_reload_of_the_api_time_outs_does_not_disturb_a_takeover(pair):
    """The old client is asked until the new one can be: whatever the moment, no call finds it half made."""
    pair.lab.world.set_durations(detach=1.5)
    text = pair.beta.config.read_text()
    pair.alpha.service.shut()
    pair.beta.until(lambda one: one["takeover"], "taking")
    answers = []
    for seconds in (3, 5, 6):
        pair.beta.write(f'{text}[aws]\nread_timeout = "{seconds}s"\n')
        answers.append(pair.beta.ask("POST", "/reload")[0])
    pair.beta.until(lambda one: one["role"] == "active", "active")

    assert answers == [200, 200, 200]
    assert pair.mutations() == [("detach", "beta"), ("attach", "beta")]


@pytest.mark.slow
def test_sighup_reloads(pair):
    """The signal does what the command does."""
    pair.beta.write(pair.beta.config.read_text().replace("fall = 3", "fall = 7"))

    pair.beta.signal(signal.SIGHUP)

    wait(lambda: pair.beta.events("config.applied"), "applied", member=pair.beta)


def test_status_answers_the_exit_status_contract(pair):
    """--is-active prints nothing: 0 on the holder, 1 on the standby, 3 where no daemon answers."""
    active, standby = pair.alpha.command("status", "--is-active"), pair.beta.command("status", "--is-active")
    pair.beta.stop()
    gone = pair.beta.command("status", "--is-active")

    assert (active.returncode, standby.returncode, gone.returncode) == (0, 1, 3)
    assert active.stdout == standby.stdout == ""


@pytest.mark.slow
def test_hooks_follow_the_role_in_order_and_a_bad_hook_stops_nothing(idle_pair):
    """on_active runs after ready; a hook that hangs, fails or is missing is counted, never in the way."""
    record = idle_pair.directory / "hooks"
    script = idle_pair.directory / "hook.sh"
    script.write_text(
        f'#!/bin/sh\necho "$ENI_FAILOVER_ROLE $ENI_FAILOVER_TRIGGER $*" >>{record}\nenv >>{record}.env\n'
    )
    script.chmod(0o755)
    hooks = (
        "[hooks]\n"
        f'on_active = ["{script}"]\nnotify = ["{script}"]\n'
        'on_standby = ["/nonexistent/hook"]\ntimeout = "5s"\n'
    )
    idle_pair.configure(rest=QUICK + hooks)
    idle_pair.start()

    idle_pair.alpha.service.shut()
    idle_pair.beta.until(lambda one: one["role"] == "active", "active")
    wait(lambda: record.read_text().count("\n") >= 6, "hooks ran")

    lines = record.read_text().splitlines()
    assert "active probes " in lines
    assert "active probes GROUP orders MASTER 99" in lines
    assert lines.index("active probes ") < lines.index("active probes GROUP orders MASTER 99")
    assert "AWS_" not in (record.parent / "hooks.env").read_text()
    wait(
        lambda: idle_pair.beta.metric("eni_failover_hook_runs_total", hook="on_standby", result="missing"),
        "counted",
    )


@pytest.mark.slow
def test_nothing_on_tcp_can_change_anything(pair):
    """The TCP side is read only: every POST is refused and nothing moves."""
    import http.client

    for path in ("/takeover", "/pause", "/resume", "/reload"):
        connection = http.client.HTTPConnection(pair.beta.address, pair.listen_port, timeout=5)
        connection.request("POST", path, "{}", {"Content-Type": "application/json"})
        assert connection.getresponse().status in {403, 404, 405}
        connection.close()

    assert pair.beta.status()["paused"] is None
    assert pair.mutations() == []
