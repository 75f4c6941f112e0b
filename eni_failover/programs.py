"""A program of the user's, a hook or an exec probe: its environment, its start, its output and its end.

A program leads a session and a process group of its own, starts in /, reads nothing, and has no descriptor
of this process. A thread starts it, because execve(2) waits for as long as a file system hangs.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from subprocess import DEVNULL, STDOUT, Popen

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
_TAIL = 2048
_READ_BYTES = 65536
_READS_AT_END = 16  # what is read of a pipe after its program ended: a flood is cut, not followed

# With vfork(2) the thread that starts a program waits for execve(2) and keeps Python's lock meanwhile: a file
# system that hangs would stop the whole daemon. The switch is documented with subprocess.
subprocess._USE_VFORK = False  # type: ignore[misc] # noqa: SLF001


def environment(source: Mapping[str, str]) -> dict[str, str]:
    """What every program gets of the daemon's environment: no credentials, no sockets of systemd's."""
    return {"PATH": PATH, **{name: source[name] for name in _INHERITED if name in source}}


class Program:
    """A running program. It must be closed: until then nobody else gets its pid or its group's id."""

    def __init__(self, process: Popen[bytes], pidfd: int, output: _Output) -> None:
        self._process = process
        self._pidfd = pidfd
        self._output = output
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(pidfd, self._end)

    @property
    def pid(self) -> int:
        """The program's, and its process group's."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the program itself has ended; it may have left others in its group."""
        return self._ended.is_set()

    async def wait(self) -> int:
        """Wait for the program's end: its exit status, or minus the number of the signal that killed it.

        Raises ChildProcessError when somebody else in this process took the status.
        """
        await self._ended.wait()
        ended = os.waitid(  # noqa: ASYNC222 - it has ended: this does not wait
            os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOWAIT | os.WNOHANG
        )
        if ended is None:
            raise ChildProcessError(errno.ECHILD, os.strerror(errno.ECHILD))
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status

    async def ends_within(self, seconds: float) -> bool:
        """Whether the program ends so soon."""
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            return False
        return True

    def signal(self, number: signal.Signals) -> None:
        """Send this to the program's whole process group."""
        _signal_group(self._process, number)

    def close(self) -> str:
        """Reap the program if it has ended, and return the last two KiB that it wrote.

        One that has not ended, stuck in the kernel, is reaped by the next Popen of this process.
        """
        self._end()
        os.close(self._pidfd)
        self._process.poll()
        return self._output.close()

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        self._ended.set()


class Launcher:
    """Starts programs, one at a time."""

    def __init__(self) -> None:
        self._starting: Future[_Started] | None = None

    @property
    def is_starting(self) -> bool:
        """Whether a start has not come to its end: it is awaited, or was given up and hangs."""
        return self._starting is not None and not self._starting.done()

    async def start(self, argv: Sequence[str], given: Mapping[str, str]) -> Program:
        """Start the program with this environment; cancelled, it is killed as soon as it has started.

        Raises OSError when it cannot be started, ValueError for words that no program can be given.
        """
        if self.is_starting:
            raise OSError(errno.EBUSY, "an earlier start hangs")
        output = _Output()
        future: Future[_Started] = Future()
        self._starting = future
        future.set_running_or_notify_cancel()
        try:
            _in_thread(future, argv, given, output.write_end)
            started = await asyncio.wrap_future(future)
        except BaseException:
            output.close()
            future.add_done_callback(_abandon)
            raise
        return Program(started.process, started.pidfd, output)


@dataclass(frozen=True, slots=True)
class _Started:
    process: Popen[bytes]
    pidfd: int


def _in_thread(
    future: Future[_Started], argv: Sequence[str], given: Mapping[str, str], write_end: int
) -> None:
    """Start the program in a thread, whose the write end is from now on. Raises OSError without a thread."""

    def work() -> None:
        try:
            future.set_result(_spawn(argv, given, write_end))
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            future.set_exception(error)

    try:
        threading.Thread(target=work, name="program start", daemon=True).start()
    except RuntimeError as error:  # what Python makes of EAGAIN
        os.close(write_end)
        problem = OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        future.set_exception(problem)
        raise problem from error


def _spawn(argv: Sequence[str], given: Mapping[str, str], write_end: int) -> _Started:
    try:
        process = Popen(  # noqa: S603 - running the user's own programs is what this is for
            argv, stdin=DEVNULL, stdout=write_end, stderr=STDOUT, cwd="/", env=given, start_new_session=True
        )
    finally:
        os.close(write_end)
    try:
        return _Started(process, os.pidfd_open(process.pid))
    except OSError:  # no descriptor is left to watch it by
        _signal_group(process, signal.SIGKILL)
        process.wait()
        raise


def _abandon(future: Future[_Started]) -> None:
    """End a program that started after nobody waited for it any more."""
    if future.exception() is None:
        started = future.result()
        os.close(started.pidfd)
        _signal_group(started.process, signal.SIGKILL)
        threading.Thread(target=started.process.wait, name="program end", daemon=True).start()


def _signal_group(process: Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)  # it leads its own session, so its group has its id
    except (ProcessLookupError, PermissionError):
        return


class _Output:
    """The last two KiB of what a program writes. Must be closed; the write end is the starter's to close.

    A background program that the program left may keep the pipe open: it delays nothing.
    """

    def __init__(self) -> None:
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._tail = b""
        asyncio.get_running_loop().add_reader(self._read_end, self._read)

    def close(self) -> str:
        """Read what is left, close, and return the text."""
        for _ in range(_READS_AT_END):
            if not self._read():
                break
        asyncio.get_running_loop().remove_reader(self._read_end)
        os.close(self._read_end)
        return self._tail.decode(errors="replace").strip()

    def _read(self) -> bool:
        """Whether there was something; at the end of the pipe the reader is taken away."""
        try:
            chunk = os.read(self._read_end, _READ_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            asyncio.get_running_loop().remove_reader(self._read_end)
        self._tail = (self._tail + chunk)[-_TAIL:]
        return bool(chunk)
