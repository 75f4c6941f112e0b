"""The story of a simulation, line by line: what was done, what EC2 was asked, what daemons logged.

Owns the lines, their digest, and catching the daemons' log. Must not know what a line means. Does not
guarantee that old lines are kept: a long story keeps its end, and the digest of all of it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog

from tests.sim.sim_clockwork import ProcessLoop

_LEFT_OUT = frozenset({"pass_id", "role", "config_hash", "file_hash", "takeover_id", "exc_info", "version"})


class Trace:
    """Lines of `time who what`. `clock` gives virtual seconds; `keep` is how many lines are kept.

    `hide` is a text that is another in every run, the directory's name: it is left out.
    """

    def __init__(self, clock: Callable[[], float], *, hide: str, keep: int | None = 400) -> None:
        self.lines: deque[str] = deque(maxlen=keep)
        self.count = 0
        self._clock = clock
        self._hide = hide
        self._digest = hashlib.sha256()

    def say(self, who: str, *words: object) -> None:
        """Add a line."""
        line = f"{self._clock():10.3f} {who:6} {' '.join(str(word) for word in words)}".rstrip()
        line = line.replace(self._hide, "")
        self.lines.append(line)
        self.count += 1
        self._digest.update(line.encode() + b"\n")

    @property
    def digest(self) -> str:
        """The same for the same story, and for no other."""
        return self._digest.hexdigest()

    def text(self, last: int | None = None) -> str:
        """The lines that are kept, or the last of them."""
        lines = list(self.lines)
        return "\n".join(lines if last is None else lines[-last:])


@contextmanager
def logs_into(trace: Trace) -> Iterator[None]:
    """The daemons' log lines go into the trace, under the name of the process that runs."""

    def catch(logger: object, level: str, event: MutableMapping[str, Any]) -> str:
        try:
            loop: object = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        who = loop.name if isinstance(loop, ProcessLoop) else "?"
        if isinstance(loop, ProcessLoop) and loop.is_dead:
            raise structlog.DropEvent  # what a killed process says while its tasks are cleared away
        trace.say(who, event.pop("event"), *_words(event))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[catch], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.reset_defaults()
        structlog.configure(**before)


def _words(event: MutableMapping[str, Any]) -> Iterator[str]:
    for key in sorted(event):
        value = event[key]
        if key in _LEFT_OUT or value in ("", None):
            continue
        text = f"{value:.3f}" if isinstance(value, float) else str(value)
        yield f"{key}={text}"
