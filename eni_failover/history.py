"""The journal: what must outlive the process, as JSON lines in the state directory.

Owns what is to be on the disk, when it is tried again, and what a start makes of it. A line is flushed to the
disk before anything it announces is done. A disk that refuses or hangs is reported and never in the way: EC2
is the lock, the journal is only what lets a killed member carry on.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from eni_failover.core.frozen import rebase
from eni_failover.core.model import History, PauseRecord
from eni_failover.core.pause import LONGEST, counted
from eni_failover.core.policy import InstanceId
from eni_failover.core.state import Durable
from eni_failover.core.vocabulary import Trigger
from eni_failover.errors import StartError
from eni_failover.journal_file import REMOVED, DiskThreads, JournalFile, Line, read_journal
from eni_failover.journal_lines import (
    DURABLE,
    HISTORY,
    Stray,
    boot_id,
    can_be_read,
    decoded,
    is_of_boot,
    since_boot,
    stray,
)
from eni_failover.journal_salvage import salvaged

KEPT_HISTORY = 200
WRITE_TIMEOUT = 1.0
START_TIMEOUT = 5.0  # for the disk, before a daemon starts without its memory
RETRY_EVERY = 5.0
CLOCK_STEP = 2.0
MOST_PROBLEMS = 20

_SLOW = f"the disk is slow: a write took over {WRITE_TIMEOUT:g} s"
_HANGS = "the disk hangs: a write has not ended"
_UNREADABLE = "what is to be remembered cannot be read again, which is a bug: it is not written"
_FUTURE_MEMORY = (
    "journal memory from the future: has the clock been set back? Of it is kept what holds takeovers back, "
    "and a takeover past its point of no return"
)

T = TypeVar("T")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Write:
    """A write under way, and what is on the disk once it has ended well."""

    lines: tuple[Line, ...]
    durable: Durable | None
    done: asyncio.Future[str]


class _HangsError(Exception):
    """The disk has not answered in time."""


class Journal:
    """The journal of one group on this machine. `problem` is what is wrong with it now, or empty.

    `uptime` are seconds since the boot that `boot` is the id of, by default the kernel's.
    """

    def __init__(
        self,
        directory: Path,
        *,
        group: str,
        instance_id: str,
        boot: str | None = None,
        uptime: Callable[[], float] = since_boot,
    ) -> None:
        self.problem = ""
        self._stamp = {
            "group": group,
            "instance_id": instance_id,
            "boot_id": boot_id() if boot is None else boot,
        }
        self._uptime = uptime
        self._file = JournalFile(directory)
        self._directory = directory
        self._threads = DiskThreads()
        self._starting: Future[Any] | None = None
        self._durable: Durable | None = None
        self._saved: Durable | None = None  # what the disk has of it; another is to be written
        self._memory: Line | None = None
        self._unsaved: tuple[Line, ...] = ()  # of the history
        self._history: tuple[Line, ...] = ()
        self._aside: tuple[Line, ...] = ()  # history that is kept for a better clock or another version
        self._write: _Write | None = None
        self._is_late = False  # the write under way has been reported, and nobody waits for it again
        self._retry_at = 0.0

    # The start -------------------------------------------------------------------------------------

    def lock(self) -> None:
        """Takes the lock for this process's life. Raises JournalLockedError when another has it.

        An unusable directory is a problem to report, not a reason to stop.
        """
        try:
            self._in_time(self._file.lock)
        except BlockingIOError as error:
            raise JournalLockedError(f"{self._directory}: another eni-failover daemon uses this") from error
        except (OSError, _HangsError) as error:
            self.problem = f"state directory: {error}"

    def load(self, moment: Moment, *, me: InstanceId) -> Recovered:
        """Reads what is there. What is not this machine's, from the future, or torn is reported."""
        problems: list[str] = []
        memories: list[Line] = []
        history: list[History] = []
        for line in self._lines(problems):
            why = self._why_not_ours(line, moment)
            if line["kind"] == "memory" and why in {None, Stray.FUTURE}:
                memories.append(line)
            elif line["kind"] == "history" and why is None:
                ended = salvaged(HISTORY, line, problems)
                if ended is None:
                    self._aside += (line,)
                else:
                    self._history += (line,)
                    history.append(ended)
            elif line["kind"] == "history" and why is Stray.FUTURE:
                self._aside += (line,)
                problems.append(_described(line, why))
            else:
                problems.append(_described(line, why))
        self._history, self._aside = self._history[-KEPT_HISTORY:], self._aside[-KEPT_HISTORY:]
        self._file.begun = bool(memories or self._history or self._aside)
        durable = self._remembered(memories, moment, me, problems)
        return Recovered(
            durable=durable, history=tuple(history[-KEPT_HISTORY:]), problems=_shortened(problems)
        )

    def _remembered(
        self, memories: list[Line], moment: Moment, me: InstanceId, problems: list[str]
    ) -> Durable:
        """The newest memory that can be understood, in this process's clock."""
        for line in reversed(memories):
            before = len(problems)
            durable = salvaged(DURABLE, line, problems)
            if durable is None:
                continue
            elapsed = self._elapsed(line, moment)
            if elapsed is None:
                problems.append(_FUTURE_MEMORY)
                durable, elapsed = _holding_back(durable), 0.0
            durable = _of_this_age(durable, line["wall"], problems)
            durable = rebase(durable, moment.now - line["now"] - elapsed)
            durable = _woken(_with_ends(durable, line, moment, elapsed))
            if line["boot_id"] != self._stamp["boot_id"]:
                durable = _rebooted(durable, me)
            self._durable, self._memory = durable, line
            if len(problems) == before and is_of_boot(line, self._stamp["boot_id"]):
                self._saved = durable  # else it is written anew soon: by this boot's clock, and whole
            return durable
        return Durable()

    def _elapsed(self, line: Line, moment: Moment) -> float | None:
        """Seconds since the line was written; None when it is from the future.

        Within a boot the kernel counts them; the clock, which may have been set since, only over a reboot.
        """
        if is_of_boot(line, self._stamp["boot_id"]):
            then = _uptime_of(line)
            elapsed = float(moment.now - line["now"]) if then is None else self._uptime() - then
            if elapsed >= 0.0:
                return elapsed
        if self._why_not_ours(line, moment) is Stray.FUTURE:
            return None
        return max(0.0, float(moment.wall - line["wall"]))

    def _why_not_ours(self, line: Line, moment: Moment) -> Stray | None:
        mine = self._stamp
        return stray(
            line,
            group=mine["group"],
            instance_id=mine["instance_id"],
            wall=moment.wall,
            boot=mine["boot_id"],
        )

    def _lines(self, problems: list[str]) -> Iterator[Line]:
        try:
            text, is_cut = self._in_time(lambda: read_journal(self._file.path))
        except FileNotFoundError:
            return
        except (OSError, _HangsError) as error:
            problems.append(f"journal not readable: {error}")
            return
        if is_cut:
            problems.append(f"journal far too large: only its last {len(text)} bytes are read")
        for number, raw in enumerate(text.splitlines(), start=1):
            if raw.strip():
                line = decoded(raw)
                if line is None:
                    problems.append(f"journal line {number} is torn or not ours: ignored")
                else:
                    yield line

    def _in_time(self, work: Callable[[], T]) -> T:
        """What the disk gives. Raises _HangsError when it does not answer in time, or OSError."""
        if self._starting is None or self._starting.done():
            asked: Future[T] = self._threads.submit(work)
            self._starting = asked
            wait([asked], timeout=START_TIMEOUT)
            if asked.done():
                return asked.result()
        raise _HangsError(f"the disk has not answered within {START_TIMEOUT:g} s")

    # Writing ---------------------------------------------------------------------------------------

    async def remember(self, durable: Durable, moment: Moment) -> None:
        """Puts the durable state on disk, or gives up after one second and says so in `problem`."""
        self._durable = durable
        await self._save(moment)

    async def record(self, ended: History, moment: Moment) -> None:
        """Puts an ended takeover on disk."""
        line = self._line("history", moment, HISTORY.dump_python(ended, mode="json"))
        self._history = (*self._history, line)[-KEPT_HISTORY:]
        self._unsaved = (*self._unsaved, line)[-KEPT_HISTORY:]
        before = self.problem
        await self._save(moment)
        if before == REMOVED and not self.problem:
            self.problem = before  # of the memory's write in the same pass: nobody has read it yet

    def retry(self, moment: Moment) -> None:
        """For every pass: begins to write again what could not be written, each five seconds.

        So is the memory when the host's clock was set: over a reboot it is all there is to tell its age.
        """
        if not self._is_settled():
            return
        if self._clock_was_set(moment):
            self._saved = None
        is_due = self.problem or self._unsaved or self._saved is not self._durable
        if is_due and moment.now >= self._retry_at:
            self._begin(moment)

    def close(self) -> None:
        """Releases the lock; a write that hangs is left behind."""
        self._file.close()

    async def _save(self, moment: Moment) -> None:
        """Writes what is not on the disk yet, and waits for it no longer than a second."""
        if self._is_late and not self._is_settled():
            self.problem = _HANGS
            return
        deadline = asyncio.get_running_loop().time() + WRITE_TIMEOUT
        if await self._settled_by(deadline):  # one that `retry` has begun
            self._begin(moment)
            await self._settled_by(deadline)

    async def _settled_by(self, deadline: float) -> bool:
        """Whether no write is under way any more by then; one that still is gets reported as slow."""
        if self._write is not None:
            left = deadline - asyncio.get_running_loop().time()
            await asyncio.wait((self._write.done,), timeout=max(0.0, left))
        if self._is_settled():
            return True
        self._is_late = True
        self.problem = _SLOW
        return False

    def _is_settled(self) -> bool:
        """Whether no write is under way. Takes in what has become of the last one."""
        write = self._write
        if write is None:
            return True
        if not write.done.done():
            return False
        self._write, self._is_late = None, False
        try:
            self.problem = write.done.result()
        except OSError as error:
            self.problem = str(error)
        else:
            self._saved = write.durable
            self._unsaved = tuple(
                line for line in self._unsaved if not any(line is written for written in write.lines)
            )
        return True

    def _begin(self, moment: Moment) -> None:
        """Begins to write what is not on the disk yet; nothing at all shows whether the disk works."""
        self._retry_at = moment.now + RETRY_EVERY
        if self._starting is not None and not self._starting.done():
            self.problem = f"state directory: {_HANGS}"
            return
        durable, lines = self._durable, self._unsaved
        if durable is not None and durable is not self._saved:
            memory = self._line("memory", moment, DURABLE.dump_python(durable, mode="json"))
            if not can_be_read(DURABLE, memory):
                self.problem = _UNREADABLE
                return
            self._memory = memory
            lines = (*lines, self._memory)
        latest = () if self._memory is None else (self._memory,)
        kept = (*self._aside, *self._history, *latest)
        loop = asyncio.get_running_loop()
        done = loop.run_in_executor(self._threads, self._file.append, lines, kept)
        done.add_done_callback(_seen)
        self._write = _Write(lines=lines, durable=durable, done=done)

    def _line(self, kind: str, moment: Moment, data: object) -> Line:
        clocks = {"wall": moment.wall, "now": moment.now, "uptime": self._uptime()}
        return {"kind": kind, **self._stamp, **clocks, "data": data}

    def _clock_was_set(self, moment: Moment) -> bool:
        """Whether the clock differs from what it would be now, had nobody set it since the memory's line."""
        line = self._memory
        then = None if line is None else _uptime_of(line)
        if line is None or then is None or not is_of_boot(line, self._stamp["boot_id"]):
            return False
        expected: float = line["wall"] + self._uptime() - then
        return abs(moment.wall - expected) > CLOCK_STEP


