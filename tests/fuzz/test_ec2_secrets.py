"""What an error of the EC2 adapter says: nothing of what was sent, of what came, or of where it went."""

from __future__ import annotations

import asyncio
import socket

import pytest

from eni_failover.adapters.ec2 import Ec2
from tests.fuzz import ec2_bodies as bodies
from tests.fuzz.clients import client_of
from tests.fuzz.raw_server import http

SECRET = "never-to-be-seen"  # also that of the credentials
IN_BODIES = {
    "text": SECRET,
    "a page": f"<html><body>{SECRET}</body></html>",
    "JSON": f'{{"password": "{SECRET}"}}',
    "XML that is cut": f"<r>{SECRET}",
}


def words_of(ec2: Ec2) -> str:
    """Everything that is told of a describe and of a detach that failed."""
    surveyed = asyncio.run(ec2.describe_enis((bodies.ENI,)))
    outcome = asyncio.run(ec2.detach(eni_id=bodies.ENI, attachment_id="att-1", force=False))
    assert surveyed.error is not None
    return f"{surveyed.error!r} {surveyed.error} {surveyed.error.code} {outcome!r}"


def test_what_was_sent_is_not_repeated(ec2, server):
    """A refusal for a bad signature may quote the request, the session's token in it."""
    quoted = f"<Message>The canonical string was x-amz-security-token:{SECRET}</Message>"
    for code in ("SignatureDoesNotMatch", "RequestExpired", "InvalidClientTokenId", "AuthFailure"):
        body = bodies.ERROR.format(code=code).replace("<Message>because</Message>", quoted)
        server.says(http(body, status="401 Unauthorized"))
        assert SECRET not in words_of(ec2)


@pytest.mark.parametrize("name", IN_BODIES)
def test_what_came_is_not_repeated(ec2, server, name):
    """What stands in EC2's place may say anything: a page with a cookie, the request's own headers."""
    server.says(http(IN_BODIES[name]))

    assert SECRET not in words_of(ec2)


def test_headers_are_not_repeated(ec2, server):
    """Nor what is beside the body."""
    server.says(http("", headers=f"Set-Cookie: s={SECRET}\r\nLocation: http://u:{SECRET}@h/\r\n"))

    assert SECRET not in words_of(ec2)


def test_an_echo_is_not_repeated(ec2, server):
    """A debugging proxy answers with what it was asked: the signature, and the session's token."""

    def echo(connection: socket.socket, asked: bytes) -> None:
        lines = [line for line in asked.split(b"\r\n") if line.startswith(b"Authorization")]
        connection.sendall(http(b"\n".join(lines)))

    server.follows(echo)

    assert "AWS4-HMAC-SHA256" not in words_of(ec2)


def test_the_password_of_an_endpoint_is_not_repeated(aws):
    """AWS_ENDPOINT_URL may hold one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        ec2 = client_of(f"http://user:{SECRET}@127.0.0.1:{taken.getsockname()[1]}", read_timeout=1.0)
        try:
            assert SECRET not in words_of(ec2)
        finally:
            ec2.close()
