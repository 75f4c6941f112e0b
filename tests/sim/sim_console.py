"""What an operator can do at one member: the commands that reach the daemon's socket.

Owns the pressing and what the operator is told. Does not guarantee an answer: the daemon may be frozen, or
die meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from eni_failover.core.model import PauseKind, PauseRequest
from tests.sim.sim_daemon import Daemon

if TYPE_CHECKING:
    from tests.sim.sim_member import Member
    from tests.sim.sim_world import World


class Console:
    """The socket of one member's daemon."""

    def __init__(self, world: World, member: Member) -> None:
        self._world = world
        self._member = member

    def press(self, what: Callable[[Daemon], Any], *, name: str) -> None:
        """An operator's command reaches this member's socket."""
        daemon, loop = self._member.daemon, self._member.loop
        if daemon is not None and loop is not None and not loop.is_dead:
            loop.spawn(self._pressed(what, daemon), name=name)

    async def _pressed(self, what: Callable[[Daemon], Any], daemon: Daemon) -> None:
        try:
            answer = await what(daemon)
        except TimeoutError:
            self._world.say("human", self._member.name, "no answer in time")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a violation
            self._world.audit.escaped(self._member.name, repr(error))
        else:
            self._world.say("human", self._member.name, "is told", _short(answer))

    def take_over(self, *, timeout: float = 120.0) -> None:
        """`eni-failover takeover` on this member."""
        self._world.say("human", "takeover", self._member.name)

        def ask(daemon: Daemon) -> Any:
            # Its life begins when the daemon reads it: one that is frozen reads it late.
            self._world.audit.asked(self._member.name, timeout)
            return daemon.desk.takeover(reason="drill", timeout=timeout)

        self.press(ask, name="takeover")

    def pause(self, seconds: float | None, *, local: bool = False) -> None:
        """`eni-failover pause` on this member."""
        self._world.say("human", "pause", self._member.name, seconds, "local" if local else "")
        request = PauseRequest(kind=PauseKind.PAUSE, duration=seconds, by="op", local=local)

        async def ask(daemon: Daemon) -> Any:
            pressed_at = self._world.now
            record = await daemon.desk.pause(request)
            if record is not None and record.kind is PauseKind.PAUSE and not record.local:
                self._world.audit.acknowledged(record, pressed_at, seconds)
            return record

        self.press(ask, name="pause")

    def resume(self, *, local: bool = False) -> None:
        """`eni-failover resume` on this member."""
        self._world.say("human", "resume", self._member.name, "local" if local else "")
        request = PauseRequest(kind=PauseKind.RESUME, by="op", local=local)
        self.press(lambda daemon: daemon.desk.pause(request), name="resume")

    def reload(self) -> None:
        """`eni-failover reload` on this member."""
        self._world.say("human", "reload", self._member.name)
        self.press(lambda daemon: daemon.reloader.reload(), name="reload")


def _short(answer: object) -> str:
    state = getattr(answer, "state", None)
    if state is not None:
        return f"{state} {getattr(answer, 'reason', '')}"
    kind = getattr(answer, "kind", None)
    if kind is not None:
        return str(kind)
    return "taken" if answer == () else str(answer)
