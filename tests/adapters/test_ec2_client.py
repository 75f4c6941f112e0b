"""Deadlines, retries, threads and settings of the EC2 client, against real sockets that misbehave."""

import asyncio
import concurrent.futures
import datetime as dt
import ipaddress
import itertools
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tenacity import wait_none

from eni_failover.adapters import ec2_client
from eni_failover.adapters.ec2 import Ec2
from eni_failover.core.model import Presence, Verdict
from eni_failover.errors import InvariantError, TerminalError, TransientError, UnansweredError
from eni_failover.lab import LabThread
from tests.whole_request import whole_request

ENI = "eni-0ffffffffffffff01"
INSTANCE = "i-0bbbbbbbbbbbbbbb2"
NO_ENIS = (
    b"<DescribeNetworkInterfacesResponse><requestId>r</requestId>"
    b"<networkInterfaceSet/></DescribeNetworkInterfacesResponse>"
)
DETACHED = (
    b"<DetachNetworkInterfaceResponse><requestId>r</requestId>"
    b"<return>true</return></DetachNetworkInterfaceResponse>"
)


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch):
    """Retries follow at once: their waits are tenacity's and not under test."""
    monkeypatch.setattr(ec2_client, "_BACKOFF", wait_none())


def detach(ec2):
    return asyncio.run(ec2.detach(eni_id=ENI, attachment_id="eni-attach-1", force=False))


def describe(ec2):
    return asyncio.run(ec2.describe_enis((ENI,)))


