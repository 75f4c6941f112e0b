"""Where a daemon would listen: real sockets on loopback, with and without a daemon on them."""

from __future__ import annotations

import asyncio
import errno
import socket
from dataclasses import replace

import pytest
from aiohttp import ClientTimeout

from eni_failover.client import Client, UnreachableError
from eni_failover.control import Servers
from eni_failover.core.policy import Member
from eni_failover.core.snapshot import Snapshot
from eni_failover.core.vocabulary import Role
from eni_failover.preflight import neighbours, places
from eni_failover.preflight.facts import PortState
from tests.preflight.builders import BETA, config

ME = Member(name="beta", instance_id=BETA, address="127.0.0.1")


class Desk:
    """A daemon's view: beta of orders, at rest; None before its first pass."""

    def __init__(self, group: str = "orders", *, starting: bool = False) -> None:
        self._group = group
        self._starting = starting

    def snapshot(self):
        if self._starting:
            return None
        return Snapshot(
            version="0.1.0",
            group=self._group,
            member="beta",
            instance_id=BETA,
            config_hash="abc",
            role=Role.STANDBY,
            holder="alpha",
            at_wall=1_800_000_000.0,
        )

    def last_pass_ended(self) -> float:
        return 0.0

    def metrics_page(self) -> bytes:
        return b""


@pytest.fixture
def file(tmp_path_factory):
    """A configuration whose socket has a short path."""
    directory = tmp_path_factory.mktemp("m")
    return replace(config(), socket=directory / "orders.sock", listen="{address}:0")


def looked(file, desk=None):
    """Both places, with a daemon behind them when there is a desk."""

    async def scene():
        if desk is None:
            return await places.http(file, ME), await places.control(file)
        servers = Servers(desk=desk, host="127.0.0.1", port=0, socket_path=file.socket, interval=10.0)
        await servers.start()
        try:
            listening = replace(file, listen=f"{{address}}:{servers.port}")
            return await places.http(listening, ME), await places.control(listening)
        finally:
            await servers.close()

    return asyncio.run(scene())


def test_free_places(file):
    """Nobody listens, and the looks leave nothing behind."""
    first = [one.state for one in looked(file)]

    assert first == [PortState.FREE, PortState.FREE]
    assert list(file.socket.parent.iterdir()) == []


def test_places_of_our_own_daemon(file):
    """A daemon of this group has both."""
    assert [one.state for one in looked(file, Desk())] == [PortState.OURS, PortState.OURS]


def test_places_of_another_groups_daemon(file):
    """Both are taken; the control socket's answer tells by whom."""
    http, control = looked(file, Desk("payments"))

    assert (http.state, control.state) == (PortState.TAKEN, PortState.TAKEN)
    assert control.detail == "the daemon of payments answers there"


def test_a_daemon_that_starts_has_its_socket(file):
    """No pass has ended: it is ours by its place."""
    _, control = looked(file, Desk(starting=True))

    assert control.state is PortState.OURS


def test_a_port_of_another_program(file, monkeypatch):
    """Whoever listens and is no daemon of ours has taken it."""
    monkeypatch.setattr(neighbours, "_TIMEOUT", ClientTimeout(total=0.05))
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = replace(file, listen=f"{{address}}:{other.getsockname()[1]}")
        # Nobody accepts: the question to whoever listens runs into its own deadline.
        http, _ = looked(taken)

    assert http.state is PortState.TAKEN
    assert "[server] listen 127.0.0.1:" in http.what


def test_an_address_of_another_host(file):
    """TEST-NET-1 is nobody's (RFC 5737)."""
    http, _ = looked(replace(file, listen="192.0.2.1:10177"))

    assert (http.what, http.state) == ("[server] listen 192.0.2.1:10177", PortState.NO_ADDRESS)


def test_a_socket_of_a_dead_daemon_is_free(file):
    """The next daemon replaces it."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(file.socket))
    _, control = looked(file)

    assert control.state is PortState.FREE


def test_a_file_in_the_sockets_place(file):
    """No daemon can start over it."""
    file.socket.write_text("")
    _, control = looked(file)

    assert (control.state, control.detail) == (PortState.TAKEN, "exists and is no socket")


def test_a_socket_without_its_directory(file):
    """The units make it."""
    lost = replace(file, socket=file.socket.parent / "no" / "orders.sock")
    _, control = looked(lost)

    assert (control.state, control.detail) == (PortState.NO_ADDRESS, f"{lost.socket.parent} does not exist")


def test_a_port_that_this_user_may_not_have(file, monkeypatch):
    """Ports below 1024 need a privilege that the units do not give."""

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refuse)
    http, _ = looked(replace(file, listen="{address}:80"))

    assert (http.state, http.detail) == (PortState.REFUSED, "Permission denied")


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (PermissionError(), (PortState.REFUSED, "not allowed to ask who has it")),
        (TimeoutError(), (PortState.TAKEN, "no good")),
        (FileNotFoundError(), (PortState.FREE, "")),
    ],
)
def test_a_socket_that_does_not_tell_whose_it_is(file, monkeypatch, cause, expected):
    """Not allowed to ask is not taken; a listener that gives no answer of ours is."""

    def refuse(_):
        raise UnreachableError("no good") from cause

    monkeypatch.setattr(Client, "status", refuse)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(file.socket))
        _, control = looked(file)

    assert (control.state, control.detail) == expected


def test_a_place_that_cannot_be_looked_at(file):
    """A file where a directory should be."""
    file.socket.write_text("")
    _, control = looked(replace(file, socket=file.socket / "orders.sock"))

    assert (control.state, control.detail) == (PortState.REFUSED, "Not a directory")
