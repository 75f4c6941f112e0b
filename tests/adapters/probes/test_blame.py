"""Whose failure an error number is."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from eni_failover.adapters.probes import blame
from eni_failover.adapters.probes.names import Address
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.core.vocabulary import Answer

THEIRS = {
    errno.ECONNREFUSED: True,
    errno.ECONNRESET: True,
    errno.ECONNABORTED: True,
    errno.EPIPE: True,
    errno.ESHUTDOWN: True,
    errno.ETIMEDOUT: False,
    errno.EHOSTUNREACH: False,
    errno.EHOSTDOWN: False,
}


@pytest.mark.parametrize("number", sorted(errno.errorcode), ids=errno.errorcode.get)
def test_only_eight_error_numbers_are_down(number):
    """Every error number that Linux has: eight are the target's, of which five are a sign of life."""
    answer = Answer.DOWN if number in THEIRS else Answer.UNKNOWN
    result = blame.judge(OSError(number, "with an address 10.0.1.11 in it"))

    assert (answer, THEIRS.get(number, False)) == (result.answer, result.answered)
    assert "10.0.1.11" not in result.detail


def test_an_openssl_error_one_is_no_eperm():
    """An SSLError's errno is OpenSSL's own: 1 is not EPERM, and the target has spoken."""
    result = blame.judge(ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"))

    assert ProbeResult(answer=Answer.DOWN, answered=True, detail="TLS failed: SSLError") == result


def test_a_connection_error_without_a_number_is_down():
    """asyncio says `ConnectionResetError("Connection lost")`: no errno, but no doubt either."""
    result = blame.judge(ConnectionResetError("Connection lost"))

    assert ProbeResult(answer=Answer.DOWN, answered=True, detail="ConnectionResetError") == result


def test_an_unresolved_name_is_unknown():
    """Whoever is to blame for a name without an address, the target was not asked."""
    result = blame.unresolved(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    detail = "name not resolved: Name or service not known"

    assert ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=detail) == result


@pytest.mark.parametrize(
    ("problem", "answer"),
    [
        (errno.EAFNOSUPPORT, Answer.DOWN),
        (errno.EPERM, Answer.DOWN),
        (errno.EMFILE, Answer.UNKNOWN),
        (errno.ENETUNREACH, Answer.UNKNOWN),
    ],
)
def test_when_the_kernel_is_not_asked_about_a_neighbour(monkeypatch, problem, answer):
    """Where a sandbox forbids the question, an error as of a silent neighbour is one: a dead holder is down.

    A question that failed for another reason is this host's trouble.
    """

    def ask(address):
        raise OSError(problem, "no answer")

    host = Address(family=socket.AF_INET, sockaddr=("127.0.0.7", 80))
    report = blame._Report(sender=socket.inet_aton("127.0.0.1"), kind=(3, 1))
    monkeypatch.setattr(blame, "_read_report", lambda connection: report)
    monkeypatch.setattr(blame.nexthop, "next_hop", ask)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.connect(("127.0.0.1", 80))
        result = blame.refused(connection, host, OSError(errno.EHOSTUNREACH, "No route to host"))

    assert (answer, False) == (result.answer, result.answered)
