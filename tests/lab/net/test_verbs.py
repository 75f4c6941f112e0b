"""Each verb does what it says to packets and processes, and its undo undoes it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyroute2 import IPRoute

from eni_failover.lab.net import NetWorld
from eni_failover.lab.net.processes import processes_in
from tests.lab.net.guests import (
    FLOATING,
    SILENCE,
    ask,
    at_once,
    attach,
    configure,
    detach,
    eventually,
    floating_link,
    needs_net,
    send_as,
    service,
)

pytestmark = [pytest.mark.root, needs_net]

BETA = "10.0.1.12"
BETA6 = "2001:db8:1::12"
API = "10.0.0.2"
# A shell that leaves a process of a session of its own behind, and waits.
FAMILY = ["sh", "-c", "setsid sleep 300 & echo $!; exec sleep 300"]
# clone(2) with CLONE_VFORK: who calls it waits in the kernel until the child ends or becomes another program.
VFORK = """if True:
    import ctypes, platform, signal, time
    number = {"x86_64": 56, "aarch64": 220}[platform.machine()]
    ctypes.CDLL(None).syscall(number, 0x4000 | signal.SIGCHLD, 0, 0, 0, 0)
    print("the child", flush=True)
    time.sleep(300)
"""


def family(net: NetWorld, host: str) -> tuple[subprocess.Popen[str], int]:
    """A program, and the id of what it started."""
    program = net.spawn(host, FAMILY, stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    return program, int(program.stdout.readline())


def state_of(pid: int) -> str:
    """The letter of its state: S sleeps, T stands still; "" is gone or as good as gone."""
    try:
        letter = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""
    return "" if letter == "Z" else letter


def routing(net: NetWorld, host: str) -> tuple[int, int]:
    """How many addresses a host has beside loopback's, and how many rules of its own."""

    def count() -> tuple[int, int]:
        with IPRoute() as ip:
            lo = ip.link_lookup(ifname="lo")[0]
            addresses = [address for address in ip.get_addr() if address["index"] != lo]
            rules = [
                rule for rule in ip.get_rules(family=2) if rule.get("priority") not in {None, 0, 32766, 32767}
            ]
        return len(addresses), len(rules)

    return net.run(host, count)


def hears_api(net: NetWorld, host: str) -> bool:
    """Whether a host gets an answer from the EC2 API's address."""

    def connect() -> bool:
        try:
            socket.create_connection((API, 80), SILENCE).close()
        except TimeoutError:
            return False
        return True

    return net.run(host, connect)


def test_death_kills_everything_and_takes_the_carrier():
    """Also what has left its parent's session; EC2 notices nothing."""
    with NetWorld(settings=at_once()) as net, service(net, "alpha"):
        configure(net, "alpha")
        program, child = family(net, "alpha")
        net.die("alpha")

        assert (program.wait(5), state_of(child)) == (-signal.SIGKILL, "")
        assert [ask(net, "client-other", address, SILENCE) for address in ("10.0.1.11", FLOATING)] == [
            "silence"
        ] * 2
        assert routing(net, "alpha") == (0, 0)
        assert net.world.instance("alpha").state == "running"
        assert net.world.eni("floating-1").attachment.status == "attached"


def test_a_death_elsewhere_kills_nobody_here():
    """Processes of other hosts live on."""
    with NetWorld(settings=at_once()) as net:
        program, child = family(net, "beta")
        net.die("alpha")

        assert (program.poll(), state_of(child)) == (None, "S")


def test_a_revived_host_is_as_after_a_boot():
    """Its primary link works, its floating link is there and bare, and a service can be started again."""
    with NetWorld(settings=at_once()) as net:
        configure(net, "alpha")
        net.die("alpha", impaired=True)
        impaired = net.world.instance("alpha").system_check
        net.revive("alpha")
        with service(net, "alpha"):
            answers = ask(net, "client-other", "10.0.1.11"), ask(net, "client-other", FLOATING, SILENCE)
        link = floating_link(net, "alpha")
        configure(net, "alpha")
        with service(net, "alpha"):
            again = ask(net, "client-other", FLOATING)

        assert (impaired, net.world.instance("alpha").system_check) == ("impaired", "ok")
        assert (answers, again, link is None) == (("alpha", "silence"), "alpha", False)


