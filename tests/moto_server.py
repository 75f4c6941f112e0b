"""moto's EC2 on loopback, and a client of it."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterator
from typing import Any

import boto3

from eni_failover.adapters.answer_bounds import allowing

_ALL_IMAGES = 64 * 1024 * 1024


@contextlib.contextmanager
def moto_server() -> Iterator[str]:
    """The URL of a server of its own."""
    from moto.server import ThreadedMotoServer  # takes seconds to import

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@contextlib.contextmanager
def moto_client(url: str) -> Iterator[Any]:
    """A client that may read moto's longest answers: the adapter bounds the whole process."""
    client = boto3.client(
        "ec2",
        endpoint_url=url,
        region_name="eu-central-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
    )
    with contextlib.closing(client), allowing(math.inf, largest=_ALL_IMAGES):
        yield client
