"""Helper programs that the AWS configuration names (`credential_process`), with a deadline.

botocore waits for such a program without one (botocore/credentials.py, ProcessProvider): one that hangs
once would leave the daemon without credentials until it is restarted.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import botocore.credentials
from botocore.credentials import ProcessProvider

from eni_failover.errors import TransientError

TIMEOUT = 10.0
_REAP_WITHIN = 1.0


class HelperProcess(subprocess.Popen[bytes]):
    """A program in a process group of its own, ended with all its children when it is late.

    It has no terminal: one that asks a question fails at once. `end_all` ends those that run.
    """

    _running: ClassVar[set[HelperProcess]] = set()
    _lock = threading.Lock()

    def __init__(self, args: Sequence[str], **options: Any) -> None:
        super().__init__(args, stdin=subprocess.DEVNULL, start_new_session=True, **options)
        with self._lock:
            self._running.add(self)

    def communicate(self, input: bytes | None = None, timeout: float | None = None) -> tuple[bytes, bytes]:  # noqa: A002 - the library's name
        """What it wrote; raises TransientError when it has not ended within TIMEOUT seconds."""
        limit = TIMEOUT if timeout is None else timeout
        try:
            return super().communicate(input, limit)
        except subprocess.TimeoutExpired:
            self._end()
            raise TransientError(f"credential_process gave no answer within {limit:g} s") from None
        finally:
            with self._lock:
                self._running.discard(self)

    @classmethod
    def end_all(cls) -> None:
        """Kill those that run: whoever waits for one sees it end."""
        with cls._lock:
            for process in cls._running:
                process.kill_group()

    def kill_group(self) -> None:
        """Kill it, and its children unless they have left its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def _end(self) -> None:
        self.kill_group()
        for pipe in (self.stdout, self.stderr):
            if pipe is not None:
                pipe.close()
        # One that the kernel does not let die is reaped by a later Popen, as any that is forgotten.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(_REAP_WITHIN)


class _BoundedProvider(ProcessProvider):
    """botocore's provider, with our process."""

    def __init__(
        self,
        profile_name: str,
        load_config: Callable[[], dict[str, Any]],
        popen: type[subprocess.Popen[bytes]] = HelperProcess,
    ) -> None:
        super().__init__(profile_name, load_config, popen)


def bound_helpers() -> None:
    """From now on, chains that botocore builds start their helpers with a deadline.

    The name is where botocore's chain looks: it makes further providers while it loads, for the source
    profiles of a role, and offers no other way.
    """
    vars(botocore.credentials)["ProcessProvider"] = _BoundedProvider
