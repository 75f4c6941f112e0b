"""The processes inside a network namespace: the command line that starts one, and signals for all.

Owns: the look into /proc. Must not know: hosts, links. Does not guarantee: to find a process that left the
namespace, or that entered it with one of its threads only.
"""

import os
import pwd
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

DEADLINE: Final = 5.0
"""Seconds within which every process has to follow a signal that it cannot refuse."""

_NAP: Final = 0.005
_STANDS: Final = frozenset("TtD")
"""Stopped, or asleep in the kernel and stopped before it leaves it: thus waits who made a vfork(2)."""


def command_in(
    namespace: str, argv: Sequence[str], *, user: str | None = None, capabilities: Sequence[str] = ()
) -> list[str]:
    """The command that runs `argv` inside, with a /sys of its own, until the thread that starts it ends.

    As `user`, a name, it has no other capabilities than these (setpriv's names, for instance "net_admin").
    Raises KeyError for an unknown user.
    """
    identity: list[str] = []
    if user is not None:
        wanted = ",".join(["-all", *(f"+{name}" for name in capabilities)])
        identity = [f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--init-groups"]
        identity += [f"--inh-caps={wanted}", f"--ambient-caps={wanted}"]
    # setpriv sets the signal after the change of user, which would clear it.
    return ["ip", "netns", "exec", namespace, "setpriv", *identity, "--pdeathsig=KILL", "--", *argv]


def processes_in(namespace: Path) -> list[int]:
    """The ids of the processes inside, zombies left out. Raises FileNotFoundError when it is gone."""
    wanted = namespace.stat()
    numbers = (entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [int(number) for number in numbers if _is_in(number, wanted)]


def kill_all(namespace: Path) -> None:
    """SIGKILL everything inside until nothing is left. Raises TimeoutError."""
    _signal_until(namespace, signal.SIGKILL, is_done=lambda _: False)


def stop_all(namespace: Path) -> None:
    """SIGSTOP everything inside until everything stands still. Raises TimeoutError."""
    _signal_until(namespace, signal.SIGSTOP, is_done=lambda pid: _state_of(pid) in _STANDS)


def continue_all(namespace: Path) -> None:
    """SIGCONT everything inside. Raises TimeoutError."""
    _signal_until(namespace, signal.SIGCONT, is_done=lambda pid: _state_of(pid) not in {"T", "t"})


def _signal_until(namespace: Path, number: signal.Signals, *, is_done: Callable[[int], bool]) -> None:
    """Signal everybody, look again, for a process may just have made another, until all are done."""
    deadline = time.monotonic() + DEADLINE
    signalled: set[int] = set()
    while remaining := [p for p in processes_in(namespace) if p not in signalled or not is_done(p)]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{namespace.name}: {number.name} did nothing to {remaining}")
        for pid in remaining:
            _signal(pid, number, namespace)
        signalled.update(remaining)
        time.sleep(_NAP)


def _signal(pid: int, number: signal.Signals, namespace: Path) -> None:
    """Signal a process that is still inside, and never one that got its id meanwhile."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            if _is_in(str(pid), namespace.stat()):
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)


def _is_in(pid: str, namespace: os.stat_result) -> bool:
    try:
        return os.path.samestat(Path("/proc", pid, "ns/net").stat(), namespace)
    except OSError:
        return False


def _state_of(pid: int) -> str:
    """The letter of its state in /proc, "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    """Whether that process runs; one that nobody has waited for yet does not."""
    return _state_of(pid) not in {"", "Z", "X"}
