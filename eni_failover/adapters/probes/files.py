"""What a probe makes of the files that its configuration names, made anew when one of them changes.

Certificates and tokens are rotated on disk while the daemon runs. Before each attempt the files' identities
are compared, in a thread: a disk that hangs must not hold up the loop.

A file that cannot be used may be half written: the last good material stays in use, because most attempts
succeed with it, and `problem` says so, because a failure with it may be ours.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from eni_failover.adapters.probes import threads

_T = TypeVar("_T")
_Stamp = tuple[int, ...]
_SETTLED_AFTER = 1.0


class UnusableFileError(Exception):
    """A file cannot be used; the text says which and why, and shows nothing of its content."""


class Loaded(Generic[_T]):
    """The material that `load` makes of these files. `load` runs in a thread; it raises UnusableFileError."""

    def __init__(self, paths: tuple[Path, ...], load: Callable[[], _T]) -> None:
        self.problem = ""
        """Why the files as they are now cannot be used; empty when they are."""
        self._paths = paths
        self._load = load
        self._stamps: tuple[_Stamp, ...] | None = None
        self._is_settled = False
        self._material: _T | None = None
        self._running: asyncio.Future[None] | None = None

    async def current(self) -> _T | None:
        """The newest material that could be made; None when there was none yet."""
        await self._refresh()
        return self._material

    async def have_changed(self) -> bool:
        """Whether the files have changed since `current` was asked."""
        before = self._stamps
        await self._refresh()
        return bool(self.problem) or before != self._stamps

    async def _refresh(self) -> None:
        if not self._paths and self._stamps is not None:
            return
        if self._running is None or self._running.done():
            self._running = threads.start(self._compare, "probe files")
            self._running.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        # Shielded: an attempt that is cancelled must not take the files from the next one.
        await asyncio.shield(self._running)

    def _compare(self) -> None:
        stamps = tuple(_stamp(path) for path in self._paths)
        if stamps == self._stamps and self._is_settled:
            self.problem = ""
            return
        # A file written twice within one tick of its clock keeps its times: a fresh one is read again.
        now = time.time()
        is_settled = not any(now - _SETTLED_AFTER < when <= now for when in map(_modified, stamps))
        try:
            self._material = self._load()
        except UnusableFileError as error:
            self.problem = str(error)
            return  # the same files are tried again: they may be unreadable for want of a descriptor
        self.problem = ""
        self._stamps, self._is_settled = stamps, is_settled


def _stamp(path: Path) -> _Stamp:
    """What changes when the file is written or replaced; empty when it cannot be asked for."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _modified(stamp: _Stamp) -> float:
    return stamp[3] / 1e9 if stamp else 0.0
