"""The real servers on a daemon that shows what a test tells it to, in a thread beside the browser."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
from pathlib import Path

from eni_failover.control import Servers
from tests.control.support import FakeDesk

STARTING, STOPPING = 10.0, 15.0
HEARTBEAT = 0.5


class Stage:
    """A desk whose snapshot the test changes, served on loopback."""

    def __init__(self, snapshot):
        self.desk = FakeDesk(snapshot)
        self.now = 100.0
        self.url = ""
        self._started = threading.Event()
        self._stop = None
        self._loop = None

    def show(self, snapshot):
        """From now on this is what the last pass published."""
        self.desk.shown = snapshot

    def end(self):
        """The daemon is gone; said again, it still is."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(self._stop.set)

    def run(self):
        asyncio.run(self._serve())

    async def _serve(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        with tempfile.TemporaryDirectory() as directory:
            servers = Servers(
                desk=self.desk,
                host="127.0.0.1",
                port=0,
                socket_path=Path(directory) / "c.sock",
                interval=10.0,
                clock=lambda: self.now,
            )
            servers._events._heartbeat = HEARTBEAT
            await servers.start()
            self.url = f"http://127.0.0.1:{servers.port}/"
            self._started.set()
            try:
                await self._stop.wait()
            finally:
                await servers.close()

    def wait_started(self):
        assert self._started.wait(STARTING)


@contextlib.contextmanager
def staged(snapshot):
    """A stage that plays while the block runs."""
    stage = Stage(snapshot)
    thread = threading.Thread(target=stage.run)
    thread.start()
    try:
        stage.wait_started()
        yield stage
    finally:
        stage.end()
        thread.join(STOPPING)
    assert not thread.is_alive()
