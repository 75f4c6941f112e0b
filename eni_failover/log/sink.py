"""The way out: writes lines to a descriptor without ever raising, and without waiting for a reader."""

from __future__ import annotations

import io
import os
import select
import threading
from typing import TextIO

# After POLLOUT a pipe takes this much at once (pipe(7): PIPE_BUF); more could wait for its reader.
_CHUNK = 4096


class Sink:
    """One stream, for any thread. `lost` is how many lines have gone astray since the last good one."""

    def __init__(self, stream: TextIO) -> None:
        self.lost = 0
        self._stream = stream
        self._descriptor = descriptor_of(stream)
        self._lock = threading.Lock()
        self._is_torn = False

    def msg(self, line: str) -> None:
        """Write this line, or count it as lost."""
        with self._lock:
            try:
                written = self._write(line)
            except (OSError, ValueError):  # ValueError: the stream is closed
                written = False
            self.lost = 0 if written else self.lost + 1

    # The names by which structlog calls its logger.
    log = debug = info = warning = error = critical = msg

    def _write(self, line: str) -> bool:
        if self._descriptor is None:
            self._stream.write(line + "\n")
            self._stream.flush()
            return True
        data = f"{line}\n".encode(errors="backslashreplace")
        if self._is_torn:
            data = b"\n" + data
        left = data
        while left:
            if not _takes_more(self._descriptor):
                break
            try:
                left = left[os.write(self._descriptor, left[:_CHUNK]) :]
            except OSError:
                break
        if len(left) < len(data):
            self._is_torn = bool(left)
        return not left


def descriptor_of(stream: TextIO) -> int | None:
    """The stream's file descriptor, None when it has none (a stream in memory)."""
    try:
        return stream.fileno()
    except (AttributeError, io.UnsupportedOperation, ValueError):
        return None


def _takes_more(descriptor: int) -> bool:
    """Whether a write returns at once: a reader that does not read must not stop the event loop."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(0))
