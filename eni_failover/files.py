"""Opening what is named as a file, where something else may stand in its place."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def open_regular(path: Path, flags: int) -> int:
    """The descriptor of a regular file, made with mode 0644 where the flags ask for that. Raises OSError.

    Opening a FIFO or a device may wait for somebody, and reading one may never end: neither is done.
    """
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, 0o644)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "not a regular file", str(path))


def open_fresh(path: Path) -> int:
    """The descriptor of a file that nobody else has open, to be renamed over another. Raises OSError.

    What stood there is removed and not opened: it may be a FIFO, or a link to somewhere else.
    """
    path.unlink(missing_ok=True)
    return open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
