"""Which of the links with an ENI's MAC is the ENI.

A bridge takes the MAC of its port, a container engine or an administrator may give a link any MAC, and a
guest may keep the link of an ENI that EC2 has forced away. EC2 plugs in devices, so where the kernel has a
device at all, only a device is an ENI. A network namespace without any has its ENIs as one end of a pair
whose other end is elsewhere.

A link that was there while EC2 said that the ENI is not, is another one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from eni_failover.adapters.link.kernel import KernelLink
from eni_failover.adapters.link.mirror import Mirror
from eni_failover.core.model import Eni
from eni_failover.core.policy import EniId

STACKED: Final = frozenset({"vlan", "macvlan", "macvtap", "ipvlan", "bridge", "bond", "team"})
"""Links on top of others, which share their MAC by right."""

_PAIR: Final = "veth"
# An answer may be older than a link that has come with our own attach: EC2 is eventually consistent.
_READ_LAG: Final = 2.0


@dataclass(slots=True)
class _Sighting:
    """A link since it was first seen; `was_here`: EC2 has said since then that its ENI is here."""

    seen_at: float
    was_here: bool = False
    is_another: bool = False


class LinkChoice:
    """Chooses among links with the same MAC. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sightings: dict[tuple[EniId, int], _Sighting] = {}

    def hear(self, eni: Eni, mirror: Mirror, *, is_here: bool, asked_at: float) -> None:
        """EC2 was asked at this time, and says whether the ENI is attached to this instance."""
        for link in mirror.with_mac(eni.mac):
            sighting = self._sighting(eni, link)
            sighting.was_here |= is_here
            if not is_here and not sighting.was_here and asked_at > sighting.seen_at + _READ_LAG:
                sighting.is_another = True

    def find(self, eni: Eni, mirror: Mirror) -> KernelLink | None:
        """The ENI's link, None while none of them can be it."""
        born = {link.born for link in mirror.with_mac(eni.mac)}
        for key in [key for key in self._sightings if key[0] == eni.eni_id and key[1] not in born]:
            del self._sightings[key]
        possible = [link for link in mirror.with_mac(eni.mac) if self._is_possible(eni, link, mirror)]
        return max(possible, key=_likelihood, default=None)

    def doubtful(self, eni: Eni, mirror: Mirror) -> tuple[KernelLink, ...]:
        """The links with the ENI's MAC that are not it; those on top of it are well."""
        chosen = self.find(eni, mirror)
        return tuple(
            link
            for link in mirror.with_mac(eni.mac)
            if link is not chosen and not (chosen is not None and link.kind in STACKED)
        )

    def _is_possible(self, eni: Eni, link: KernelLink, mirror: Mirror) -> bool:
        if self._sighting(eni, link).is_another:
            return False
        has_devices = any(known.is_device for known in mirror.links.values())
        return link.is_device or (link.kind == _PAIR and not has_devices)

    def _sighting(self, eni: Eni, link: KernelLink) -> _Sighting:
        return self._sightings.setdefault((eni.eni_id, link.born), _Sighting(seen_at=self._clock()))


def _likelihood(link: KernelLink) -> tuple[bool, bool, int]:
    """Of two devices the newer one is the ENI: the older one was left here. A made link may come later."""
    return link.has_own_mac, not link.is_paired, link.born if link.is_device else -link.born
