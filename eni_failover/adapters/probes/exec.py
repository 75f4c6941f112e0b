"""The exec probe: a program of the user's own, run without a shell.

Cancelled, it kills the program's whole process group. What the program leaves running in the background
when it ends by itself stays, and must not keep writing to the program's output, which is closed then.
"""

from __future__ import annotations

import os
import re
import signal

from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import ExecSettings, Target
from eni_failover.core.vocabulary import Answer
from eni_failover.programs import Launcher, Program, environment

# 3 is a script's own "unknown"; 126 and 127 are a shell's, and those of env, nice and the like, for a program
# that cannot be run and one that is not there.
UNKNOWN_STATUSES = frozenset({3, 126, 127})
_LONGEST_DETAIL = 200
_KILLED_WITHIN = 1.0
_CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class ExecProbe:
    """Exit 0 is up; 3, 126, 127, death by a signal and what could not be started are unknown; else down."""

    def __init__(self, settings: ExecSettings) -> None:
        self._settings = settings
        self._launcher = Launcher()

    @property
    def unsent(self) -> str:
        """Why the latest attempt's time went before its program had started; empty when it did start."""
        return "not started" if self._launcher.is_starting else ""

    async def __call__(self, target: Target) -> ProbeResult:
        """Run the program to its end. Cancelled, it kills the program's whole process group."""
        command = [target.fill(word) for word in self._settings.command]
        try:
            program = await self._launcher.start(command, environment(os.environ))
        except (OSError, ValueError) as error:
            return _not_run(error)
        output = ""
        try:
            status = await program.wait()
        except ChildProcessError as error:
            return _not_run(error)
        finally:
            if not program.has_ended:
                await _kill(program)
            output = program.close()
        return _judge(status, last_line(output))

    async def close(self) -> None:
        """Nothing outlives an attempt."""


def last_line(output: str) -> str:
    """The last line that is not blank: printable, without colours, and no longer than a status shows well."""
    lines = _CONTROL_SEQUENCE.sub("", output).split("\n")
    line = next((words for words in (" ".join(line.split()) for line in reversed(lines)) if words), "")
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return shown if len(shown) <= _LONGEST_DETAIL else shown[: _LONGEST_DETAIL - 3] + "..."


def _judge(status: int, line: str) -> ProbeResult:
    if status < 0:
        # Killed, by the kernel for want of memory for example, before it could say anything of the target.
        detail = f"killed by signal {-status}"
        return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=detail)
    detail = line or f"exit {status}"
    if status in UNKNOWN_STATUSES:
        return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=detail)
    return ProbeResult(answer=Answer.DOWN if status else Answer.UP, answered=True, detail=detail)


def _not_run(error: OSError | ValueError) -> ProbeResult:
    words = error.strerror if isinstance(error, OSError) else None
    detail = f"not started: {words or type(error).__name__}"
    return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail=detail)


async def _kill(program: Program) -> None:
    """Kill the group. A program in uninterruptible sleep dies only later."""
    program.signal(signal.SIGKILL)
    await program.ends_within(_KILLED_WITHIN)
