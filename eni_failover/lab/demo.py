"""A failover on one machine: a fake EC2, two services, two real daemons, and the holder killed.

Owns the story, from an empty directory to an empty process table. Must not know how it is shown:
`tell` gets each event as it happens. Does not guarantee packets to the floating address: in this demo
EC2 is fake, and so there is no link that could carry them.
"""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eni_failover.core.words import Answer, Result, Role
from eni_failover.errors import EniFailoverError
from eni_failover.lab import demo_children, demo_places
from eni_failover.lab.demo_children import Child
from eni_failover.lab.demo_places import GROUP, PROBE, Place
from eni_failover.lab.demo_values import DemoEvent, Happening, Identity, Report, Sight
from eni_failover.lab.demo_watch import Watch
from eni_failover.lab.settings import Durations, Settings
from eni_failover.lab.thread import LabThread
from eni_failover.lab.world import World, floating_eni_id, instance_id_of

HOLDER, STANDBY = "alpha", "beta"
ENI = floating_eni_id(1)
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


def play(tell: Callable[[Happening], None], options: Options | None = None) -> Report:
    """Plays the story to its end, good or bad, and leaves nothing behind; also when interrupted.

    For the main thread, which alone may say what signals do.
    """
    story = _Story(Watch(tell), options or Options())
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

    def __init__(self, watch: Watch, options: Options) -> None:
        self.watch = watch
        self.before: Sight | None = None
        self.after: Sight | None = None
        self.takeover: Mapping[str, Any] | None = None
        self._options = options
        self._daemons: dict[str, Child] = {}
        self._services: dict[str, Child] = {}

    def play(self, stack: ExitStack) -> None:
        """Raises DemoError when something does not happen in time, OSError when there is no port or disk."""
        directory = Path(stack.enter_context(_directory()))
        addresses = demo_places.loopback_addresses()
        world = World.pair(members=2, enis=1, addresses=addresses, settings=self._options.settings)
        lab = stack.enter_context(LabThread(world))
        stack.callback(world.subscribe(self.watch.follow_eni(ENI)))
        self.watch.note(
            DemoEvent.LAB_STARTED, f"a fake EC2 and IMDS answer at {lab.ec2_url}", url=lab.ec2_url
        )
        ids = {HOLDER: instance_id_of(1), STANDBY: instance_id_of(2)}
        holder, standby = demo_places.places(ids, addresses, directory, stack)
        for own, peer in ((holder, standby), (standby, holder)):
            text = demo_places.config_text(own, peer, eni_id=ENI, interval=self._options.interval)
            own.config.write_text(text, encoding="utf-8")
            self._start(stack, own, lab)
        self._until(
            [holder, standby], self._is_prepared, self._options.ready_within, "both members to be ready"
        )
        self.before = _sight(world)
        self._kill(holder)
        self._until([standby], self._is_over, self._options.moved_within, f"{STANDBY} to take over")
        self.after = _sight(world)

    def _start(self, stack: ExitStack, place: Place, lab: LabThread) -> None:
        serving = stack.enter_context(demo_children.service(place))
        self._services[place.name] = serving
        where = f"{place.address}:{place.service_port}"
        self.watch.note(
            DemoEvent.SERVICE_STARTED,
            f"{place.name}'s service listens at {where} (pid {serving.pid})",
            member=place.name,
            pid=serving.pid,
        )
        running = stack.enter_context(demo_children.daemon(place, lab.env(place.name)))
        self._daemons[place.name] = running
        text = f"{place.name}'s daemon runs (pid {running.pid})"
        self.watch.note(DemoEvent.DAEMON_STARTED, text, member=place.name, pid=running.pid)

    def _kill(self, holder: Place) -> None:
        name = holder.name
        serving, running = self._services.pop(name), self._daemons.pop(name)
        serving.kill()
        self.watch.note(
            DemoEvent.SERVICE_KILLED, f"{name}'s service: kill -9 {serving.pid}", member=name, pid=serving.pid
        )
        running.kill()
        self.watch.note(
            DemoEvent.DAEMON_KILLED, f"{name}'s daemon: kill -9 {running.pid}", member=name, pid=running.pid
        )
        self.watch.forget(name)

    def _until(self, places: list[Place], condition: Callable[[], bool], within: float, what: str) -> None:
        """Watches until this holds. Raises DemoError after `within` seconds, or when a child ends."""
        deadline = time.monotonic() + within
        while True:
            self.watch.look(places)
            if condition():
                return
            self._see_that_they_run(places)
            if time.monotonic() >= deadline:
                raise DemoError(f"waited {within:g} s in vain for {what}{_said(places)}")
            time.sleep(POLL)

    def _see_that_they_run(self, places: list[Place]) -> None:
        for child in (*self._services.values(), *self._daemons.values()):
            if child.exit_status is not None:
                raise DemoError(f"{child.name} has ended with status {child.exit_status}{_said(places)}")

    def _is_prepared(self) -> bool:
        holder, standby = self.watch.statuses.get(HOLDER), self.watch.statuses.get(STANDBY)
        if holder is None or standby is None:
            return False
        verdicts = {probe["name"]: probe["state"] for probe in standby["probes"]}
        return holder["role"] == Role.ACTIVE and bool(standby["ready"]) and verdicts.get(PROBE) == Answer.UP

    def _is_over(self) -> bool:
        status = self.watch.statuses.get(STANDBY, {})
        self.takeover = status.get("last_takeover")
        if self.takeover is not None and self.takeover["result"] != Result.SUCCESS:
            raise DemoError(f"the takeover has ended {self.takeover['result']}: {self.takeover['reason']}")
        return self.takeover is not None and status.get("role") == Role.ACTIVE


def _directory() -> tempfile.TemporaryDirectory[str]:
    long = len(tempfile.gettempdir()) > _LONGEST_DIRECTORY
    return tempfile.TemporaryDirectory(prefix="eni-failover-demo-", dir="/tmp" if long else None)  # noqa: S108 - a new directory in it


def _said(places: list[Place]) -> str:
    """What the daemons had to say last."""
    words = (f"; {place.name}'s daemon said: {demo_children.last_words(place)}" for place in places)
    return "".join(words)


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