def test_an_eni_can_be_taken_from_the_dead():
    """EC2 moves it as always; only the guest does not know."""
    with NetWorld(settings=at_once()) as net, service(net, "beta"):
        net.die("alpha")
        detach(net)
        attach(net, "beta")
        configure(net, "beta")

        assert ask(net, "client-outside", FLOATING) == "beta"


def test_an_instance_that_ec2_stops_is_dead_until_started():
    """The same as `die` and `revive`, by EC2's own state."""
    with NetWorld(settings=at_once(stop=0.0, start=0.0)) as net:
        program, child = family(net, "alpha")
        net.world.stop_instance("alpha")
        net.settled()
        stopped = (program.wait(5), state_of(child))
        net.world.start_instance("alpha")
        net.settled()
        with service(net, "alpha"):
            answer = ask(net, "client-other", "10.0.1.11")

        assert (stopped, answer) == ((-signal.SIGKILL, ""), "alpha")


def test_a_hung_host_stands_still_and_goes_on():
    """Every process is stopped, the kernel still answers for the links, and thawing continues them."""
    with NetWorld(settings=at_once()) as net:
        program, child = family(net, "beta")
        net.hang("beta")
        hung = [state_of(program.pid), state_of(child)]
        net.thaw("beta")

        assert hung == ["T", "T"]
        eventually(lambda: [state_of(program.pid), state_of(child)] == ["S", "S"])


def test_a_process_that_waits_in_the_kernel_is_hung_too():
    """One in the middle of a vfork(2) cannot stop there, but will before it does anything else."""
    with NetWorld(settings=at_once()) as net:
        program = net.spawn("beta", [sys.executable, "-c", VFORK], stdout=subprocess.PIPE)
        program.stdout.readline()
        eventually(lambda: state_of(program.pid) == "D")
        net.hang("beta")
        (child,) = (pid for pid in processes_in(net.namespace("beta")) if pid != program.pid)
        hung = [state_of(program.pid), state_of(child)]
        net.thaw("beta")

        assert hung == ["D", "T"]
        eventually(lambda: [state_of(program.pid), state_of(child)] == ["D", "S"])


def test_a_hung_host_keeps_its_link_until_thawed_or_forced():
    """A plain detach does not end; a thawed guest lets go, and force asks nobody."""
    seen = []
    with NetWorld(settings=at_once(force_detach=0.0)) as net:
        for undo in ("thaw", "force"):
            net.hang("alpha")
            detach(net)
            seen.append(floating_link(net, "alpha") is not None)
            if undo == "thaw":
                net.thaw("alpha")
            else:
                detach(net, Force=True)
            net.settled()
            seen.append(net.world.eni("floating-1").attachment is None)
            attach(net, "alpha", index=len(seen))

    assert seen == [True] * 4


def test_an_eni_that_left_a_hung_host_is_not_stuck_any_more():
    """Only the hung guest holds on: from its next holder a plain detach ends."""
    with NetWorld(settings=at_once(force_detach=0.0)) as net:
        net.hang("alpha")
        detach(net)
        detach(net, Force=True)
        attach(net, "beta")
        detach(net)

        assert net.world.eni("floating-1").attachment is None


def test_what_a_test_made_stick_stays_stuck():
    """Thawing takes back what hanging did and nothing else."""
    with NetWorld(settings=at_once()) as net:
        net.world.stick_detach("floating-1")
        net.hang("alpha")
        net.thaw("alpha")

        assert net.world.eni("floating-1").detach_stuck


