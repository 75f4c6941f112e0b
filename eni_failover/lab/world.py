"""A world: one account and Region of a fake EC2, with verbs for whoever directs the play.

Owns: the class that the rest stands on, and the usual cast. Must not know: sockets, asyncio. Does not
guarantee: more of EC2 than moving ENIs between instances needs.
"""

from collections.abc import Callable, Sequence
from time import monotonic, time
from typing import Final, Self

from eni_failover.lab.settings import Settings
from eni_failover.lab.trouble import Trouble

NAMES: Final = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa")
"""Names of the first members that `World.pair` makes; those after them are member-11, ..."""

_HEX: Final = "abcdef"
_SUBNET: Final = "subnet-0123456789abcdef0"


class World(Trouble):
    """State, time, calls and verbs of one fake account. Thread-safe; see `Engine` for the clock."""

    @classmethod
    def pair(
        cls,
        *,
        members: int = 2,
        enis: int = 1,
        instance_type: str = "m5.large",
        addresses: Sequence[str] = (),
        public_ips: bool = True,
        settings: Settings | None = None,
        attachments_made: int = 0,
        clock: Callable[[], float] = monotonic,
        wall: Callable[[], float] = time,
    ) -> Self:
        """The usual cast: `members` running instances in one subnet, the first one holding the floating ENIs.

        Members are alpha, beta, ... with the ids of `instance_id_of`, the addresses 10.0.1.11, .12, ... (or
        `addresses`) on their primary ENIs, and the tag `eni-failover-group` = "orders". The ENIs are
        floating-1, ... with the ids of `floating_eni_id` and the addresses 10.0.1.101, ..., at device index 1
        and up. More ENIs than the type of the instance takes are placed all the same. Attachment ids begin
        after the first `attachments_made`: EC2 never uses one twice, and a member's journal may know them.
        """
        world = cls(settings=settings, clock=clock, wall=wall)
        world._attachments_made = attachments_made
        world.add_subnet(_SUBNET, f"{world.settings.region}a", "10.0.1.0/24")
        for number in range(1, members + 1):
            given = addresses[number - 1] if number <= len(addresses) else f"10.0.1.{10 + number}"
            world.add_instance(
                instance_id_of(number),
                name=member_name(number),
                address=given,
                instance_type=instance_type,
                tags={"eni-failover-group": "orders", "eni-failover-rank": str(number)},
            )
        for number in range(1, enis + 1):
            world.add_eni(
                floating_eni_id(number),
                addresses=[f"10.0.1.{100 + number}"],
                public_ip=f"203.0.113.{number}" if public_ips else None,
                mac=f"0a:ff:00:00:00:{number:02x}",
                description=f"floating {number}",
                tags={"Name": f"floating-{number}", "eni-failover-group": "orders"},
            )
            if members:
                world.place(floating_eni_id(number), instance_id_of(1), index=number)
        world.forget_history()
        return world


def member_name(number: int) -> str:
    """The name of the n-th member, counted from 1."""
    return NAMES[number - 1] if number <= len(NAMES) else f"member-{number}"


def instance_id_of(number: int) -> str:
    """The id of the n-th member, counted from 1: i-0aaaaaaaaaaaaaaa1, i-0bbbbbbbbbbbbbbb2, ..."""
    if number <= len(_HEX):
        return f"i-0{_HEX[number - 1] * 15}{number}"
    return f"i-0{number:016x}"


def floating_eni_id(number: int) -> str:
    """The id of the n-th floating ENI, counted from 1: eni-0ffffffffffffff01, ..."""
    return f"eni-0ffffffffffffff{number:02x}"
