"""Bad starts and bad days: what a daemon does when the world is not as it should be."""

from __future__ import annotations

import json
import shutil
import signal
import socket

import pytest
from e2e_harness import LONG, QUICK, wait


def test_a_daemon_without_imds_waits_and_says_so(idle_pair):
    """IMDS down at the start: it waits, tells systemd, and starts when IMDS is there."""
    notify = idle_pair.directory / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(notify))
        sock.settimeout(LONG)
        idle_pair.beta.environment["NOTIFY_SOCKET"] = str(notify)
        idle_pair.lab.world.imds_down("beta")
        idle_pair.lab.sync()
        idle_pair.beta.start()
        told = sock.recv(4096).decode()
        idle_pair.lab.world.imds_up("beta")
        idle_pair.lab.sync()
        while "READY=1" not in (last := sock.recv(4096).decode()):
            told += last
        while "WATCHDOG=1" not in sock.recv(4096).decode():
            pass

    assert "STATUS=waiting for the instance metadata service" in told
    assert idle_pair.beta.events("imds.waiting")


def test_an_instance_that_is_no_member_exits_2_and_says_which_it_is(idle_pair):
    """A wrong file on a wrong host is a clear line, not a daemon."""
    text = idle_pair.beta.config.read_text().replace("i-0bbbbbbbbbbbbbbb2", "i-0ddddddddddddddd4")
    idle_pair.beta.write(text)

    status = idle_pair.beta.start().ended()

    assert status == 2
    assert "i-0bbbbbbbbbbbbbbb2" in idle_pair.beta.log.read_text()
    assert "Traceback" not in idle_pair.beta.log.read_text()


@pytest.mark.slow
def test_a_member_name_that_contradicts_imds_exits_2(idle_pair):
    """--member alpha on beta's instance is a mistake, not a choice."""
    assert idle_pair.beta.start("--member", "alpha").ended() == 2


@pytest.mark.slow
def test_a_named_member_needs_no_imds(idle_pair):
    """--member NAME where there is none."""
    idle_pair.beta.environment["AWS_EC2_METADATA_DISABLED"] = "true"
    idle_pair.beta.environment |= {"AWS_ACCESS_KEY_ID": "AKIALABOPERATOR00000", "AWS_SECRET_ACCESS_KEY": "x"}

    idle_pair.beta.start("--member", "beta")

    assert idle_pair.beta.until(lambda one: one["ready"], "ready")["member"] == "beta"


def test_an_aws_setting_that_boto3_rejects_is_one_clear_line(idle_pair):
    """There is no client to go on without: exit 1, the reason, and no traceback."""
    idle_pair.beta.environment["AWS_PROFILE"] = "absent"
    status = idle_pair.beta.start().ended()

    why = "AWS_PROFILE: neither /dev/null nor /dev/null has that profile"
    assert status == 1
    assert idle_pair.beta.log.read_text() == f"eni-failover: boto3 cannot make an EC2 client: {why}\n"


def test_a_bad_file_exits_2_with_every_mistake(idle_pair):
    """All errors at once, one line each, on standard error."""
    idle_pair.beta.write(
        idle_pair.beta.config.read_text().replace("fall = 3", "fall = 0").replace("rise = 1", "rsie = 1")
    )

    status = idle_pair.beta.start().ended()

    lines = idle_pair.beta.log.read_text().splitlines()
    assert status == 2
    assert len(lines) == 2
    assert "Traceback" not in "".join(lines)


@pytest.mark.slow
def test_the_journal_of_another_machines_image_is_ignored(idle_pair):
    """A member cloned from an image must not carry on somebody else's takeover."""
    idle_pair.start()
    idle_pair.alpha.service.shut()
    idle_pair.beta.until(lambda one: one["role"] == "active", "active")
    idle_pair.alpha.kill()
    shutil.copy(idle_pair.beta.state / "journal.jsonl", idle_pair.alpha.state / "journal.jsonl")

    idle_pair.alpha.start()
    idle_pair.alpha.until(lambda one: one["holder"] == "beta", "known")

    assert any("another machine" in line["detail"] for line in idle_pair.alpha.events("journal.read_problem"))


@pytest.mark.slow
def test_an_unknown_eni_is_reported_and_never_guessed(idle_pair):
    """EC2 does not know it, twice: eni_missing, not ready, nothing moves."""
    idle_pair.lab.world.remove_eni("floating-1")
    idle_pair.beta.start()

    status = idle_pair.beta.until(lambda one: one["decision"]["reason"] == "eni_missing", "missing")

    assert status["ready"] is False
    assert idle_pair.mutations() == []


@pytest.mark.slow
def test_an_eni_on_a_foreign_instance_is_left_alone(pair):
    """Held by an instance that is no member: refused with the reason, before any call."""
    pair.lab.world.take("floating-1")
    pair.beta.until(lambda one: one["decision"]["reason"] == "foreign_holder", "foreign")

    done = pair.beta.command("takeover", "--yes")

    assert done.returncode == 4
    assert "foreign_holder" in done.stderr
    assert pair.mutations() == []


