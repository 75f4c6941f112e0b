"""`drill` beside daemons that play their parts, on a lab's EC2: the question, the order, every ending."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shlex
import socket
import subprocess
import sys
from dataclasses import dataclass, replace

import pytest

from eni_failover import client
from eni_failover.cli import drill_legs, drill_way
from eni_failover.cli.drill_eyes import Eyes
from eni_failover.cli.drill_report import where_document, where_line
from eni_failover.config import load
from eni_failover.control import TakeoverAnswer, TakeoverState
from eni_failover.core.model import History, Peer
from eni_failover.core.snapshot import DecisionLine, EniLine, ProbeLine, TakeoverLine
from eni_failover.core.vocabulary import Action, Answer, Phase, Reason, Result, Role, Scope, Trigger
from eni_failover.lab import demo_places
from eni_failover.status import to_document
from tests.ports import common_port

WALL = 1_800_000_000.0
ENI = "eni-0ffffffffffffff01"
INSTANCES = {"alpha": "i-0aaaaaaaaaaaaaaa1", "beta": "i-0bbbbbbbbbbbbbbb2"}
ADDRESSES = demo_places.loopback_addresses()


def moved(to: str, **changes) -> History:
    line = History(
        takeover_id=f"t-{to}",
        trigger=Trigger.MANUAL,
        reason=Reason.OPERATOR,
        from_member="alpha" if to == "beta" else "beta",
        to_member=to,
        started_wall=WALL,
        ended_wall=WALL + 5.2,
        result=Result.SUCCESS,
        phases=((Phase.DETACH, 3.1), (Phase.ATTACH, 2.04), (Phase.LINK, 0.0)),
        detail="drill",
    )
    return replace(line, **changes)


def web(state: Answer, about: str = "beta") -> ProbeLine:
    return ProbeLine(name="web", scope=Scope.HOLDER, member=about, state=state, consecutive=3, detail="200")


class Views:
    """What both members show at each stage of a drill."""

    def __init__(self, standby, config_hash: str) -> None:
        self._standby, self._hash = standby, config_hash

    def of(self, member: str, *, at: str, **changes):
        """The member's view with the ENI attached to `at`."""
        other = "alpha" if member == "beta" else "beta"
        shown = {
            "member": member,
            "instance_id": INSTANCES[member],
            "config_hash": self._hash,
            "holder": at,
            "role": Role.ACTIVE if at == member else Role.STANDBY,
            "enis": (EniLine(eni_id=ENI, status="attached", member=at, attachment_id="eni-attach-01"),),
            "probes": () if at == member else (web(Answer.UP, at),),
            "peers": (
                Peer(
                    member=other,
                    instance_id=f"i-{other}",
                    reachable=True,
                    role="active",
                    config_hash=self._hash,
                ),
            ),
            **changes,
        }
        return self._standby(**shown)

    def taking(self, member: str, phase: Phase):
        line = TakeoverLine(takeover_id=f"t-{member}", trigger=Trigger.MANUAL, phase=phase, since_wall=WALL)
        reason = DecisionLine(action=Action.MOVE, reason=Reason.DETACHING, at_wall=WALL)
        enis = (EniLine(eni_id=ENI, status="detaching", member="none", attachment_id="eni-attach-01"),)
        return self.of(
            member, at="none", role=Role.TAKING, takeover=line, decision=reason, enis=enis, probes=()
        )


@dataclass
class Play:
    """The two daemons. An order to one of them turns to the scripts after it."""

    beta: object
    alpha: object
    views: Views
    config: object
    back: str
    service: socket.socket


