"""Whose connection it is, and which names are ours."""

import asyncio
from pathlib import Path

import pytest

from eni_failover.control.callers import Caller, Names, TcpCallers
from eni_failover.core.policy import InstanceId, Member, MemberName
from tests.control.support import Client, FakeDesk, read_all, serve

ALPHA = Member(name=MemberName("alpha"), instance_id=InstanceId("i-0a"), address="10.0.1.11")
BETA = Member(name=MemberName("beta"), instance_id=InstanceId("i-0b"), address="2001:db8::b")


class Sock:
    """As much of a socket as is asked."""

    def __init__(self, host: str) -> None:
        self.host = host

    def getpeername(self) -> tuple[str, int]:
        return self.host, 40000


@pytest.mark.parametrize(
    ("host", "key", "is_known"),
    [
        ("10.0.1.11", "10.0.1.11", True),
        ("::ffff:10.0.1.11", "10.0.1.11", True),
        ("2001:db8::b", "2001:db8::b", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "::1", True),
        ("10.0.1.12", "10.0.1.12", False),
        ("::ffff:10.0.1.12", "10.0.1.12", False),
        ("2001:db8::c", "2001:db8::/80", False),
        ("2001:db8::1:2:3", "2001:db8::/80", False),
        ("fe80::1%eth0", "fe80::/80", False),
    ],
)
def test_a_caller_is_an_address(host: str, key: str, is_known: bool) -> None:
    """A member's is known, in whichever spelling; strangers of one delegated prefix are one."""
    assert TcpCallers(lambda: (ALPHA, BETA))(Sock(host)) == Caller(key, is_known=is_known)


def test_the_members_in_force_are_known() -> None:
    """A reload or discovery brings and takes members."""
    members = [ALPHA]
    callers = TcpCallers(lambda: members)
    assert callers(Sock("10.0.1.11")).is_known
    members[:] = [BETA]

    assert not callers(Sock("10.0.1.11")).is_known


@pytest.mark.parametrize(
    "host",
    [
        None,
        "localhost",
        "LOCALHOST:8080",
        "10.0.1.11:10177",
        "203.0.113.7",
        "[2001:db8::b]:10177",
        "[::1]",
        "alpha",
        "Alpha:10177",
        "beta.",
    ],
)
def test_an_address_and_our_names_are_ours(host: str | None) -> None:
    """Any address, also one that only a router in between knows; localhost; the members' names."""
    assert Names(lambda: (ALPHA, BETA)).allow(host)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "alpha.evil.example", "10.0.1.11.evil.example", "localhost.evil:80", "[x", "x"],
)
def test_any_other_name_is_not(host: str) -> None:
    """What somebody else's name resolves to is not asked."""
    assert not Names(lambda: (ALPHA, BETA)).allow(host)


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/", b"evil.example", b"421"),
        ("/events", b"evil.example", b"421"),
        ("/", b"127.0.0.1", b"200"),
        ("/status", b"lb.example", b"200"),
        ("/metrics", b"lb.example", b"200"),
        ("/livez", b"lb.example", b"200"),
        ("/readyz", b"lb.example", b"200"),
        ("/active", b"lb.example", b"503"),
    ],
)
def test_only_what_browsers_show_asks_for_the_name(
    tmp_path: Path, path: str, host: bytes, status: bytes
) -> None:
    """Another page's name does not reach the page; load balancers and Prometheus ask by any name."""

    async def scenario(client: Client) -> None:
        reader, writer = await client.raw()
        writer.write(b"GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (path.encode(), host))
        async with asyncio.timeout(5):
            answer = await read_all(reader)

        assert answer.startswith(b"HTTP/1.1 %s " % status)

    serve(tmp_path, FakeDesk(), scenario)
