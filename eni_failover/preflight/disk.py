"""The state directory: whether it is there, can be written and has room, and who has its lock.

Owns the looks, all blocking: `look` belongs in a thread. Leaves nothing behind.

The lock is tried, shared, for an instant, and only where no daemon answers: one that started in that
instant would find it taken and be started again by systemd.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from pathlib import Path

from eni_failover.files import open_regular
from eni_failover.journal_file import FILE, LOCK
from eni_failover.preflight.facts import Disk, LockState

_PROBE = b"eni-failover check\n"


def look(directory: Path, *, daemon_answers: bool) -> Disk:
    """What there is to say about this state directory."""
    exists, is_ours, problem = True, True, ""
    write_seconds: float | None = None
    try:
        write_seconds = _write(directory)
        _open_journal(directory)
    except FileNotFoundError:
        exists = False
    except OSError as error:
        problem = error.strerror or str(error)
        if error.filename == str(directory / FILE):
            problem = f"{FILE}: {problem}"
        is_ours = not isinstance(error, PermissionError) or _owns(directory)
    return Disk(
        path=directory,
        exists=exists,
        is_ours=is_ours,
        free_bytes=_free(directory),
        write_seconds=write_seconds,
        lock=LockState.OURS if daemon_answers else _lock(directory),
        problem=problem,
    )


def _write(directory: Path) -> float:
    """Seconds that a small file takes to reach the disk. Raises OSError."""
    path = directory / f".check-{os.getpid()}"
    began = time.monotonic()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, _PROBE)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    finally:
        path.unlink(missing_ok=True)
    return time.monotonic() - began


def _open_journal(directory: Path) -> None:
    """Opens the journal that is there as the daemon does; one that is not is made. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.close(open_regular(directory / FILE, os.O_RDWR))


def _owns(directory: Path) -> bool:
    try:
        return directory.stat().st_uid == os.geteuid()
    except OSError:
        return False


def _free(directory: Path) -> int | None:
    """Bytes that this user may still write, on the disk that the directory is, or will be, on."""
    for place in (directory, *directory.parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None


def _lock(directory: Path) -> LockState:
    try:
        descriptor = os.open(directory / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return LockState.FREE  # nobody has made it, or it is not for this user to see
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return LockState.TAKEN
    except OSError:
        return LockState.FREE
    finally:
        os.close(descriptor)
    return LockState.FREE
