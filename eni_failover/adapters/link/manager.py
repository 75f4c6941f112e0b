"""Mode `manage`: keeps each ENI's link as planned, and tells a repair from a first set-up.

Owns when a change is made and how often at most. Must not know sockets' life or EC2's calls. Does not
guarantee to win against a program that undoes its work: it tries less and less often, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from eni_failover.adapters.link import needs, netlink, plan
from eni_failover.adapters.link.keeper import make
from eni_failover.adapters.link.kernel import KernelLink
from eni_failover.adapters.link.mirror import Mirror
from eni_failover.core.model import Eni, Subnet
from eni_failover.core.policy import EniId
from eni_failover.errors import AdapterError, TransientError

if TYPE_CHECKING:
    from pyroute2 import AsyncIPRoute

_LEAST_GAP: Final = 0.05  # what was changed is seen by its event a moment later
_MOST_GAP: Final = 5.0
_CALM: Final = 60.0
# One describe may be from before our own attach; a link that EC2 gave to another is not needed at once.
_LEFT_AFTER: Final = 10.0


@dataclass(slots=True)
class _Kept:
    """One link under care. Times are monotonic seconds."""

    link: KernelLink
    is_set_up: bool = False
    not_before: float = 0.0
    gap: float = _LEAST_GAP
    changed_at: float = float("-inf")


class LinkManager:
    """Brings links to their plans.

    `subnet_of` gives the subnet with an id, None while EC2 has not told it; `is_elsewhere` whether EC2
    says that another instance has the ENI. `on_set_up` is called when a link has all that was planned for
    the first time, `on_repair` for each thing put back later, `on_error` when the kernel refuses.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        subnet_of: Callable[[str], Subnet | None],
        is_elsewhere: Callable[[Eni], bool],
        ipv6_router: str,
        on_set_up: Callable[[Eni, KernelLink], None],
        on_repair: Callable[[EniId, str], None],
        on_error: Callable[[AdapterError], None],
    ) -> None:
        self.due: float | None = None
        self._clock = clock
        self._subnet_of = subnet_of
        self._is_elsewhere = is_elsewhere
        self._ipv6_router = ipv6_router
        self._on_set_up = on_set_up
        self._on_repair = on_repair
        self._on_error = on_error
        self._kept: dict[EniId, _Kept] = {}
        self._left_since: dict[EniId, float] = {}

    def lacks_subnet(self, eni: Eni) -> bool:
        """Whether nothing can be planned for it yet."""
        return self._subnet_of(eni.subnet_id) is None

    async def bring(self, enis: Collection[Eni], mirror: Mirror, kernel: AsyncIPRoute) -> None:
        """Make what is missing, as far as it is time for it; `due` says when to come again."""
        self.due = None
        for eni in enis:
            link = mirror.find(eni.mac)
            if link is None:
                self._kept.pop(eni.eni_id, None)
                self._left_since.pop(eni.eni_id, None)
            else:
                await self._bring(eni, link, mirror, kernel)
        rest = plan.leftovers(enis, mirror)
        if rest:
            await self._make(rest, kernel)

    async def _bring(self, eni: Eni, link: KernelLink, mirror: Mirror, kernel: AsyncIPRoute) -> None:
        kept = self._kept.get(eni.eni_id)
        if kept is None or kept.link.index != link.index:
            kept = self._kept[eni.eni_id] = _Kept(link=link)
        wanted = self._plan(eni, link, mirror)
        if wanted is None:
            return
        change = plan.change_to(wanted, mirror)
        if not change:
            if wanted.addresses and not kept.is_set_up and not needs.missing(mirror, eni, link):
                kept.is_set_up = True
                self._on_set_up(eni, link)
            return
        now = self._clock()
        if now < kept.not_before:
            self._come_again(kept.not_before)
            return
        kept.gap = _LEAST_GAP if now - kept.changed_at > _CALM else min(2 * kept.gap, _MOST_GAP)
        kept.changed_at, kept.not_before = now, now + kept.gap
        self._come_again(kept.not_before)
        if await self._make(change, kernel) and kept.is_set_up:
            for word in change.words:
                self._on_repair(eni.eni_id, word)

    def _plan(self, eni: Eni, link: KernelLink, mirror: Mirror) -> plan.Plan | None:
        if self._has_left(eni):
            return plan.Plan(link=link)
        subnet = self._subnet_of(eni.subnet_id)
        if subnet is None:
            return None
        return plan.plan_for(eni, subnet, link, mirror, ipv6_router=self._ipv6_router)

    def _has_left(self, eni: Eni) -> bool:
        """Whether the ENI is another's though the link is still here, as after a forced detach."""
        if not self._is_elsewhere(eni):
            self._left_since.pop(eni.eni_id, None)
            return False
        gone_at = self._left_since.setdefault(eni.eni_id, self._clock()) + _LEFT_AFTER
        if self._clock() < gone_at:
            self._come_again(gone_at)
        return self._clock() >= gone_at

    async def _make(self, change: plan.Change, kernel: AsyncIPRoute) -> bool:
        try:
            await make(change, kernel)
        except netlink.errors() as error:
            self._on_error(TransientError(f"the kernel refuses a change of a link: {error}"))
            return False
        return True

    def _come_again(self, at: float) -> None:
        self.due = at if self.due is None else min(self.due, at)