@pytest.fixture
def play(*, world, on_beta, lab_member, standby, desk, serve, monkeypatch, tmp_path_factory):
    """Alpha holds; after an order to beta it is beta, after one to alpha it is alpha again."""
    monkeypatch.setattr(drill_legs, "POLL", 0.01)
    port, service_port = common_port(ADDRESSES[:2]), common_port(ADDRESSES[:2])
    with (
        socket.create_server((ADDRESSES[0], service_port)),
        socket.create_server((ADDRESSES[1], service_port)) as service,
    ):
        text = lab_member.config.read_text()
        url = 'type = "http"\nurl = "http://{address}:8080/healthz"'
        tcp = f'type = "tcp"\nhost = "{{address}}"\nport = {service_port}'
        text = text.replace(url, tcp) + f'[server]\nlisten = "{{address}}:{port}"\n'
        lab_member.config.write_text(text)
        there = tmp_path_factory.mktemp("a")
        (there / "alpha.toml").write_text(text.replace(str(lab_member.socket), str(there / "a.sock")))
        views = Views(standby, load(lab_member.config, {}).config_hash)
        alpha = type(desk)(script=[], takeover_answer=desk.takeover_answer)
        _direct(desk, alpha, views, world)
        serve(desk, lab_member.socket, host=ADDRESSES[1], port=port)
        serve(alpha, there / "a.sock", host=ADDRESSES[0], port=port)
        words = [sys.executable, "-m", "eni_failover", "takeover", "--yes", "--config"]
        back = shlex.join([*words, str(there / "alpha.toml")])
        yield Play(beta=desk, alpha=alpha, views=views, config=lab_member.config, back=back, service=service)


def _direct(beta, alpha, views: Views, world) -> None:
    beta.script, alpha.script = [views.of("beta", at="alpha")], [views.of("alpha", at="alpha")]
    here, there = moved("beta"), moved("alpha")
    beta.then = {
        beta: [views.taking("beta", Phase.DETACH), views.of("beta", at="beta", takeovers=(here,))],
        alpha: [views.of("alpha", at="beta", probes=(web(Answer.UP),))],
    }
    alpha.then = {
        alpha: [views.taking("alpha", Phase.ATTACH), views.of("alpha", at="alpha", takeovers=(there,))],
        beta: [views.of("beta", at="alpha", takeovers=(here,))],
    }
    for one in (beta, alpha):
        one.takeover = _turning(one, world)


def _turning(one, world):
    async def takeover(*, reason: str, timeout: float) -> TakeoverAnswer:  # noqa: ASYNC109 - the protocol's
        one.orders.append((reason, timeout))
        if one.takeover_answer.state in {TakeoverState.STARTED, TakeoverState.PENDING}:
            for desk, script in one.then.items():
                desk.script = list(script)
            holder = one.script[-1].holder
            world.place("floating-1", holder if holder in {"alpha", "beta"} else None)
        return one.takeover_answer

    return takeover


def drill(run, play, *more):
    """A drill without a question, its document and the result."""
    options = ("--yes", "--json", "--stay", "50ms", "--back-command", play.back, *more)
    result = run("drill", *options, "--config", play.config)
    return json.loads(result.out), result


def test_there_and_back_for_programs(run, play):
    """--json is one document on standard output, and the progress is on standard error."""
    document, result = drill(run, play, "--reason", "quarterly")
    here, back = document["legs"]
    shown = document["before"][0]

    assert (result.code, document["result"], document["problem"]) == (0, "success", "")
    assert (document["group"], document["member"], document["holder"]) == ("orders", "beta", "alpha")
    assert document["detail"] == "drill: quarterly"
    assert play.beta.orders == [("drill: quarterly", 120.0)]
    assert len(play.alpha.orders) == 1
    assert (here["leg"], here["from"], here["to"], here["id"]) == ("here", "alpha", "beta", "t-beta")
    assert (back["leg"], back["from"], back["to"], back["id"]) == ("back", "beta", "alpha", "t-alpha")
    assert here["phases"] == {"detach_s": 3.1, "attach_s": 2.04, "link_s": 0.0}
    assert here["started_at"] == "2027-01-15T08:00:00.000000Z"
    assert 0 < here["gap_s"] <= here["took_s"] + 2
    assert document["stay"]["stayed_s"] >= 0.05
    assert set(document["same"].values()) == {True}
    assert (shown["eni_id"], shown["member"]) == (ENI, "alpha")
    assert (document["where"], document["home"]) == ([], None)
    assert "  beta  detach: detaching\n" in result.err


