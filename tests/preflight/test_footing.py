"""The checks of the state directory and of where to listen."""

from __future__ import annotations

import pytest

from eni_failover.preflight import footing
from eni_failover.preflight.facts import LockState, Place, PortState
from tests.preflight.builders import disk, facts, said

HERE = "/var/lib/eni-failover/orders"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"lock": LockState.TAKEN}, ("fail", f"another process has the lock in {HERE}")),
        ({"problem": "Read-only file system"}, ("fail", f"{HERE}: Read-only file system")),
        (
            {"problem": "Permission denied", "is_ours": False},
            ("warn", f"unknown: {HERE}: Permission denied"),
        ),
        ({"free_bytes": 4 * 1024 * 1024 - 1024}, ("fail", f"{HERE}: 4095 KiB are free")),
        ({"write_seconds": 1.5}, ("warn", f"{HERE}: a small write took 1.5 s")),
        ({"exists": False, "write_seconds": None}, ("pass", f"{HERE}, made when the daemon starts")),
        (
            {"exists": False, "write_seconds": None, "lock": LockState.OURS},
            ("warn", f"{HERE} was removed while the daemon runs"),
        ),
        ({"lock": LockState.OURS}, ("pass", HERE)),
        ({"free_bytes": None}, ("pass", HERE)),
    ],
)
def test_the_state_directory_is_judged(changes, expected):
    """Full, read-only or locked by a stranger fail; slow, or another user's, is a warning."""
    assert expected == said(footing.disk(facts(of_host={"disk": disk(**changes)})))


WHAT = "[server] listen 10.0.1.12:10177"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (PortState.TAKEN, ("fail", f"{WHAT} is taken by another program")),
        (PortState.NO_ADDRESS, ("fail", f"{WHAT}: this host does not have that address")),
        (PortState.REFUSED, ("fail", f"{WHAT}: Permission denied")),
        (PortState.OURS, ("pass", f"{WHAT}: the daemon of this group")),
        (PortState.FREE, ("pass", f"{WHAT}: free")),
    ],
)
def test_the_port_is_judged(state, expected):
    """Our own daemon may have it, nobody else."""
    place = Place(what=WHAT, state=state, detail="Permission denied" if state is PortState.REFUSED else "")

    assert expected == said(footing.ports(facts(of_host={"listen": place})))


def test_the_port_of_an_unknown_member_is_unknown():
    """Its address is not known."""
    assert footing.ports(facts(of_host={"listen": None})).result == "warn"


SOCKET = "[control] socket /run/eni-failover/orders.sock"


@pytest.mark.parametrize(
    ("state", "detail", "expected"),
    [
        (PortState.TAKEN, "exists and is no socket", ("fail", f"{SOCKET}: exists and is no socket")),
        (
            PortState.NO_ADDRESS,
            "/run/eni-failover does not exist",
            ("warn", f"{SOCKET}: /run/eni-failover does not exist"),
        ),
        (PortState.REFUSED, "not allowed", ("warn", f"{SOCKET}: not allowed")),
        (PortState.OURS, "", ("pass", f"{SOCKET}: the daemon of this group")),
    ],
)
def test_the_control_socket_is_judged(state, detail, expected):
    """What is in its place fails; what the units will make, or this user may not see, is a warning."""
    place = Place(what=SOCKET, state=state, detail=detail)

    assert expected == said(footing.control_socket(facts(of_host={"control": place})))