def full_backlog():
    """A listening socket whose queue is full: the kernel ignores further connections."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(listening.getsockname())
    return [listening, *waiting]


def test_a_refused_connection_means_that_nothing_happened(scripted, closed_port):
    """The mutation is busy, not unanswered: no request can have reached EC2."""
    scripted.redirect(f"http://127.0.0.1:{closed_port}/")

    outcome = detach(scripted.ec2)

    assert (outcome.verdict, outcome.code) == (Verdict.BUSY, "connection")
    assert scripted.reports == [("DetachNetworkInterface", "connection")]


def test_a_connection_that_is_never_made_means_that_nothing_happened(scripted):
    """A connect timeout comes before the first byte of the request."""
    sockets = full_backlog()
    port = sockets[0].getsockname()[1]
    scripted.redirect(f"http://127.0.0.1:{port}/")

    outcome = detach(scripted.ec2)
    for one in sockets:
        one.close()

    assert (outcome.verdict, outcome.code) == (Verdict.BUSY, "timeout")


def test_a_request_without_an_answer_is_unanswered_and_sent_once(scripted, serve):
    """The read timeout ends the wait; nobody knows whether EC2 acted."""
    closing = threading.Event()
    server = serve(lambda connection: closing.wait(10))
    scripted.redirect(server.url)

    outcome = detach(scripted.ec2)
    closing.set()

    assert (outcome.verdict, outcome.code, outcome.not_sent) == (Verdict.UNANSWERED, "timeout", False)
    assert len(server.requests) == 1


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"\x16\x03garbage\r\n\r\n"])
def test_a_connection_closed_mid_way_is_unanswered(scripted, serve, sent):
    """EC2 may have acted before the connection broke."""
    scripted.redirect(serve(lambda connection: connection.sendall(sent)).url)

    outcome = detach(scripted.ec2)

    assert (outcome.verdict, outcome.code) == (Verdict.UNANSWERED, "connection")


@pytest.mark.parametrize(
    ("status", "body", "length"),
    [
        (200, b"<html><p>Please log in<br></html>", None),
        (200, b"<html><p>Please log in</p></html>", None),
        (200, NO_ENIS[:90], 500),
        (502, b"<html>Bad gateway</html>", None),
        (407, b"", None),
    ],
)
def test_pages_that_are_not_ec2s_make_no_eni_missing(scripted, answering, status, body, length):
    """A well-formed page of a proxy parses into an answer without ENIs: that is no answer."""
    scripted.redirect(answering(status, body, length=length).url)

    surveyed = describe(scripted.ec2)
    outcome = detach(scripted.ec2)

    assert (
        surveyed.survey.answered,
        [eni.presence for eni in surveyed.survey.enis],
    ) == (False, [Presence.UNKNOWN])
    assert isinstance(surveyed.error, UnansweredError)
    assert outcome.verdict == Verdict.UNANSWERED


def test_a_second_mutation_waits_for_the_end_of_an_unanswered_first(make_ec2, serve):
    """While the first call is under way, another of the same ENI is refused without sending; then not."""
    release = threading.Event()

    def trickle(connection: socket.socket) -> None:
        # Closed after it: the next call must not be sent on a connection that is about to go.
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n")
        for number in itertools.count():
            if release.wait(0.05):
                break
            connection.sendall(b"X-Wait-%d: 1\r\n" % number)
        connection.sendall(b"Content-Length: %d\r\n\r\n" % len(DETACHED) + DETACHED)

    server = serve(trickle)
    ec2 = make_ec2(endpoint_url=server.url, connect_timeout=0.4, read_timeout=0.6)

    async def three():
        return await asyncio.gather(
            *(
                ec2.detach(eni_id=f"eni-0ffffffffffffff0{number}", attachment_id="eni-attach-1", force=False)
                for number in (1, 1, 2)
            )
        )

    first, second, other = asyncio.run(three())
    release.set()
    third = detach(ec2)

    assert (first.verdict, first.code, first.not_sent) == (Verdict.UNANSWERED, "timeout", False)
    assert (second.verdict, second.not_sent) == (Verdict.BUSY, True)
    assert other.verdict == Verdict.UNANSWERED
    assert third.verdict == Verdict.ACCEPTED
    assert len(server.requests) == 3


def test_a_mutation_that_could_not_begin_in_time_is_never_sent(make_ec2, answering):
    """An old decision must not act: the thread looks at the clock just before it sends."""
    server = answering(200, DETACHED)
    times = iter([0.0, 0.0, 0.0, 1.5, 1.6])
    now = [0.0]

    def clock() -> float:
        now[0] = next(times, now[0])
        return now[0]

    ec2 = make_ec2(endpoint_url=server.url, clock=clock)

    outcome = detach(ec2)

    assert (outcome.verdict, outcome.not_sent) == (Verdict.BUSY, True)
    assert server.requests == []


def test_a_mutation_that_found_no_thread_is_never_sent(make_ec2, answering, monkeypatch):
    """With every thread stuck, a queued call is withdrawn at its deadline and nothing happened."""
    monkeypatch.setattr(ec2_client, "_START_WITHIN", 0.1)
    server = answering(200, DETACHED)
    ec2 = make_ec2(endpoint_url=server.url, connect_timeout=0.1, read_timeout=0.1)
    release = threading.Event()
    threads = ec2._calls._lane("DetachNetworkInterface", changes=True)
    stuck = [threads.submit(release.wait, 10) for _ in range(ec2_client._CHANGE_THREADS)]

    outcome = detach(ec2)
    release.set()
    concurrent.futures.wait(stuck, timeout=10)
    later = detach(ec2)

    assert (outcome.verdict, outcome.code, outcome.not_sent) == (Verdict.BUSY, "timeout", True)
    assert later.verdict == Verdict.ACCEPTED
    assert len(server.requests) == 1


def test_a_cancelled_call_passes_the_cancellation_on(scripted, serve):
    """Stopping the daemon is not held up by a call that hangs."""
    closing = threading.Event()

    async def cancel() -> None:
        loop, reached = asyncio.get_running_loop(), asyncio.Event()

        def hang(_: socket.socket) -> None:
            loop.call_soon_threadsafe(reached.set)
            closing.wait(10)

        scripted.redirect(serve(hang).url)
        asked = asyncio.ensure_future(scripted.ec2.describe_enis((ENI,)))
        await asyncio.wait_for(reached.wait(), 5)
        asked.cancel()
        await asked

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())
    closing.set()


@pytest.mark.parametrize(
    ("refusals", "answered", "codes"),
    [
        ([(503, "Unavailable")], True, ["Unavailable", "ok"]),
        ([(503, "Unavailable"), (500, "InternalError")], True, ["Unavailable", "InternalError", "ok"]),
        ([(503, "RequestLimitExceeded")], False, ["RequestLimitExceeded"]),
        ([(503, "Unavailable")] * 3, False, ["Unavailable"] * 3),
        ([(401, "AuthFailure")], True, ["AuthFailure", "ok"]),
        ([(403, "UnauthorizedOperation")], False, ["UnauthorizedOperation"]),
        ([(400, "InvalidParameterValue")], False, ["InvalidParameterValue"]),
    ],
)
def test_a_describe_is_tried_three_times_for_what_may_pass(scripted, refusals, answered, codes):
    """Server errors and stale credentials are retried; a refusal or a throttle is not. Each is reported."""
    for status, code in refusals:
        scripted.will_refuse(status, code)
    scripted.will_answer(200, NO_ENIS)

    surveyed = describe(scripted.ec2)

    assert answered == surveyed.survey.answered
    assert answered == (surveyed.error is None)
    assert codes == [code for _, code in scripted.reports]


def test_no_retry_begins_when_the_budget_is_spent(scripted, monkeypatch):
    """A poll is never much longer than its first attempt."""
    monkeypatch.setattr(ec2_client, "_RETRY_BUDGET", 0.0)
    scripted.will_refuse(503, "Unavailable")

    surveyed = describe(scripted.ec2)

    assert (surveyed.error.code, len(scripted.requests)) == ("Unavailable", 1)


def test_botocore_never_retries_by_itself(make_ec2, answering, aws_environment):
    """Whatever the environment says, one mutation is one request."""
    aws_environment.setenv("AWS_MAX_ATTEMPTS", "5")
    aws_environment.setenv("AWS_RETRY_MODE", "adaptive")
    server = answering(503, b"<html>busy</html>")

    outcome = detach(make_ec2(endpoint_url=server.url))

    assert (outcome.verdict, len(server.requests)) == (Verdict.UNANSWERED, 1)


def test_the_user_agent_names_version_and_group(scripted):
    """CloudTrail shows who called: botocore passes the words on as they are."""
    scripted.will_accept("DetachNetworkInterface")

    detach(scripted.ec2)

    assert scripted.headers[0]["User-Agent"].endswith(" eni-failover/1.2.3 group/orders")


@pytest.fixture
def lab_member(aws_environment):
    """Starts a lab and an Ec2 whose credentials come from alpha's IMDS."""
    with LabThread() as lab:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
            aws_environment.delenv(name)
        for name, value in lab.env("alpha").items():
            aws_environment.setenv(name, value)
        ec2 = Ec2(
            region=None,
            group="orders",
            version="1",
            connect_timeout=1,
            read_timeout=2,
            on_request=lambda report: None,
        )
        yield lab, ec2
        ec2.close()


