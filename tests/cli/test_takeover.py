"""`takeover`: the question, the order, the following."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys

import pytest

from eni_failover.cli import takeover as command
from eni_failover.control import TakeoverAnswer, TakeoverState
from eni_failover.core.model import History
from eni_failover.core.snapshot import Check, DecisionLine, ProbeLine, TakeoverLine
from eni_failover.core.vocabulary import (
    Action,
    Answer,
    CheckResult,
    Phase,
    Reason,
    Result,
    Role,
    Scope,
    Trigger,
)


def ended(
    *, takeover_id: str = "t1", result: Result = Result.SUCCESS, reason: Reason = Reason.OPERATOR
) -> History:
    return History(
        takeover_id=takeover_id,
        trigger=Trigger.MANUAL,
        reason=reason,
        from_member="alpha",
        to_member="beta",
        started_wall=1_800_000_000.0,
        ended_wall=1_800_000_005.2,
        result=result,
        phases=((Phase.DETACH, 3.1), (Phase.ATTACH, 2.04)),
    )


def under_way(phase: Phase) -> TakeoverLine:
    return TakeoverLine(takeover_id="t1", trigger=Trigger.MANUAL, phase=phase, since_wall=1_800_000_000.0)


def doing(reason: Reason) -> DecisionLine:
    return DecisionLine(action=Action.MOVE, reason=reason, at_wall=1_800_000_000.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Looks again at once; the script of the desk is what passes the time."""
    monkeypatch.setattr(command, "POLL", 0.0)


@pytest.fixture
def story(standby):
    """Beta's views from standby over detach and attach to active, one for each look."""
    detaching = standby(role=Role.TAKING, takeover=under_way(Phase.DETACH), decision=doing(Reason.DETACHING))
    attaching = standby(
        role=Role.TAKING, takeover=under_way(Phase.ATTACH), decision=doing(Reason.ATTACHING), holder="none"
    )
    active = standby(role=Role.ACTIVE, holder="beta", takeovers=(ended(),))
    return [standby(), detaching, detaching, attaching, active]


def stages(out: str) -> list[str]:
    """The lines of progress without their times."""
    return [line.partition(" s  ")[2] for line in out.splitlines() if " s  " in line]


def test_takeover_is_followed_to_its_end(run, daemon, desk, member, story):
    """Each stage is one line, printed once; when the member is ready the phases and exit 0 follow."""
    desk.script = story
    result = run("takeover", "--yes", "--reason", "drill", "--timeout", "90s", "--config", member.config)

    assert (result.code, result.err) == (0, "")
    assert desk.orders == [("drill", 90.0)]
    assert stages(result.out) == ["detach: detaching", "attach: attaching"]
    assert result.out.splitlines()[-1].startswith("beta holds orders and is ready, took ")
    assert result.out.splitlines()[-1].endswith("5.14 s (detach 3.10 + attach 2.04)")


def test_success_is_not_ready(*, run, daemon, desk, member, standby, story):
    """A takeover that has ended well is not reported before the member's role is active."""
    waiting = standby(
        role=Role.STANDBY, holder="beta", takeovers=(ended(),), decision=doing(Reason.LINK_WAIT)
    )
    desk.script = [*story[:-1], waiting, story[-1]]
    result = run("takeover", "--yes", "--config", member.config)

    assert result.code == 0
    assert stages(result.out) == ["detach: detaching", "attach: attaching", "role standby: link_wait"]


def test_held_already(run, daemon, desk, member, standby):
    """On the holder itself nothing is asked and nothing moves: exit 0, also with --no-wait."""
    desk.script = [standby(role=Role.ACTIVE, holder="beta", takeovers=(ended(takeover_id="t0"),))]
    desk.takeover_answer = TakeoverAnswer(state=TakeoverState.HELD, reason="held", request_id="r1")

    for more in ([], ["--no-wait"]):
        result = run("takeover", *more, "--config", member.config)

        assert (result.code, result.out, result.err) == (0, "beta holds orders and is ready already\n", "")


def test_without_a_terminal_a_healthy_holder_is_not_disturbed(run, daemon, desk, member):
    """Without a terminal and --yes a healthy holder keeps the ENIs: exit 4, and nothing was ordered."""
    result = run("takeover", "--config", member.config)

    assert (result.code, result.out) == (4, "")
    assert result.err == (
        "eni-failover: not confirmed: alpha holds orders and no probe says that it is down,"
        " give --yes to take over all the same\n"
    )
    assert desk.orders == []


@pytest.mark.parametrize("holder", ["none", "foreign", "unknown", "beta"])
def test_nobody_to_disturb(*, run, daemon, desk, member, standby, story, holder):
    """Where no other member holds the group there is no question."""
    desk.script = [standby(holder=holder), *story[1:]]
    result = run("takeover", "--config", member.config)

    assert result.code == 0


def test_a_holder_that_is_down_needs_no_question(*, run, daemon, desk, member, standby, story):
    """A holder probe that is down makes the question pointless."""
    line = ProbeLine(name="web", scope=Scope.HOLDER, member="alpha", state=Answer.DOWN, consecutive=3)
    desk.script = [standby(probes=(line,)), *story[1:]]
    result = run("takeover", "--config", member.config)

    assert result.code == 0


