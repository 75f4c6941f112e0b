"""The sockets of a lab: IMDS by botocore's own fetcher, ports, closing."""

import ast
import asyncio
import http.client
import socket
import sys
import threading
from pathlib import Path

import boto3
import pytest
from botocore.credentials import InstanceMetadataProvider
from botocore.utils import InstanceMetadataFetcher

import eni_failover.lab
from eni_failover.lab import Durations, Lab, LabThread, Settings, World
from eni_failover.lab.credentials import OPERATOR_KEY
from eni_failover.lab.server import listen_on
from tests.ports import common_port

ALPHA, BETA = "i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb2"


def fetch(lab, instance="alpha", timeout=5):
    """What botocore's fetcher gets from an instance's IMDS; {} when it gets nothing."""
    fetcher = InstanceMetadataFetcher(
        timeout=timeout,
        base_url=lab.imds_url(instance) + "/",
        env={},
        config={"ec2_metadata_v1_disabled": False},
    )
    return fetcher.retrieve_iam_role_credentials()


def ask(url, path="/latest/meta-data/", timeout=5):
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=timeout)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_botocore_gets_credentials_from_imds(lab, world):
    """botocore's own fetcher gets the member's credentials; each member its own."""
    fetched = fetch(lab, "beta")
    held = world.credentials("beta")

    assert {
        "role_name": "eni-failover",
        "access_key": held.access_key_id,
        "secret_key": held.secret_access_key,
        "token": held.session_token,
        "expiry_time": "2027-01-15T14:00:00Z",
    } == fetched
    assert fetch(lab, "alpha")["access_key"] == world.credentials("alpha").access_key_id


def test_the_environment_leads_boto3_to_the_lab(lab, monkeypatch, session):
    """With the member's environment alone a client finds endpoint, region and credentials by itself."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in lab.env("beta").items():
        monkeypatch.setenv(name, value)
    client = boto3.session.Session().client("ec2")
    client.describe_tags()
    client.close()

    assert lab.world.calls[-1].caller == BETA
    assert client._request_signer._credentials.method == InstanceMetadataProvider.METHOD


def test_the_operators_environment(lab):
    """The operator has static keys and no IMDS."""
    env = lab.env()

    assert (lab.ec2_url, OPERATOR_KEY) == (env["AWS_ENDPOINT_URL_EC2"], env["AWS_ACCESS_KEY_ID"])
    assert "AWS_EC2_METADATA_SERVICE_ENDPOINT" not in env


def test_refused_imds_is_really_refused(lab, world):
    """A refusing IMDS has no listening socket; when it is well it is on the same port again."""
    url = lab.imds_url("alpha")
    world.imds_down("alpha")
    lab.sync()
    with pytest.raises(ConnectionRefusedError):
        ask(url)
    world.imds_up("alpha")
    lab.sync()

    assert url == lab.imds_url("alpha")
    assert ask(url) == 401
    assert fetch(lab, "beta")


def test_open_connections_to_a_refusing_imds_are_cut(lab, world):
    """A connection that was open when IMDS went down gets no answer either."""
    connection = http.client.HTTPConnection(lab.imds_url("alpha").removeprefix("http://"), timeout=5)
    connection.request("GET", "/latest/meta-data/")
    first = connection.getresponse()
    first.read()
    world.imds_down("alpha")
    connection.request("GET", "/latest/meta-data/")
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        connection.getresponse()
    connection.close()

    assert first.status == 401


IMDS_FAULTS = [
    (1, "hang", 30.0),
    (2, "slow", 30.0),
    (3, "token-403", 0.0),
    (4, "error-500", 0.0),
    (5, "no-credentials", 0.0),
]


@pytest.mark.parametrize(("number", "kind", "seconds"), IMDS_FAULTS)
def test_sick_imds_gives_botocore_nothing(lab, world, number, kind, seconds):
    """botocore's fetcher gets no credentials from a sick IMDS, and gets them when it is well."""
    world.imds_down("alpha", kind, seconds=seconds)
    during = fetch(lab, timeout=0.2)
    world.imds_up("alpha")

    assert during == {}
    assert fetch(lab)["access_key"] == world.credentials("alpha").access_key_id


