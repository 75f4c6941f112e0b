"""The daemon as process 1 of a container: a small parent that reaps, and the daemon as its child.

The kernel gives process 1 every orphan of the container, such as the rest of a pipeline whose shell was
killed, and each stays a zombie until process 1 waits for it. The daemon itself cannot: waiting for any
child would take the exit status of a program from whoever waits for it (a probe, a hook, botocore).
Imports the standard library alone: this process lives as long as the daemon does.
"""

from __future__ import annotations

import os
import signal
import sys

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
_HEARD = {signal.SIGCHLD, *PASSED_ON}


def split() -> None:
    """Returns in a child; this process stays behind as its parent until the child ends, then ends alike."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    try:
        child = os.fork()
    except OSError as error:
        # Zombies are better than no daemon.
        sys.stderr.write(f"eni-failover: orphans stay zombies: fork: {error.strerror}\n")
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    if child == 0:
        # A group of its own: Ctrl-C on a terminal then comes once, from the parent.
        os.setpgid(0, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    os._exit(_serve(child))


def _serve(child: int) -> int:
    """Pass signals on and reap, until the child has ended; its exit status as a shell would say it."""
    while True:
        number = signal.sigwait(_HEARD)
        if number != signal.SIGCHLD:
            os.kill(child, number)
            continue
        status = _reap(child)
        if status is not None:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _reap(child: int) -> int | None:
    """Take every child that has ended; the wait status of `child` when it is among them."""
    while True:
        found, status = os.waitpid(-1, os.WNOHANG)
        if found == child:
            return status
        if found == 0:
            return None
