"""A net world as a whole: who reaches whom, what a program on a host finds, and that nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from eni_failover.lab.net import NetWorld
from eni_failover.lab.net.fabric import Fabric
from tests.lab.net.guests import ENI, ask, at_once, needs_net, service

pytestmark = [pytest.mark.root, needs_net]

RUN = Path("/run/netns")


def ours() -> set[str]:
    """Namespaces of this process."""
    return {path.name for path in RUN.glob(f"enif-{os.getpid()}-*")} if RUN.exists() else set()


def output_of(net: NetWorld, host: str, code: str, **options) -> str:
    """What a Python program on a host prints."""
    program = net.spawn(host, [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, **options)
    return program.communicate(timeout=20)[0].strip()


def test_everybody_reaches_the_members():
    """Four members and three clients, by IPv4 and IPv6, within the subnet and through the router."""
    with NetWorld(settings=at_once(), members=4, ipv6=True) as net, service(net, "delta"):
        hosts = [host for host in (*net.members, *net.clients) if host != "delta"]
        by_ipv4 = {host: ask(net, host, "10.0.1.14") for host in hosts}
        by_ipv6 = {host: ask(net, host, "2001:db8:1::14") for host in hosts}

        assert by_ipv4 == by_ipv6 == dict.fromkeys(hosts, "delta")
        assert hosts == ["alpha", "beta", "gamma", "client-same", "client-other", "client-outside"]


def test_a_program_on_a_member_finds_ec2_and_itself(monkeypatch):
    """boto3 needs nothing but `env`: credentials and the instance id come from IMDS at its real address."""
    monkeypatch.setenv("AWS_PROFILE", "somebody-elses")
    code = """if True:
        import boto3, botocore.utils
        fetcher = botocore.utils.IMDSFetcher()
        token = fetcher._fetch_metadata_token()
        me = fetcher._get_request("latest/meta-data/instance-id", None, token=token).text
        answer = boto3.client("ec2").describe_network_interfaces(
            Filters=[{"Name": "attachment.instance-id", "Values": [me]}])
        print(me, len(answer["NetworkInterfaces"]))
    """
    with NetWorld(settings=at_once()) as net:
        seen = [output_of(net, member, code) for member in net.members]
        callers = {call.caller for call in net.world.calls}

    assert seen == ["i-0aaaaaaaaaaaaaaa1 2", "i-0bbbbbbbbbbbbbbb2 1"]
    assert callers == {"i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb2"}


def test_a_client_is_an_operator():
    """Its environment has a key, and nothing about an IMDS, which it has not."""
    with NetWorld(settings=at_once()) as net:
        env = net.env("client-same")

        def detach() -> None:
            client = boto3.client(
                "ec2",
                endpoint_url=env["AWS_ENDPOINT_URL_EC2"],
                region_name=env["AWS_REGION"],
                aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
                config=Config(retries={"total_max_attempts": 1}),
            )
            client.detach_network_interface(AttachmentId=net.world.eni(ENI).attachment.id)
            client.close()

        net.run("client-same", detach)

        assert net.world.eni(ENI).attachment is None
        assert [key for key in env if "METADATA" in key] == []


def test_a_program_sees_the_links_of_its_host():
    """Also in /sys, where scripts look."""
    with NetWorld(settings=at_once()) as net:
        seen = output_of(net, "beta", "import os; print(sorted(os.listdir('/sys/class/net')))")

        assert seen == "['eth0', 'lo']"


def test_a_program_can_be_unprivileged_with_one_capability():
    """As a daemon that manages links under its own user."""
    code = """if True:
        import os
        status = dict(line.split(":") for line in open("/proc/self/status") if line.startswith("Cap"))
        print(os.getuid(), int(status["CapEff"], 16))
    """
    net_admin = 1 << 12
    with NetWorld(settings=at_once()) as net:
        seen = output_of(net, "beta", code, user="nobody", capabilities=["net_admin"])
        without = output_of(net, "beta", code, user="nobody")

        assert (seen, without) == (f"65534 {net_admin}", "65534 0")


def test_a_program_outlives_the_thread_that_started_it():
    """It ends with its host or with the net world, not with the caller's thread."""
    started = []
    with NetWorld(settings=at_once()) as net:

        def start() -> None:
            program = net.spawn("beta", ["sh", "-c", "echo; sleep 300"], stdout=subprocess.PIPE)
            program.stdout.readline()  # it runs, and knows with whom it is to end
            started.append(program)

        thread = threading.Thread(target=start)
        thread.start()
        thread.join(10)
        answer = output_of(net, "beta", "print('later')")
        running = started[0].poll()

    assert (answer, running, started[0].returncode) == ("later", None, -signal.SIGKILL)