def test_an_expired_token_is_replaced_for_the_next_call(lab_member):
    """EC2 refuses the old credentials: nothing happened, and the next call is signed with new ones."""
    lab, ec2 = lab_member
    asyncio.run(ec2.warm())
    lab.world.expire_credentials("alpha", renew=True)
    attachment_id = lab.world.eni("floating-1").attachment.id

    refused = asyncio.run(ec2.detach(eni_id=ENI, attachment_id=attachment_id, force=False))
    accepted = asyncio.run(ec2.detach(eni_id=ENI, attachment_id=attachment_id, force=False))

    assert (refused.verdict, accepted.verdict) == (Verdict.BUSY, Verdict.ACCEPTED)


def test_imds_gives_credentials_although_a_proxy_is_set(lab_member, aws_environment, closed_port):
    """The proxy of the environment is for EC2: IMDS is on this host's own link."""
    _, ec2 = lab_member
    for name in ("no_proxy", "NO_PROXY"):
        aws_environment.delenv(name, raising=False)  # the lab's environment exempts loopback already
    aws_environment.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")

    asyncio.run(ec2.warm())

    assert ec2.credentials_expiry is not None


def test_credentials_are_refreshed_ahead_of_need(lab_member):
    """What IMDS has renewed is in hand before the old ones expire; a failure keeps the old ones."""
    lab, ec2 = lab_member
    asyncio.run(ec2.warm())
    lab.world.expire_credentials("alpha", renew=True)

    asyncio.run(ec2.refresh_credentials())
    attachment_id = lab.world.eni("floating-1").attachment.id
    lab.world.imds_down("alpha")
    lab.sync()
    with pytest.raises(TransientError, match="no newer AWS credentials"):
        asyncio.run(ec2.refresh_credentials())
    outcome = asyncio.run(ec2.detach(eni_id=ENI, attachment_id=attachment_id, force=False))

    assert outcome.verdict is Verdict.ACCEPTED


def test_without_credentials_the_client_waits_for_some(aws_environment, closed_port):
    """warm() says that there are none; a mutation is busy and unsent; later they are used."""
    aws_environment.delenv("AWS_ACCESS_KEY_ID")
    aws_environment.delenv("AWS_SECRET_ACCESS_KEY")
    ec2 = Ec2(
        region=None,
        group="orders",
        version="1",
        connect_timeout=1,
        read_timeout=1,
        on_request=lambda report: None,
        endpoint_url=f"http://127.0.0.1:{closed_port}",
    )

    with pytest.raises(TransientError, match="no provider has any"):
        asyncio.run(ec2.warm())
    before = detach(ec2)
    aws_environment.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    aws_environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    after = detach(ec2)
    asyncio.run(ec2.warm())
    ec2.close()

    assert (before.verdict, before.code, before.not_sent) == (Verdict.BUSY, "connection", True)
    assert (after.verdict, after.code, after.not_sent) == (Verdict.BUSY, "connection", False)
    assert ec2.credentials_expiry is None


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "eu-north-1"),
        ({"AWS_DEFAULT_REGION": "us-east-2"}, "us-east-2"),
        ({"AWS_DEFAULT_REGION": "us-east-2", "AWS_REGION": "ap-south-1"}, "ap-south-1"),
    ],
)
def test_the_environment_names_the_region_before_the_instance_does(
    make_ec2, aws_environment, environ, expected
):
    """botocore alone would not know AWS_REGION."""
    aws_environment.delenv("AWS_REGION")
    for name, value in environ.items():
        aws_environment.setenv(name, value)

    ec2 = make_ec2(region="eu-north-1")

    assert expected == ec2._calls.client.meta.region_name


