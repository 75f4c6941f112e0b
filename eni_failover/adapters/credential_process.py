"""Helper programs that the AWS configuration names (`credential_process`), with a deadline and a bound.

botocore waits for such a program without one (botocore/credentials.py, ProcessProvider): one that hangs
once would leave the daemon without credentials until it is restarted, and one that writes without end
would fill its memory.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import botocore.credentials
from botocore.credentials import ProcessProvider

from eni_failover.errors import TransientError

TIMEOUT = 10.0
LARGEST = 256 * 1024
"""Bytes on each of its two outputs; credentials are some KB."""
_PIECE = 64 * 1024
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

    def communicate(self, input: bytes | None = None, timeout: float | None = None) -> tuple[bytes, bytes]:  # noqa: A002, ARG002 - the library's
        """What it wrote; raises TransientError when that is too much, or not all within TIMEOUT seconds.

        It is given no input, as botocore gives it none.
        """
        limit = TIMEOUT if timeout is None else timeout
        try:
            return self._read_until(time.monotonic() + limit)
        except subprocess.TimeoutExpired:
            self._end()
            raise TransientError(f"credential_process gave no answer within {limit:g} s") from None
        except TransientError:
            self._end()
            raise
        finally:
            for pipe in (self.stdout, self.stderr):
                if pipe is not None:
                    pipe.close()
            with self._lock:
                self._running.discard(self)

    def _read_until(self, until: float) -> tuple[bytes, bytes]:
        """Both outputs, and its end. Raises subprocess.TimeoutExpired and TransientError."""
        written: dict[int, bytearray] = {}
        with selectors.DefaultSelector() as selector:
            for pipe in (self.stdout, self.stderr):
                if pipe is not None:
                    written[pipe.fileno()] = bytearray()
                    selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map():
                left = until - time.monotonic()
                ready = selector.select(left) if left > 0 else []
                if not ready:
                    raise subprocess.TimeoutExpired(self.args, TIMEOUT)
                for key, _ in ready:
                    piece = os.read(key.fd, _PIECE)
                    written[key.fd] += piece
                    if not piece:
                        selector.unregister(key.fd)
                    if len(written[key.fd]) > LARGEST:
                        raise TransientError(f"credential_process wrote more than {LARGEST // 1024} KiB")
        self.wait(max(0.0, until - time.monotonic()))
        output, complaints = (
            bytes(written[pipe.fileno()]) if pipe is not None else b"" for pipe in (self.stdout, self.stderr)
        )
        return output, complaints

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
