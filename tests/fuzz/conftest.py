"""Fixtures of the fuzzing: one raw server and one real EC2 client for many hundred answers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tenacity import wait_none

from eni_failover.adapters import ec2_client, imds
from eni_failover.adapters.ec2 import Ec2
from tests.fuzz.clients import client_of
from tests.fuzz.raw_server import RawServer

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "never-to-be-seen",
    "AWS_CONFIG_FILE": "/nonexistent/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_REGION": "eu-central-1",
}


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    one = RawServer()
    yield one
    one.close()


@pytest.fixture(scope="module")
def aws() -> Iterator[pytest.MonkeyPatch]:
    """Nothing of this machine's AWS settings and proxies, and one attempt for each question."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("AWS_") or name.lower().endswith("_proxy"):
                patch.delenv(name)
        for name in ("no_proxy", "NO_PROXY"):
            # Set and deleted, so that what the client writes there is undone as well.
            patch.setenv(name, "")
            patch.delenv(name)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        for module in (ec2_client, imds):
            patch.setattr(module, "_BACKOFF", wait_none())
            patch.setattr(module, "_ATTEMPTS", 1)
        yield patch


@pytest.fixture(scope="module")
def ec2(aws: pytest.MonkeyPatch, server: RawServer) -> Iterator[Ec2]:
    """The real adapter on the real client, connected to the raw server."""
    one = client_of(server.url, read_timeout=2.0)
    yield one
    one.close()


def pytest_collection_modifyitems(items):
    """Many hundred answers take longer than `make test` should."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
