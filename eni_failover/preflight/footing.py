"""Checks of what the daemon stands on here: its state directory, and where it listens."""

from __future__ import annotations

from eni_failover.core.snapshot import Check
from eni_failover.preflight.facts import Disk, Facts, LockState, Missed, Place, PortState
from eni_failover.preflight.verdicts import failed, passed, unknown, warned

LEAST_FREE = 4 * 1024 * 1024  # the journal has 1 MiB, and twice that while it is rewritten
SLOW_WRITE = 1.0  # the daemon gives up on a slower one


def disk(facts: Facts) -> Check:
    """The journal can be written, and soon."""
    found = facts.host.disk
    if found.lock is LockState.TAKEN:
        remedy = "one daemon for each group and state directory: see [state] directory"
        return failed("disk", f"another process has the lock in {found.path}", remedy)
    if found.problem:
        return _unwritten(found)
    if not found.exists and found.lock is LockState.OURS:
        detail = f"{found.path} was removed while the daemon runs"
        return warned("disk", detail, "the daemon makes it anew at its next write")
    if found.free_bytes is not None and found.free_bytes < LEAST_FREE:
        return failed("disk", f"{found.path}: {found.free_bytes // 1024} KiB are free", "free disk space")
    if found.write_seconds is not None and found.write_seconds > SLOW_WRITE:
        detail = f"{found.path}: a small write took {found.write_seconds:.1f} s"
        return warned("disk", detail, "the daemon waits a second at most, and goes on without")
    return passed("disk", f"{found.path}{'' if found.exists else ', made when the daemon starts'}")


def _unwritten(found: Disk) -> Check:
    """Another user's refusal says nothing about the daemon's."""
    detail = f"{found.path}: {found.problem}"
    if found.is_ours:
        return failed("disk", detail, "without a journal a killed daemon cannot carry a takeover on")
    return unknown("disk", Missed(why=detail), "check as the service's user, or as root")


def ports(facts: Facts) -> Check:
    """The daemon can listen for HTTP, or does."""
    found = facts.host.listen
    if found is None:
        return unknown("ports", Missed(why="it is not known which member this is"))
    match found.state:
        case PortState.TAKEN:
            return failed(
                "ports", f"{found.what} is taken by another program", "give each group its own port"
            )
        case PortState.NO_ADDRESS:
            detail = f"{found.what}: this host does not have that address"
            return failed("ports", detail, "see this member's address, or write [server] listen")
        case PortState.REFUSED:
            return failed("ports", f"{found.what}: {found.detail}", "use a port above 1023")
        case _:
            return passed("ports", _standing(found))


def control_socket(facts: Facts) -> Check:
    """The daemon can take orders, or does."""
    found = facts.host.control
    if found is None:
        return passed("control_socket")
    match found.state:
        case PortState.TAKEN:
            return failed("control_socket", f"{found.what}: {found.detail}", "see [control] socket")
        case PortState.NO_ADDRESS | PortState.REFUSED:
            remedy = "the units make the directory; else check as the service's user"
            return warned("control_socket", f"{found.what}: {found.detail}", remedy)
        case _:
            return passed("control_socket", _standing(found))


def _standing(place: Place) -> str:
    return f"{place.what}: {'the daemon of this group' if place.state is PortState.OURS else 'free'}"