def _uptime_of(line: Line) -> float | None:
    """When the line was written, since the boot; an older version did not say."""
    uptime = line.get("uptime")
    return float(uptime) if isinstance(uptime, int | float) else None


def _holding_back(durable: Durable) -> Durable:
    """Of a memory of unknown age: what is promised, and what holds takeovers back, and no more."""
    takeover = durable.takeover
    return Durable(
        last_had=durable.last_had,
        lock=durable.lock,
        failback_at=durable.failback_at,
        failback_blocked=durable.failback_blocked,
        past=durable.past,
        pause=durable.pause,
        local_pause=durable.local_pause,
        takeover=takeover if takeover is not None and takeover.is_committed else None,
    )


def _with_ends(durable: Durable, line: Line, moment: Moment, elapsed: float) -> Durable:
    """Each pause with an end on this process's clock: an older version knew one on the host's only."""

    def ended(record: PauseRecord | None) -> PauseRecord | None:
        if record is None or (record.ends_at is not None and record.ends_at <= moment.now + LONGEST):
            return record
        is_older = record.ends_at is None and record.until is not None
        left = record.until - line["wall"] - elapsed if is_older and record.until is not None else None
        return counted(record, left, now=moment.now, wall=moment.wall)

    return replace(durable, pause=ended(durable.pause), local_pause=ended(durable.local_pause))