def test_there_and_back_for_people(run, play):
    """The report has a row for each takeover, the stay, what was kept, and a last line."""
    result = run("drill", "--yes", "--stay", "50ms", "--back-command", play.back, "--config", play.config)
    lines = result.out.splitlines()
    rows = [line.split() for line in lines if line.startswith(("here", "back"))]

    assert result.code == 0
    assert [row[:5] for row in rows] == [
        ["here", "alpha", "beta", "manual", "2027-01-15T08:00:00Z"],
        ["back", "beta", "alpha", "manual", "2027-01-15T08:00:00Z"],
    ]
    assert any(line.startswith("stay: 0.") and "on beta, web up after" in line for line in lines)
    assert any(line.startswith(f"kept: {ENI}, ") for line in lines)
    assert lines[-1] == "success: orders went from alpha to beta and back"


def test_a_failing_check_refuses(run, play, world):
    """What `check` would call a fail keeps the drill from beginning: 4, with the remedy."""
    world.deny("AttachNetworkInterface", "beta")
    document, result = drill(run, play)

    assert (result.code, document["result"], play.beta.orders) == (4, "refused", [])
    assert document["problem"].startswith("drill refused: 'eni-failover check' fails: attach_permission: ")
    assert document["problem"].count("\n") == 0
    assert result.err == f"eni-failover: {document['problem']}\n"


def test_a_dead_service_here_refuses(run, play):
    """Its outage would be the drill's own: nothing has to ask about it in the file."""
    play.service.close()
    document, result = drill(run, play)

    assert (result.code, play.beta.orders) == (4, [])
    assert document["problem"].startswith("drill refused: beta's own service is down (web: ")
    assert document["problem"].endswith("where it runs on the active member only, give --service active-only")


def test_a_service_that_runs_where_the_group_is_is_not_asked(run, play):
    """Its hook starts it: only a drill can tell whether that works."""
    play.service.close()
    document, _ = drill(run, play, "--service", "active-only")

    assert document["result"] == "success"


def test_a_holder_that_could_not_take_back_refuses(run, play):
    """The holder's own word counts, not only what this member's daemon knows of it."""
    play.alpha.script = [play.views.of("alpha", at="alpha", role=Role.FAULT)]
    document, result = drill(run, play)

    assert (result.code, play.beta.orders) == (4, [])
    assert document["problem"] == (
        "drill refused: alpha is fault, not active: see 'eni-failover status' there"
    )


def test_without_a_terminal_nothing_moves(run, play):
    """Without a terminal and --yes: 4, and nothing was ordered."""
    result = run("drill", "--config", play.config)

    assert (result.code, result.out, play.beta.orders) == (4, "", [])
    assert result.err.splitlines()[-1] == (
        "eni-failover: drill refused: not confirmed: give --yes to move orders from alpha to beta and back"
    )


class Terminal(io.StringIO):
    """A keyboard at which this was typed; nothing is Ctrl-D."""

    def isatty(self) -> bool:
        return True


@pytest.mark.slow
@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("\n", 4), ("", 4)])
def test_the_question(*, run, play, monkeypatch, typed, code):
    """The operator sees who holds, what will happen, and that connections break; only a yes is a yes."""
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    result = run("drill", "--stay", "50ms", "--back-command", play.back, "--config", play.config)
    asked = result.err.partition("alpha holds orders.")[2].splitlines()

    assert (result.code, len(play.beta.orders)) == (code, 1 if code == 0 else 0)
    assert asked[0] == " It goes to beta, stays 0.1 s, and back to alpha:"
    assert asked[1].startswith("  by ")
    assert asked[2] == "Connections to its addresses break twice."
    assert asked[3].startswith("Drill orders now? [y/N]")


