"""The demo's stage without root: two members on loopback addresses, EC2 fake, and no link anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from eni_failover.lab import demo_children, demo_places
from eni_failover.lab.demo_children import Child
from eni_failover.lab.demo_places import ENI, HOLDER, STANDBY, MemberFiles, Place
from eni_failover.lab.demo_values import DemoEvent
from eni_failover.lab.demo_watch import Watch
from eni_failover.lab.settings import Settings
from eni_failover.lab.thread import LabThread
from eni_failover.lab.world import World, instance_id_of


class LoopbackStage:
    """See `demo.Stage`. The holder dies by a kill -9 of its service and its daemon."""

    def __init__(self, settings: Settings, interval: str) -> None:
        self._addresses = demo_places.loopback_addresses()
        self.world = World.pair(members=2, enis=1, addresses=self._addresses, settings=settings)
        self._interval = interval
        self._daemons: dict[str, Child] = {}
        self._services: dict[str, Child] = {}

    @property
    def actors(self) -> Sequence[Child]:
        """The processes that should run."""
        return (*self._services.values(), *self._daemons.values())

    def set_up(self, stack: ExitStack, directory: Path, watch: Watch) -> tuple[MemberFiles, MemberFiles]:
        """Start the fake EC2, services and daemons. Raises OSError when there is no port or disk."""
        lab = stack.enter_context(LabThread(self.world))
        stack.callback(self.world.subscribe(watch.follow_eni(ENI)))
        watch.note(DemoEvent.LAB_STARTED, f"a fake EC2 and IMDS answer at {lab.ec2_url}", url=lab.ec2_url)
        ids = {HOLDER: instance_id_of(1), STANDBY: instance_id_of(2)}
        holder, standby = demo_places.places(ids, self._addresses, directory, stack)
        for own, peer in ((holder, standby), (standby, holder)):
            text = demo_places.config_text(own, peer, eni_id=ENI, interval=self._interval)
            own.config.write_text(text, encoding="utf-8")
            self._start(stack, own, lab, watch)
        return holder, standby

    def is_prepared(self) -> bool:
        """Nobody but the daemons matters here."""
        return True

    def is_over(self) -> bool:
        """Nobody but the daemons matters here."""
        return True

    def packets(self, _: Mapping[str, Any]) -> None:
        """EC2 is fake, and so there is no link that could carry any."""

    def kill_holder(self, watch: Watch) -> None:
        """SIGKILL both processes of the holder."""
        serving, running = self._services.pop(HOLDER), self._daemons.pop(HOLDER)
        serving.kill()
        text = f"{HOLDER}'s service: kill -9 {serving.pid}"
        watch.note(DemoEvent.SERVICE_KILLED, text, member=HOLDER, pid=serving.pid)
        running.kill()
        text = f"{HOLDER}'s daemon: kill -9 {running.pid}"
        watch.note(DemoEvent.DAEMON_KILLED, text, member=HOLDER, pid=running.pid)

    def _start(self, stack: ExitStack, place: Place, lab: LabThread, watch: Watch) -> None:
        serving = stack.enter_context(demo_children.service(place))
        self._services[place.name] = serving
        where = f"{place.address}:{place.service_port}"
        watch.note(
            DemoEvent.SERVICE_STARTED,
            f"{place.name}'s service listens at {where} (pid {serving.pid})",
            member=place.name,
            pid=serving.pid,
        )
        running = stack.enter_context(demo_children.daemon(place, lab.env(place.name)))
        self._daemons[place.name] = running
        text = f"{place.name}'s daemon runs (pid {running.pid})"
        watch.note(DemoEvent.DAEMON_STARTED, text, member=place.name, pid=running.pid)
