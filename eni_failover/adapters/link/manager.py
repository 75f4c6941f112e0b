"""Mode `manage`: keeps each ENI's link as planned, and tells a repair from a first set-up.

Owns when a change is made. Must not know sockets' life or EC2's calls. Does not guarantee to win against a
program that undoes its work: `rests` says how often it tries.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from eni_failover.adapters.link import families, needs, plan
from eni_failover.adapters.link.keeper import Refusal, Step, make, steps, without
from eni_failover.adapters.link.kernel import Address, KernelLink
from eni_failover.adapters.link.mirror import Mirror
from eni_failover.adapters.link.rests import Rests
from eni_failover.core.model import Eni, Subnet
from eni_failover.core.policy import EniId

if TYPE_CHECKING:
    from pyroute2 import AsyncIPRoute

# For how long a new link may wait for its name, which some kernels give only to a link that is down.
_NAMED_WITHIN: Final = 0.5
_LOOK_FOR_NAME: Final = 0.01
# One describe may be from before our own attach; a link that EC2 gave to another is not needed at once.
_LEFT_AFTER: Final = 10.0

FindLink: TypeAlias = Callable[[Eni], KernelLink | None]


@dataclass(slots=True)
class _Kept:
    """One link under care. Times are monotonic seconds."""

    link: KernelLink
    since: float
    rests: Rests
    done: plan.Plan | None = None  # what was there at some time
    refused: dict[Step, int] = field(default_factory=dict)


class LinkManager:
    """Brings links to their plans.

    `subnet_of` gives the subnet with an id, None while EC2 has not told it; `is_elsewhere` whether EC2
    says that another instance has the ENI. `on_set_up` is called when a link has all that was planned for
    the first time, but for what the kernel refuses, and an address family serves by it, `on_repair` for
    each thing put back later, `on_refused` for each thing that the kernel refuses, once; what belongs to a
    link that has left has neither ENI nor link. `awaits_name`: another program is about to name this link,
    and cannot once it is up.
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
        on_refused: Callable[[EniId | None, KernelLink | None, Refusal], None],
        awaits_name: Callable[[KernelLink], bool] = lambda _: False,
    ) -> None:
        self.due: float | None = None
        self._clock = clock
        self._subnet_of = subnet_of
        self._is_elsewhere = is_elsewhere
        self._ipv6_router = ipv6_router
        self._on_set_up = on_set_up
        self._on_repair = on_repair
        self._on_refused = on_refused
        self._awaits_name = awaits_name
        self._kept: dict[EniId, _Kept] = {}
        self._uncleared: dict[Step, int] = {}
        self._left_since: dict[EniId, float] = {}

    def lacks_subnet(self, eni: Eni) -> bool:
        """Whether nothing can be planned for it yet."""
        return self._subnet_of(eni.subnet_id) is None

    def refused(self, eni_id: EniId) -> frozenset[Address]:
        """The addresses that the kernel did not take."""
        kept = self._kept.get(eni_id)
        steps_refused = kept.refused if kept is not None else ()
        return frozenset(step.item[1].ip for step in steps_refused if step.field == "addresses")

    async def bring(
        self, enis: Collection[Eni], mirror: Mirror, kernel: AsyncIPRoute, find: FindLink
    ) -> None:
        """Make what is missing, as far as it is time for it; `due` says when to come again."""
        self.due = None
        for eni in enis:
            link = find(eni)
            if link is None:
                self._kept.pop(eni.eni_id, None)
                self._left_since.pop(eni.eni_id, None)
            else:
                await self._bring(eni, link, mirror, kernel)
            for other in mirror.with_mac(eni.mac):
                if other is not link and plan.is_ours(other, mirror):
                    await self._clear(
                        plan.change_to(plan.Plan(link=other), mirror), kernel, eni.eni_id, other
                    )
        rest = plan.leftovers(enis, mirror)
        if rest:
            await self._clear(rest, kernel)

    async def _bring(self, eni: Eni, link: KernelLink, mirror: Mirror, kernel: AsyncIPRoute) -> None:
        kept = self._kept.get(eni.eni_id)
        if kept is None or not kept.link.is_same_as(link):
            kept = _Kept(link=link, since=self._clock(), rests=Rests(self._clock))
            self._kept[eni.eni_id] = kept
        wanted = self._plan(eni, link, mirror)
        if wanted is None:
            return
        change = plan.change_to(wanted, mirror)
        if not without(change, kept.refused):
            if kept.done is not None:
                kept.done = wanted.but_for(change)
            elif wanted.addresses and self._serves(eni, link, mirror):
                kept.done = wanted.but_for(change)
                kept.rests = Rests(self._clock)
                self._on_set_up(eni, link)
        if not change:
            return
        if change.up and self._awaits_name(link) and self._clock() < kept.since + _NAMED_WITHIN:
            self._come_again(self._clock() + _LOOK_FOR_NAME)
            return
        change, again_at = kept.rests.split(change)
        if again_at is not None:
            self._come_again(again_at)
        if change:
            await self._make(change, kept, eni.eni_id, kernel)

    async def _make(self, change: plan.Change, kept: _Kept, eni_id: EniId, kernel: AsyncIPRoute) -> None:
        refusals = await make(change, kernel)
        refused = {refusal.step: refusal.number for refusal in refusals}
        self._come_again(kept.rests.made(change, refused))
        for refusal in refusals:
            if not refusal.is_late and kept.refused.get(refusal.step) != refusal.number:
                self._on_refused(eni_id, kept.link, refusal)
        for step in steps(change):
            kept.refused.pop(step, None)
        kept.refused |= refused
        if kept.done is not None:
            for word in without(change, refused).repairs(kept.done):
                self._on_repair(eni_id, word)

    async def _clear(
        self,
        change: plan.Change,
        kernel: AsyncIPRoute,
        eni_id: EniId | None = None,
        link: KernelLink | None = None,
    ) -> None:
        """Take away what belongs to no ENI's link any more."""
        for refusal in await make(change, kernel):
            if not refusal.is_late and self._uncleared.get(refusal.step) != refusal.number:
                self._uncleared[refusal.step] = refusal.number
                self._on_refused(eni_id, link, refusal)

    def _serves(self, eni: Eni, link: KernelLink, mirror: Mirror) -> bool:
        """Whether one address family has all it needs: the other may wait for its router for ever."""
        kernel = needs.Kernel(carried=families.carried_by(link.index), refused=self.refused(eni.eni_id))
        return not all(needs.lacking(mirror, eni, link, kernel).values())

    def _plan(self, eni: Eni, link: KernelLink, mirror: Mirror) -> plan.Plan | None:
        if self._has_left(eni):
            return plan.Plan(link=link)
        subnet = self._subnet_of(eni.subnet_id)
        if subnet is None:
            return None
        carried = families.carried_by(link.index)
        return plan.plan_for(eni, subnet, link, mirror, ipv6_router=self._ipv6_router, carried=carried)

    def _has_left(self, eni: Eni) -> bool:
        """Whether the ENI is another's though the link is still here, as after a forced detach."""
        if not self._is_elsewhere(eni):
            self._left_since.pop(eni.eni_id, None)
            return False
        gone_at = self._left_since.setdefault(eni.eni_id, self._clock()) + _LEFT_AFTER
        if self._clock() < gone_at:
            self._come_again(gone_at)
        return self._clock() >= gone_at

    def _come_again(self, at: float) -> None:
        self.due = at if self.due is None else min(self.due, at)
