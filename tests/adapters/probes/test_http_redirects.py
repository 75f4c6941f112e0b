"""What travels with a redirect, and where it may not lead."""

from __future__ import annotations

import asyncio
import socket

import pytest

from eni_failover.adapters.probes import connect as connecting
from eni_failover.adapters.probes import names, places_kept_out
from eni_failover.adapters.probes.http import HttpProbe
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import HttpSettings, Target
from eni_failover.adapters.probes.waiting import within
from eni_failover.core.vocabulary import Answer
from tests.adapters.probes.servers import LOCAL, page, says, serving

OK = ProbeResult(answer=Answer.UP, answered=True, detail="status 200")
REFUSED = ProbeResult(
    answer=Answer.DOWN, answered=True, detail="redirect to a loopback or link-local address"
)
NOT_HERE = ProbeResult(
    answer=Answer.UNKNOWN,
    answered=True,
    detail="redirect to a name that this host resolves to a loopback or link-local address",
)
HEADERS = (("X-Api-Key", "s3cret"), ("Cookie", "s3cret"), ("Authorization", "s3cret"), ("Accept", "s3cret"))


def to(location: str, *, status: str = "302 Found") -> bytes:
    return page(b"", status, f"Location: {location}\r\n".encode())


def probe(location: str, *, target: Target = LOCAL, at: str = "127.0.0.1", **settings) -> ProbeResult:
    """What a probe says of a server that redirects there; `{port}` is the server's own."""

    async def main() -> ProbeResult:
        async with serving() as server:
            server.handler = says(to(location.format(port=server.port)))
            url = f"http://{at}:{server.port}/"
            asking = HttpProbe(HttpSettings(url=url, follow_redirects=True, **settings))
            try:
                async with within(2.0):
                    return await asking(target)
            finally:
                await asking.close()

    return asyncio.run(main())


def resolving(monkeypatch, **known: str) -> None:
    """These names, with _ for each dot, have these addresses; all others none."""

    def look_up(host, port, family):
        address = known.get(host.replace(".", "_"))
        if address is None or (":" in address) != (family == socket.AF_INET6):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        rest = (0, 0) if family == socket.AF_INET6 else ()
        return (names.Address(family=family, sockaddr=(address, port, *rest)),)

    monkeypatch.setattr(names, "_look_up", look_up)


async def following(server):
    """The result of a probe with secret headers that begins at this server."""
    url = f"http://{{address}}:{server.port}/"
    asking = HttpProbe(HttpSettings(url=url, follow_redirects=True, headers=HEADERS))
    result = await asking(LOCAL)
    await asking.close()
    return result


@pytest.mark.parametrize("status", ["301 X", "302 X", "303 X", "307 X", "308 X"])
def test_no_configured_header_follows_to_another_origin(status):
    """An API key is as secret as a bearer token, whatever its name; another port is another origin."""

    async def main():
        async with serving(says(page())) as other:
            there = to(f"http://127.0.0.1:{other.port}/", status=status)
            async with serving(says(there)) as server:
                return await following(server), server.requests[0], other.requests[0]

    result, first, second = asyncio.run(main())

    assert result == OK
    assert first.count(b"s3cret") == len(HEADERS)
    assert b"s3cret" not in second
    assert b"\r\nAccept: */*\r\n" in second


def test_configured_headers_follow_within_the_origin():
    """A redirect from / to /login of the same server."""

    async def main():
        async with serving(None) as server:

            async def handle(reader, writer):
                writer.write(page() if server.connections > 1 else to("/login"))

            server.handler = handle
            return await following(server), server.requests[1]

    result, second = asyncio.run(main())

    assert result == OK
    assert second.count(b"s3cret") == len(HEADERS)


def test_what_was_left_behind_does_not_come_back():
    """Home, away, and home again: the other server chose the last request."""

    async def main():
        async with serving(None) as server, serving(None) as other:

            async def first(reader, writer):
                writer.write(page() if server.connections > 1 else to(f"http://127.0.0.1:{other.port}/"))

            server.handler = first
            other.handler = says(to(f"http://127.0.0.1:{server.port}/"))
            return await following(server), server.requests[1]

    result, last = asyncio.run(main())

    assert result == OK
    assert b"s3cret" not in last


LINK_LOCAL = [
    "169.254.169.254",
    "169.254.1.1",
    "[fe80::1%25lo]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[fd00:ec2::23]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "0.0.0.0",
    "[::]",
    "[::ffff:0.0.0.0]",
]
LOOPBACK = ["127.0.0.1", "127.8.9.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "LOCALHOST.", "a.localhost"]
AWAY = "10.99.0.1"


@pytest.fixture
def away(monkeypatch):
    """A server that is not on loopback, as far as the probe knows: connections to `AWAY` lead to it."""
    real = connecting._begin

    def begin(connection, address):
        if address.sockaddr[0] == AWAY:
            address = names.Address(family=socket.AF_INET, sockaddr=("127.0.0.1", address.sockaddr[1]))
        return real(connection, address)

    monkeypatch.setattr(connecting, "_begin", begin)


@pytest.mark.parametrize("host", LINK_LOCAL + LOOPBACK)
def test_a_redirect_to_this_host_or_its_link_is_a_wrong_answer(away, host):
    """No client of a service could follow it: the target has answered, and wrongly. Nobody is asked."""
    asked = []

    async def main() -> ProbeResult:
        async with serving(says(page())) as witness, serving() as server:
            server.handler = says(to(f"http://{host}:{witness.port}/"))
            asking = HttpProbe(HttpSettings(url=f"http://{{address}}:{server.port}/", follow_redirects=True))
            target = Target(member="alpha", address=AWAY, instance_id="i-0aaaaaaaaaaaaaaa1")
            try:
                async with within(2.0):
                    return await asking(target)
            finally:
                asked.append(witness.connections)
                await asking.close()

    assert (asyncio.run(main()), asked) == (REFUSED, [0])


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "fd00:ec2::254", "::ffff:127.0.0.1", "::"]
)
def test_a_redirect_to_a_name_of_such_an_address_is_unknown(away, monkeypatch, address):
    """It may be a line of this host's own /etc/hosts: nobody is asked, and nothing is known."""
    resolving(monkeypatch, web_invalid=address)

    target = Target(member="alpha", address=AWAY, instance_id="i-0aaaaaaaaaaaaaaa1")

    assert probe("http://web.invalid/", target=target, at="{address}") == NOT_HERE


def test_an_old_spelling_of_an_address_is_found_out(away):
    """The C library reads 2852039166 as 169.254.169.254."""
    target = Target(member="alpha", address=AWAY, instance_id="i-0aaaaaaaaaaaaaaa1")

    assert probe("http://2852039166/", target=target, at="{address}") == NOT_HERE


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "0.0.0.0"])
def test_from_loopback_only_loopback_is_fine(host):
    """A member of a lab, or a service beside the daemon, may redirect to loopback, and no further."""
    assert probe(f"http://{host}/") == REFUSED
    assert probe("http://localhost:{port}/").detail == "more than 5 redirects"


def test_a_target_may_redirect_to_its_own_address():
    """Also one that is link-local: it is what the configuration names."""
    own = names.Address(family=socket.AF_INET, sockaddr=("169.254.7.7", 80))
    metadata = names.Address(family=socket.AF_INET, sockaddr=("169.254.169.254", 80))

    assert places_kept_out.is_kept_out(metadata, (own,))
    assert not places_kept_out.is_kept_out(own, (own,))
