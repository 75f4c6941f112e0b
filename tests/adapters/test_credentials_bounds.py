"""What an answer to the credential chain may cost, whoever of those that boto3 asks gives it."""

import socket
import threading
import time

import pytest
from botocore.session import Session
from botocore.utils import ContainerMetadataFetcher

from eni_failover.adapters import credentials
from eni_failover.adapters.credentials import keep_credentials
from eni_failover.errors import TransientError

HEAD = b"HTTP/1.1 200 OK\r\n"
BODY = HEAD + b"Content-Length: 1500000000\r\n\r\n"
ANSWERS = {
    "a body that drips": (BODY, b" ", 0.02),
    "fields that drip": (HEAD, b"X: y\r\n", 0.02),
    "informational answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0.0),
    "a body without an end": (BODY, b" " * 65536, 0.0),
    "fields without an end": (HEAD, b"X: y\r\n" * 1000, 0.0),
}


def by_imds(patch, url: str) -> None:
    patch.delenv("AWS_EC2_METADATA_DISABLED")
    patch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)


def by_a_container(patch, url: str) -> None:
    patch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/creds")


def by_web_identity(patch, url: str) -> None:
    patch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/orders")
    patch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", __file__)
    patch.setenv("AWS_ENDPOINT_URL_STS", url)


WAYS = {"IMDS": by_imds, "a container's agent": by_a_container, "STS": by_web_identity}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("way", WAYS)
def test_a_question_of_the_chain_ends_in_time_and_size(aws_environment, serve, way, answer):
    """The keeper goes on, and the thread that asked has ended."""
    first, piece, pause = ANSWERS[answer]
    aws_environment.setattr(credentials, "LOAD_WITHIN", 0.2)
    aws_environment.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0)
    stopped = threading.Event()
    sent = []

    def handle(connection: socket.socket) -> None:
        connection.sendall(first)
        while not stopped.wait(pause):
            connection.sendall(piece)
            sent.append(len(piece))

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        aws_environment.delenv(name)
    WAYS[way](aws_environment, serve(handle).url)
    began = time.monotonic()
    keeper = keep_credentials(Session(), wall=time.time)

    with pytest.raises(TransientError, match="no newer AWS credentials"):
        keeper.refresh()
    for load in list(keeper._loads):
        assert load.done.wait(10)
    stopped.set()

    assert time.monotonic() - began < 5
    assert sum(sent) < 10 * (12 * 1024 * 1024)
