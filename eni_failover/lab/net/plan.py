"""The address plan of a net world, and the fake EC2's world that fits it.

Owns: subnets, the router's and the clients' addresses, which host is where. Must not know: namespaces,
netlink. Does not guarantee: that a world changed later still fits; ENIs added later have no link.

    10.0.1.0/24      2001:db8:1::/64    alpha, beta, ..., the floating ENIs, client-same
    10.0.2.0/24      2001:db8:2::/64    client-other
    198.51.100.0/24  2001:db8:ff::/64   client-outside, which is in no subnet of the VPC
    10.0.0.2                            the EC2 API, reached by the router, which is .1 and ::1 everywhere
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Address, IPv6Interface
from typing import Final

from eni_failover.lab.settings import Settings
from eni_failover.lab.values import Address
from eni_failover.lab.world import World, floating_eni_id, instance_id_of

API_ADDRESS: Final = "10.0.0.2"
API_PORT: Final = 80
IMDS_ADDRESS: Final = "169.254.169.254"
IMDS_PORT: Final = 80

EC2: Final = "ec2"
"""The EC2 API, as `cut` names it."""
ROUTER: Final = "router"
"""The router itself, as `cut` names it; what goes through it is not meant."""

_MEMBER_SUBNET: Final = "subnet-0123456789abcdef0"
_PREFIXES: Final = ("16", "32", "48", "64", "80", "208", "224")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A bridge, and the router's addresses and MAC on it."""

    bridge: str
    ipv4: IPv4Interface
    ipv6: IPv6Interface
    mac: str

    @property
    def link_local(self) -> str:
        """The address by which router advertisements call the router: made from its MAC (EUI-64)."""
        octets = bytes.fromhex(self.mac.replace(":", ""))
        identifier = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
        return str(IPv6Address(b"\xfe\x80" + bytes(6) + identifier))


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A host that is no member."""

    name: str
    subnet: Subnet
    ipv4: IPv4Interface
    ipv6: IPv6Interface
    mac: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of everything there is. Raises ValueError for what the address plan has no room for."""

    members: int = 2
    enis: int = 1
    ipv6: bool = False
    """An IPv6 address on every ENI and client, and router advertisements."""
    secondary: int = 0
    """More addresses of each family on every floating ENI."""
    prefixes: bool = False
    """A delegated prefix of each family on every floating ENI."""

    def __post_init__(self) -> None:
        if not (2 <= self.members <= 4 and 1 <= self.enis <= 8 and 0 <= self.secondary <= 9):
            raise ValueError("a net world has 2 to 4 members, 1 to 8 ENIs and 0 to 9 secondary addresses")
        if self.prefixes and self.enis > len(_PREFIXES):
            raise ValueError(f"with delegated prefixes a net world has at most {len(_PREFIXES)} ENIs")


def _subnet(number: int, bridge: str, ipv4: str, ipv6: str) -> Subnet:
    return Subnet(
        bridge=bridge,
        ipv4=IPv4Interface(ipv4),
        ipv6=IPv6Interface(ipv6),
        mac=f"0a:00:00:00:01:{number:02x}",
    )


MEMBERS_SUBNET: Final = _subnet(1, "subnet-a", "10.0.1.1/24", "2001:db8:1::1/64")
OTHER_SUBNET: Final = _subnet(2, "subnet-b", "10.0.2.1/24", "2001:db8:2::1/64")
OUTSIDE: Final = _subnet(3, "outside", "198.51.100.1/24", "2001:db8:ff::1/64")
SUBNETS: Final = (MEMBERS_SUBNET, OTHER_SUBNET, OUTSIDE)

ROUTER_ADDRESSES: Final = tuple(str(a.ip) for subnet in SUBNETS for a in (subnet.ipv4, subnet.ipv6))


def _client(number: int, name: str, subnet: Subnet) -> Client:
    return Client(
        name=name,
        subnet=subnet,
        ipv4=IPv4Interface((subnet.ipv4.ip + 200, subnet.ipv4.network.prefixlen)),
        ipv6=IPv6Interface((subnet.ipv6.ip + 0x200, subnet.ipv6.network.prefixlen)),
        mac=f"0a:00:00:00:02:{number:02x}",
    )


CLIENTS: Final = (
    _client(1, "client-same", MEMBERS_SUBNET),
    _client(2, "client-other", OTHER_SUBNET),
    _client(3, "client-outside", OUTSIDE),
)


def make_world(size: Size, settings: Settings | None, instance_type: str | None) -> World:
    """`World.pair` with the second subnet, and with the addresses that `size` asks for.

    `instance_type` None: m5.large, or a larger one when the ENIs would not fit.
    """
    fitting = "m5.large" if size.enis <= 2 else "c5n.18xlarge"  # three and fifteen ENIs
    world = World.pair(
        members=size.members, enis=size.enis, instance_type=instance_type or fitting, settings=settings
    )
    with world.locked():
        zone = f"{world.settings.region}a"
        for subnet, subnet_id in ((MEMBERS_SUBNET, _MEMBER_SUBNET), (OTHER_SUBNET, "subnet-0b")):
            ipv6_cidrs = (str(subnet.ipv6.network),) if size.ipv6 else ()
            world.add_subnet(subnet_id, zone, str(subnet.ipv4.network), ipv6_cidrs=ipv6_cidrs)
        for number in range(1, size.members + 1) if size.ipv6 else ():
            primary = "eni-" + instance_id_of(number).removeprefix("i-")
            world.change_eni(primary, ipv6=(f"2001:db8:1::{10 + number}",))
        for number in range(1, size.enis + 1):
            _address(world, floating_eni_id(number), number, size)
        world.forget_history()
    return world


def _address(world: World, eni_id: str, number: int, size: Size) -> None:
    hosts = [100 + number + 10 * more for more in range(size.secondary + 1)]
    eni = world.eni(eni_id)
    world.change_eni(
        eni_id,
        addresses=(*eni.addresses, *(Address(ip=f"10.0.1.{host}") for host in hosts[1:])),
        ipv6=tuple(f"2001:db8:1::{host}" for host in hosts) if size.ipv6 else (),
        ipv4_prefixes=tuple(_prefixes(number, size, "10.0.1.{}/28")),
        ipv6_prefixes=(f"2001:db8:1:0:{number}::/80",) if size.ipv6 and size.prefixes else (),
    )


def _prefixes(number: int, size: Size, form: str) -> Iterator[str]:
    if size.prefixes:
        yield form.format(_PREFIXES[number - 1])
