"""IMDSv2 against the lab's, and against what answers in its place."""

import asyncio
import socket
import threading

import pytest
from tenacity import wait_none

from eni_failover.adapters import imds
from eni_failover.adapters.imds import Identity, Imds
from eni_failover.errors import TerminalError, TransientError
from eni_failover.lab import LabThread


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch):
    """Retries follow at once: their waits are tenacity's and not under test."""
    monkeypatch.setattr(imds, "_BACKOFF", wait_none())


def identity_from(url: str, **environ: str) -> Identity:
    return asyncio.run(Imds({"AWS_EC2_METADATA_SERVICE_ENDPOINT": url, **environ}).identity())


@pytest.fixture
def script(serve):
    """Starts a server that answers request after request from a list of (status, body)."""

    def start(*answers: tuple[int, str]):
        left = list(answers)

        def handle(connection: socket.socket) -> None:
            status, body = left.pop(0)
            head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            connection.sendall((head + body).encode())

        return serve(handle)

    return start


GOOD = [
    (200, "the-token"),
    (200, "i-0bbbbbbbbbbbbbbb2"),
    (200, "eu-central-1"),
    (200, "eu-central-1a\n"),
    (200, "m5.large"),
]
BETA = Identity(
    instance_id="i-0bbbbbbbbbbbbbbb2", region="eu-central-1", zone="eu-central-1a", instance_type="m5.large"
)


def test_the_lab_tells_each_member_who_it_is():
    """The lab refuses version 1, so a token was used."""
    with LabThread() as lab:
        identity = identity_from(lab.imds_url("beta"))

    assert identity == BETA


def test_a_token_is_put_first_and_sent_with_every_request(script):
    """Version 2: a PUT with a lifetime, then GETs with the token."""
    server = script(*GOOD)

    identity = identity_from(f"{server.url}/")

    lines = [request.split(b"\r\n")[0].decode() for request in server.requests]
    assert identity == BETA
    assert lines == [
        "PUT /latest/api/token HTTP/1.1",
        "GET /latest/meta-data/instance-id HTTP/1.1",
        "GET /latest/meta-data/placement/region HTTP/1.1",
        "GET /latest/meta-data/placement/availability-zone HTTP/1.1",
        "GET /latest/meta-data/instance-type HTTP/1.1",
    ]
    assert b"X-aws-ec2-metadata-token-ttl-seconds: 60" in server.requests[0]
    assert all(b"X-aws-ec2-metadata-token: the-token" in request for request in server.requests[1:])


@pytest.mark.parametrize("status", [400, 403, 404, 405])
def test_without_a_token_version_1_is_never_tried(script, status):
    """A refused token ends it: there is no fallback."""
    server = script((status, ""))

    with pytest.raises(TerminalError) as caught:
        identity_from(server.url)

    assert (caught.value.code, len(server.requests)) == (str(status), 1)


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_what_may_pass_is_tried_three_times(script, status):
    """A busy IMDS is asked again, and then left to the caller."""
    recovered, ill = script((status, ""), (status, ""), *GOOD), script(*[(status, "")] * 3)

    with pytest.raises(TransientError) as caught:
        identity_from(ill.url)

    assert identity_from(recovered.url) == BETA
    assert (caught.value.code, len(ill.requests)) == (str(status), 3)


def test_nobody_listening_is_transient(closed_port):
    """IMDS may come up after the daemon."""
    with pytest.raises(TransientError) as caught:
        identity_from(f"http://127.0.0.1:{closed_port}")

    assert caught.value.code == "connection"


def test_silence_is_transient(serve, monkeypatch):
    """A container one hop too far away sees a timeout, never an answer."""
    attempts, closing = [], threading.Event()
    monkeypatch.setattr(imds, "_TIMEOUT", imds.aiohttp.ClientTimeout(total=0.1))
    monkeypatch.setattr(imds, "_BACKOFF", lambda state: attempts.append(state.attempt_number) or 0.0)
    server = serve(lambda connection: closing.wait(10))

    with pytest.raises(TransientError) as caught:
        identity_from(server.url)
    closing.set()

    # Counted here: on a busy machine an attempt may end before the server reads its request.
    assert (caught.value.code, attempts) == ("timeout", [1, 2, 3])


@pytest.mark.parametrize(
    "answers",
    [
        [(200, "<html>\n<p>Please log in</p>\n</html>")],
        [(200, "")],
        [(200, "the-token"), (200, "<html>log in</html>")],
        [(200, "the-token"), (200, "")],
        [(302, "")],
    ],
)
def test_something_else_at_imds_address_is_terminal(script, answers):
    """A portal or another cloud's service must not become an instance id."""
    with pytest.raises(TerminalError):
        identity_from(script(*answers).url)


def test_a_redirect_is_not_followed(serve, script):
    """The token must not travel to somebody else."""
    other = script(*GOOD)
    head = f"HTTP/1.1 307 X\r\nLocation: {other.url}/latest/api/token\r\nContent-Length: 0\r\n\r\n"
    server = serve(lambda connection: connection.sendall(head.encode()))

    with pytest.raises(TerminalError) as caught:
        identity_from(server.url)

    assert (caught.value.code, other.requests) == ("307", [])


def test_a_disabled_imds_is_not_asked(serve):
    """AWS_EC2_METADATA_DISABLED is the user's word that there is none."""
    server = serve(lambda connection: None)

    with pytest.raises(TerminalError) as caught:
        identity_from(server.url, AWS_EC2_METADATA_DISABLED="TRUE")

    assert (caught.value.code, server.requests) == ("Disabled", [])


def test_proxies_of_the_environment_are_not_used(script, monkeypatch, closed_port):
    """A proxy would answer for its own instance, or not at all."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    monkeypatch.delenv("NO_PROXY", raising=False)

    assert identity_from(script(*GOOD).url) == BETA


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "http://169.254.169.254"),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv4"}, "http://169.254.169.254"),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}, "http://[fd00:ec2::254]"),
        (
            {
                "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6",
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1338/",
            },
            "http://127.0.0.1:1338",
        ),
    ],
)
def test_the_endpoint_is_chosen_as_the_sdks_do(environ, expected):
    """A custom endpoint wins over the mode."""
    assert Imds(environ)._endpoint == expected


@pytest.mark.parametrize("url", ["not a url", "file:///etc/passwd"])
def test_an_endpoint_that_is_no_url_is_terminal(url):
    """A typing mistake does not get better by waiting."""
    with pytest.raises(TerminalError):
        identity_from(url)


def test_the_token_is_in_no_error(script):
    """Errors reach the log."""
    server = script((200, "very-secret-token"), (500, ""), (500, ""), (500, ""))

    with pytest.raises(TransientError) as caught:
        identity_from(server.url)

    assert "very-secret-token" not in f"{caught.value!r} {caught.value.__cause__!r}"
