"""A failover on one machine: a fake EC2, two services, two real daemons, and the holder killed.

Owns the story, from an empty directory to an empty process table. Must not know how it is shown:
`tell` gets each event as it happens. Does not guarantee packets to the floating address: in this demo
EC2 is fake, and so there is no link that could carry them.
"""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from eni_failover.core.vocabulary import Answer, Result, Role
from eni_failover.errors import EniFailoverError
from eni_failover.lab import demo_children
from eni_failover.lab.demo_loopback import LoopbackStage
from eni_failover.lab.demo_places import ENI, GROUP, HOLDER, PROBE, STANDBY, MemberFiles
from eni_failover.lab.demo_values import Happening, Identity, Packets, Report, Sight
from eni_failover.lab.demo_watch import Watch
from eni_failover.lab.settings import Durations, Settings
from eni_failover.lab.world import World

POLL = 0.05
# A control socket's path may have 100 bytes; the rest of it is ours.
_LONGEST_DIRECTORY = 60
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoError(EniFailoverError):
    """The story did not go on as told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How long things take, in seconds but for `interval`, which goes into the configuration as it is."""

    settings: Settings = field(
        default_factory=lambda: Settings(latency=0.04, durations=Durations(detach=3.0, attach=2.0))
    )
    interval: str = "500ms"
    ready_within: float = 30.0
    moved_within: float = 30.0


class Actor(Protocol):
    """A process of the story."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def exit_status(self) -> int | None:
        """What it ended with, None while it runs."""
        ...


class Stage(Protocol):
    """Where the story is played: two members, each with a service and a daemon, and a fake EC2."""

    @property
    def actors(self) -> Sequence[Actor]:
        """The processes that should run."""
        ...

    def set_up(self, stack: ExitStack, directory: Path, watch: Watch) -> tuple[MemberFiles, MemberFiles]:
        """Start everything, the holder's first; `stack` ends it. Raises OSError."""
        ...

    @property
    def world(self) -> World:
        """The fake EC2's."""
        ...

    def is_prepared(self) -> bool:
        """Whether what the daemons do not know of is ready."""
        ...

    def kill_holder(self, watch: Watch) -> None:
        """Let the holder die; its processes are no actors any more."""
        ...

    def is_over(self) -> bool:
        """Whether what the daemons do not know of has followed."""
        ...

    def packets(self, takeover: Mapping[str, Any]) -> Packets | None:
        """What clients saw, None where there are none."""
        ...


def play(
    tell: Callable[[Happening], None], options: Options | None = None, stage: Stage | None = None
) -> Report:
    """Plays the story to its end, good or bad, and leaves nothing behind; also when interrupted.

    For the main thread, which alone may say what signals do.
    """
    options = options or Options()
    story = _Story(Watch(tell), options, stage or LoopbackStage(options.settings, options.interval))
    problem = ""
    try:
        with _undisturbed_end(ExitStack()) as stack:
            story.play(stack)
    except (DemoError, OSError) as error:
        problem = str(error)
    return Report(
        group=GROUP,
        timeline=tuple(story.watch.timeline),
        before=story.before,
        after=story.after,
        takeover=story.takeover,
        packets=story.packets,
        problem=problem,
    )


