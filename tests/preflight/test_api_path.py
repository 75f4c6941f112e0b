"""By which address requests leave, on loopback."""

from __future__ import annotations

import asyncio
import socket

import pytest

from eni_failover.preflight.api_path import source_to
from eni_failover.preflight.facts import Missed


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_the_kernel_chooses_the_source():
    """An endpoint on loopback is reached from loopback."""
    assert asyncio.run(source_to("http://127.0.0.1:4566")) == ("127.0.0.1", "127.0.0.1")


def test_a_proxy_is_asked_in_the_endpoints_place(monkeypatch):
    """What counts is the way to the proxy, of the endpoint's scheme."""
    monkeypatch.setenv("https_proxy", "127.0.0.2:3128")
    https = asyncio.run(source_to("https://ec2.eu-central-1.amazonaws.com"))
    exempt = "127.0.0.1"
    monkeypatch.setenv("no_proxy", exempt)

    assert https == ("127.0.0.2", "127.0.0.1")
    assert asyncio.run(source_to(f"https://{exempt}")) == (exempt, "127.0.0.1")


def test_a_name_that_is_not_resolved_is_missed(monkeypatch):
    """With the resolver's words."""

    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    asked, source = asyncio.run(source_to("https://ec2.example"))

    assert asked == "ec2.example"
    assert source == Missed(why="ec2.example: Name or service not known")


def test_a_resolver_that_hangs_is_missed(monkeypatch):
    """The wait is bounded, and the thread that hangs holds up nobody."""
    monkeypatch.setattr("eni_failover.preflight.api_path._LOOKUP_TIMEOUT", 0.05)
    left, right = socket.socketpair()

    def hang(*_, **__):
        right.recv(1)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with left, right:
        _, source = asyncio.run(source_to("https://ec2.example"))
        left.sendall(b"x")

    assert source == Missed(why="ec2.example was not resolved within 0.05 s")