def test_a_person_can_enter_a_host():
    """Namespaces have names that `ip netns exec` takes."""
    with NetWorld(settings=at_once()) as net:
        command = ["ip", "netns", "exec", net.namespace("beta").name, "ip", "-j", "address", "show", "eth0"]
        shown = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=10).stdout)

    assert [item["local"] for item in shown[0]["addr_info"] if item["family"] == "inet"] == ["10.0.1.12"]


def test_nothing_is_left_behind():
    """Neither namespaces nor programs, those that hide in a session of their own included."""
    with NetWorld(settings=at_once()) as net:
        during = ours()
        program = net.spawn("alpha", ["sh", "-c", "setsid sleep 300 & echo $!; wait"], stdout=subprocess.PIPE)
        child = int(program.stdout.readline())

    # Whoever adopted it may not have waited for it yet.
    letter = Path(f"/proc/{child}/stat")
    assert not letter.exists() or letter.read_text().rpartition(")")[2].split()[0] == "Z"
    assert len(during) == len(net.members) + len(net.clients) + 2
    assert (ours(), program.returncode) == (set(), -signal.SIGKILL)


def test_half_built_is_removed_too(monkeypatch):
    """An error on the way in leaves nothing either."""

    def fail(*_: object) -> None:
        raise OSError("no more")

    monkeypatch.setattr(Fabric, "_add_eni_port", fail)
    with pytest.raises(OSError, match="no more"), NetWorld(settings=at_once()):
        pass

    assert ours() == set()


def test_two_at_once_do_not_see_each_other():
    """The same addresses in both, and each is its own world."""
    with NetWorld(settings=at_once()) as one, NetWorld(settings=at_once()) as other:
        with service(one, "alpha"):
            in_one = ask(one, "client-other", "10.0.1.11")
            with pytest.raises(ConnectionRefusedError):
                ask(other, "client-other", "10.0.1.11")
        one.world.place("floating-1", "beta")
        one.settled()

        assert in_one == "alpha"
        assert other.world.eni(ENI).attachment.instance_id == other.world.instance("alpha").id
        assert len(ours()) == 14


def test_an_instance_that_came_later_has_no_host():
    """Its IMDS is out of everybody's reach, and the ENIs it takes are nowhere."""
    with NetWorld(settings=at_once()) as net:
        net.world.take("floating-1")
        net.settled()
        net.lab.sync()

        assert net.lab.imds_url("foreign").startswith("http://127.0.0.1:")


def test_what_raises_in_a_host_raises_here():
    """`run` hands over results and errors alike, and gives up in time."""
    with NetWorld(settings=at_once()) as net:
        with pytest.raises(ZeroDivisionError):
            net.run("alpha", lambda: 1 / 0)
        blocked = threading.Event()
        with pytest.raises(TimeoutError):
            net.run("alpha", lambda: blocked.wait(20), timeout=0.05)
        blocked.set()

        assert net.run("alpha", lambda: socket.if_nametoindex("lo")) == 1


def test_a_failure_of_the_links_is_told():
    """What keeps links from following is raised by `settled`, once."""
    with NetWorld(settings=at_once()) as net:
        net.world.change_eni(ENI, mac="no mac at all")
        with pytest.raises(RuntimeError, match="nft"):
            net.settled()
        net.world.change_eni(ENI, mac="0a:ff:00:00:00:01")
        net.settled()
