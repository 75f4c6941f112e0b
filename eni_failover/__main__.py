"""The program's entry: `eni-failover` and `python -m eni_failover`.

Owns one choice, `run` is answered without importing typer and rich, everything else by `cli.app`; that
the three standard streams are there, whoever starts the program; and what a signal does to a daemon whose
imports are not done.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

_STOPPED, _FAILED = 0, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the arguments (default: the process's own) say; the exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    _open_closed_streams()
    _show_what_can_be_shown()
    if words[:1] == ["run"]:
        if arguments is None:
            _mind_signals()
            if os.getpid() == 1:
                from eni_failover.cli.first_process import split  # noqa: PLC0415 - only where it is one

                split()
        from eni_failover.cli.run import main as run  # noqa: PLC0415 - only what this command needs

        try:
            status = run(words[1:])
        except SystemExit as end:  # argparse's: help, or a mistake
            status = end.code if isinstance(end.code, int) else _STOPPED
    else:
        from eni_failover.cli.app import main as command  # noqa: PLC0415 - not for the daemon

        status = command(words)
    if arguments is None:
        _end(status)
    return status


def _mind_signals() -> None:
    """Until the daemon has handlers of its own: nothing has begun, so a stop is at once, the rest ignored."""
    # A parent that ignores it, as some supervisors do, hands that on: then the kernel reaps every program
    # of ours itself, and no exit status is ever to be had.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(_STOPPED)  # an exception would be a traceback, or somebody's except clause


def _open_closed_streams() -> None:
    """A stream that is closed at the start goes nowhere, and its number to no socket of ours."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for the whole process
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - for the whole process
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - for the whole process


def _show_what_can_be_shown() -> None:
    """A letter that the terminal's encoding does not have is a question mark there, and no error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _end(status: int) -> NoReturn:
    """At once: threads that still wait for EC2, or for a credential process, must not hold the end up."""
    with contextlib.suppress(OSError):  # standard error itself is full or closed: nobody is left to say it to
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read it has left
            pass
        except OSError as error:
            sys.stderr.write(f"eni-failover: standard output: {error.strerror}\n")
            status = status or _FAILED
        sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
