"""The hosts of a net world: members and clients, and the names of their namespaces.

Owns: the record of a host. Must not know: what is in a namespace. Does not guarantee: that an instance added
to the world later gets a host.
"""

from dataclasses import dataclass

from eni_failover.lab.net.links import HostAddresses
from eni_failover.lab.net.namespaces import Namespace, own_name
from eni_failover.lab.net.plan import CLIENTS, MEMBERS_SUBNET
from eni_failover.lab.values import Eni, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A member or a client. The port of its primary link has its name."""

    name: str
    namespace: Namespace
    addresses: HostAddresses
    mac: str
    instance_id: str | None = None
    """Of a member, as the next."""
    eni_id: str | None = None
    """Its primary ENI."""


def hosts_of(number: int, state: State) -> dict[str, Host]:
    """The hosts of this process's net world of that number, by name: the members, then the clients."""
    return {host.name: host for host in (*_members(number, state), *_clients(number))}


def is_primary(eni: Eni) -> bool:
    """Whether it is some instance's primary ENI."""
    return eni.attachment is not None and eni.attachment.device_index == 0


def _members(number: int, state: State) -> list[Host]:
    members = []
    for instance in state.instances.values():
        primary = next(eni for eni in state.attached_to(instance.id) if is_primary(eni))
        addresses = HostAddresses(
            subnet=MEMBERS_SUBNET, ipv4=tuple(a.ip for a in primary.addresses), ipv6=primary.ipv6
        )
        members.append(
            Host(
                name=instance.name,
                namespace=Namespace(own_name(number, instance.name)),
                addresses=addresses,
                mac=primary.mac,
                instance_id=instance.id,
                eni_id=primary.id,
            )
        )
    return members


def _clients(number: int) -> list[Host]:
    return [
        Host(
            name=client.name,
            namespace=Namespace(own_name(number, client.name)),
            addresses=HostAddresses(
                subnet=client.subnet, ipv4=(str(client.ipv4.ip),), ipv6=(str(client.ipv6.ip),)
            ),
            mac=client.mac,
        )
        for client in CLIENTS
    ]
