"""One program of the user's: its process, its group, its output, its end.

A program always ends: by itself, by its time-out, or with this daemon. Its whole process group is
killed when it does not.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Mapping, Sequence

import structlog

from eni_failover.hooks.words import HookResult

GRACE = 2.0
_TAIL = 2048
_READ_BYTES = 65536
_READS_AT_END = 16  # what is read of a pipe after its program ended: a flood is cut, not followed


class Run:
    """One run: `result` and `detail` say how it ended, `output` is the last two KiB it wrote."""

    def __init__(self) -> None:
        self.result = HookResult.TIMEOUT
        self.detail = "the daemon stopped meanwhile"
        self.output = ""

    async def execute(self, argv: Sequence[str], environment: Mapping[str, str], timeout: float) -> None:  # noqa: ASYNC109 - ends the process too
        """Start the program and see it end; cancelled, it has two seconds more."""
        output = _Output()
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=DEVNULL,
                stdout=output.write_end,
                stderr=STDOUT,
                start_new_session=True,
                cwd="/",
                env=environment,
            )
            output.started()
            self.result, self.detail = await _finish(process, timeout)
        except (OSError, ValueError) as error:  # ValueError: an argument that no program can be given
            self.result, self.detail = HookResult.MISSING, str(error)
        finally:
            self.output = output.close()


async def _finish(process: Process, timeout: float) -> tuple[HookResult, str]:  # noqa: ASYNC109 - ends the process too
    """Wait for the program, end it when it takes too long, or soon after when this is cancelled."""
    try:
        async with asyncio.timeout(timeout):
            status = await process.wait()
    except TimeoutError:
        _signal(process, signal.SIGTERM)
        await _ends_within_grace(process)
        # The whole group: a program that obeyed may have left others that did not.
        _signal(process, signal.SIGKILL)
        return HookResult.TIMEOUT, f"ran longer than {timeout:g} s"
    finally:
        if process.returncode is None:
            await _kill(process)
    if status == 0:
        return HookResult.SUCCESS, ""
    return HookResult.FAILED, f"exit status {status}" if status > 0 else f"killed by signal {-status}"


async def _kill(process: Process) -> None:
    """Two seconds to end by itself, then the whole group is killed, and the program reaped."""
    try:
        await _ends_within_grace(process)
    finally:
        if process.returncode is None:
            _signal(process, signal.SIGKILL)
    if not await _ends_within_grace(process):
        # Another user's process, or one stuck in the kernel: asyncio reaps it whenever it ends.
        structlog.get_logger("eni_failover.hooks").error("hook.not_killed", pid=process.pid)


async def _ends_within_grace(process: Process) -> bool:
    try:
        async with asyncio.timeout(GRACE):
            await process.wait()
    except TimeoutError:
        return False
    return True


def _signal(process: Process, number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)  # it leads its own session, so its group has its id
    except (ProcessLookupError, PermissionError):
        return


class _Output:
    """The last two KiB of what a program writes. Must be closed.

    A pipe of our own: asyncio's process would not count as ended while a background program that the
    hook started still has the pipe open.
    """

    def __init__(self) -> None:
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._tail = b""
        asyncio.get_running_loop().add_reader(self._read_end, self._read)

    def started(self) -> None:
        """The program has its own copy of the write end."""
        os.close(self.write_end)
        self.write_end = -1

    def close(self) -> str:
        """Read what is left, close, and return the text."""
        for _ in range(_READS_AT_END):
            if not self._read():
                break
        asyncio.get_running_loop().remove_reader(self._read_end)
        os.close(self._read_end)
        if self.write_end >= 0:
            self.started()
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
