"""`status` in all its forms."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys

import pytest

from eni_failover.cli import status as command
from eni_failover.core.model import History, PauseKind, PauseRecord, Peer
from eni_failover.core.snapshot import Check, ProbeLine, TakeoverLine
from eni_failover.core.vocabulary import Answer, CheckResult, Phase, Reason, Result, Role, Scope, Trigger
from eni_failover.status import to_document


def words(line: str) -> list[str]:
    return line.split()


def test_status_at_rest(run, daemon, member):
    """A standby at rest shows holder, role, ENI, probe, peer, and no empty headings."""
    result = run("status", "--config", member.config)
    lines = result.out.splitlines()

    assert (result.code, result.err) == (0, "")
    assert lines[0] == "alpha holds the group, and nobody could take over."
    assert ["holder", "alpha"] in map(words, lines)
    assert ["member", "beta,", "standby,", "ready"] in map(words, lines)
    assert "decision  wait: holder_up, since 08:00:00 UTC (now)" in lines
    assert "attached  eni-0ffffffffffffff01, on alpha, attachment eni-attach-01" in lines
    assert "up  web (holder) of alpha, 7 in a row: 200" in lines
    assert "active  alpha, not ready, version 0.1.0, configuration abc123" in lines
    assert not any(word in result.out for word in ("paused until", "Problems", "Last takeovers", "\x1b"))


def test_status_in_trouble(run, daemon, desk, member, standby):
    """What wants attention is shown: failed checks with remedies, pause, takeover, silent peers."""
    record = PauseRecord(kind=PauseKind.PAUSE, at=1.0, until=1_800_000_600.0, reason="upgrade", by="uid 7")
    last = History(
        takeover_id="t0",
        trigger=Trigger.EC2,
        reason=Reason.HOLDER_STOPPED,
        from_member="beta",
        to_member="alpha",
        started_wall=1_799_999_990.0,
        ended_wall=1_799_999_996.5,
        result=Result.FAILED,
    )
    desk.script = [
        standby(
            role=Role.TAKING,
            ready=False,
            checks=(
                Check(
                    name="slot", result=CheckResult.FAIL, detail="no_slot", remedy="free an interface slot"
                ),
            ),
            pause=record,
            paused=True,
            takeover=TakeoverLine(
                takeover_id="t1", trigger=Trigger.MANUAL, phase=Phase.DETACH, since_wall=1_800_000_000.0
            ),
            takeovers=(last,),
            peers=(Peer(member="alpha", instance_id="i-alpha", reachable=False),),
        )
    ]
    result = run("status", "--config", member.config)
    lines = [" ".join(words(line)) for line in result.out.splitlines()]

    assert result.code == 0
    assert "member beta, taking, not ready" in lines
    assert "fail slot: no_slot" in lines
    assert "to do: free an interface slot" in lines
    assert "paused until 08:10:00 UTC (in 10 min 00 s), by uid 7: upgrade" in lines
    assert "takeover manual: detach, since 08:00:00 UTC (now)" in lines
    assert "failed beta -> alpha, 2027-01-15 07:59:50.0 to 07:59:56.5 UTC" in lines
    assert "silent alpha: its daemon does not answer" in lines


def test_a_probe_cannot_write_to_the_terminal(run, daemon, desk, member, standby):
    """What a service answered reaches the terminal neither as control characters nor as markup."""
    line = ProbeLine(
        name="web",
        scope=Scope.HOLDER,
        member="alpha",
        state=Answer.DOWN,
        consecutive=1,
        detail="\x1b[2J[red]x[/red]",
    )
    desk.script = [standby(probes=(line,))]
    result = run("status", "--config", member.config)

    assert "\N{REPLACEMENT CHARACTER}[2J[red]x[/red]" in result.out
    assert "\x1b" not in result.out


def test_json_is_the_daemons_document(run, daemon, desk, member):
    """--json prints what the daemon said, untouched."""
    result = run("status", "--json", "--config", member.config)

    assert (result.code, result.err) == (0, "")
    assert to_document(desk.script[0]) == json.loads(result.out)


@pytest.mark.parametrize(("role", "code"), [(Role.ACTIVE, 0), (Role.STANDBY, 1), (Role.FAULT, 1)])
def test_is_active_prints_nothing(*, run, daemon, desk, member, standby, role, code):
    """--is-active says by its exit status alone whether this member is active."""
    desk.script = [standby(role=role)]
    result = run("status", "--is-active", "--config", member.config)

    assert (code, "", "") == (result.code, result.out, result.err)


def test_is_active_without_a_daemon(run, member):
    """--is-active without a daemon is 3, which is neither yes nor no."""
    result = run("status", "--is-active", "--config", member.config)

    assert (result.code, result.out) == (3, "")


def test_a_starting_daemon_is_3(run, daemon, desk, member):
    """Before the first pass there is no status to be had, and one line says why."""
    desk.script = [None]
    result = run("status", "--config", member.config)

    assert (result.code, result.out) == (3, "")
    assert "is starting: no pass has ended yet" in result.err


class Enough(KeyboardInterrupt):
    """Ctrl-C after so many redraws."""


@pytest.fixture
def two_redraws(monkeypatch):
    """Instead of waiting a second, nothing; the second time the user presses Ctrl-C."""
    naps = iter([None])

    def nap(_: float) -> None:
        try:
            next(naps)
        except StopIteration:
            raise Enough from None

    monkeypatch.setattr(command.time, "sleep", nap)


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_watch_survives_a_restart(*, run, daemon, desk, member, standby, two_redraws, more):
    """--watch shows what there is each time, a daemon that is starting too, until Ctrl-C: exit 0."""
    desk.script = [None, standby()]
    result = run("status", "--watch", *more, "--config", member.config)

    assert result.code == 0
    assert "no pass has ended yet" in result.out + result.err
    assert "alpha" in result.out


def test_watch_on_a_terminal(daemon, member, ctrl_c_is_heard):
    """On a terminal the view is drawn in place, and Ctrl-C ends it with 0."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "eni_failover", "status", "--watch", "--config", str(member.config)],
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm"},
        text=True,
    )
    said = b""
    while b"abc123" not in said:  # the version line and the peer's: the first view is drawn
        said += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    os.close(ours)
    os.close(theirs)

    assert (process.returncode, err) == (0, "")


def test_watch_ends_with_ctrl_c(daemon, member, ctrl_c_is_heard):
    """A real Ctrl-C ends --watch with 0 and no traceback."""
    process = subprocess.Popen(
        [sys.executable, "-m", "eni_failover", "status", "--watch", "--json", "--config", str(member.config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    first = process.stdout.readline()
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)

    assert json.loads(first)["holder"] == "alpha"
    assert (process.returncode, err) == (0, "")
