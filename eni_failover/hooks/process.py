"""One run of a hook: it always ends, by itself, by its time-out, or with this daemon.

Its whole process group is killed when it does not end by itself.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping, Sequence

import structlog

from eni_failover.hooks.words import HookResult
from eni_failover.programs import Launcher, Program

GRACE = 2.0


class Run:
    """One run: `result` and `detail` say how it ended, `output` is the last two KiB it wrote."""

    def __init__(self) -> None:
        self.result = HookResult.TIMEOUT
        self.detail = "the daemon stopped meanwhile"
        self.output = ""

    async def execute(self, argv: Sequence[str], environment: Mapping[str, str], timeout: float) -> None:  # noqa: ASYNC109 - ends the process too
        """Start the program and see it end; cancelled, it has two seconds more."""
        try:
            program = await self._start(argv, environment, timeout)
        except (OSError, ValueError) as error:  # ValueError: an argument that no program can be given
            self.result, self.detail = HookResult.MISSING, str(error)
            return
        if program is None:
            self.detail = f"was not started within {timeout:g} s"
            return
        try:
            self.result, self.detail = await _finish(program, timeout)
        finally:
            self.output = program.close()

    async def _start(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        timeout: float,  # noqa: ASYNC109 - ends the process too
    ) -> Program | None:
        """The program, None when its start hangs. Cancelled meanwhile, it has its two seconds as well."""
        starting = asyncio.ensure_future(Launcher().start(argv, environment))
        try:
            done, _ = await asyncio.wait((starting,), timeout=timeout)
            return starting.result() if done else None
        except asyncio.CancelledError:
            await asyncio.wait((starting,), timeout=GRACE)
            if starting.done() and starting.exception() is None:
                try:
                    await _kill(starting.result())
                finally:
                    self.output = starting.result().close()
            raise
        finally:
            starting.cancel()


async def _finish(program: Program, timeout: float) -> tuple[HookResult, str]:  # noqa: ASYNC109 - ends the process too
    """Wait for the program, end it when it takes too long, or soon after when this is cancelled."""
    try:
        async with asyncio.timeout(timeout):
            status = await program.wait()
    except TimeoutError:
        program.signal(signal.SIGTERM)
        await program.ends_within(GRACE)
        # The whole group: a program that obeyed may have left others that did not.
        program.signal(signal.SIGKILL)
        return HookResult.TIMEOUT, f"ran longer than {timeout:g} s"
    except ChildProcessError as error:
        return HookResult.FAILED, f"exit status unknown: {error.strerror}"
    finally:
        if not program.has_ended:
            await _kill(program)
    if status == 0:
        return HookResult.SUCCESS, ""
    return HookResult.FAILED, f"exit status {status}" if status > 0 else f"killed by signal {-status}"


async def _kill(program: Program) -> None:
    """Two seconds to end by itself, then the whole group is killed."""
    try:
        await program.ends_within(GRACE)
    finally:
        if not program.has_ended:
            program.signal(signal.SIGKILL)
    if not await program.ends_within(GRACE):
        # Another user's process, or one stuck in the kernel.
        structlog.get_logger("eni_failover.hooks").error("hook.not_killed", pid=program.pid)