FAULTS = [
    {"kind": "error", "code": "RequestLimitExceeded", "status": 503},
    {"kind": "error", "code": "InternalError", "status": 500},
    {"kind": "error", "code": "UnauthorizedOperation", "status": 403},
    {"kind": "html"},
    {"kind": "truncated"},
    {"kind": "close"},
    {"kind": "late", "seconds": 2.0},
]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.get("code", fault["kind"]))
def test_an_api_that_answers_badly_moves_nothing_and_kills_nobody(idle_pair, fault):
    """An API outage is no death of the holder: nothing moves, the daemon lives, readiness says why."""
    idle_pair.configure(rest=QUICK + '[aws]\nconnect_timeout = "200ms"\nread_timeout = "300ms"\n')
    idle_pair.start()
    kind = fault["kind"]
    rest = {key: value for key, value in fault.items() if key != "kind"}
    idle_pair.lab.world.fault(kind, action="DescribeNetworkInterfaces", count=None, **rest)

    status = idle_pair.beta.until(lambda one: one["holder"] == "unknown" and not one["ready"], "unknown")
    live, _ = idle_pair.beta.ask("GET", "/livez")
    idle_pair.lab.world.clear_faults()
    idle_pair.beta.until(lambda one: one["ready"], "ready again")

    assert status["decision"]["reason"] == "eni_unknown"
    assert live == 200
    assert idle_pair.mutations() == []


@pytest.mark.slow
@pytest.mark.parametrize("action", ["DetachNetworkInterface", "AttachNetworkInterface"])
@pytest.mark.parametrize("kind", ["lost", "close", "error"])
def test_a_mutation_whose_answer_is_lost_is_neither_repeated_blindly_nor_forgotten(idle_pair, action, kind):
    """The call took effect or did not; either way the takeover ends held, with one attach in force."""
    idle_pair.configure(rest=QUICK + '[aws]\nconnect_timeout = "200ms"\nread_timeout = "300ms"\n')
    idle_pair.start()
    more = {"code": "InternalError", "status": 500} if kind == "error" else {}
    idle_pair.lab.world.fault(kind, action=action, caller="beta", count=2, dry_run=False, **more)

    idle_pair.alpha.service.shut()
    idle_pair.beta.until(lambda one: one["role"] == "active", "active")

    assert idle_pair.mutations() == [("detach", "beta"), ("attach", "beta")]


@pytest.mark.slow
def test_expired_credentials_are_renewed(idle_pair):
    """EC2 rejects the old ones; the daemon fetches new ones and goes on."""
    idle_pair.start()
    idle_pair.lab.world.expire_credentials("beta")

    idle_pair.alpha.service.shut()
    idle_pair.beta.until(lambda one: one["role"] == "active", "active")

    assert idle_pair.holder() == "beta"


@pytest.mark.slow
def test_a_second_daemon_of_the_same_group_is_refused(pair):
    """The state directory's lock and the socket belong to the first."""
    other = pair.beta.command("run")

    assert other.returncode == 1
    assert "Traceback" not in other.stderr
    assert len(other.stderr.splitlines()) == 1
    assert pair.beta.status()["ready"]


@pytest.mark.slow
def test_a_dead_daemons_socket_is_replaced(idle_pair):
    """A socket left by a kill -9 is in nobody's way."""
    idle_pair.beta.start()
    idle_pair.beta.until(lambda one: True, "up")
    idle_pair.beta.kill()
    assert idle_pair.beta.socket.exists()

    idle_pair.beta.start()

    idle_pair.beta.until(lambda one: True, "up again")


@pytest.mark.slow
def test_a_port_in_use_is_one_clear_line(idle_pair):
    """The address and the setting are named."""
    with socket.socket() as taken:
        taken.bind((idle_pair.beta.address, idle_pair.listen_port))
        taken.listen()

        status = idle_pair.beta.start().ended()

    text = idle_pair.beta.log.read_text()
    assert status == 1
    assert str(idle_pair.listen_port) in text
    assert "listen" in text
    assert "Traceback" not in text


@pytest.mark.slow
def test_an_unwritable_state_directory_is_loud_and_does_not_stop_a_takeover(idle_pair):
    """EC2 is the lock; the journal is not needed to move the ENI."""
    idle_pair.beta.state.write_text("a file where the directory should be")
    idle_pair.start()

    idle_pair.alpha.service.shut()
    idle_pair.beta.until(lambda one: one["role"] == "active", "active")

    assert idle_pair.beta.events("journal.failed")


def test_a_pause_given_while_the_disk_refused_survives_a_restart(idle_pair):
    """The write is tried again until it succeeds."""
    beta = idle_pair.beta
    beta.state.write_text("a file where the directory should be")
    idle_pair.start()
    beta.until(lambda one: True, "up")
    beta.command("pause", "--local", "--reason", "disk")
    assert beta.events("journal.failed")

    beta.state.unlink()
    beta.until(lambda _: beta.events("journal.recovered"), "written")
    beta.stop()
    beta.start()

    assert beta.until(lambda one: one["paused"], "paused")["paused"]["reason"] == "disk"