@pytest.mark.parametrize("scope", [Scope.SELF, Scope.WITNESS])
def test_only_holder_probes_speak_of_the_holder(*, run, daemon, desk, member, standby, scope):
    """A self probe or a witness that is down says nothing about the holder's health."""
    line = ProbeLine(name="disk", scope=scope, member="beta", state=Answer.DOWN, consecutive=3)
    desk.script = [standby(probes=(line,))]
    result = run("takeover", "--config", member.config)

    assert result.code == 4
    assert desk.orders == []


class Terminal(io.StringIO):
    """A keyboard at which this was typed; nothing is Ctrl-D."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "code"), [("y\n", 0), (" YES \n", 0), ("\n", 4), ("no\n", 4), ("yesterday\n", 4), ("", 4)]
)
def test_the_answer(*, run, daemon, desk, member, story, monkeypatch, typed, code):
    """Only a yes is a yes: the default, anything else and the end of input leave the ENIs where they are."""
    desk.script = story
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    result = run("takeover", "--config", member.config)

    assert (result.code, len(desk.orders)) == (code, 1 if code == 0 else 0)
    assert (code == 4) == result.err.endswith("eni-failover: not confirmed\n")


def test_the_question_on_a_terminal(daemon, desk, member, story):
    """On a terminal the operator is asked, and sees holder and probes."""
    desk.script = story
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "eni_failover", "takeover", "--config", str(member.config)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.write(ours, b"y\n")
    _, err = process.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)

    assert process.returncode == 0
    assert err == (
        "alpha holds orders and no probe says that it is down (web up).\nTake orders over from alpha? [y/N] "
    )


def test_a_refusal_names_the_remedy(run, daemon, desk, member, standby):
    """A refusal is exit 4 and one line: the daemon's reason, and what its own check says to do."""
    check = Check(name="slot", result=CheckResult.FAIL, detail="no_slot", remedy="free an interface slot")
    desk.script = [standby(checks=(check,))]
    desk.takeover_answer = TakeoverAnswer(state=TakeoverState.REFUSED, reason="no_slot", request_id="r1")
    result = run("takeover", "--yes", "--config", member.config)

    assert (result.code, result.out) == (4, "")
    assert result.err == "eni-failover: takeover refused: no_slot (free an interface slot)\n"


@pytest.mark.parametrize("result_word", [Result.FAILED, Result.LOST])
def test_a_takeover_that_ends_badly(*, run, daemon, desk, member, standby, story, result_word):
    """A takeover that has begun and ends failed or lost is exit 4 with its reason."""
    bad = ended(result=result_word, reason=Reason.LOST_TO_ANOTHER)
    desk.script = [*story[:2], standby(takeovers=(bad,))]
    result = run("takeover", "--yes", "--config", member.config)

    assert result.code == 4
    assert f"eni-failover: takeover {result_word}: lost_to_another\n" == result.err


def test_an_earlier_failure_is_not_this_one(*, run, daemon, desk, member, standby, story):
    """A takeover that had failed before the order says nothing about this one."""
    old = ended(takeover_id="t0", result=Result.FAILED)
    desk.script = [standby(takeovers=(old,)), standby(takeovers=(old,)), story[-1]]
    result = run("takeover", "--yes", "--config", member.config)

    assert (result.code, result.err) == (0, "")


def test_no_wait_is_5(run, daemon, desk, member, story):
    """--no-wait returns as soon as the order is accepted, and says by 5 that it is under way."""
    desk.script = story
    result = run("takeover", "--yes", "--no-wait", "--config", member.config)

    assert (result.code, result.out, result.err) == (5, "accepted: detach: detaching\n", "")


def test_still_under_way_is_5(run, daemon, desk, member, story):
    """A takeover that is not over at the timeout is 5: it goes on without this command."""
    desk.script = story[:2]
    result = run("takeover", "--yes", "--timeout", "1ms", "--config", member.config)

    assert result.code == 5
    assert result.err == "eni-failover: still under way: detach: detaching\n"


def test_interrupted_is_130(*, run, daemon, desk, member, story, monkeypatch):
    """Ctrl-C ends the following only, and that is said."""

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command.time, "sleep", interrupt)
    desk.script = story
    result = run("takeover", "--yes", "--config", member.config)

    assert result.code == 130
    assert result.err == "eni-failover: interrupted: the daemon goes on with the takeover\n"


def test_never_begun_is_4(run, daemon, desk, member, standby):
    """A request that no pass has taken up before the timeout is refused, with what the daemon was doing."""
    desk.script = [standby(decision=doing(Reason.ENI_UNKNOWN))]
    desk.takeover_answer = TakeoverAnswer(state=TakeoverState.PENDING, reason="", request_id="r1")
    result = run("takeover", "--yes", "--timeout", "1ms", "--config", member.config)

    assert result.code == 4
    assert result.err == "eni-failover: takeover not begun in time: eni_unknown\n"


def test_a_daemon_that_restarts_meanwhile(run, daemon, desk, member, story):
    """A daemon that does not answer for a while is waited for: it rolls its takeover forward."""
    desk.script = [*story[:2], None, story[-1]]
    result = run("takeover", "--yes", "--config", member.config)

    assert (result.code, result.err) == (0, "")
    assert stages(result.out) == ["detach: detaching", "no answer from the daemon"]


def test_a_daemon_that_stays_away(run, daemon, desk, member, story):
    """A daemon that is gone at the timeout is 3."""
    desk.script = [story[0], None]
    result = run("takeover", "--yes", "--timeout", "1ms", "--config", member.config)

    assert result.code == 3
    assert "no pass has ended yet" in result.err