def test_a_cut_is_between_two_hosts():
    """They do not hear each other in either family, by no address; everybody else hears both."""
    with (
        NetWorld(settings=at_once(), ipv6=True, members=3) as net,
        service(net, "alpha"),
        service(net, "beta"),
    ):
        configure(net, "alpha")
        net.cut("alpha", "beta")
        silent = [
            ask(net, "alpha", BETA, SILENCE),
            ask(net, "alpha", BETA6, SILENCE),
            ask(net, "beta", "10.0.1.11", SILENCE),
            ask(net, "beta", FLOATING, SILENCE),
        ]
        others = [ask(net, "gamma", address) for address in (BETA, BETA6, FLOATING)]
        net.heal("beta", "alpha")
        healed = [ask(net, "alpha", BETA), ask(net, "alpha", BETA6), ask(net, "beta", FLOATING)]

    assert (silent, others) == (["silence"] * 4, ["beta", "beta", "alpha"])
    assert healed == ["beta", "beta", "alpha"]


def received(net: NetWorld, host: str, sender: str, source: str, target: str) -> bool:
    """Whether a packet from one host reaches another; the question costs no time when it does."""

    def listen() -> socket.socket:
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind((target, 8080))
        listener.settimeout(SILENCE)
        return listener

    with net.run(host, listen) as listener:
        send_as(net, sender, source, target)
        try:
            listener.recv(10)
        except TimeoutError:
            return False
    return True


def test_a_cut_can_be_one_way():
    """What alpha sends does not arrive, what beta sends does."""
    with NetWorld(settings=at_once()) as net:
        net.cut("alpha", "beta", one_way=True)
        there = received(net, "beta", "alpha", "10.0.1.11", BETA)
        back = received(net, "alpha", "beta", BETA, "10.0.1.11")
        net.heal("alpha", "beta")

        assert (there, back) == (False, True)
        assert received(net, "beta", "alpha", "10.0.1.11", BETA)


def test_a_cut_follows_the_eni():
    """It holds for the addresses that a host has at the time."""
    with NetWorld(settings=at_once()) as net, service(net, "alpha"), service(net, "beta"):
        net.cut("client-other", "beta")
        configure(net, "alpha")
        at_alpha = ask(net, "client-other", FLOATING)
        detach(net)
        attach(net, "beta")
        configure(net, "beta")

        assert (at_alpha, ask(net, "client-other", FLOATING, SILENCE)) == ("alpha", "silence")
        assert ask(net, "client-same", FLOATING) == "beta"


def test_a_member_can_be_cut_from_ec2_alone():
    """The API is silent for it and answers the other; the members still hear each other."""
    with NetWorld(settings=at_once()) as net, service(net, "beta"):
        net.cut("alpha", "ec2")
        during = [hears_api(net, "alpha"), hears_api(net, "beta"), ask(net, "alpha", BETA) == "beta"]
        net.heal("alpha", "ec2")

        assert (during, hears_api(net, "alpha")) == ([False, True, True], True)


def test_the_way_back_from_ec2_can_be_cut_too():
    """The call arrives, its answer does not."""
    with NetWorld(settings=at_once()) as net:
        net.cut("ec2", "alpha", one_way=True)
        during = hears_api(net, "alpha")
        net.heal("alpha", "ec2")

        assert (during, hears_api(net, "alpha")) == (False, True)


def test_all_can_be_lost():
    """A loss of all packets is silence in both directions; 0 undoes it."""
    with NetWorld(settings=at_once()) as net, service(net, "beta"), service(net, "client-other"):
        net.lose("beta", 100)
        during = [ask(net, "client-other", BETA, SILENCE), ask(net, "beta", "10.0.2.201", SILENCE)]
        net.lose("beta", 0)

        assert (during, ask(net, "client-other", BETA)) == (["silence"] * 2, "beta")


