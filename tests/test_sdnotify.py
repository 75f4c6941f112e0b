"""What systemd is told, received on a real datagram socket."""

import contextlib
import os
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from eni_failover.sdnotify import Notifier


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Notifier, socket.socket]]:
    """A notifier, and the socket on which its systemd listens."""
    if request.param == "path":
        name = address = str(tmp_path / "notify")
    else:
        name = f"@eni-failover-test-{uuid.uuid4().hex}"
        address = "\0" + name[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address)
        receiver.setblocking(False)
        yield Notifier({"NOTIFY_SOCKET": name}), receiver


def test_messages_are_the_protocols(systemd) -> None:
    """Each message is one datagram in the words of sd_notify(3)."""
    notifier, receiver = systemd
    notifier.ready()
    notifier.status("standby: alpha holds orders")
    notifier.watchdog()
    notifier.extend_timeout(2.5)
    notifier.stopping()
    received = [receiver.recv(4096) for _ in range(5)]

    assert received == [
        b"READY=1",
        b"STATUS=standby: alpha holds orders",
        b"WATCHDOG=1",
        b"EXTEND_TIMEOUT_USEC=2500000",
        b"STOPPING=1",
    ]


def test_reload_carries_the_monotonic_time(systemd) -> None:
    """RELOADING comes with the clock that systemd compares with, in microseconds."""
    notifier, receiver = systemd
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.reloading()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    first, second = receiver.recv(4096).decode().split("\n")

    assert first == "RELOADING=1"
    assert before <= int(second.removeprefix("MONOTONIC_USEC=")) <= after


def test_status_cannot_forge_another_message(systemd) -> None:
    """A status is one bounded line: a line end in it does not become a field of its own."""
    notifier, receiver = systemd
    notifier.status("a\nREADY=1\r\n" + "x" * 100_000 + "\ud800")
    message = receiver.recv(1 << 20)

    assert message.startswith(b"STATUS=a READY=1 xxx")
    assert b"\n" not in message
    assert len(message) < 1100


@pytest.mark.parametrize(
    "name", [None, "", "vsock:2:1234", "relative", "/nonexistent/notify", "@nobody-is-here"]
)
def test_without_a_systemd_nothing_happens(name: str | None) -> None:
    """No socket, one of another kind, and one that nobody listens on are silent."""
    notifier = Notifier({} if name is None else {"NOTIFY_SOCKET": name})
    notifier.ready()
    notifier.status("x")
    notifier.reloading()
    notifier.watchdog()
    notifier.extend_timeout(1)
    notifier.stopping()


def test_systemd_that_does_not_read_is_not_waited_for(tmp_path: Path) -> None:
    """A full queue costs messages, not time."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.setblocking(False)
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        for _ in range(5000):
            notifier.watchdog()
        received = 0
        with contextlib.suppress(BlockingIOError):
            while receiver.recv(100):
                received += 1

    assert 0 < received < 5000


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "x"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "30s"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
        ({}, None),
    ],
)
def test_watchdog_interval_is_for_this_process(environment: dict[str, str], expected: float | None) -> None:
    """The interval is WATCHDOG_USEC in seconds, when it is meant for this process and makes sense."""
    assert expected == Notifier(environment).watchdog_interval()
