"""The demo's own processes: services and daemons, started, killed by pid, and gone at the end.

Does not guarantee anything after a SIGKILL of the demo itself: a daemon left behind then ends with the
fake EC2 out of reach, but it does not end by itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from eni_failover.lab.demo_places import MemberFiles, Place

STOP_WITHIN = 5.0
_SERVICE = Path(__file__).with_name("demo_service.py")
# What would send a daemon elsewhere than to the lab, or make it speak to this process's supervisor.
_FOREIGN = ("AWS_", "ENI_FAILOVER_", "NOTIFY_SOCKET", "WATCHDOG_")


class Child:
    """One process. `name` is for people."""

    def __init__(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """What it ended with, None while it runs; negative is the number of the signal that ended it."""
        return self._process.poll()

    def kill(self) -> None:
        """SIGKILL, as a host that loses its power: no farewell of any kind."""
        self._process.kill()
        self._process.wait(STOP_WITHIN)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when it has not ended within five seconds."""
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def service(place: Place) -> Iterator[Child]:
    """The member's service while the block lasts. It alone has the listening socket from then on."""
    descriptor = place.service.fileno()
    with subprocess.Popen(  # noqa: S603 - this interpreter and a file of this package
        [sys.executable, "-I", str(_SERVICE), place.name, str(descriptor)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(descriptor,),
    ) as process:
        place.service.close()
        child = Child(f"{place.name}'s service", process)
        try:
            yield child
        finally:
            child.kill()


def daemon_command(files: MemberFiles) -> list[str]:
    """The command that runs the member's daemon.

    With -P, else -m puts the current directory before the standard library: a file http.py in it would
    be executed. Not with -I, which takes PYTHONPATH away, too: this package may have been found by it.
    """
    return [sys.executable, "-P", "-m", "eni_failover", "run", "--config", str(files.config)]


@contextmanager
def daemon(place: MemberFiles, env: Mapping[str, str]) -> Iterator[Child]:
    """The member's daemon while the block lasts, with these variables laid over a clean environment."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    with (
        place.log.open("wb") as log,
        subprocess.Popen(  # noqa: S603 - this interpreter and this package
            [*daemon_command(place), "--member", place.name],
            env={**ours, **env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        child = Child(f"{place.name}'s daemon", process)
        try:
            yield child
        finally:
            child.stop()


def last_words(member: MemberFiles) -> str:
    """The last line that the member's daemon has written, or nothing."""
    try:
        lines = member.log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""
