"""The tcp probe against real loopback sockets."""

from __future__ import annotations

import asyncio
import select
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eni_failover.adapters.probes.names import Address
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import Target, TcpSettings
from eni_failover.adapters.probes.tcp import TcpProbe
from eni_failover.core.words import Answer
from tests.adapters.probes.servers import LOCAL, LOCAL6, NO_ROUTE, has_ipv6, refused_port, serving

CONNECTED = ProbeResult(answer=Answer.UP, answered=True, detail="connected")
REFUSED = ProbeResult(answer=Answer.DOWN, answered=True, detail="Connection refused")


def descriptors() -> set[str]:
    return {link.name for link in Path("/proc/self/fd").iterdir()}


def ask(port: int, target: Target = LOCAL, host: str = "{address}") -> ProbeResult:
    return asyncio.run(TcpProbe(TcpSettings(host=host, port=port))(target))


async def ask_listener(host: str, target: Target) -> ProbeResult:
    async with serving(host=host) as server:
        return await TcpProbe(TcpSettings(host="{address}", port=server.port))(target)


def test_a_listener_that_accepts_and_says_nothing_is_up():
    """Connected is all that a tcp probe asks for."""
    assert asyncio.run(ask_listener("127.0.0.1", LOCAL)) == CONNECTED


@pytest.mark.skipif(not has_ipv6(), reason="NO IPv6 LOOPBACK on this host: the IPv6 tcp probe is not tested")
def test_a_listener_on_ipv6_is_up():
    """An IPv6 address needs no brackets in `host`."""
    assert asyncio.run(ask_listener("::1", LOCAL6)) == CONNECTED


def test_a_refused_connection_is_down_and_a_sign_of_life():
    """Nobody listens: the kernel of the target says so."""
    assert ask(refused_port()) == REFUSED


def test_an_address_without_a_route_is_unknown():
    """ENETUNREACH: this host could not send."""
    expected = ProbeResult(answer=Answer.UNKNOWN, answered=False, detail="Network is unreachable")

    assert expected == ask(80, NO_ROUTE)


def test_a_name_that_does_not_resolve_is_unknown():
    """The target was never asked."""
    result = ask(80, host="no-such-host.invalid")

    assert (result.answer, result.answered) == (Answer.UNKNOWN, False)
    assert result.detail.startswith("name not resolved: ")


@pytest.mark.parametrize(
    ("listening", "result"),
    [((True, False), CONNECTED), ((False, True), CONNECTED), ((False, False), REFUSED)],
)
def test_a_name_with_several_addresses_is_up_when_one_accepts(listening, result):
    """`localhost` is often two addresses with the service on one of them."""

    async def main():
        async with serving() as server:
            ports = [server.port if listens else refused_port() for listens in listening]
            probe = TcpProbe(TcpSettings(host="both.example", port=80))

            async def find(host, port):
                return [Address(family=socket.AF_INET, sockaddr=("127.0.0.1", each)) for each in ports]

            probe._names.find = find
            return await probe(LOCAL)

    assert result == asyncio.run(main())


def test_a_cancelled_attempt_leaves_no_socket_behind():
    """A full backlog lets the connection hang; cut short by the deadline, its descriptor is closed."""

    async def main():
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            port = full.getsockname()[1]
            # With a backlog of 0, Linux holds one connection; the next one's SYN is dropped.
            with socket.create_connection(("127.0.0.1", port)):
                probe = TcpProbe(TcpSettings(host="{address}", port=port))
                before = descriptors()
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await probe(LOCAL)
                return before, descriptors()

    before, after = asyncio.run(main())

    assert before == after


def test_a_server_that_greets_first_sees_no_reset():
    """A greeting that has come is read before the close, so that the close is a FIN."""

    async def main(port):
        loop = asyncio.get_running_loop()
        connect = loop.sock_connect

        async def connect_and_wait(connection, address):
            await connect(connection, address)
            await asyncio.to_thread(select.select, [connection], [], [], 5)

        loop.sock_connect = connect_and_wait
        return await TcpProbe(TcpSettings(host="{address}", port=port))(LOCAL)

    def greet(listener):
        greeter, _ = listener.accept()
        with greeter:
            greeter.settimeout(5)
            greeter.sendall(b"220 mail.example ESMTP\r\n")
            return greeter.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as threads:
        seen = threads.submit(greet, listener)
        result = asyncio.run(main(listener.getsockname()[1]))

    assert result == CONNECTED
    assert seen.result() == b""


def test_closing_a_tcp_probe_is_nothing():
    """There is nothing to free."""
    assert asyncio.run(TcpProbe(TcpSettings(host="{address}", port=80)).close()) is None
