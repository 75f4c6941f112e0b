"""The journal: what must outlive the process, as JSON lines in the state directory.

Owns the file, its lock and its rotation, and what a start makes of it. A line is flushed to the disk
before anything it announces is done. A disk that refuses or hangs is reported and never in the way:
EC2 is the lock, the journal is only what lets a killed member carry on.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from eni_failover.core.frozen import rebase
from eni_failover.core.policy import InstanceId
from eni_failover.core.snapshot import History
from eni_failover.core.state import Durable
from eni_failover.core.words import Trigger
from eni_failover.errors import StartError
from eni_failover.journal_lines import DURABLE, FILE, HISTORY, Stray, boot_id, decoded, parsed, stray

LOCK = "lock"
ROTATE_AT = 1_048_576
KEPT_HISTORY = 200
WRITE_TIMEOUT = 1.0

_TAKEN = "another eni-failover daemon uses this"
_REMOVED = "the journal was removed while this daemon ran: written anew"


class JournalLockedError(StartError):
    """Another daemon serves this group with this state directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What an earlier process left: its memory in this process's clock, and what was wrong."""

    durable: Durable = field(default_factory=Durable)
    history: tuple[History, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One instant on both clocks: monotonic seconds, and seconds since the Unix epoch."""

    now: float
    wall: float


class Journal:
    """The journal of one group on this machine. `problem` is what is wrong with it now, or empty."""

    def __init__(self, directory: Path, *, group: str, instance_id: str, boot: str | None = None) -> None:
        self.path = directory / FILE
        self.problem = ""
        self._directory = directory
        self._stamp = {
            "group": group,
            "instance_id": instance_id,
            "boot_id": boot_id() if boot is None else boot,
        }
        self._lock: int | None = None
        self._memory: dict[str, Any] | None = None
        self._history: list[dict[str, Any]] = []
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._writing: asyncio.Future[str] | None = None
        self._begun = False  # whether the file has something of ours, to be missed when it is empty

    def lock(self) -> None:
        """Takes the lock for this process's life. Raises JournalLockedError when another has it.

        An unusable directory is a problem to report, not a reason to stop.
        """
        try:
            self._lock = self._locked()
        except BlockingIOError as error:
            raise JournalLockedError(f"{self._directory}: {_TAKEN}") from error
        except OSError as error:
            self.problem = f"state directory: {error}"

    def _locked(self) -> int:
        """The descriptor of the lock, held. Raises BlockingIOError when another daemon has it, or OSError."""
        self._directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def load(self, moment: Moment, *, me: InstanceId) -> Recovered:
        """Reads what is there. Lines of another machine, from the future, or torn are reported."""
        problems: list[str] = []
        memory: dict[str, Any] | None = None
        for line in self._lines(problems):
            why = self._why_not_ours(line, moment)
            if why:
                problems.append(why)
            elif line["kind"] == "memory":
                memory = line
            elif line["kind"] == "history":
                self._history.append(line)
        self._begun = memory is not None or bool(self._history)
        history = [one for line in self._history if (one := parsed(HISTORY, line, problems)) is not None]
        durable = parsed(DURABLE, memory, problems) if memory else None
        if memory is not None and durable is not None:
            self._memory = memory
            lived = memory["now"] - memory["wall"]
            durable = _woken(rebase(durable, moment.now - moment.wall - lived))
            if memory["boot_id"] != self._stamp["boot_id"]:
                durable = _rebooted(durable, me)
        return Recovered(durable=durable or Durable(), history=tuple(history), problems=tuple(problems))

    async def remember(self, durable: Durable, moment: Moment) -> None:
        """Puts the durable state on disk, or gives up after one second and says so in `problem`."""
        self._memory = self._line("memory", moment, DURABLE.dump_python(durable, mode="json"))
        await self._append(self._memory)

    async def record(self, ended: History, moment: Moment) -> None:
        """Puts an ended takeover on disk."""
        line = self._line("history", moment, HISTORY.dump_python(ended, mode="json"))
        self._history = [*self._history, line][-KEPT_HISTORY:]
        before = self.problem
        await self._append(line)
        if before == _REMOVED and not self.problem:
            self.problem = before  # of the memory's write in the same pass: nobody has read it yet

    def takeovers(self) -> tuple[History, ...]:
        """This member's ended takeovers, oldest first, from memory: the disk is not asked."""
        return tuple(one for line in self._history if (one := parsed(HISTORY, line, [])) is not None)

    def close(self) -> None:
        """Releases the lock; a write that hangs is left behind."""
        self._writer.shutdown(wait=False)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _line(self, kind: str, moment: Moment, data: object) -> dict[str, Any]:
        return {"kind": kind, **self._stamp, "wall": moment.wall, "now": moment.now, "data": data}

    async def _append(self, line: dict[str, Any]) -> None:
        if self._writing is not None and not self._writing.done():
            self.problem = "the disk hangs: a write has not ended"
            return
        loop = asyncio.get_running_loop()
        self._writing = loop.run_in_executor(self._writer, self._write, line)
        try:
            async with asyncio.timeout(WRITE_TIMEOUT):
                self.problem = await asyncio.shield(self._writing)
        except TimeoutError:
            self.problem = f"the disk is slow: a write took over {WRITE_TIMEOUT:g} s"
            self._writing.add_done_callback(_ignore)
        except OSError as error:
            self.problem = str(error)

    def _write(self, line: dict[str, Any]) -> str:
        """Appends the line. Returns what there is to report all the same, mostly nothing; raises OSError."""
        self._keep_lock()
        text = json.dumps(line, separators=(",", ":")) + "\n"
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            size = os.lseek(descriptor, 0, os.SEEK_END)
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                text = "\n" + text  # a torn last line stays alone on its own
            view = memoryview(text.encode())
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        removed = self._begun and not size
        self._begun = True
        if removed or size + len(text) > ROTATE_AT:
            self._rotate()
        return _REMOVED if removed else ""

    def _keep_lock(self) -> None:
        """Takes the lock again when the directory has no longer the file that is locked. Raises OSError.

        Whoever removes a state directory takes the lock away with it: the next daemon would find it free.
        """
        held = self._lock
        if held is None:
            return
        try:
            if os.path.samestat(os.fstat(held), (self._directory / LOCK).stat()):
                return
        except FileNotFoundError:
            pass
        try:
            fresh = self._locked()
        except BlockingIOError as error:
            raise OSError(f"{self._directory}: {_TAKEN}") from error
        try:
            # Under its old number: another thread may be about to close that.
            os.dup2(fresh, held, inheritable=False)
        finally:
            os.close(fresh)

    def _rotate(self) -> None:
        """Rewrites the file with the newest memory and history; a crash leaves the old or the new."""
        lines = [*self._history, *([self._memory] if self._memory else [])]
        fresh = self.path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _lines(self, problems: list[str]) -> Iterator[dict[str, Any]]:
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            problems.append(f"journal not readable: {error}")
            return
        for number, raw in enumerate(text.splitlines(), start=1):
            if raw.strip():
                line = decoded(raw)
                if line is None:
                    problems.append(f"journal line {number} is torn or not ours: ignored")
                else:
                    yield line

    def _why_not_ours(self, line: dict[str, Any], moment: Moment) -> str:
        mine = self._stamp
        match stray(line, group=mine["group"], instance_id=mine["instance_id"], wall=moment.wall):
            case None:
                return ""
            case Stray.GROUP:
                return f"journal line of group {line['group']!r} ignored"
            case Stray.MACHINE:
                return f"journal line of another machine ({line['instance_id']!r}) ignored"
            case Stray.FUTURE:
                return "journal line from the future ignored: has the clock been set back?"


def _woken(durable: Durable) -> Durable:
    """An operator's takeover does not live over a restart, unless it is past its point of no return.

    There nobody asks for its deadline any more; an unanswered detach may turn out to have done nothing.
    """
    takeover = durable.takeover
    if takeover is None or takeover.trigger is not Trigger.MANUAL:
        return durable
    return replace(durable, takeover=replace(takeover, deadline_at=takeover.started_at))


def _rebooted(durable: Durable, me: InstanceId) -> Durable:
    """The machine was not running for a while: row 11 forgives what was lost meanwhile."""
    concerned = durable.last_had == me or durable.lost_at is not None
    return replace(durable, excused=True) if concerned else durable


def _ignore(future: asyncio.Future[str]) -> None:
    """Takes the late result of a write that was reported slow already."""
    if not future.cancelled():
        future.exception()
