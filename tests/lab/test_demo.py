"""The demo: its parts, its bad ends, and the whole story."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from eni_failover.config import NetworkMode, load
from eni_failover.lab import Durations, Settings, World, demo, demo_children, demo_places
from eni_failover.lab.demo import Options, play
from eni_failover.lab.demo_places import ADDRESSES, ONE_ADDRESS, Place, config_text, places
from eni_failover.lab.demo_values import DemoEvent, DemoResult, Happening, Identity, Report, Sight
from eni_failover.lab.demo_watch import Watch

MEMBERS = {"alpha": "i-0aaaaaaaaaaaaaaa1", "beta": "i-0bbbbbbbbbbbbbbb2"}
QUICK = Settings(latency=0.0, durations=Durations(detach=0.2, attach=0.1))

IDENTITY = Identity(
    eni_id="eni-0ffffffffffffff01",
    mac="0a:ff:00:00:00:01",
    private_addresses=("10.0.1.101",),
    public_addresses=("203.0.113.1",),
    groups=("sg-1",),
    tags=("Name=floating-1",),
)
BEFORE = Sight(identity=IDENTITY, member="alpha", attachment_id="eni-attach-1")
AFTER = Sight(identity=IDENTITY, member="beta", attachment_id="eni-attach-2")


@pytest.fixture(autouse=True)
def temporary(monkeypatch) -> Iterator[Path]:
    """Where the demo makes its directory: empty again after every test; short, for the sockets in it."""
    with tempfile.TemporaryDirectory(prefix="enif-", dir="/tmp") as directory:
        monkeypatch.setattr(demo.tempfile, "tempdir", directory)
        monkeypatch.setattr(demo, "_LONGEST_DIRECTORY", 1000)
        yield Path(directory)


@pytest.fixture
def two_places(tmp_path):
    """Alpha's and beta's places, on the addresses asked for."""
    with ExitStack() as stack:
        yield lambda addresses=ADDRESSES: places(MEMBERS, addresses, tmp_path, stack)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# --- places ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("addresses", [ADDRESSES, ONE_ADDRESS])
def test_the_files_are_valid(two_places, addresses):
    """Each member's file is a valid configuration without warnings, and both agree on what they hash."""
    alpha, beta = two_places(addresses)
    for own, peer in ((alpha, beta), (beta, alpha)):
        own.config.write_text(config_text(own, peer, eni_id=demo.ENI, interval="500ms"))
    one, other = load(alpha.config, {}), load(beta.config, {})

    assert one.config_hash == other.config_hash
    assert (one.warnings, other.warnings) == ((), ())
    assert one.network.mode is NetworkMode.OFF
    assert one.socket != other.socket


def test_members_share_their_ports_where_they_have_addresses(two_places):
    """With an address each, both members use the same port numbers, as two hosts would."""
    alpha, beta = two_places()

    assert alpha.service_port == beta.service_port
    assert alpha.port == beta.port
    assert (alpha.address, beta.address) == ADDRESSES


def test_members_have_ports_of_their_own_on_one_address(two_places):
    """On a machine with one loopback address, beta probes alpha's port and alpha beta's."""
    alpha, beta = two_places(ONE_ADDRESS)

    assert len({alpha.service_port, beta.service_port, alpha.port, beta.port}) == 4
    assert f":{alpha.service_port}/healthz" in config_text(beta, alpha, eni_id=demo.ENI, interval="1s")
    assert f":{beta.service_port}/healthz" in config_text(alpha, beta, eni_id=demo.ENI, interval="1s")


def test_one_address_is_enough(monkeypatch):
    """A machine without further loopback addresses gets two names of the one it has."""
    monkeypatch.setattr(demo_places, "ADDRESSES", ("240.0.0.1", "240.0.0.2"))  # reserved: nobody has them

    assert demo_places.loopback_addresses() == ONE_ADDRESS


def test_no_common_port(two_places):
    """Where no port can be had at both addresses, the error names them."""
    with pytest.raises(OSError, match=r"no port is free at both 127\.0\.1\.11 and 240\.0\.0\.2"):
        two_places((ADDRESSES[0], "240.0.0.2"))


def test_a_long_temporary_directory_is_not_used(monkeypatch, tmp_path):
    """Where the user's temporary directory would make the socket's path too long, /tmp takes its place."""
    monkeypatch.setattr(demo, "_LONGEST_DIRECTORY", 10)
    with demo._directory() as path:
        place = Path(path)

    assert place.parent == Path("/tmp")  # noqa: S108 - asserted, not used


# --- processes ------------------------------------------------------------------------------------------


def ask(place: Place) -> str:
    url = f"http://{place.address}:{place.service_port}/healthz"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def test_a_service_says_whose_it_is(two_places):
    """A member's service answers at its address with the member's name."""
    alpha, beta = two_places()
    with demo_children.service(alpha), demo_children.service(beta):
        said = ask(alpha), ask(beta)

    assert said == ("alpha\n", "beta\n")