ROLE = """[default]
role_arn = arn:aws:iam::123456789012:role/orders
source_profile = base
[profile base]
aws_access_key_id = AKIDBASE
aws_secret_access_key = secret
"""


@pytest.mark.parametrize("environ", [{}, {"AWS_REGION": "eu-north-1"}])
def test_sts_is_asked_in_the_same_region(aws_environment, answering, tmp_path, environ):
    """botocore alone would not find a region for STS, and a role could not be assumed."""
    for name in ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        aws_environment.delenv(name)
    (tmp_path / "config").write_text(ROLE)
    server = answering(503, b"")
    for name, value in {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_ENDPOINT_URL_STS": server.url,
    }.items():
        aws_environment.setenv(name, value)
    for name, value in environ.items():
        aws_environment.setenv(name, value)
    ec2 = Ec2(
        region="eu-north-1",
        group="g",
        version="1",
        connect_timeout=1,
        read_timeout=1,
        on_request=lambda _: None,
    )

    with pytest.raises(TransientError, match="ClientError"):
        asyncio.run(ec2.warm())
    ec2.close()

    assert b"/eu-north-1/sts/aws4_request" in server.requests[0]


def test_the_endpoint_comes_from_the_environment(make_ec2, aws_environment, answering):
    """AWS_ENDPOINT_URL_EC2 is boto3's own variable."""
    server = answering(200, NO_ENIS)
    aws_environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    aws_environment.setenv("AWS_ENDPOINT_URL_EC2", server.url)

    surveyed = describe(make_ec2())

    assert ([eni.presence for eni in surveyed.survey.enis], len(server.requests)) == ([Presence.MISSING], 1)


def test_ec2_is_reached_through_the_proxy_of_the_environment(make_ec2, aws_environment, answering):
    """Only IMDS is exempt from proxies."""
    proxy = answering(200, NO_ENIS)
    aws_environment.setenv("HTTP_PROXY", proxy.url)

    surveyed = describe(make_ec2(endpoint_url="http://ec2.example.invalid"))

    assert surveyed.survey.answered is True
    assert proxy.requests[0].startswith(b"POST http://ec2.example.invalid/ ")


@pytest.mark.parametrize("settings", [{"AWS_REGION": ""}, {"AWS_PROFILE": "absent"}])
def test_settings_that_boto3_rejects_are_terminal(aws_environment, settings):
    """No region or an absent profile does not get better by waiting."""
    for name, value in settings.items():
        aws_environment.setenv(name, value)
    ec2 = Ec2(
        region=None, group="orders", version="1", connect_timeout=1, read_timeout=1, on_request=lambda _: None
    )

    with pytest.raises(TerminalError, match="boto3 cannot make an EC2 client"):
        asyncio.run(ec2.warm())
    with pytest.raises(InvariantError):
        describe(ec2)
    ec2.close()


def test_an_endpoint_that_boto3_rejects_is_not_repeated(make_ec2):
    """Its URL may hold a password."""
    with pytest.raises(TerminalError, match="the endpoint is not a URL") as caught:
        make_ec2(endpoint_url="http://user:never-shown@no host!/")

    assert "never-shown" not in str(caught.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1 and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder


@pytest.fixture
def tls_port(certificate):
    """A TLS server that answers each request with an accepted detach."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    listening = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    whole_request(secured)
                    secured.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(DETACHED) + DETACHED
                    )
            except OSError:
                connection.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(5)


def test_an_untrusted_certificate_means_that_nothing_was_sent(make_ec2, tls_port):
    """The handshake fails before the request: refused, and not a call that may have taken effect."""
    outcome = detach(make_ec2(endpoint_url=f"https://127.0.0.1:{tls_port}"))

    assert (outcome.verdict, outcome.code) == (Verdict.REFUSED, "connection")


def test_a_private_ca_is_trusted_by_aws_ca_bundle(make_ec2, aws_environment, certificate, tls_port):
    """AWS_CA_BUNDLE is boto3's own variable."""
    aws_environment.setenv("AWS_CA_BUNDLE", str(certificate / "cert.pem"))

    outcome = detach(make_ec2(endpoint_url=f"https://127.0.0.1:{tls_port}"))

    assert outcome.verdict == Verdict.ACCEPTED
