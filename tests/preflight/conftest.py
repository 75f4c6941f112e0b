"""The lab on loopback, with this process as its member beta, and an EC2 client that finds it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator

import pytest

from eni_failover.adapters.ec2 import Ec2
from eni_failover.lab import LabThread, Settings, World

FOREIGN = ("AWS_", "BOTO", "ENI_FAILOVER_")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture
def world() -> World:
    """Alpha holds floating-1, beta stands by, each in 10.0.1.0/24; EC2 answers at once."""
    return World.pair(settings=Settings(latency=0.0))


@pytest.fixture
def lab(world: World) -> Iterator[LabThread]:
    with LabThread(world) as served:
        yield served


@pytest.fixture
def on_beta(lab: LabThread, monkeypatch: pytest.MonkeyPatch) -> LabThread:
    """Nothing of this machine's AWS settings and proxies is left: this process is beta."""
    for name in list(os.environ):
        if name.startswith(FOREIGN) or name.lower() in PROXIES:
            monkeypatch.delenv(name)
    for name, value in {**lab.env("beta"), "no_proxy": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    return lab


@pytest.fixture
def make_ec2(on_beta: LabThread) -> Iterator[Callable[..., Ec2]]:
    """Makes warmed clients with beta's credentials."""
    made: list[Ec2] = []

    def make(**options) -> Ec2:
        ec2 = Ec2(
            **{
                "region": None,
                "group": "orders",
                "version": "1.2.3",
                "connect_timeout": 1.0,
                "read_timeout": 2.0,
                "on_request": lambda _: None,
                **options,
            }
        )
        made.append(ec2)
        asyncio.run(ec2.warm())
        return ec2

    yield make
    for ec2 in made:
        ec2.close()
