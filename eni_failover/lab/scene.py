"""Verbs that set the scene: which instances, ENIs and subnets there are, and where they are.

Owns: making and placing things outside of EC2's rules. Must not know: faults, sockets. Does not guarantee:
a state that EC2 would allow; a drill may want another.

Instances and ENIs are named by id or Name tag. KeyError for an unknown one.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from eni_failover.lab.engine import Engine
from eni_failover.lab.instance_types import INSTANCE_TYPES
from eni_failover.lab.values import (
    Address,
    Association,
    Attachment,
    AttachmentStatus,
    Eni,
    Instance,
    State,
    Subnet,
)

FOREIGN = "i-0deadbeefdeadbeef"
"""The instance of nobody's group that `take` brings in."""


class Scene(Engine):
    """An engine whose things can be put in place."""

    def _put(self, state: State) -> None:
        """Make this the state now. Raises ValueError for one with a dangling subnet or an unknown type."""
        used = {eni.subnet_id for eni in state.enis.values()} | {
            i.subnet_id for i in state.instances.values()
        }
        if unknown := used - state.subnets.keys():
            raise ValueError(f"no subnet {', '.join(sorted(unknown))} in this world")
        for instance in state.instances.values():
            if instance.type not in INSTANCE_TYPES:
                raise ValueError(f"the lab knows no instance type {instance.type!r}")
        self._move_to(state, self._clock())

    # --- making -----------------------------------------------------------------------------------------

    def add_subnet(self, subnet_id: str, zone: str, cidr: str, **fields: Any) -> None:
        """Add a subnet; `fields` are those of `Subnet`. `zone` like "eu-central-1b"."""
        with self._lock:
            zone_id = fields.pop("zone_id", None) or f"euc1-az{ord(zone[-1]) - ord('a') + 1}"
            subnet = Subnet(id=subnet_id, zone=zone, zone_id=zone_id, cidr=cidr, **fields)
            self._put(self.state.with_subnet(subnet))

    def add_instance(
        self,
        instance_id: str,
        *,
        name: str | None = None,
        address: str | None = None,
        subnet_id: str | None = None,
        instance_type: str = "m5.large",
        tags: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> None:
        """Add a running instance, with `address` also its primary ENI, to a subnet (default: the first)."""
        with self._lock:
            state = self.state
            subnet = subnet_id or next(iter(state.subnets))
            named = {"Name": name} if name else {}
            fields.setdefault("launch_time", self._wall())
            instance = Instance(
                id=instance_id, type=instance_type, subnet_id=subnet, tags={**named, **(tags or {})}, **fields
            )
            self._put(state.with_instance(instance))
            if address:
                primary_id = "eni-" + instance_id.removeprefix("i-")
                self.add_eni(primary_id, addresses=[address], subnet_id=subnet)
                self.place(primary_id, instance_id, index=0, delete_on_termination=True)

    def add_eni(
        self,
        eni_id: str,
        *,
        addresses: Sequence[str] = (),
        public_ip: str | None = None,
        subnet_id: str | None = None,
        mac: str | None = None,
        **fields: Any,
    ) -> None:
        """Add an ENI that is attached to nothing; the first of `addresses` is primary and has `public_ip`.

        `fields` are those of `Eni`. `mac` None: one that is made from the id.
        """
        with self._lock:
            state = self.state
            eni = Eni(
                id=eni_id,
                subnet_id=subnet_id or next(iter(state.subnets)),
                mac=mac or mac_of(eni_id),
                addresses=tuple(
                    Address(
                        ip=ip, association=association_of(public_ip) if public_ip and not number else None
                    )
                    for number, ip in enumerate(addresses)
                ),
                **fields,
            )
            self._put(state.with_eni(eni))

    def change_eni(self, eni: str, **fields: Any) -> None:
        """Change fields of an ENI, named as in `Eni`."""
        with self._lock:
            self._put(self.state.with_eni(replace(self.eni(eni), **fields)))

    def change_instance(self, instance: str, **fields: Any) -> None:
        """Change fields of an instance, named as in `Instance`."""
        with self._lock:
            self._put(self.state.with_instance(replace(self.instance(instance), **fields)))

    def remove_eni(self, eni: str) -> None:
        """Delete an ENI, attached or not."""
        with self._lock:
            self._put(self.state.without_eni(self.eni(eni).id))

    def remove_instance(self, instance: str) -> None:
        """Let an instance be unknown from now on; its attachments end."""
        with self._lock:
            target = self.instance(instance)
            state = self.state
            for eni in state.attached_to(target.id):
                state = state.with_eni(replace(eni, attachment=None))
            self._put(state.without_instance(target.id))

    # --- placing ----------------------------------------------------------------------------------------

    def place(
        self,
        eni: str,
        instance: str | None,
        *,
        index: int = 1,
        card: int = 0,
        delete_on_termination: bool = False,
        attachment_id: str | None = None,
    ) -> str | None:
        """Have the ENI attached to the instance, at once and whatever was before; the new attachment id.

        `instance` None: attached to nothing. `attachment_id`: for a service's "ela-attach-...".
        """
        with self._lock:
            target = self.eni(eni)
            if instance is None:
                self._put(self.state.with_eni(replace(target, attachment=None)))
                return None
            attachment = Attachment(
                id=attachment_id or self._next_attachment_id(),
                instance_id=self.instance(instance).id,
                device_index=index,
                card_index=card,
                status=AttachmentStatus.ATTACHED,
                attach_time=self._wall(),
                attached_at=self._clock(),
                delete_on_termination=delete_on_termination,
            )
            self._put(self.state.with_eni(replace(target, attachment=attachment)))
            return attachment.id

    def take(self, eni: str, *, by: str | None = None, index: int = 1) -> str | None:
        """Let another instance have the ENI at once; `by` None: one that is in nobody's group."""
        with self._lock:
            if by is None and FOREIGN not in self.state.instances:
                self.add_instance(FOREIGN, name="foreign", subnet_id=self.eni(eni).subnet_id)
            return self.place(eni, by or FOREIGN, index=index)


def mac_of(eni_id: str) -> str:
    """A locally administered unicast address that is always the same for one id."""
    digest = hashlib.sha256(eni_id.encode()).digest()
    return "0a:" + digest[:5].hex(":")


def association_of(public_ip: str) -> Association:
    """An Elastic IP address with ids made from it."""
    digits = "".join(f"{int(part):02x}" for part in public_ip.split("."))
    return Association(
        public_ip=public_ip,
        allocation_id=f"eipalloc-0{digits:0>16}",
        association_id=f"eipassoc-0{digits:0>16}",
    )
