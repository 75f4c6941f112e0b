"""Programs on the hosts of a net world: started, and gone at the end.

Owns: the processes that were started through it. Must not know: what they are. Does not guarantee: that
what a program started itself ends with a killed creator: the sweep of the next net world finds it.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Self

from eni_failover.lab.net.fabric import Fabric
from eni_failover.lab.net.processes import DEADLINE, command_in

# What would send a program elsewhere than to the lab, or make it speak to this process's supervisor.
_FOREIGN: Final = ("AWS_", "ENI_FAILOVER_", "NOTIFY_SOCKET", "WATCHDOG_")


class Programs:
    """Starts programs while its `with` block lasts; kills everything on every host at its end."""

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self._started: list[subprocess.Popen[Any]] = []
        # A program ends with the thread that started it: so that is one that stays.
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._fabric.kill_all()
            for program in self._started:
                program.kill()  # for one that has left its host's namespace
                program.wait(DEADLINE)
        finally:
            self._starter.shutdown(wait=False, cancel_futures=True)
            for program in self._started:
                for pipe in (program.stdin, program.stdout, program.stderr):
                    if pipe is not None:
                        pipe.close()

    def spawn(
        self,
        host: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        user: str | None,
        capabilities: Sequence[str],
        **popen: Any,
    ) -> subprocess.Popen[Any]:
        """Start a program with this process's environment, nothing of AWS's in it, and `env` over it."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        namespace = self._fabric.hosts[host].namespace.name
        command = command_in(namespace, argv, user=user, capabilities=capabilities)

        def start() -> subprocess.Popen[Any]:
            return subprocess.Popen(command, env={**ours, **env}, **popen)  # noqa: S603 - the caller's own

        program = self._starter.submit(start).result(DEADLINE)
        self._started.append(program)
        return program