def test_a_stopped_guest_has_no_imds(lab, world, clock):
    """The IMDS of a stopped instance is gone until it starts."""
    url = lab.imds_url("alpha")
    world.stop_instance("alpha")
    while_stopping = ask(url)
    clock.advance(5)
    lab.sync()
    with pytest.raises(ConnectionRefusedError):
        ask(url)
    world.start_instance("alpha")
    lab.sync()

    assert while_stopping == 401
    assert ask(url) == 401


def test_an_instance_added_later_has_an_imds(lab, world):
    """An instance that comes into a served world gets an endpoint; one that goes loses it."""
    world.add_instance("i-0ddddddddddddddd4", name="delta", address="10.0.1.14")
    fetched = fetch(lab, "delta")
    url = lab.imds_url("delta")
    world.remove_instance("delta")
    lab.sync()

    assert fetched["access_key"] == world._keyring.issue("i-0ddddddddddddddd4", world._moment()).access_key_id
    with pytest.raises(ConnectionRefusedError):
        ask(url)


def test_wished_ports(make_world):
    """Ports that are asked for are used; all endpoints are on loopback."""
    port, imds_port = common_port(), common_port()
    with LabThread(make_world(), port=port, imds_ports={"beta": imds_port}) as lab:
        urls = (lab.ec2_url, lab.imds_url("beta"), lab.imds_url("alpha"))

    assert (f"http://127.0.0.1:{port}", f"http://127.0.0.1:{imds_port}") == urls[:2]
    assert urls[2].startswith("http://127.0.0.1:")


def test_a_taken_port_is_an_error(make_world):
    """A lab that cannot listen raises, and leaves nothing open."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(OSError, match=r"[Aa]ddress already in use"), LabThread(make_world(), port=port):
            pass


def test_ipv6_loopback(make_world):
    """The endpoints can be on ::1, with brackets in the URL."""
    with LabThread(make_world(), listen=listen_on("::1")) as lab:
        status = ask(lab.imds_url("alpha"))
        url = lab.ec2_url

    assert (status, url.startswith("http://[::1]:")) == (401, True)


def test_closing_does_not_wait_for_hung_calls(world):
    """A lab with a call that hangs closes all the same, and the call's connection is cut unanswered."""
    world.fault("hang")

    async def story():
        async with Lab(world) as lab:
            host, port = lab.ec2_url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"GET /?Action=DescribeTags HTTP/1.1\r\nHost: x\r\n\r\n")
            while not world.calls:  # noqa: ASYNC110 - a call that arrives is no event in the loop
                await asyncio.sleep(0)
        left = await reader.read()
        writer.close()
        return left

    assert asyncio.run(asyncio.wait_for(story(), 20)) == b""


def test_a_change_at_the_last_moment_does_not_keep_the_lab_open(make_world):
    """A change that arrives while the lab closes neither stops it from closing nor leaks a socket."""

    async def story():
        for turns in range(8):
            world = make_world()
            async with Lab(world):
                await asyncio.sleep(0)
                world.take("floating-1")
                for _ in range(turns):
                    await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(story(), 20))


def test_what_is_due_is_noticed_without_calls():
    """With a real clock, subscribers hear of a finished detach when it is due though nobody calls."""
    world = World.pair(settings=Settings(durations=Durations(detach=0.05)))
    free = threading.Event()
    world.subscribe(
        lambda change: change.after.enis["eni-0ffffffffffffff01"].attachment is None and free.set()
    )
    with LabThread(world):
        world.call("DetachNetworkInterface", {"AttachmentId": world.eni("floating-1").attachment.id})

        assert free.wait(10)


def test_the_lab_imports_nothing_of_the_daemon():
    """But for the demo it takes only the base of its errors from the package, and neither moto nor boto3."""
    allowed = {"aiohttp", "botocore", "eni_failover"}
    shared = {"eni_failover.errors"}
    foreign = set()
    for path in Path(eni_failover.lab.__file__).parent.glob("*.py"):
        if path.name.startswith("demo"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or "."] if isinstance(node, ast.ImportFrom) else []
            foreign |= {
                (path.name, name)
                for name in names
                if (
                    name.startswith("eni_failover")
                    and not name.startswith("eni_failover.lab")
                    and name not in shared
                )
                or (name.partition(".")[0] not in allowed | sys.stdlib_module_names)
            }

    assert set() == foreign
