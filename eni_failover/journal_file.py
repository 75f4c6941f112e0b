"""The journal's file: its lock, appending to it, reading it, and its rotation.

Everything here waits for the disk, which may hang for ever: it is called in a thread (`DiskThreads`), and
never twice at a time. What is appended is on the disk when `append` returns.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, wait
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from eni_failover.files import open_fresh, open_regular

FILE = "journal.jsonl"
LOCK = "lock"
ROTATE_AT = 1_048_576
LONGEST_READ = 8 * ROTATE_AT

_UNMAKE_WITHIN = 1.0

REMOVED = "the journal was removed while this daemon ran: written anew"
_TAKEN = "another eni-failover daemon uses this"

P = ParamSpec("P")
T = TypeVar("T")
Line = dict[str, Any]


class DiskThreads(Executor):
    """Each call in a thread of its own that does not keep the process from ending, however long it hangs."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Calls it in a thread."""
        future: Future[T] = Future()

        def work() -> None:
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the future
                future.set_exception(error)
            else:
                future.set_result(result)

        future.set_running_or_notify_cancel()
        threading.Thread(target=work, name="journal", daemon=True).start()
        return future


class JournalFile:
    """The file in this directory. Every method but `close` may hang, and raises OSError."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE
        self.begun = False  # whether the file has something of ours, to be missed when it is empty
        self._directory = directory
        self._lock: int | None = None
        self._locks = False
        self._made: list[Path] = []  # what this process made for the lock, the deepest first
        self._is_closed = False
        self._rotation_is_due = False

    def lock(self) -> None:
        """Takes the lock for this process's life. Raises BlockingIOError when another daemon has it.

        A lock that could not be taken for another cause is tried again with each write.
        """
        self._locks = True
        self._hold(self._locked())

    def close(self) -> None:
        """Releases the lock. Of a start that wrote nothing no lock and no directory stays."""
        self._is_closed = True
        if self._lock is not None:
            if self._made and not self.begun:
                wait([DiskThreads().submit(self._unmake)], timeout=_UNMAKE_WITHIN)
            os.close(self._lock)
            self._lock = None

    def append(self, lines: Sequence[Line], kept: Sequence[Line]) -> str:
        """Appends these lines; `kept` is what the whole file is to have where it is written anew.

        Returns what there is to report all the same, mostly nothing.
        """
        self._keep_lock()
        text = "".join(map(_text, lines)).encode()
        descriptor = open_regular(self.path, os.O_RDWR | os.O_CREAT)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                text = b"\n" + text  # a torn last line stays alone on its own
            _write(descriptor, text, at=size)
        finally:
            os.close(descriptor)
        removed = self.begun and not size
        self.begun = True
        self._rotation_is_due |= removed or size + len(text) > ROTATE_AT
        if self._rotation_is_due:
            try:
                self._rotate(kept)
            except OSError as error:
                return f"the journal cannot be made smaller: {error}"
            self._rotation_is_due = False
        return REMOVED if removed else ""

    def _locked(self) -> int:
        """The descriptor of the lock, held. Raises BlockingIOError when another daemon has it."""
        path = self._directory / LOCK
        absent = [one for one in (path, *path.parents) if not one.exists()]
        self._directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(descriptor, path):  # a daemon that failed to start has just taken it away
                raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))
        except OSError:
            os.close(descriptor)
            raise
        self._made = self._made or absent
        return descriptor

    def _unmake(self) -> None:
        """Takes the lock, and the directories that were made for it, away again; what is not empty stays."""
        with contextlib.suppress(OSError):
            lock, *directories = self._made
            if self._lock is not None and _is_at(self._lock, lock):
                lock.unlink()
                for directory in directories:
                    directory.rmdir()

    def _hold(self, descriptor: int) -> None:
        if self._is_closed:
            os.close(descriptor)
        else:
            self._lock = descriptor

    def _keep_lock(self) -> None:
        """Takes the lock again when the directory has no longer the file that is locked.

        Whoever removes a state directory takes the lock away with it: the next daemon would find it free.
        """
        held = self._lock
        if held is None and not self._locks:
            return
        if held is not None and _is_at(held, self._directory / LOCK):
            return
        try:
            fresh = self._locked()
        except BlockingIOError as error:
            raise OSError(f"{self._directory}: {_TAKEN}") from error
        if held is None:
            self._hold(fresh)
            return
        try:
            # Under its old number: another thread may be about to close that.
            os.dup2(fresh, held, inheritable=False)
        finally:
            os.close(fresh)

    def _rotate(self, kept: Sequence[Line]) -> None:
        """Writes the file anew with these lines; a crash leaves the old or the new. Follows a link."""
        path = Path(os.path.realpath(self.path))
        fresh = path.with_suffix(".new")
        descriptor = open_fresh(fresh)
        try:
            _write(descriptor, "".join(map(_text, kept)).encode(), at=0)
        finally:
            os.close(descriptor)
        fresh.replace(path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def read_journal(path: Path) -> tuple[bytes, bool]:
    """The journal, and whether only its end was read because it is far too large. Raises OSError."""
    descriptor = open_regular(path, os.O_RDONLY)
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        if size <= LONGEST_READ:
            return file.read(LONGEST_READ), False
        file.seek(size - LONGEST_READ)
        return file.read(LONGEST_READ).partition(b"\n")[2], True


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether this is the file that the path names now. Raises OSError, but not where there is none."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _write(descriptor: int, text: bytes, *, at: int) -> None:
    """Writes the text at the end of the file, which is there, and flushes it. What fails leaves nothing."""
    try:
        os.lseek(descriptor, at, os.SEEK_SET)
        view = memoryview(text)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, at)
        raise


def _text(line: Line) -> str:
    return json.dumps(line, separators=(",", ":")) + "\n"