def test_a_part_can_be_lost():
    """Of many packets some arrive and some do not; all of none and none of all have chances below 1e-60."""

    def listen() -> socket.socket:
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind(("10.0.2.201", 8080))
        return listener

    with NetWorld(settings=at_once()) as net, net.run("client-other", listen) as listener:
        # The neighbours know each other from here on: a lost ARP answer would take a second.
        send_as(net, "beta", BETA, "10.0.2.201")
        listener.settimeout(8)
        listener.recv(10)
        net.lose("beta", 50)
        send_as(net, "beta", BETA, "10.0.2.201", count=200)
        net.lose("beta", 0)
        listener.setblocking(False)
        arrived = 0
        try:
            while listener.recv(10):
                arrived += 1
        except BlockingIOError:
            pass

        assert 0 < arrived < 200


def test_a_delay_is_that_of_each_packet():
    """Question and answer are late, whoever asks, by whatever address, and nothing is spoilt; 0 undoes it."""
    with NetWorld(settings=at_once()) as net, service(net, "alpha"), service(net, "client-other"):
        configure(net, "alpha")
        net.delay("alpha", 0.1)
        taken = []
        for host, address in (
            ("alpha", "10.0.2.201"),
            ("client-other", "10.0.1.11"),
            ("client-other", FLOATING),
        ):
            started = time.monotonic()
            ask(net, host, address)
            taken.append(time.monotonic() - started)
        source_check = net.dropped("alpha"), net.dropped("floating-1")
        net.delay("alpha", 0)

        # Two round trips, one to connect and one to be answered; alpha has to find the router before.
        assert [seconds >= least for seconds, least in zip(taken, (0.55, 0.35, 0.35), strict=True)] == [
            True
        ] * 3
        assert source_check == (0, 0)
        assert ask(net, "client-other", FLOATING) == "alpha"


def test_a_delay_does_not_hide_from_the_source_check():
    """What a delayed host may not send is dropped all the same."""
    with NetWorld(settings=at_once()) as net:
        net.delay("beta", 0.01)
        send_as(net, "beta", FLOATING, "10.0.1.201")
        eventually(lambda: net.dropped("beta") == 1)

        assert net.dropped("beta") == 1


def test_a_delayed_eni_can_leave():
    """The delay is the host's: an ENI that moves on is not late any more."""
    with NetWorld(settings=at_once()) as net, service(net, "beta"):
        net.delay("alpha", 30.0)
        detach(net)
        attach(net, "beta")
        configure(net, "beta")

        assert ask(net, "client-other", FLOATING) == "beta"


def carrier(net: NetWorld, host: str, name: str) -> bool:
    def look() -> bool:
        with IPRoute() as ip:
            return bool(ip.get_links(ip.link_lookup(ifname=name)[0])[0].get("carrier"))

    return net.run(host, look)


def test_a_cable_can_be_pulled():
    """A primary link or an ENI's loses its carrier, and gets it back."""
    with NetWorld(settings=at_once()) as net:
        configure(net, "alpha")
        names = {"alpha": "eth0", "floating-1": floating_link(net, "alpha")}
        seen = []
        for port, name in names.items():
            net.unplug(port)
            seen.append(carrier(net, "alpha", name))
            net.plug(port)
            seen.append(carrier(net, "alpha", name))

        assert seen == [False, True, False, True]


@pytest.mark.parametrize(
    "order",
    [
        lambda net: net.die("client-same"),
        lambda net: net.cut("alpha", "omega"),
        lambda net: net.cut("router", "ec2"),
        lambda net: net.hang("omega"),
        lambda net: net.unplug("eni-nobody"),
        lambda net: net.delay("client-same", 1.0),
    ],
)
def test_names_are_checked(order):
    """A wrong name is an error at once, and nothing has changed."""
    net = NetWorld()

    with pytest.raises(KeyError):
        order(net)


@pytest.mark.parametrize("order", [lambda net: net.lose("alpha", 101), lambda net: net.delay("alpha", -1)])
def test_values_are_checked(order):
    """So is a share of more than everything, and a packet that is early."""
    with pytest.raises(ValueError, match="0 to"):
        order(NetWorld())
