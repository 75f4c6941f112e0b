"""A clock that moves when told to, worlds that live by it, and one boto3 session whose model loads once."""

from collections.abc import Callable, Iterator

import boto3
import pytest
from botocore.config import Config

from eni_failover.lab import Durations, Ec2Error, LabThread, Settings, World


class Clock:
    """Virtual time: `clock()` is the world's clock, `clock.wall()` Unix seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_800_000_000.0 + self.now - 1000.0

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_world(clock: Clock) -> Callable[..., World]:
    """A factory of worlds in virtual time: attach 2 s, detach 3 s, force 1 s, stop 5 s, terminate 5 s."""

    def make(**options) -> World:
        settings = options.pop("settings", {})
        durations = Durations(vanish=600.0)
        options["settings"] = Settings(**{"latency": 0.0, "durations": durations, **settings})
        return World.pair(clock=clock, wall=clock.wall, **options)

    return make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """Alpha holds floating-1 at index 1; beta stands by."""
    return make_world()


@pytest.fixture
def code_of() -> Callable[..., str]:
    """Makes a call and gives the AWS error code of its answer, or "ok"."""

    def code(world: World, action: str, *, caller: str = "operator", **parameters) -> str:
        try:
            world.call(action, parameters, caller=caller)
        except Ec2Error as error:
            return error.code
        return "ok"

    return code


@pytest.fixture(scope="session")
def session() -> boto3.session.Session:
    return boto3.session.Session()


@pytest.fixture
def lab(world: World) -> Iterator[LabThread]:
    """The world on sockets."""
    with LabThread(world) as served:
        yield served


@pytest.fixture
def client_of(session: boto3.session.Session) -> Iterator[Callable[..., object]]:
    """Makes EC2 clients of a lab: with a member's credentials, or (None) an operator's."""
    clients = []

    def make(lab: LabThread, member: str | None = None, **config):
        held = lab.world.credentials(member) if member else None
        options = {
            "connect_timeout": 5,
            "read_timeout": 5,
            "retries": {"total_max_attempts": 1, "mode": "standard"},
            **config,
        }
        client = session.client(
            "ec2",
            endpoint_url=lab.ec2_url,
            region_name="eu-central-1",
            aws_access_key_id=held.access_key_id if held else "AKIALABOPERATOR00000",
            aws_secret_access_key=held.secret_access_key if held else "lab",
            aws_session_token=held.session_token if held else None,
            config=Config(**options),
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()
