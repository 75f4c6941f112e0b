"""What can go wrong on hosts and between them, as verbs, each with its undo.

Owns: their meaning. Must not know: rules, links. Does not guarantee: that connections that were open before
come back; a packet that is lost is lost.

Every verb has taken effect when it returns. Any thread may call it, but not within the world's `locked()`.
Hosts are members and clients by name; a cut also knows "ec2", the API, and "router", its addresses.
KeyError for an unknown one.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from eni_failover.lab.net.fabric import Fabric
from eni_failover.lab.net.following import Follower
from eni_failover.lab.net.plan import EC2, ROUTER
from eni_failover.lab.net.processes import continue_all, stop_all
from eni_failover.lab.net.troubles import Troubles
from eni_failover.lab.world import World

_LONGEST_DELAY: Final = 60.0


class Verbs:
    """A fabric on which things go wrong."""

    def __init__(self, world: World, fabric: Fabric, follower: Follower) -> None:
        self.world = world
        self._fabric = fabric
        self._follower = follower

    def die(self, member: str, *, impaired: bool = False) -> None:
        """Power lost: processes killed, links without carrier, the kernel's configuration forgotten.

        EC2 goes on saying `running`; with `impaired` its system status check fails.
        """
        self._trouble(lambda t: replace(t, dead=t.dead | {self._member(member)}))
        if impaired:
            self.world.impair(member, system="impaired")

    def revive(self, member: str) -> None:
        """Undo `die`: booted with its primary link configured. Floating links are as a boot finds them."""
        self._trouble(lambda t: replace(t, dead=t.dead - {self._member(member)}))
        self.world.impair(member, system="ok")

    def hang(self, member: str) -> None:
        """All processes stand still, the links stay up; plain detaches of its ENIs do not end."""
        stop_all(self._fabric.hosts[self._member(member)].namespace.path)
        self._trouble(lambda t: replace(t, hung=t.hung | {member}))

    def thaw(self, member: str) -> None:
        """Undo `hang`: the processes go on, and detaches that wait for the guest end."""
        continue_all(self._fabric.hosts[self._member(member)].namespace.path)
        self._trouble(lambda t: replace(t, hung=t.hung - {member}))

    def cut(self, one: str, other: str, *, one_way: bool = False) -> None:
        """Lose what the two send each other; with `one_way` only what `one` sends to `other`.

        By addresses, floating ones included and by whatever way. ARP and neighbour discovery go on.
        """
        pairs = {self._pair(one, other)} | (set() if one_way else {self._pair(other, one)})
        self._trouble(lambda t: replace(t, cuts=t.cuts | pairs))

    def heal(self, one: str, other: str) -> None:
        """Undo `cut`, in both directions."""
        pairs = {self._pair(one, other), self._pair(other, one)}
        self._trouble(lambda t: replace(t, cuts=t.cuts - pairs))

    def lose(self, host: str, percent: float) -> None:
        """Lose a share of all packets that a host sends, and of those it gets; 0 undoes it."""
        if not 0 <= percent <= 100:
            raise ValueError("percent: 0 to 100")
        self._trouble(lambda t: replace(t, losses=_with(t.losses, self._host(host), percent)))

    def delay(self, member: str, seconds: float) -> None:
        """Have all packets that a member sends, and those it gets, be late by so much; 0 undoes it.

        A round trip takes twice as long. The delay is only roughly so long.
        """
        if not 0 <= seconds <= _LONGEST_DELAY:
            raise ValueError(f"seconds: 0 to {_LONGEST_DELAY}")
        self._trouble(lambda t: replace(t, delays=_with(t.delays, self._member(member), seconds)))

    def unplug(self, name: str) -> None:
        """Take the carrier from a host's primary link, or from a floating ENI's link ("floating-1")."""
        self._trouble(lambda t: replace(t, unplugged=t.unplugged | {self._port(name)}))

    def plug(self, name: str) -> None:
        """Undo `unplug`."""
        self._trouble(lambda t: replace(t, unplugged=t.unplugged - {self._port(name)}))

    def _trouble(self, change: Callable[[Troubles], Troubles]) -> None:
        self._follower.trouble(change)

    def _host(self, name: str) -> str:
        return self._fabric.hosts[name].name

    def _member(self, name: str) -> str:
        if self._fabric.hosts[name].instance_id is None:
            raise KeyError(f"{name} is no member")
        return name

    def _port(self, name: str) -> str:
        """The port of a host, or of an ENI by name or id."""
        if name in self._fabric.hosts:
            return name
        return self._fabric.ports[self.world.eni(name).id]

    def _pair(self, one: str, other: str) -> tuple[str, str]:
        places = {*self._fabric.hosts, EC2, ROUTER}
        if {one, other} - places or not {one, other} & set(self._fabric.hosts):
            raise KeyError(f"no way to cut between {one} and {other}")
        return one, other


def _with(shares: Mapping[str, float], name: str, share: float) -> dict[str, float]:
    others = {known: value for known, value in shares.items() if known != name}
    return {**others, name: share} if share else others
