"""The client against sockets that misbehave in every way, and against the real control server."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager

import pytest

from eni_failover import client
from eni_failover.client import BadOrderError, Client, StartingError, UnreachableError
from eni_failover.core.vocabulary import Role


@contextmanager
def answering(path, answer: bytes | None):
    """Something at the socket that reads a request and says this; None says nothing until the end."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    done = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            if answer is None:
                done.wait(10)
            else:
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(10)
        listener.close()


def http(status: str, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


def test_status_is_the_document(daemon, member):
    """The status is the daemon's document, and its text as it came."""
    reply = Client(member.socket).status()

    assert reply.status == 200
    assert reply.document["holder"] == "alpha"
    assert reply.document == json.loads(reply.text)


def test_a_starting_daemon_has_no_status(daemon, desk, member):
    """Before the first pass there is nothing to show, and that is said."""
    desk.script = [None]

    with pytest.raises(StartingError, match="no pass has ended yet"):
        Client(member.socket).status()


@pytest.mark.parametrize("role", [Role.ACTIVE, Role.STANDBY, None])
def test_is_active(daemon, desk, member, standby, role):
    """Active is a yes; every other role, and no role yet, is a no."""
    desk.script = [None if role is None else standby(role=role)]

    assert (role is Role.ACTIVE) == Client(member.socket).is_active()


def test_a_wrong_order_is_told(daemon, member):
    """What the daemon calls wrong is the user's mistake, with the daemon's words."""
    with pytest.raises(BadOrderError, match="reason: String should have at most 500 characters"):
        Client(member.socket).order("/pause", {"reason": "x" * 501})


def test_an_unknown_order_is_another_version(daemon, member):
    """A daemon that does not know the path is told apart from a refusal."""
    with pytest.raises(UnreachableError, match="did not take the order: 404"):
        Client(member.socket).order("/no-such-order", {})


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "is not eni-failover"),
        (b"", "Remote end closed connection without response"),
        (http("200 OK", b"hello"), "is not eni-failover"),
        (http("200 OK", b"[]"), "is not eni-failover"),
        (http("200 OK", b"\xff"), "is not eni-failover"),
        (http("200 OK", b'{"schema": 2}'), "another version: its status is not schema 1"),
        (http("404 Not Found", b'{"error": "x"}'), "another version"),
    ],
)
def test_somebody_else_answers(tmp_path, answer, words):
    """What is no daemon of ours is no daemon, and the line says what it was."""
    path = tmp_path / "s"

    with answering(path, answer), pytest.raises(UnreachableError, match=words):
        Client(path).status()


def test_active_needs_a_known_answer(tmp_path):
    """A server that does not know /active is not taken for a no."""
    path = tmp_path / "s"

    with answering(path, http("404 Not Found", b"{}")), pytest.raises(UnreachableError, match="/active"):
        Client(path).is_active()


def test_a_silent_daemon_is_given_up(tmp_path, monkeypatch):
    """A daemon that accepts and says nothing is given up after the time that the line names."""
    monkeypatch.setattr(client, "VIEW_TIMEOUT", 0.05)
    path = tmp_path / "s"

    with answering(path, None), pytest.raises(UnreachableError, match=r"did not answer within 0\.05 s"):
        Client(path).status()


def test_nobody_listens(tmp_path):
    """A dead daemon's socket file is as good as none."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))

    with pytest.raises(UnreachableError, match="no daemon answers at"):
        Client(path).status()


def test_not_allowed(tmp_path, monkeypatch):
    """A socket that the user may not use says what to do about it."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(client._UnixConnection, "connect", refuse)  # root may use every socket

    with pytest.raises(UnreachableError, match="use sudo, or join the socket's group"):
        Client(tmp_path / "s").status()


def test_a_queue_that_is_full_is_waited_for(tmp_path):
    """Whoever may connect can fill it for a moment; the kernel says so at once, and does not wait."""
    path = tmp_path / "c.sock"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(path))
        listener.listen(0)
        first.connect(str(path))

        def serve() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(5)
                    if connection.recv(65536):
                        connection.sendall(http("200 OK", b'{"schema": 1}'))

        serving = threading.Timer(0.2, serve)
        serving.start()
        threading.Timer(0.3, first.close).start()
        reply = Client(path).status()
        serving.join(10)

    assert reply.document == {"schema": 1}