def test_sigterm_in_the_middle_stops_at_once_and_the_next_start_carries_on(idle_pair):
    """Past the point of no return: a stopped member rolls forward at its next start."""
    pair = idle_pair
    pair.configure(rest=QUICK.replace('force_detach_after = "2s"', 'force_detach_after = "60s"'))
    pair.start()
    pair.lab.world.set_durations("floating-1", detach=2.0)
    pair.alpha.service.shut()
    wait(lambda: pair.holder() == "detaching alpha", "detaching")

    status = pair.beta.stop()
    assert status == 0
    assert pair.holder() in {"detaching alpha", None}

    pair.beta.start()
    found = pair.beta.until(lambda one: one["role"] == "active", "active")

    assert pair.mutations() == [("detach", "beta"), ("attach", "beta")]
    assert found["last_takeover"]["trigger"] == "probes"


MOMENTS = ["detaching alpha", None, "attaching beta", "beta"]


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_member_killed_in_the_middle_carries_on(pair, moment):
    """kill -9 while detaching, between, while attaching, and just after: it ends held."""
    pair.lab.world.set_durations("floating-1", detach=0.5, attach=0.5)
    pair.alpha.service.shut()
    wait(lambda: pair.holder() == moment, str(moment))

    pair.beta.kill()
    pair.beta.start()
    pair.beta.until(lambda one: one["role"] == "active", "active")

    assert pair.holder() == "beta"
    assert [one for one in pair.mutations() if one[0] == "attach"] == [("attach", "beta")]


@pytest.mark.slow
def test_a_stopped_watcher_does_not_believe_that_the_holder_died(pair):
    """SIGSTOP of the standby for longer than every time-out: nothing moves when it wakes."""
    pair.beta.signal(signal.SIGSTOP)
    _let_pass(pair, 2.5)
    pair.beta.signal(signal.SIGCONT)
    wait(lambda: pair.beta.metric("eni_failover_loop_stalls_total"), "stall counted")
    pair.beta.until(lambda one: one["ready"], "ready")

    assert pair.mutations() == []


def _let_pass(pair, seconds):
    """Until alpha, which runs, has lived for so long by its own clock."""
    before = json.loads(pair.alpha.ask("GET", "/status")[1])["now"]

    def passed():
        from datetime import datetime

        now = json.loads(pair.alpha.ask("GET", "/status")[1])["now"]
        return (datetime.fromisoformat(now) - datetime.fromisoformat(before)).total_seconds() >= seconds

    wait(passed, "time")


@pytest.mark.slow
def test_both_members_killed_and_restarted_move_nothing(pair):
    """A restart of both finds everything where it was."""
    for member in pair.members:
        member.kill()
    for member in pair.members:
        member.start()
    for member in pair.members:
        member.until(lambda one: one["ready"], "ready")

    assert pair.mutations() == []


@pytest.mark.slow
def test_a_dead_holder_is_found_by_daemons_that_start_later(idle_pair):
    """A restart of both with a dead holder still fails over: not only transitions count."""
    idle_pair.alpha.service.shut()
    idle_pair.beta.start()

    idle_pair.beta.until(lambda one: one["role"] == "active", "active")

    assert idle_pair.holder() == "beta"


@pytest.mark.slow
def test_a_partitioned_standby_moves_nothing(pair):
    """It reaches neither EC2: no move, and readiness says why."""
    pair.lab.world.unreachable("beta", "close")
    pair.alpha.service.shut()

    status = pair.beta.until(
        lambda one: not one["ready"] and one["probes"][0]["state"] == "down", "not ready"
    )
    assert pair.mutations() == []
    assert status["decision"]["reason"] == "eni_unknown"

    pair.lab.world.reachable("beta")
    pair.beta.until(lambda one: one["role"] == "active", "active when it is back")

    assert pair.holder() == "beta"


@pytest.mark.slow
def test_a_role_file_that_could_not_be_written_is_written_later(idle_pair):
    """Told once; as soon as there is a place for it the file has the role, with no change of role."""
    run = idle_pair.beta.directory / "run"
    text = idle_pair.beta.config.read_text()
    idle_pair.beta.write(text.replace(str(idle_pair.beta.role_file), str(run / "role")))
    idle_pair.start()
    wait(lambda: idle_pair.beta.events("role_file.failed"), "failed", member=idle_pair.beta)
    run.mkdir()
    wait((run / "role").exists, "the role file", member=idle_pair.beta)

    assert (run / "role").read_text() == "standby\n"
    assert len(idle_pair.beta.events("role_file.failed")) == 1
    wait(lambda: idle_pair.beta.events("role_file.recovered"), "told", member=idle_pair.beta)