def test_a_killed_service_refuses(two_places):
    """After the kill nothing listens at the service's address: connections are refused."""
    alpha, _ = two_places()
    with demo_children.service(alpha) as child:
        ask(alpha)
        child.kill()
        with socket.socket() as client:
            refused = client.connect_ex((alpha.address, alpha.service_port))

        assert refused != 0
        assert child.exit_status == -signal.SIGKILL


def test_a_service_does_not_outlive_the_demo(two_places):
    """A service whose parent is gone, so that its standard input ends, ends too."""
    alpha, _ = two_places()
    with demo_children.service(alpha) as child:
        ask(alpha)
        child._process.stdin.close()

        assert child._process.wait(10) == 0


def test_a_child_that_will_not_stop_is_killed(monkeypatch):
    """A process that ignores SIGTERM is killed."""
    monkeypatch.setattr(demo_children, "STOP_WITHIN", 0.2)
    stubborn = "import signal, sys; signal.signal(15, signal.SIG_IGN); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", stubborn], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        demo_children.Child("stubborn", process).stop()

        assert process.returncode == -signal.SIGKILL


# --- events ---------------------------------------------------------------------------------------------


def status(**changes: object) -> dict[str, object]:
    at_rest = {
        "member": "beta",
        "role": "standby",
        "ready": True,
        "probes": [{"name": "web", "member": "alpha", "state": "up"}],
        "takeover": None,
        "last_takeover": None,
    }
    return at_rest | changes


@pytest.fixture
def watched(monkeypatch, tmp_path):
    """A watch on beta, and a function that shows it another status; gives the events told since."""
    told: list[Happening] = []
    watch = Watch(told.append)
    place = Place(
        name="beta",
        instance_id="i-0bbbbbbbbbbbbbbb2",
        address="127.0.0.1",
        directory=tmp_path,
        service=None,
        service_port=1,
        port=1,
    )

    def show(document: dict[str, object] | None) -> list[str]:
        monkeypatch.setattr("eni_failover.lab.demo_watch._status", lambda _: document)
        told.clear()
        watch.look([place])
        return [one.event.value for one in told]

    return watch, show


def test_each_change_is_told_once(watched):
    """What a daemon shows is told when it changes, and not again."""
    _, show = watched
    taking = status(role="taking", takeover={"trigger": "probes", "reason": "holder_down"})
    ended = {"id": "t1", "result": "success", "reason": "holder_down"}
    down = [{"name": "web", "member": "alpha", "state": "down"}]
    nobody = [{"name": "web", "member": "none", "state": "unknown"}]

    assert show(None) == []
    assert show(status(ready=False, probes=nobody)) == ["role.changed"]
    assert show(status()) == ["member.ready", "probe.changed"]
    assert show(status()) == []
    assert show(None) == []
    assert show(status(probes=down)) == ["probe.changed"]
    assert show(taking | {"probes": nobody}) == ["role.changed", "takeover.started"]
    assert show(status(role="active", probes=nobody, last_takeover=ended)) == [
        "role.changed",
        "takeover.ended",
    ]


def test_ec2_is_told_with_its_own_times(watched):
    """Each move of the ENI is told, with EC2's time, and nothing of other ENIs."""
    watch, show = watched
    now = [watch._began]
    world = World.pair(enis=2, settings=QUICK, clock=lambda: now[0], wall=lambda: 1_800_000_000.0)
    world.subscribe(watch.follow_eni(demo.ENI))
    for eni in ("floating-1", "floating-2"):
        attachment = world.eni(eni).attachment.id
        world.call("DetachNetworkInterface", {"AttachmentId": attachment})
    now[0] += 1.0
    world.call(
        "AttachNetworkInterface",
        {"NetworkInterfaceId": demo.ENI, "InstanceId": MEMBERS["beta"], "DeviceIndex": 1},
    )
    show(None)
    told = [(round(one.at, 3), one.facts["status"], one.facts["member"]) for one in watch.timeline]

    assert told == [(0.0, "detaching", "alpha"), (0.2, "available", ""), (1.0, "attaching", "beta")]


# --- the report -----------------------------------------------------------------------------------------


def test_a_move_that_keeps_everything_passes():
    """The demo has passed when another member has the ENI and nothing of its identity has changed."""
    report = Report(group="orders", timeline=(), before=BEFORE, after=AFTER)

    assert report.result is DemoResult.SUCCESS
    assert set(report.same.values()) == {True}


@pytest.mark.parametrize("part", ["eni_id", "mac", "private_addresses", "public_addresses", "groups", "tags"])
def test_a_part_that_changed_fails(part):
    """One part of the identity that is another one fails the demo, and is named."""
    changed = replace(AFTER, identity=replace(IDENTITY, **{part: "another"}))
    report = Report(group="orders", timeline=(), before=BEFORE, after=changed)

    assert report.result is DemoResult.FAILED
    assert [name for name, same in report.same.items() if not same] == [part]


