"""Named network namespaces: made, entered, removed, and swept up after a creator that was killed.

Owns: names like `enif-4711-0-alpha` (creator's process id, number of its net world, host) under
/run/netns, where `ip netns exec` finds them. Must not know: what is inside. Does not guarantee: that a
dead creator is noticed while another process has got its process id.
"""

import ctypes
import logging
import os
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final, TypeVar

from pyroute2 import netns

from eni_failover.lab.net.processes import is_alive, kill_all

PATIENCE: Final = 30.0
"""Seconds that a piece of work inside a namespace may take unless its caller says otherwise."""

_DIRECTORY: Final = Path("/run/netns")
_OURS: Final = re.compile(r"enif-(?P<creator>\d+)-.+")
_CLONE_NEWNET: Final = 0x40000000
_log = logging.getLogger(__name__)
T = TypeVar("T")


class Namespace:
    """A network namespace with a name; `create` and `remove` it."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def path(self) -> Path:
        """What `nsenter --net=` and netlink's file descriptors take."""
        return _DIRECTORY / self.name

    def create(self) -> None:
        """Make it. Raises OSError, for instance without root's rights or when the name is taken."""
        _in_a_thread(self._create, PATIENCE)

    def run(self, work: Callable[[], T], timeout: float = PATIENCE) -> T:
        """The result of `work`, run in a thread inside the namespace; what it raises is raised here.

        Sockets made there stay in the namespace, processes started there too. Raises TimeoutError; the
        work then goes on by itself. /sys shows the host's links even here: ask netlink instead.
        """
        return _in_a_thread(lambda: self._enter_and(work), timeout)

    def remove(self) -> None:
        """Kill what runs inside and delete it with its links. Raises OSError; it is well if it is gone."""
        try:
            kill_all(self.path)
            netns.remove(self.name)
        except FileNotFoundError:
            return

    def _create(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "a network namespace cannot be made", self.name)
        # The namespace of this thread: "self" would be that of the process.
        netns.attach(self.name, "thread-self")

    def _enter_and(self, work: Callable[[], T]) -> T:
        netns.setns(self.name, flags=0)
        return work()


def sweep() -> None:
    """Remove the namespaces whose creator has ended, with everything that still runs inside.

    What resists is logged: it must not keep others from working.
    """
    for name in netns.listnetns():
        match = _OURS.fullmatch(name)
        if match and not is_alive(int(match["creator"])):
            try:
                Namespace(name).remove()
            except OSError:
                _log.warning("the network namespace %s of an ended process cannot be removed", name)


def _in_a_thread(work: Callable[[], T], timeout: float) -> T:
    outcome: Future[T] = Future()

    def body() -> None:
        try:
            outcome.set_result(work())
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            outcome.set_exception(error)
        finally:
            if not outcome.done():
                outcome.set_exception(RuntimeError("the work ended without a result"))

    thread = threading.Thread(target=body, name="namespace", daemon=True)
    thread.start()
    result = outcome.result(timeout)
    # Until the thread has ended it keeps the namespace in use.
    thread.join(timeout)
    return result


def own_name(number: int, host: str) -> str:
    """The name of a host's namespace in this process's net world of that number."""
    return f"enif-{os.getpid()}-{number}-{host}"
