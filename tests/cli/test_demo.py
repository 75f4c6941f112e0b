"""`demo`: what is shown of the story, and its exit status."""

from __future__ import annotations

import json
import signal
from dataclasses import replace

import pytest

from eni_failover.cli import demo as command
from eni_failover.cli import drill_report
from eni_failover.cli.drill_legs import Leg
from eni_failover.config import load
from eni_failover.exitcodes import ExitCode
from eni_failover.lab.demo_values import (
    ClientView,
    DemoEvent,
    DemoResult,
    Happening,
    Identity,
    Packets,
    Report,
    Sight,
)

IDENTITY = Identity(
    eni_id="eni-0ffffffffffffff01",
    mac="0a:ff:00:00:00:01",
    private_addresses=("10.0.1.101",),
    public_addresses=("203.0.113.1",),
    groups=("sg-1",),
    tags=(),
)
TIMELINE = (
    Happening(at=0.25, event=DemoEvent.SERVICE_KILLED, text="alpha's service: kill -9 7", facts={"pid": 7}),
    Happening(at=6.5, event=DemoEvent.ROLE_CHANGED, text="beta is active", facts={"role": "active"}),
)
GOOD = Report(
    group="orders",
    timeline=TIMELINE,
    before=Sight(identity=IDENTITY, member="alpha", attachment_id="eni-attach-1"),
    after=Sight(identity=IDENTITY, member="beta", attachment_id="eni-attach-2"),
    takeover={"id": "t1", "phases": {"detach_s": 3.1, "attach_s": 2.0}},
)
BAD = Report(group="orders", timeline=TIMELINE, problem="timed out after 30 s waiting for beta to take over")


@pytest.fixture
def plays(monkeypatch):
    """Sets the report that the story will have; the signals are as before afterwards."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}

    def set_report(report: Report) -> None:
        def play(tell: object, *_: object) -> Report:
            for one in report.timeline:
                tell(one)
            return report

        monkeypatch.setattr(command, "play", play)

    yield set_report
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_the_story_is_shown(run, plays):
    """Each event is one line with its time; then the ENI side by side, and the phases."""
    plays(GOOD)
    result = run("demo")
    lines = [" ".join(line.split()) for line in result.out.splitlines()]

    assert (result.code, result.err) == (0, "")
    assert lines[:2] == ["0.25 s alpha's service: kill -9 7", "6.50 s beta is active"]
    assert "mac 0a:ff:00:00:00:01 0a:ff:00:00:00:01 same" in lines
    assert "private addresses 10.0.1.101 10.0.1.101 same" in lines
    assert "member alpha beta moved" in lines
    assert "detach 3.10 s" in lines
    assert "in all 5.10 s" in lines
    assert lines[-1].endswith("the standby was active 6.2 s after the holder's death.")


def test_json_is_one_document(run, plays):
    """--json prints the report as one document, and nothing while the story goes on."""
    plays(GOOD)
    result = run("demo", "--json")
    document = json.loads(result.out)

    assert (result.code, result.err) == (0, "")
    assert document["timeline"][0] == {"at_s": 0.25, "event": "service.killed", "pid": 7}
    assert document["phases"] == {"detach_s": 3.1, "attach_s": 2.0}
    assert (document["result"], document["gap_s"]) == ("success", 6.25)
    assert (document["holder"], document["member"]) == ("alpha", "beta")


SHARED = {"result", "problem", "group", "member", "holder", "before", "after", "same"}


def test_a_drill_has_the_same_words(run, plays, member):
    """Whoever reads the one document can read the other: results, names, and what is known of an ENI."""
    plays(GOOD)
    demo = json.loads(run("demo", "--json").out)
    drill = drill_report.Report(config=load(member.config, {}), detail="").document(ExitCode.OK)
    leg = drill_report.leg_document(
        Leg(name="here", origin="alpha", to="beta", began_at=0.0, last_takeover_id=None)
    )
    bad = replace(GOOD, after=None).document()

    assert set(demo) & set(drill) >= SHARED
    assert {"gap_s", "phases"} <= set(demo) & set(leg)
    assert set(DemoResult) <= set(drill_report.RESULTS.values())
    assert {*drill_report._KEPT, "member", "attachment_id"} <= set(demo["before"][0])
    assert (bad["after"], bad["same"], bad["member"]) == (drill["after"], drill["same"], drill["member"])


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_failed_demo_is_1(run, plays, more):
    """A demo that did not show what it promises is exit 1, and one line says why."""
    plays(BAD)
    result = run("demo", *more)

    assert result.code == 1
    assert result.err == "eni-failover: demo failed: timed out after 30 s waiting for beta to take over\n"
    if more:
        assert json.loads(result.out)["result"] == "failed"


def test_an_interrupted_demo_is_1(run, plays, monkeypatch):
    """An interrupted demo has shown nothing: exit 1, one line, no traceback."""
    plays(GOOD)

    def interrupted(*_: object) -> Report:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "play", interrupted)
    result = run("demo")

    assert (result.code, result.out) == (1, "")
    assert result.err == "eni-failover: interrupted: nothing is left behind\n"


def test_net_needs_root(run, monkeypatch):
    """One line, and exit 1: nothing was made."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    result = run("demo", "--net")

    assert (result.code, result.out) == (1, "")
    assert "run it as root" in result.err
    assert len(result.err.splitlines()) == 1


def test_net_needs_its_programs(run, monkeypatch):
    """The missing one is named, with what to install."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name: None if name == "nft" else f"/usr/sbin/{name}")
    result = run("demo", "--net")

    assert result.code == 1
    assert "demo --net needs nft: install iproute2, nftables" in result.err


def view(after="beta", gap=7.0):
    return ClientView(client="in another subnet", protocol="udp", before="alpha", after=after, gap=gap)


def packets(*views, neighbour_after="0a:ff:00:00:00:01"):
    return Packets(
        clients=views,
        neighbour_before="0a:ff:00:00:00:01",
        neighbour_after=neighbour_after,
        detection=1.5,
        ec2=5.0,
    )


def test_what_clients_saw_is_shown(run, plays):
    """Who answered, the gap of each, the MAC in the neighbour's table, and what the gap is made of."""
    plays(replace(GOOD, packets=packets(view(), view(gap=7.25))))
    result = run("demo")
    lines = [" ".join(line.split()) for line in result.out.splitlines()]

    assert result.code == 0
    assert "in another subnet udp alpha beta 7.25 s" in lines
    assert any("0a:ff:00:00:00:01 before, 0a:ff:00:00:00:01 after: the same" in line for line in lines)
    assert lines[-1] == "The longest gap was 7.25 s: 1.50 s detection, 5.00 s in EC2, 0.75 s added."


@pytest.mark.parametrize(
    "seen",
    [packets(), packets(view(), view(after="alpha")), packets(view(), neighbour_after="0a:ff:00:00:00:02")],
)
def test_a_client_left_behind_fails_the_demo(run, plays, seen):
    """No client, one that the old holder answers, another MAC: EC2's word is not enough."""
    plays(replace(GOOD, packets=seen))

    assert run("demo").code == 1
