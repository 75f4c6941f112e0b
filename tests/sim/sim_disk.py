"""The disk under one member's journal: real files, in a directory in memory, written in virtual time.

Owns when a write happens and what becomes of it. Must not know what is written. Does not guarantee what an
interrupted write leaves: nothing, all of it, or a part, as a disk does.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

from eni_failover.core.state import Takeover
from tests.sim.sim_clockwork import Clockwork

WRITE_SECONDS = 0.002
SLOW_SECONDS = 2.5


class Health(StrEnum):
    """How a disk is."""

    WELL = "well"
    FULL = "full"
    SLOW = "slow"
    HANGS = "hangs"


class Disk:
    """Does the work that a process gives to a thread, each in its time."""

    def __init__(self, clockwork: Clockwork, rng: random.Random, directory: Path) -> None:
        self.health = Health.WELL
        self.mended_at = float("-inf")
        self.directory = directory
        self._clockwork = clockwork
        self._random = rng
        self._waiting: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []

    def work(self, task: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        """Does this and ends the future with what it gives or raises."""
        job = (task, future)
        self._waiting.append(job)
        if self.health is not Health.HANGS:
            slow = self.health is Health.SLOW
            self._clockwork.after(SLOW_SECONDS if slow else WRITE_SECONDS, lambda: self._do(job))

    def mend(self) -> None:
        """It is well again; what hung is done now."""
        self.mended_at = self._clockwork.now
        self.health = Health.WELL
        for job in list(self._waiting):
            self._do(job)

    def delays(self, *, within: float) -> bool:
        """Whether a write may have taken its time, now or not longer ago than this."""
        return self.health is not Health.WELL or self._clockwork.now - self.mended_at < within

    def cut(self) -> str:
        """The process that wrote is gone. Gives a word for what became of a write under way."""
        waiting, self._waiting = self._waiting, []
        if not waiting or self.health is not Health.WELL:
            return ""
        fate = self._random.choice(("lost", "torn", "kept"))
        if fate == "torn":
            self._tear(waiting[0][0])
        elif fate == "kept":
            waiting[0][0]()
        return fate

    def _do(self, job: tuple[Callable[[], Any], asyncio.Future[Any]]) -> None:
        if job not in self._waiting:
            return
        self._waiting.remove(job)
        task, future = job
        if self.health is Health.FULL:
            if self._random.random() < 0.5:
                self._tear(task)
            future.set_exception(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
            return
        try:
            future.set_result(task())
        except OSError as error:
            future.set_exception(error)

    def _tear(self, task: Callable[[], Any]) -> None:
        """A part of what the task writes is on the disk, and nothing that was there before is lost."""
        before = self._sizes()
        task()
        for path, size in self._sizes().items():
            old = before.get(path, 0)
            if size > old + 1:
                os.truncate(path, self._random.randint(old + 1, size - 1))

    def has(self, takeover: Takeover | None) -> bool:
        """Whether the journal has this takeover."""
        known = takeover.takeover_id.encode() if takeover else b""
        return any(known in path.read_bytes() for path in self._files())

    def _files(self) -> list[Path]:
        return sorted(self.directory.glob("*.jsonl"))

    def _sizes(self) -> dict[Path, int]:
        return {path: path.stat().st_size for path in self._files()}
