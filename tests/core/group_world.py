"""Two to four members running the real `step` against one abstract EC2, in virtual time.

Deterministic: one heap of events, one `random.Random(seed)`. A node does what the daemon's loop does
(describe when due, step, journal, call, take the answers in) and nothing else. Tests assert on the state
of the world; `World.trace` tells the story of a failure.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from eni_failover.core.model import AttachmentStatus, InstanceState, PauseKind, PauseRequest, TakeoverRequest
from eni_failover.core.policy import Policy
from eni_failover.core.vocabulary import Role
from tests.core.abstract_ec2 import AbstractEc2, Durations
from tests.core.builders import NAMES, policy
from tests.core.invariants import Pass
from tests.core.world_node import Handover, Node


class World:
    """EC2, the network, the services and the members. Time moves only in `run`."""

    def __init__(
        self,
        *,
        members: int = 2,
        enis: int = 1,
        holder: str | None = "alpha",
        seed: int = 0,
        durations: Durations | None = None,
        lag: float = 0.0,
        settle: float = 8.0,
        **changes: Any,
    ) -> None:
        self.now = 0.0
        self.random = random.Random(seed)  # noqa: S311 - a story that can be told again, no secret
        self.trace: list[str] = []
        self.handovers: list[Handover] = []
        self.lag = lag
        self.latency = 0.04
        self.cut: set[frozenset[str]] = set()
        self.services = dict.fromkeys(NAMES[:members], True)
        self.served_since = dict.fromkeys(NAMES[:members], -1e9)
        self.outage: set[str] = set()
        self.lossy: dict[str, str] = {}
        self.broken: set[str] = set()
        self.deaf: set[str] = set()
        self.blind: set[str] = set()
        self.fit: dict[str, bool] = {}
        self.forgotten: set[str] = set()
        self.walls = dict.fromkeys(NAMES[:members], 0.0)
        self.on_pass: Callable[[Pass], None] | None = None
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.ec2 = AbstractEc2(self.after, lambda: self.now, durations or Durations())
        self.nodes: dict[str, Node] = {}
        shared = policy(members=members, enis=enis, **changes)
        for member in shared.members:
            self.ec2.instances[member.instance_id] = InstanceState.RUNNING
        self.ec2.enis = dict.fromkeys(shared.eni_ids)
        for number, eni_id in enumerate(shared.eni_ids, start=1):
            self.ec2.put(eni_id, f"i-{holder}" if holder else None, number)
        for member in shared.members:
            self.nodes[member.name] = Node(self, replace(shared, me=member))
        self.ec2.on_change = self._changed
        for node in self.nodes.values():
            node.start()
        self.run(settle)

    # Time ------------------------------------------------------------------------------------------

    def after(self, delay: float, action: Callable[[], None]) -> None:
        """Does something later."""
        heapq.heappush(self._heap, (self.now + delay, next(self._numbers), action))

    def run(self, seconds: float, *, until: Callable[[], bool] | None = None) -> float:
        """Lets time go by, at most so many seconds, or until something is so; gives how long it was."""
        began_at, end = self.now, self.now + seconds
        while until is None or not until():
            if not self._heap or self._heap[0][0] > end:
                self.now = end
                break
            self.now, _, action = heapq.heappop(self._heap)
            action()
        return self.now - began_at

    def say(self, who: str, *words: object) -> None:
        """One line of the story."""
        self.trace.append(f"{self.now:9.3f} {who:6} {' '.join(str(word) for word in words)}")

    def _changed(self) -> None:
        self.say("ec2", {eni: self.shown(eni) for eni in self.ec2.enis})
        for node in self.nodes.values():
            node.kernel_changed()

    # What is so ------------------------------------------------------------------------------------

    def shown(self, eni_id: str) -> str:
        """An ENI in one word: a member's name when attached, else member:status or `free`."""
        attachment = self.ec2.enis[eni_id]
        if attachment is None:
            return "free"
        name = str(attachment.instance_id).removeprefix("i-")
        return name if attachment.status is AttachmentStatus.ATTACHED else f"{name}:{attachment.status}"

    @property
    def where(self) -> tuple[str, ...]:
        """Where each ENI is."""
        return tuple(self.shown(eni_id) for eni_id in self.ec2.enis)

    def held_by(self, name: str) -> bool:
        """Whether this member holds every ENI and says so."""
        return set(self.where) == {name} and self.nodes[name].role is Role.ACTIVE

    @property
    def whole(self) -> bool:
        """Whether exactly one member holds everything, with its daemon active."""
        return any(self.held_by(name) for name in self.nodes)

    @property
    def policy(self) -> Policy:
        """The policy of any member."""
        return next(iter(self.nodes.values())).policy

    def moves(self) -> list[tuple[str, str]]:
        """Who took from whom, in order, the first ENI only."""
        return [(one.by, one.from_member) for one in self.handovers if one.eni_id == "eni-1"]

    def is_up(self, name: str) -> bool:
        """Whether this member's service answers those that can reach it."""
        return self.services[name] and self.ec2.instances[f"i-{name}"] is InstanceState.RUNNING

    def reaches(self, one: str, other: str) -> bool:
        """Whether packets get from one member to the other."""
        return one == other or frozenset((one, other)) not in self.cut

    # Faults and operators --------------------------------------------------------------------------

    def service(self, name: str, *, up: bool) -> None:
        """The service of a member answers, or not."""
        if up and not self.is_up(name):
            self.served_since[name] = self.now
        self.services[name] = up
        self.say("fault", name, "service", "up" if up else "down")

    def partition(self, one: str, other: str, *, heal: bool = False) -> None:
        """Cuts the network between two members, or heals it."""
        pair = frozenset((one, other))
        if heal:
            self.cut.discard(pair)
            self.served_since[one] = self.served_since[other] = self.now
        else:
            self.cut.add(pair)
        self.say("fault", "healed" if heal else "cut", one, other)

    def power_off(self, name: str) -> None:
        """Stops the instance, as an operator or a failing host would; its daemon dies with it."""
        self.say("fault", name, "stops")
        self.nodes[name].crash()
        self.ec2.stop(f"i-{name}")

    def terminate(self, name: str) -> None:
        """Ends the instance for good."""
        self.say("fault", name, "terminates")
        self.nodes[name].crash()
        self.ec2.terminate(f"i-{name}")

    def power_on(self, name: str) -> None:
        """Starts the instance; daemon and service come with it."""
        self.say("fault", name, "starts")
        self.ec2.start(f"i-{name}")
        self.after(self.ec2.durations.start + 1.0, lambda: self._booted(name))

    def _booted(self, name: str) -> None:
        self.service(name, up=False)
        self.service(name, up=True)
        self.nodes[name].start(rebooted=True)

    def crash(self, name: str) -> None:
        """The daemon is killed; the service goes on."""
        self.say("fault", name, "daemon killed")
        self.nodes[name].crash()

    def restart(self, name: str) -> None:
        """The daemon starts, with what its journal kept."""
        self.say("fault", name, "daemon started")
        self.nodes[name].start()

    def api(self, name: str, *, works: bool) -> None:
        """EC2 answers this member, or not."""
        self.say("fault", name, "api", "back" if works else "gone")
        (self.outage.discard if works else self.outage.add)(name)

    def take_over(self, name: str, *, timeout: float = 120.0) -> None:
        """An operator asks this member's daemon for the group."""
        self.say("human", "takeover", name)
        node = self.nodes[name]
        node.ask(TakeoverRequest(request_id=f"r-{next(self._numbers)}", deadline=node.clock() + timeout))

    def pause(self, name: str, *, seconds: float | None = None, local: bool = False) -> None:
        """An operator pauses at this member."""
        self.say("human", "pause", name)
        self.nodes[name].ask(PauseRequest(kind=PauseKind.PAUSE, duration=seconds, by="op", local=local))

    def resume(self, name: str) -> None:
        """An operator resumes at this member."""
        self.say("human", "resume", name)
        self.nodes[name].ask(PauseRequest(kind=PauseKind.RESUME, by="op"))

    def story(self, last: int = 60) -> str:
        """The end of the trace."""
        return "\n" + "\n".join(self.trace[-last:])