@contextmanager
def _undisturbed_end(stack: ExitStack) -> Iterator[ExitStack]:
    """A stack that is unwound to its end, even when an impatient user interrupts once more."""
    before = {number: signal.getsignal(number) for number in _INTERRUPTS}
    try:
        with stack:
            try:
                yield stack
            finally:
                for number in _INTERRUPTS:
                    signal.signal(number, signal.SIG_IGN)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Story:
    """One telling. `before`, `after` and `takeover` are there as soon as they are known."""

    def __init__(self, watch: Watch, options: Options, stage: Stage) -> None:
        self.watch = watch
        self.before: Sight | None = None
        self.after: Sight | None = None
        self.takeover: Mapping[str, Any] | None = None
        self.packets: Packets | None = None
        self._options = options
        self._stage = stage

    def play(self, stack: ExitStack) -> None:
        """Raises DemoError when something does not happen in time, OSError when there is no port or disk."""
        directory = Path(stack.enter_context(_directory()))
        holder, standby = self._stage.set_up(stack, directory, self.watch)
        world = self._stage.world
        self._until(
            [holder, standby], self._is_prepared, self._options.ready_within, "both members to be ready"
        )
        self.before = _sight(world)
        self._stage.kill_holder(self.watch)
        self.watch.forget(holder.name)
        self._until([standby], self._is_over, self._options.moved_within, f"{STANDBY} to take over")
        self.after = _sight(world)
        if self.takeover is not None:
            self.packets = self._stage.packets(self.takeover)

    def _until(
        self, members: list[MemberFiles], condition: Callable[[], bool], within: float, what: str
    ) -> None:
        """Watches until this holds. Raises DemoError after `within` seconds, or when an actor ends."""
        deadline = time.monotonic() + within
        while True:
            self.watch.look(members)
            if condition():
                return
            self._see_that_they_run(members)
            if time.monotonic() >= deadline:
                raise DemoError(f"timed out after {within:g} s waiting for {what}{_said(members)}")
            time.sleep(POLL)

    def _see_that_they_run(self, members: list[MemberFiles]) -> None:
        for actor in self._stage.actors:
            if actor.exit_status is not None:
                raise DemoError(f"{actor.name} has ended with status {actor.exit_status}{_said(members)}")

    def _is_prepared(self) -> bool:
        holder, standby = self.watch.statuses.get(HOLDER), self.watch.statuses.get(STANDBY)
        if holder is None or standby is None:
            return False
        if not self._stage.is_prepared():
            return False
        verdicts = {probe["name"]: probe["state"] for probe in standby["probes"]}
        return holder["role"] == Role.ACTIVE and bool(standby["ready"]) and verdicts.get(PROBE) == Answer.UP

    def _is_over(self) -> bool:
        status = self.watch.statuses.get(STANDBY, {})
        self.takeover = status.get("last_takeover")
        if self.takeover is not None and self.takeover["result"] != Result.SUCCESS:
            raise DemoError(f"the takeover has ended {self.takeover['result']}: {self.takeover['reason']}")
        is_active = self.takeover is not None and status.get("role") == Role.ACTIVE
        return is_active and self._stage.is_over()


def _directory() -> tempfile.TemporaryDirectory[str]:
    long = len(tempfile.gettempdir()) > _LONGEST_DIRECTORY
    return tempfile.TemporaryDirectory(prefix="eni-failover-demo-", dir="/tmp" if long else None)  # noqa: S108 - a new directory in it


def _said(members: list[MemberFiles]) -> str:
    """What the daemons had to say last."""
    return "".join(f"; {one.name}'s daemon said: {demo_children.last_words(one)}" for one in members)


def _sight(world: World) -> Sight:
    """The ENI as an operator's describe shows it now."""
    (eni,) = world.call("DescribeNetworkInterfaces", {"NetworkInterfaceIds": [ENI]})["NetworkInterfaces"]
    attachment = eni.get("Attachment", {})
    owner = attachment.get("InstanceId")
    addresses = eni["PrivateIpAddresses"]
    return Sight(
        identity=Identity(
            eni_id=eni["NetworkInterfaceId"],
            mac=eni["MacAddress"],
            private_addresses=tuple(one["PrivateIpAddress"] for one in addresses),
            public_addresses=tuple(
                one["Association"]["PublicIp"] for one in addresses if "Association" in one
            ),
            groups=tuple(group["GroupId"] for group in eni["Groups"]),
            tags=tuple(f"{tag['Key']}={tag['Value']}" for tag in eni["TagSet"]),
        ),
        member=world.instance(owner).name if owner else "",
        attachment_id=attachment.get("AttachmentId", ""),
    )
