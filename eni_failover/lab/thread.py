"""A lab in a thread of its own, for synchronous tests and for processes that run beside it.

Owns: the thread and its event loop. Must not know: what is served. Does not guarantee: that a verb's effect
on a socket (`imds_down("refused")`) is there before `sync()` has returned; everything else a verb does is
there at once.
"""

import asyncio
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from eni_failover.lab.server import Lab, Listen
from eni_failover.lab.world import World

_PATIENCE = 15.0


class LabThread:
    """Serves `world` (default: `World.pair()`) while its `with` block lasts.

    with LabThread(World.pair(members=2)) as lab:
        client = boto3.client("ec2", endpoint_url=lab.ec2_url, ...)
        with lab.locked():
            lab.world.stick_detach("floating-1")
            lab.world.stop_instance("alpha")
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        port: int = 0,
        imds_ports: Mapping[str, int] | None = None,
        listen: Listen | None = None,
    ) -> None:
        self.world = world or World.pair()
        self._options: tuple[int, Mapping[str, int] | None, Listen | None] = (port, imds_ports, listen)
        self._lab: Lab | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="lab", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_PATIENCE):
            raise TimeoutError("the lab did not start")
        if self._error:
            self._thread.join(_PATIENCE)
            raise self._error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            raise TimeoutError("the lab did not stop")
        if self._error:
            raise self._error

    @property
    def ec2_url(self) -> str:
        """The EC2 endpoint; `/_lab/` is there too."""
        return self._served().ec2_url

    def imds_url(self, instance: str) -> str:
        """The IMDS endpoint of an instance, also of one that was added a moment ago."""
        self.sync()
        return self._served().imds_url(instance)

    def env(self, instance: str | None = None) -> dict[str, str]:
        """As `Lab.env`."""
        self.sync()
        return self._served().env(instance)

    def locked(self) -> AbstractContextManager[None]:
        """Several verbs as one step: no call is admitted or decided meanwhile."""
        return self.world.locked()

    def sync(self) -> None:
        """Wait until the sockets agree with the world. Must not be called within `locked()`."""
        lab, loop = self._served(), self._loop
        if loop is None:
            raise RuntimeError("the lab is not running")
        asyncio.run_coroutine_threadsafe(lab.sync(), loop).result(_PATIENCE)

    def _served(self) -> Lab:
        if self._lab is None:
            raise RuntimeError("the lab is not running: use it within its with block")
        return self._lab

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:  # noqa: BLE001 - handed to the thread that owns the with block
            self._error = error
        finally:
            self._lab = self._loop = None
            self._ready.set()

    async def _main(self) -> None:
        port, imds_ports, listen = self._options
        async with Lab(self.world, port=port, imds_ports=imds_ports, listen=listen) as lab:
            self._lab, self._loop = lab, asyncio.get_running_loop()
            self._ready.set()
            await self._stop.wait()
