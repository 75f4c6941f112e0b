"""Ports for programs that cannot choose one themselves.

Below those that the kernel hands out, and for each worker its own: a port that the kernel has just called
free may be anybody's a moment later.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket

FIRST, SHARE, SHARES = 20_000, 1_000, 12
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_numbers = itertools.count(os.getpid())


def common_port(addresses=("127.0.0.1",)) -> int:
    """A port that is free on all these loopback addresses now."""
    for _ in range(SHARE):
        port = FIRST + _WORKER % SHARES * SHARE + next(_numbers) % SHARE
        with contextlib.ExitStack() as stack:
            try:
                for address in addresses:
                    stack.enter_context(socket.socket()).bind((address, port))
            except OSError:
                continue
            return port
    raise AssertionError("no common free port")
