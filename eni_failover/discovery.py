"""[discovery]: the group's members by their tag, as instances come and go.

Owns who is a member, their names and their order. Decides nothing about ENIs. A describe that fails
leaves the members as they are: unknown is not gone. Does not guarantee that all members see a change at
the same moment; the turns of the decision table bear that, since EC2 is the lock.

A member is an instance in this one's zone that carries the tag and is pending or running, or that still
has an ENI of the group whatever its state: a stopped or terminated holder is a member that is down, and
no foreign instance. EC2 no longer lists the ENIs of a terminated one, so both sides are asked.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

import structlog

from eni_failover.adapters.ec2_roster import TaggedInstance
from eni_failover.config.identity import LONGEST_NAME, is_like_an_id, member_name
from eni_failover.core.model import EniSurvey, InstanceState
from eni_failover.core.policy import EniId, InstanceId, Member, MemberName
from eni_failover.errors import AdapterError

GLANCE = 5.0  # seconds, from one question whether a look is due to the next
RETRY_FIRST = 0.5
RETRY_CAP = 5.0
LEFT_AFTER = 2  # looks without a member, before it is believed to be none any more
_MARKS = "._-"  # no name begins or ends with one here
_NO_PART_OF_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_SERVES = frozenset({InstanceState.PENDING, InstanceState.RUNNING})


class Roster(Protocol):
    """EC2, as far as members are looked up in it."""

    async def warm(self) -> None:
        """Makes calls possible. Raises AdapterError."""
        ...

    async def describe_tagged(self, tag: str, value: str) -> tuple[TaggedInstance, ...]:
        """The instances with this tag, in any state. Raises AdapterError."""
        ...


def members_of(
    found: Iterable[TaggedInstance],
    *,
    zone: str,
    eni_ids: Collection[EniId],
    holders: Collection[InstanceId] = (),
    known: Collection[Member] = (),
) -> tuple[Member, ...]:
    """The members among the instances found, in order: rank tag, then launch time, then id.

    `holders` are the instances that have one of the ENIs, by the ENIs' own description. A member that is
    known keeps its name. Another is called by its Name tag, as far as that can be shown (`name_in`), or by
    its id when there is none or it is not its alone, as in an Auto Scaling group.
    """
    addresses = {one.instance_id: one.address for one in known}
    taken = [
        one
        for one in found
        if (one.address or one.instance_id in addresses)
        and one.zone == zone
        and (
            one.state in _SERVES
            or one.instance_id in holders
            or any(eni_id in eni_ids for eni_id in one.eni_ids)
        )
    ]
    taken.sort(key=lambda one: (*_rank(one.rank_tag), one.launched, one.instance_id))
    names = {one.instance_id: one.name for one in known}
    wanted = {one.instance_id: name_in(one.name_tag) for one in taken}
    used = Counter(wanted.values())
    others = set(names.values())
    members = []
    for one in taken:
        tagged = wanted[one.instance_id]
        alone = tagged and used[tagged] == 1 and tagged not in others
        name = names.get(one.instance_id) or MemberName(tagged if alone else one.instance_id)
        # A stopped instance in a default VPC, or a terminated one, is described without its address.
        address = one.address or addresses[one.instance_id]
        members.append(Member(name=name, instance_id=one.instance_id, address=address))
    return tuple(members)


def name_in(tag: str) -> str:
    """What a Name tag calls its instance, in the form of a name in the file; empty where it cannot.

    Whoever may write tags may write anything: a word that stands for no member, another instance's id, text
    that looks like another name (letters of other alphabets, marks that are not seen) or that breaks a line.
    """
    if not tag.isascii() or not tag.isprintable():
        return ""
    name = _NO_PART_OF_A_NAME.sub("-", tag).strip(_MARKS)[:LONGEST_NAME].rstrip(_MARKS)
    try:
        return "" if is_like_an_id(name) else member_name(name)
    except ValueError:
        return ""


def _rank(tag: str) -> tuple[int, int, str]:
    """Numbers by value, then words, then the instances without a rank."""
    if tag.isdecimal():
        return 0, int(tag), ""
    return (1, 0, tag) if tag else (2, 0, "")


async def first_members(
    roster: Roster,
    *,
    tag: str,
    group: str,
    zone: str,
    eni_ids: Collection[EniId],
    me: InstanceId,
    waiting: Callable[[str], None],
    remembered: tuple[Member, ...] = (),
) -> tuple[Member, ...]:
    """The members, as soon as EC2 has told them and this instance is among them; `waiting` says why not.

    While EC2 does not answer they are those that it told last, where this instance remembers any.
    """
    delay = RETRY_FIRST
    while True:
        try:
            await roster.warm()
            found = await roster.describe_tagged(tag, group)
        except AdapterError as error:
            if remembered:
                structlog.get_logger().warning("discovery.cache_used", error=str(error), code=error.code)
                return remembered
            why = f"waiting for EC2 to tell the members: {error}"
        else:
            members = members_of(found, zone=zone, eni_ids=eni_ids)
            if any(one.instance_id == me for one in members):
                return members
            why = f"waiting to be a member: {me} does not have the tag {tag} = {group}"
        waiting(why)
        structlog.get_logger().warning("discovery.waiting", why=why)
        await asyncio.sleep(delay)
        delay = min(RETRY_CAP, delay * 2)


class Discovery:
    """Follows the members.

    `interval` says how long after a look the next one is due, in seconds, as things are now.
    `on_members` is called with the new ones when they differ, `on_left` with the reason when this instance
    is none of them any more: it must not move what is not its own.
    """

    def __init__(
        self,
        roster: Callable[[], Roster],
        *,
        tag: str,
        group: str,
        zone: str,
        me: InstanceId,
        members: tuple[Member, ...],
        enis: Callable[[], EniSurvey],
        interval: Callable[[], float],
        on_members: Callable[[tuple[Member, ...]], None],
        on_left: Callable[[str], None],
    ) -> None:
        self._roster = roster
        self._tag = tag
        self._group = group
        self._zone = zone
        self._me = me
        self._members = members
        self._enis = enis
        self._interval = interval
        self._on_members = on_members
        self._on_left = on_left
        self._missed: dict[InstanceId, int] = {}  # in how many looks in a row, of each member
        self._log = structlog.get_logger()

    async def run(self) -> None:
        """Looks again and again until cancelled."""
        failing = False
        while True:
            await self._rest()
            try:
                found = await self._roster().describe_tagged(self._tag, self._group)
            except AdapterError as error:
                if not failing:
                    self._log.warning("discovery.failed", error=str(error), code=error.code)
                failing = True
                continue
            failing = False
            self._take(found)

    async def _rest(self) -> None:
        """Until the next look is due: a doubt that comes meanwhile makes that sooner."""
        clock = asyncio.get_running_loop().time
        began_at = clock()
        while True:
            left = began_at + self._interval() - clock()
            await asyncio.sleep(max(0.0, min(left, GLANCE)))
            if left <= GLANCE:
                return

    def _take(self, found: tuple[TaggedInstance, ...]) -> None:
        enis = self._enis().enis
        members = members_of(
            found,
            zone=self._zone,
            eni_ids={eni.eni_id for eni in enis},
            holders={
                eni.attachment.instance_id for eni in enis if eni.attachment and eni.attachment.instance_id
            },
            known=self._members,
        )
        # Reads lag: one answer without a member is not believed.
        absent = {one.instance_id for one in self._members} - {one.instance_id for one in members}
        if self._me in absent:
            self._missed[self._me] = self._missed.get(self._me, 0) + 1
            if self._missed[self._me] >= LEFT_AFTER:
                self._on_left(f"this instance, {self._me}, is no member of {self._group} any more")
            return
        self._missed = {instance_id: self._missed.get(instance_id, 0) + 1 for instance_id in absent}
        if any(missed < LEFT_AFTER for missed in self._missed.values()):
            return
        if members != self._members:
            before = {one.instance_id for one in self._members}
            after = {one.instance_id for one in members}
            self._log.info(
                "discovery.changed",
                joined=sorted(after - before),
                left=sorted(before - after),
                members=[one.name for one in members],
            )
            self._members = members
            self._on_members(members)