def _of_this_age(durable: Durable, wall: float, problems: list[str]) -> Durable:
    """With what is stamped further ahead of the line than any pause lasts stamped when the line was written.

    An older version took such records from a liar; or a clock was that wrong. The word of every other
    operator would be older than them for so long, and the stamp after them may be past what can be read.
    """

    def stamped(record: PauseRecord | None) -> PauseRecord | None:
        if record is None or record.at <= wall + LONGEST:
            return record
        problems.append(f"journal memory: a {record.kind} from the future: counted from when it was written")
        return replace(record, at=wall)

    return replace(durable, pause=stamped(durable.pause), local_pause=stamped(durable.local_pause))


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
    return replace(durable, unfit_since_loss=True) if concerned else durable


def _described(line: Line, why: Stray | None) -> str:
    match why:
        case Stray.GROUP:
            return f"journal line of group {line['group']!r} ignored"
        case Stray.MACHINE:
            return f"journal line of another machine ({line['instance_id']!r}) ignored"
        case Stray.FUTURE:
            return "journal line from the future ignored: has the clock been set back?"
        case _:
            return f"journal line of a kind that this version does not know ({line['kind']!r}) ignored"


def _shortened(problems: list[str]) -> tuple[str, ...]:
    """Each problem once, with how often, and not more of them than anybody reads."""
    counts = Counter(problems)
    lines = [problem if n == 1 else f"{problem} ({n} times)" for problem, n in counts.items()]
    more = len(lines) - MOST_PROBLEMS
    return (*lines[:MOST_PROBLEMS], *([f"{more} more problems with the journal"] if more > 0 else []))


def _seen(done: asyncio.Future[str]) -> None:
    """What a write says that nobody waits for any more is no error of the loop."""
    if not done.cancelled():
        done.exception()
