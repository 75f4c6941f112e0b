"""The tcp probe against real loopback sockets."""

from __future__ import annotations

import asyncio
import select
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eni_failover.adapters.probes import connect
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import Target, TcpSettings
from eni_failover.adapters.probes.tcp import TcpProbe
from eni_failover.core.vocabulary import Answer
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
                await probe.close()
                return before, descriptors()

    before, after = asyncio.run(main())

    assert before == after


def test_a_server_that_greets_first_sees_no_reset():
    """A greeting that has come is read before the close, so that the close is a FIN."""

    async def main(port):
        probe = TcpProbe(TcpSettings(host="{address}", port=port))
        connect = probe._connector.connect

        async def connect_and_wait(address):
            connection = await connect(address)
            await asyncio.to_thread(select.select, [connection], [], [], 5)
            return connection

        probe._connector.connect = connect_and_wait
        return await probe(LOCAL)

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


def test_a_connection_to_oneself_is_refused():
    """The kernel may choose the very port that is asked for, and connect the socket to itself."""
    port = refused_port()

    async def main():
        probe = TcpProbe(TcpSettings(host="{address}", port=port))
        begin = connect._begin

        def from_that_port(connection, address):
            connection.bind(("127.0.0.1", port))
            return begin(connection, address)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(connect, "_begin", from_that_port)
            return await probe(LOCAL)

    assert asyncio.run(main()) == REFUSED
