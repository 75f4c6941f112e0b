"""Since when one member could see another serve: what the daemons try to find out, and the audit knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sim.sim_world import World

ALWAYS = -1e9


class Truth:
    """Worked out anew after everything that is done to the world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._since: dict[tuple[str, str], float] = {}
        self._open_since: dict[tuple[str, str], float] = {}
        for one in world.hosts:
            for other in world.hosts:
                self._since[one, other] = self._open_since[one, other] = ALWAYS

    def refresh(self) -> None:
        """Something has been done to hosts or network."""
        for pair in ((one, other) for one in self._world.hosts for other in self._world.hosts):
            for since, is_so in (
                (self._since, self._is_up(*pair)),
                (self._open_since, self._world.network.is_open(*pair)),
            ):
                if is_so:
                    since.setdefault(pair, self._world.now)
                else:
                    since.pop(pair, None)

    def up_for(self, asker: str, asked: str) -> float:
        """For how long every probe of the asker about the asked has had to find it up; seconds."""
        since = self._since.get((asker, asked))
        return 0.0 if since is None else self._world.now - since

    def open_for(self, one: str, other: str) -> float:
        """For how long everything has got through between these two; seconds."""
        since = self._open_since.get((one, other))
        return 0.0 if since is None else self._world.now - since

    def had_for(self, name: str) -> float:
        """For how long this member has had every ENI, with a link that is ready; 0 when it has not."""
        world = self._world
        host, enis = world.hosts[name], world.plan.eni_ids
        if any(place != name for place in world.where()) or not host.links.keys() >= set(enis):
            return 0.0
        attached = (world.audit.attachments.attached_for(one, world.now) for one in enis)
        return min(*attached, *(world.now - host.links[one].ready_at for one in enis))

    def _is_up(self, asker: str, asked: str) -> bool:
        world = self._world
        there = asker == asked or world.network.is_open(asker, asked)
        return there and world.hosts[asked].serves and not world.hosts[asker].is_deaf
