"""The exec probe: a program of the user's own, run without a shell.

Owns the program's process group: cancelled, it kills the group and reaps the program. What the
program prints goes nowhere, so that no output can block it. It gets this process's environment
without AWS credentials and systemd's notification socket.

Not asyncio's own subprocesses: cancelled while one starts, they kill the program and not its
group, and Python 3.11 waits for each in a thread. A pidfd (pidfd_open(2), Linux 5.3) needs neither.

Not guaranteed: what the program leaves running in the background when it exits by itself stays.
"""

from __future__ import annotations

import asyncio
import os
import signal
from subprocess import DEVNULL, Popen

from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import ExecSettings, Target
from eni_failover.core.words import Answer

EXIT_UNKNOWN = 3
_REAP_POLLS = 500
_REAP_PAUSE = 0.002
_KEPT_BACK = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "NOTIFY_SOCKET",
    }
)


class ExecProbe:
    """Exit 0 is up, 3 is unknown, could not be started is unknown, all else is down."""

    def __init__(self, settings: ExecSettings) -> None:
        self._settings = settings

    @property
    def unsent(self) -> str:
        """Never: what the program does with its time is its own affair."""
        return ""

    async def __call__(self, target: Target) -> ProbeResult:
        """Run the program to its end. Cancelled, it kills the program's whole process group."""
        try:
            process = _start([target.fill(word) for word in self._settings.command])
        except OSError as error:
            return _not_run(error)
        try:
            await _wait(process)
            return _judge(process.wait())
        except OSError as error:  # no descriptor for the pidfd
            return _not_run(error)
        finally:
            if process.poll() is None:
                await _kill(process)

    async def close(self) -> None:
        """Nothing outlives an attempt."""


def _start(command: list[str]) -> Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name not in _KEPT_BACK}
    return Popen(  # noqa: S603 - running the user's own program is what this probe is for
        command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, env=environment, start_new_session=True
    )


def _judge(code: int) -> ProbeResult:
    if code == 0:
        return ProbeResult(answer=Answer.UP, answered=True, detail="exit 0")
    if code == EXIT_UNKNOWN:
        return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=f"exit {code}")
    if code < 0:
        # The program was killed before it could tell anything of the target.
        return ProbeResult(answer=Answer.DOWN, answered=False, detail=f"killed by signal {-code}")
    return ProbeResult(answer=Answer.DOWN, answered=True, detail=f"exit {code}")


def _not_run(error: OSError) -> ProbeResult:
    detail = f"not started: {error.strerror or type(error).__name__}"
    return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=detail)


async def _wait(process: Popen[bytes]) -> None:
    """Return when the program has ended; it is not reaped yet. Raises OSError without a descriptor."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    descriptor = os.pidfd_open(process.pid)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def _kill(process: Popen[bytes]) -> None:
    # start_new_session made the program the leader of a group with its own pid as the id; not yet
    # reaped, it keeps that id from anybody else.
    os.killpg(process.pid, signal.SIGKILL)
    # Polled, because there may be no descriptor left for a pidfd. A program in uninterruptible sleep
    # dies only later; the next Popen reaps it.
    for _ in range(_REAP_POLLS):
        if process.poll() is not None:
            break
        await asyncio.sleep(_REAP_PAUSE)
