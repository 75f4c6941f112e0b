"""The operator's own command for the way back.

Owns one process, started when everything is ready here, and ended with the drill. What it prints goes
to standard error as it is. Does not guarantee that a takeover it ordered ends with it.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from eni_failover.cli.drill_legs import StoppedError
from eni_failover.exitcodes import ExitCode

END_WITHIN = 2.0
SEEN_WITHIN = 5.0
"""A command that failed may have given its order before: so long its takeover has to be seen."""

_STANDARD_ERROR = 2


@contextmanager
def running(argv: Sequence[str]) -> Iterator[Callable[[], None]]:
    """Runs the command while the block lasts; gives what raises StoppedError once it has failed."""
    try:
        process = subprocess.Popen(  # noqa: S603 - the operator's own words, and no shell
            argv, stdin=subprocess.DEVNULL, stdout=_STANDARD_ERROR, stderr=_STANDARD_ERROR
        )
    except OSError as error:
        what = f"the back command cannot be run: {error.strerror or error}"
        raise StoppedError(what, ExitCode.FAILED) from error
    failed_at: float | None = None

    def see() -> None:
        """A command that ended well, or with "still under way", is waited for; any other has failed."""
        nonlocal failed_at
        code = process.poll()
        if code is None or code in {ExitCode.OK, ExitCode.UNDER_WAY}:
            return
        failed_at = time.monotonic() if failed_at is None else failed_at
        if time.monotonic() - failed_at >= SEEN_WITHIN:
            raise StoppedError(f"the back command ended with {code}", ExitCode.FAILED)

    try:
        yield see
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(END_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