@pytest.mark.slow
def test_what_changed_during_the_question(*, run, play, monkeypatch):
    """The state is asked again after the answer: a group that is paused by then is left alone."""

    class Slow(Terminal):
        def readline(self, size: int = -1) -> str:
            enis = (EniLine(eni_id=ENI, status="detaching", member="none"),)
            play.beta.script = [play.views.of("beta", at="alpha", enis=enis)]
            return super().readline(size)

    monkeypatch.setattr(sys, "stdin", Slow("y\n"))
    result = run("drill", "--config", play.config)

    assert (result.code, play.beta.orders) == (4, [])
    assert "drill refused: orders is not whole on alpha" in result.err


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (TakeoverState.REFUSED, "drill refused: other_takeover"),
        (TakeoverState.JOINED, "drill refused: another takeover of beta has begun meanwhile, and goes on"),
    ],
)
def test_an_order_that_is_no_drill(*, run, play, state, why):
    """A refusal by the daemon, or a takeover that is somebody else's, is 4."""
    play.beta.takeover_answer = TakeoverAnswer(state=state, reason="other_takeover", request_id="r1")
    document, result = drill(run, play)

    assert (result.code, document["problem"]) == (4, why)


def test_a_takeover_that_fails_before_it_moves(run, play):
    """A failed takeover is 1; the ENI is at home, and that is said."""
    failed = moved("beta", result=Result.FAILED, reason=Reason.REQUEST_EXPIRED)
    play.beta.then = {play.beta: [play.views.of("beta", at="alpha", takeovers=(failed,))]}
    document, result = drill(run, play)

    assert (result.code, document["result"], document["home"]) == (1, "failed", None)
    assert document["problem"] == (
        "drill failed: the takeover by beta ended failed: request_expired;"
        f" {ENI} attached (alpha); beta is standby, its daemon has nothing under way; it is at home"
    )
    assert play.alpha.orders == []


def test_a_takeover_whose_link_fails_goes_back_at_once(run, play):
    """Everything is here and not ready: no stay, the way back is taken at once, and the drill is 1."""
    failed = moved("beta", result=Result.FAILED, reason=Reason.LINK_NOT_READY)
    fault = play.views.of("beta", at="beta", role=Role.FAULT, takeovers=(failed,))
    play.beta.then[play.beta] = [fault]
    document, result = drill(run, play)

    assert (result.code, document["stay"], len(play.alpha.orders)) == (1, None, 1)
    assert document["problem"] == (
        "drill failed: the takeover by beta ended failed: link_not_ready; alpha holds the group again"
    )


@pytest.mark.slow
def test_a_takeover_by_itself_is_no_drill(run, play):
    """A takeover that some other cause began meanwhile is told, and not gone back from."""
    probes = moved("beta", trigger=Trigger.PROBES)
    play.beta.then[play.beta] = [play.views.of("beta", at="beta", takeovers=(probes,))]
    document, result = drill(run, play)

    assert result.code == 1
    assert document["problem"].startswith("drill failed: beta took the group by itself (trigger probes); ")
    assert play.alpha.orders == []


@pytest.mark.slow
def test_an_order_without_an_answer(run, play, monkeypatch):
    """An order that the daemon did not answer may have been taken: 5, with where the ENI is, no refusal."""

    async def takeover(*, reason: str, timeout: float) -> TakeoverAnswer:  # noqa: ASYNC109 - the protocol's
        await asyncio.sleep(1)
        return play.beta.takeover_answer

    monkeypatch.setattr(client, "ORDER_TIMEOUT", 0.1)
    play.beta.takeover = takeover
    document, result = drill(run, play)

    assert (result.code, document["result"]) == (5, "unfinished")
    assert document["problem"].startswith("drill not finished: the daemon at ")
    assert f" did not answer within 0.1 s; {ENI} attached (alpha); " in document["problem"]


@pytest.mark.slow
def test_not_in_time(run, play):
    """A takeover that is not over at the timeout is 5: the daemon goes on with it."""
    play.beta.then[play.beta] = [play.views.taking("beta", Phase.DETACH)]
    document, result = drill(run, play, "--timeout", "200ms")

    assert (result.code, document["result"]) == (5, "unfinished")
    assert document["problem"].startswith(
        "drill not finished: the takeover here is still under way: detach: detaching; "
    )
    assert "beta's daemon goes on with its takeover (detach)" in document["problem"]


@pytest.mark.slow
def test_never_begun(run, play):
    """An order that no pass takes up before the timeout is 1: nothing has moved."""
    play.beta.then = {play.beta: [play.views.of("beta", at="alpha")]}
    document, result = drill(run, play, "--timeout", "200ms")

    assert result.code == 1
    assert "the takeover was not begun in time: holder_up" in document["problem"]
    assert document["where"] == [{"eni_id": ENI, "status": "attached", "member": "alpha"}]


