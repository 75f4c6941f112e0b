"""One instance's guest: whether it runs, its service, its kernel's links, its clocks and its disk.

Owns the truth about a host that no daemon can see directly. Must not know what a daemon makes of it.
Does not guarantee that EC2 and the guest agree: a guest may hang while EC2 says `running`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from eni_failover.core.model import Eni, Link
from tests.sim.sim_disk import Disk


class Service(StrEnum):
    """How the service on a host answers: not at all when it `hangs`, with a refusal when it is `down`."""

    UP = "up"
    DOWN = "down"
    HANGS = "hangs"


class HotPlug(StrEnum):
    """What becomes of an ENI that EC2 has attached."""

    WORKS = "works"
    NEVER = "never"
    """No link ever appears."""
    BARE = "bare"
    """A link appears and nobody gives it an address."""


@dataclass(slots=True, kw_only=True)
class KernelLink:
    """A link that the kernel has of this attachment; `ready_at` is when it has its addresses and rules."""

    attachment_id: str
    ready_at: float


@dataclass(slots=True, kw_only=True)
class Host:
    """A host. Times are the world's seconds; `skew` is what its wall clock is wrong by."""

    name: str
    instance_id: str
    disk: Disk
    is_on: bool = True
    is_hung: bool = False
    hung_until: float = 0.0
    boots: int = 1
    service: Service = Service.UP
    is_deaf: bool = False
    """Its probes cannot be sent."""
    hot_plug: HotPlug = HotPlug.WORKS
    skew: float = 0.0
    is_clock_set: bool = False
    """Whether its wall clock was set since it booted."""
    links: dict[str, KernelLink] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    """The attachment of each ENI whose link the kernel took away last."""
    lost_at: dict[str, float] = field(default_factory=dict)
    """When that was."""

    @property
    def is_alive(self) -> bool:
        """Whether anything runs on it."""
        return self.is_on and not self.is_hung

    @property
    def serves(self) -> bool:
        """Whether its service answers whoever reaches it."""
        return self.is_alive and self.service is Service.UP


class Links:
    """The links as one process sees them: it notices a loss from its start on.

    Stands for the netlink watcher; `known_after` seconds from the start it has looked for the first time.
    """

    def __init__(
        self,
        host: Host,
        *,
        clock: Callable[[], float],
        world_clock: Callable[[], float],
        known_after: float,
    ) -> None:
        self._host = host
        self._clock = clock
        self._world_clock = world_clock
        self._known_at = clock() + known_after
        self._lost: dict[str, float] = {}

    def lost(self, eni_id: str) -> None:
        """The kernel has taken this link away."""
        self._lost[eni_id] = self._clock()

    def came(self, eni_id: str) -> None:
        """The kernel has this link again."""
        self._lost.pop(eni_id, None)

    def __getattr__(self, name: str) -> Callable[..., None]:
        """A reload sets how links are looked at; this stand-in has one way."""
        if not name.startswith("set_"):
            raise AttributeError(name)
        return lambda *_, **__: None

    def state(self, eni: Eni) -> Link:
        """The link of this ENI."""
        if self._clock() < self._known_at:
            return Link(eni_id=eni.eni_id, watched=True, is_known=False, missing=("mode_unknown",))
        link = self._host.links.get(eni.eni_id)
        if link is None:
            return Link(eni_id=eni.eni_id, watched=True, lost_at=self._lost.get(eni.eni_id))
        missing = () if self._world_clock() >= link.ready_at else ("address",)
        return Link(eni_id=eni.eni_id, watched=True, present=True, missing=missing)
