"""`pause`, `resume` and `reload`."""

from __future__ import annotations

import pytest

from eni_failover.cli import orders as command
from eni_failover.core.model import PauseKind, PauseRecord, Peer

PAUSE = PauseRecord(
    kind=PauseKind.PAUSE,
    at=1_800_000_000.0,
    until=1_800_001_800.0,
    ends_at=1_800.0,
    reason="upgrade",
    by="uid 0",
)
RESUME = PauseRecord(kind=PauseKind.RESUME, at=1_800_000_009.0)


def peer(name: str, record: PauseRecord | None = None, *, reachable: bool = True) -> Peer:
    paused = record is not None and record.kind is PauseKind.PAUSE
    return Peer(member=name, instance_id=f"i-{name}", reachable=reachable, paused=paused, pause=record)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Looks again at once; the script of the desk is what passes the time."""
    monkeypatch.setattr(command, "POLL", 0.0)


def test_pause_waits_for_the_group(run, daemon, desk, member, standby):
    """The pause is ordered as written, and every member that follows it is named once they all do."""
    desk.pause_record = PAUSE
    alone = standby(pause=PAUSE, paused=True, peers=(peer("alpha"),))
    both = standby(pause=PAUSE, paused=True, peers=(peer("alpha", PAUSE),))
    desk.script = [standby(), standby(), alone, both]
    result = run("pause", "--for", "30m", "--reason", "upgrade", "--config", member.config)
    (order,) = desk.orders

    assert (
        order.kind,
        order.duration,
        order.reason,
        order.local,
    ) == (PauseKind.PAUSE, 1800.0, "upgrade", False)
    assert (result.code, result.err) == (0, "")
    assert result.out == "paused until 2027-01-15T08:30:00Z\nacknowledged by beta, alpha\n"


def test_an_older_pause_is_no_acknowledgement(*, run, daemon, desk, member, standby, monkeypatch):
    """Members that still follow an earlier pause have not acknowledged this one."""
    monkeypatch.setattr(command, "ACKNOWLEDGE_WITHIN", 0.0)
    older = PauseRecord(kind=PauseKind.PAUSE, at=1_700_000_000.0)
    desk.pause_record = PAUSE
    desk.script = [standby(pause=older, paused=True, peers=(peer("alpha", older),))]
    result = run("pause", "--config", member.config)

    assert result.code == 0
    assert "acknowledged by beta\n" in result.out
    assert result.err == "eni-failover: not acknowledged by alpha: not yet\n"


def test_an_unreachable_member_is_named_not_waited_for(run, daemon, desk, member, standby):
    """A member that is out of reach is not waited for, and is named."""
    desk.pause_record = PAUSE
    desk.script = [standby(pause=PAUSE, paused=True, peers=(peer("alpha", reachable=False),))]
    result = run("pause", "--config", member.config)

    assert result.code == 0
    assert "acknowledged by beta\n" in result.out
    assert result.err == "eni-failover: not acknowledged by alpha: not reachable\n"


def test_a_local_pause_asks_nobody_else(run, daemon, desk, member):
    """--local is this member's alone: no other member is waited for or named."""
    desk.pause_record = PauseRecord(kind=PauseKind.PAUSE, at=1.0, local=True)
    result = run("pause", "--local", "--config", member.config)

    assert (result.code, result.out, result.err) == (0, "paused until resumed, this member only\n", "")
    assert desk.orders[0].local


def test_resume(run, daemon, desk, member, standby):
    """A resume goes to the whole group in the same way."""
    desk.pause_record = RESUME
    desk.script = [standby(pause=RESUME, peers=(peer("alpha", RESUME),))]
    result = run("resume", "--config", member.config)

    assert (result.code, result.out, result.err) == (0, "resumed\nacknowledged by beta, alpha\n", "")
    assert desk.orders[0].kind == PauseKind.RESUME


def test_resume_mentions_a_local_pause(run, daemon, desk, member, standby):
    """Who resumes the group learns that this member is still held back by a pause of its own."""
    own = PauseRecord(kind=PauseKind.PAUSE, at=1.0, local=True)
    desk.pause_record = RESUME
    desk.script = [standby(pause=RESUME, local_pause=own, paused=True, peers=())]
    result = run("resume", "--config", member.config)

    assert result.code == 0
    assert "this member alone is still paused: end that with 'eni-failover resume --local'" in result.err


def test_a_daemon_that_goes_away_has_still_taken_the_pause(run, daemon, desk, member, standby):
    """When the daemon cannot be asked who knows, the pause was taken all the same."""
    desk.pause_record = PAUSE
    desk.script = [standby(paused=True), standby(paused=True), None]
    result = run("pause", "--config", member.config)

    assert result.code == 0
    assert "who has acknowledged is not known" in result.err


def test_a_pause_without_an_end_says_when_it_ends_all_the_same(run, daemon, desk, member, standby):
    """A pause lasts a week at most, so that nobody is forgotten in one."""
    desk.pause_record = PAUSE
    desk.script = [standby(pause=PAUSE, paused=True, peers=())]
    result = run("pause", "--config", member.config)

    assert result.out.splitlines()[0] == "paused until resumed, 2027-01-15T08:30:00Z at the latest"


def test_a_pause_that_holds_nobody_back_says_so(run, daemon, desk, member, standby):
    """It was over before anybody could look."""
    desk.pause_record = PAUSE
    desk.script = [standby(pause=PAUSE, peers=())]
    result = run("pause", "--for", "1ms", "--config", member.config)

    assert result.out.splitlines()[1] == "acknowledged by nobody"


def test_a_pause_of_more_than_a_week_is_refused(run, daemon, desk, member):
    """Before the daemon is asked, as every mistake on the command line; a week is one."""
    result = run("pause", "--for", "169h", "--config", member.config)

    assert (result.code, result.out, desk.orders) == (2, "", [])
    assert "a pause lasts 7d at most" in result.err
    assert run("pause", "--for", "7d", "--local", "--config", member.config).code == 0


def test_a_reason_that_is_too_long(run, daemon, desk, member):
    """A text that the daemon does not take is exit 2, in its words, on one line."""
    result = run("pause", "--reason", "x" * 501, "--config", member.config)

    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert "at most 500 characters" in result.err


def test_reload_is_taken(run, daemon, desk, member):
    """A reload that the daemon has taken is exit 0."""
    result = run("reload", "--config", member.config)

    assert (result.code, result.out, result.err) == (0, "reloaded\n", "")
    assert desk.orders == ["reload"]


def test_reload_is_refused(run, daemon, desk, member):
    """A reload that is refused is exit 2 with each of the daemon's errors."""
    desk.problems = ("orders.toml:3: group: needs a restart", "orders.toml:9: fall: must be 1 or more")
    result = run("reload", "--config", member.config)

    assert (result.code, result.out) == (2, "")
    assert [f"eni-failover: {line}" for line in desk.problems] == result.err.splitlines()[:2]
    assert "goes on with the configuration it had" in result.err.splitlines()[2]


def test_reload_with_a_broken_file(run, daemon, desk, member):
    """A file with mistakes is the daemon's to refuse: it is asked, and says what is wrong."""
    member.config.write_text(member.config.read_text().replace("fall = 3", "fall = 0"))
    desk.problems = ("orders.toml:23: probe[0].fall: must be 1 or more, not 0",)
    result = run("reload", "--config", member.config)

    assert (result.code, desk.orders) == (2, ["reload"])
    assert "eni-failover: orders.toml:23: probe[0].fall: must be 1 or more, not 0\n" in result.err