def test_the_group_leaves_during_the_stay(run, play):
    """What is lost during the stay is told, and the drill is no success though it ends at home."""
    play.beta.then[play.beta] = [
        play.views.of("beta", at="beta", takeovers=(moved("beta"),)),
        play.views.of("beta", at="none", role=Role.STANDBY, enis=(), takeovers=(moved("beta"),)),
    ]
    document, result = drill(run, play)

    assert result.code == 1
    assert document["problem"] == (
        "drill failed: the group left beta during the stay: holder none; alpha holds the group again"
    )


@pytest.mark.slow
def test_a_probe_without_a_verdict_is_waited_for(run, play):
    """The stay goes on until the former holder's probe has a verdict about this member."""
    nothing_yet = play.views.of("alpha", at="beta", probes=(web(Answer.UNKNOWN),))
    play.beta.then[play.alpha] = [nothing_yet] * 30 + play.beta.then[play.alpha]
    document, result = drill(run, play)

    assert result.code == 0
    assert document["stay"]["probes"][0]["up_after_s"] > 0.1


def test_a_former_holder_that_falls_silent(run, play, monkeypatch):
    """Without the former holder's word nothing is proven, however short the stay; the way back is tried."""
    monkeypatch.setattr(drill_legs, "SILENT_FOR", 0.3)
    monkeypatch.setattr(drill_way, "SEEN_WITHIN", 0.1)
    play.beta.then[play.alpha] = [None]
    document, result = drill(run, play, "--back-command", "false")

    assert (result.code, document["stay"]["probes"]) == (1, [])
    assert document["problem"].startswith(
        "drill failed: alpha's daemon gave no answer during the stay, then the back command ended with 1; "
    )


@pytest.mark.slow
def test_a_probe_that_never_has_a_verdict(run, play):
    """Unknown is no proof: after the time-out the drill goes back, and is 1."""
    play.beta.then[play.alpha] = [play.views.of("alpha", at="beta", probes=(web(Answer.UP, "gamma"),))]
    document, result = drill(run, play, "--timeout", "2s")

    assert result.code == 1
    assert document["problem"] == "drill failed: not proven on beta: web unknown; alpha holds the group again"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["false", "sh -c 'exit 3'"])
def test_a_back_command_that_fails(*, run, play, monkeypatch, command):
    """A back command that fails, and whose takeover is not seen, is 1 with the way home."""
    monkeypatch.setattr(drill_way, "SEEN_WITHIN", 0.1)
    document, result = drill(run, play, "--back-command", command)

    assert (result.code, document["home"][:21]) == (1, "eni-failover takeover")
    assert document["where"] == [{"eni_id": ENI, "status": "attached", "member": "beta"}]
    assert "drill failed: the back command ended with " in document["problem"]


@pytest.mark.slow
def test_a_back_command_whose_connection_breaks(*, run, play):
    """A command that failed after its order was given is not the end: the takeover is followed."""
    document, result = drill(run, play, "--back-command", f"sh -c {shlex.quote(play.back + '; exit 255')}")

    assert (result.code, document["result"]) == (0, "success")


@pytest.mark.slow
def test_a_back_command_that_does_nothing(run, play):
    """A command that ended well and has moved nothing is waited for until the time-out: 5."""
    document, result = drill(run, play, "--back-command", "true", "--timeout", "1s")

    assert (result.code, document["result"]) == (5, "unfinished")
    assert "the way back is not begun in time" in document["problem"]


@pytest.mark.slow
def test_another_member_takes_it_in_between(run, play):
    """A third member that has the group by the time of the way back ends the drill."""
    peers = tuple(
        Peer(member=one, instance_id=f"i-{one}", reachable=True, role="active") for one in ("alpha", "gamma")
    )
    gone = play.views.of("beta", at="gamma", takeovers=(moved("beta"),), peers=peers)
    play.beta.then[play.beta] = [play.views.of("beta", at="beta", takeovers=(moved("beta"),)), gone]
    document, result = drill(run, play, "--back-command", "true")

    assert result.code == 1
    assert (
        "the group left beta during the stay: holder gamma, then gamma took the group" in document["problem"]
    )