@pytest.mark.parametrize(
    "changes",
    [
        {"after": BEFORE},
        {"after": replace(AFTER, member="")},
        {"after": replace(AFTER, attachment_id="eni-attach-1")},
        {"after": None},
        {"before": None},
        {"problem": "something else went wrong"},
    ],
)
def test_no_move_fails(changes):
    """Without a move from one member to another, and with any problem, the demo has failed."""
    report = replace(Report(group="orders", timeline=(), before=BEFORE, after=AFTER), **changes)

    assert report.result is DemoResult.FAILED


def test_the_gap_is_from_death_to_active():
    """The gap is from the service's death to the new holder's being active; without both, none."""
    before = Happening(at=1.0, event=DemoEvent.ROLE_CHANGED, text="", facts={"role": "active"})
    killed = Happening(at=4.0, event=DemoEvent.SERVICE_KILLED, text="")
    active = Happening(at=10.5, event=DemoEvent.ROLE_CHANGED, text="", facts={"role": "active"})

    assert Report(group="orders", timeline=(before, killed, active)).gap == 6.5
    assert Report(group="orders", timeline=(before, killed)).gap is None
    assert Report(group="orders", timeline=(before,)).gap is None


# --- the story ------------------------------------------------------------------------------------------


def test_a_daemon_that_cannot_start_is_the_problem(temporary):
    """A daemon that ends is named with its status and its last words, and nothing is left behind."""
    told: list[Happening] = []
    report = play(told.append, Options(settings=QUICK, interval="nonsense"))

    assert report.result is DemoResult.FAILED
    assert "daemon has ended with status 2" in report.problem
    assert "probe[0].interval: must be one number and one of ms s m h d" in report.problem
    assert not any(is_alive(one.facts["pid"]) for one in told if "pid" in one.facts)
    assert list(temporary.iterdir()) == []


def test_what_takes_too_long_is_the_problem(temporary):
    """A story that does not go on is given up after its time, and says what it waited for."""
    report = play(lambda _: None, Options(settings=QUICK, ready_within=0.0))

    assert report.result is DemoResult.FAILED
    assert report.problem.startswith("timed out after 0 s waiting for both members to be ready")
    assert list(temporary.iterdir()) == []


def test_an_interrupted_story_leaves_nothing(temporary):
    """Ctrl-C in the middle ends every process, removes every file, and gives the signals back."""
    handlers = [signal.getsignal(number) for number in demo._INTERRUPTS]
    pids: list[int] = []

    def interrupt(one: Happening) -> None:
        if "pid" in one.facts:
            pids.append(one.facts["pid"])
        if one.event is DemoEvent.DAEMON_STARTED and one.facts["member"] == "beta":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(interrupt, Options(settings=QUICK))

    assert len(pids) == 4
    assert not any(is_alive(pid) for pid in pids)
    assert list(temporary.iterdir()) == []
    assert [signal.getsignal(number) for number in demo._INTERRUPTS] == handlers


@pytest.mark.slow
def test_the_whole_story(temporary):
    """Two real daemons move the ENI when the holder is killed; everything it is known by stays."""
    told: list[Happening] = []
    report = play(told.append, Options(settings=QUICK, interval="200ms"))
    document = json.loads(json.dumps(report.document()))
    moves = [one["status"] for one in document["timeline"] if one["event"] == "eni.changed"]

    assert report.problem == ""
    assert document["result"] == "success"
    assert [document[name][0]["member"] for name in ("before", "after")] == ["alpha", "beta"]
    assert moves == ["detaching", "available", "attaching", "attached"]
    assert document["takeover"]["trigger"] == "probes"
    assert {"detect_s", "detach_s", "attach_s"} <= set(document["phases"])
    assert tuple(told) == report.timeline
    assert [one.at for one in told] == sorted(one.at for one in told)
    assert not any(is_alive(one.facts["pid"]) for one in told if "pid" in one.facts)
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_the_demo_can_fail():
    """An ENI that comes out with another MAC is not called the same."""
    url = ""

    def meddle(one: Happening) -> None:
        nonlocal url
        url = url or one.facts["url"]
        if one.event is DemoEvent.DAEMON_KILLED:
            body = json.dumps({"eni": "floating-1", "mac": "0a:00:00:00:00:99"}).encode()
            with urllib.request.urlopen(f"{url}/_lab/change_eni", body, timeout=10):  # noqa: S310 - loopback
                pass

    report = play(meddle, Options(settings=QUICK, interval="200ms"))

    assert (report.result, report.problem) == (DemoResult.FAILED, "")
    assert report.has_moved
    assert [name for name, same in report.same.items() if not same] == ["mac"]


def test_loopback_addresses_exist_here():
    """The addresses given are addresses of this machine, and differ."""
    one, other = demo_places.loopback_addresses()
    for address in (one, other):
        socket.create_server((address, 0)).close()

    assert one != other