@pytest.mark.slow
def test_a_changed_eni(run, play, monkeypatch):
    """What a move must keep is compared by EC2's word: a difference is told, and is 1."""
    look = Eyes.enis

    def other_groups(eyes: Eyes):
        (one,) = look(eyes)
        return (replace(one, eni=replace(one.eni, groups=("sg-0fffffffffffffff9",))),)

    monkeypatch.setattr(Eyes, "enis", other_groups)
    document, result = drill(run, play)

    assert (result.code, document["same"]["groups"], document["same"]["mac"]) == (1, False, True)
    assert document["problem"] == (
        "drill failed: the ENIs are not what they were: groups; alpha holds the group again"
    )


@pytest.mark.slow
def test_ec2_that_does_not_tell(*, run, play, world, on_beta, monkeypatch):
    """Without EC2's word at the end what was kept is not known, and the drill is what the daemons say."""
    monkeypatch.setattr(Eyes, "enis", lambda _: None)
    document, result = drill(run, play)

    assert (result.code, document["same"], document["after"]) == (0, None, None)


@pytest.mark.slow
def test_a_reader_that_has_gone(play):
    """A closed standard output ends no drill in the middle: both takeovers are ordered."""
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-m", "eni_failover", "drill", "--yes", "--stay", "50ms"]
    words += ["--back-command", play.back, "--config", str(play.config)]
    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=50, check=False)
    os.close(writing)

    assert (len(play.beta.orders), len(play.alpha.orders)) == (1, 1)
    assert "Traceback" not in done.stderr


def test_where_the_enis_are(world, lab_member, standby):
    """By EC2's word; without it by the daemon's last look; without that unknown: never a guess."""
    config = load(lab_member.config, {})
    by_daemon = where_document(None, to_document(standby()), config)
    by_nobody = where_document(None, None, config)

    assert by_daemon == [{"eni_id": ENI, "status": "attached", "member": "alpha"}]
    assert by_nobody == [{"eni_id": ENI, "status": "unknown", "member": "unknown"}]
    assert where_document((), to_document(standby()), config) == by_nobody
    assert where_line(by_daemon * 2) == f"{ENI} {ENI} attached (alpha)"
    assert where_line(by_nobody) == f"{ENI} unknown"


def test_ctrl_c_during_the_check(*, run, play, monkeypatch):
    """Before the order there is nothing to tell but that nothing was ordered: 4."""

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("eni_failover.cli.drill_start.judge", interrupt)
    document, result = drill(run, play)

    assert (result.code, document["problem"], play.beta.orders) == (4, "interrupted: nothing was ordered", [])


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--stay", "2h"], "must be 1h or shorter, not 2h"),
        (["--timeout", "0s"], "must be longer than zero"),
        (["--back-within", "5"], 'write the unit: "5s" for seconds'),
        (["--back-command", "no-such-program here"], "there is no program no-such-program"),
        (["--back-command", "ssh 'alpha"], "No closing quotation"),
    ],
)
def test_wrong_usage(run, member, options, line):
    """A mistake on the command line is 2, before anything is asked."""
    result = run("drill", *options, "--config", member.config)

    assert (result.code, result.out) == (2, "")
    assert line in result.err
    assert result.err.count("\n") == 1


def test_no_daemon(run, member):
    """Without a daemon there is no drill: 4."""
    result = run("drill", "--config", member.config)

    assert (result.code, result.err) == (
        4,
        f"eni-failover: drill refused: no daemon answers at {member.socket}: is it running on this host?\n",
    )


def test_on_the_holder(*, run, daemon, desk, member, standby):
    """On the holder it says where to run it; neither EC2 nor the other member is asked."""
    desk.script = [standby(role=Role.ACTIVE, holder="beta")]
    result = run("drill", "--yes", "--config", member.config)

    assert (result.code, result.err) == (
        4,
        "eni-failover: drill refused: beta holds orders itself: run the drill on alpha\n",
    )
