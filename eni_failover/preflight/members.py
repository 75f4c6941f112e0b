"""Checks of the members as EC2 has them: each could hold the ENIs, and is probed where it stays."""

from __future__ import annotations

import ipaddress

from eni_failover.adapters.ec2_details import EniDetail, InstanceDetail, find_instance
from eni_failover.core.model import InstanceState
from eni_failover.core.policy import Member
from eni_failover.core.snapshot import Check
from eni_failover.preflight.facts import Facts, Missed
from eni_failover.preflight.verdicts import failed, passed, unknown, warned

_GONE = frozenset({InstanceState.SHUTTING_DOWN, InstanceState.TERMINATED})


def members(facts: Facts) -> Check:
    """Each instance exists, in the ENIs' zone, and each address is that of its primary ENI."""
    instances, shown = facts.cloud.instances, facts.cloud.enis
    if isinstance(instances, Missed):
        return unknown("members", instances)
    enis = () if isinstance(shown, Missed) else shown
    wrong, odd = [], []
    for member in facts.config.members:
        found = find_instance(instances, member.instance_id)
        wrong += _wrong(member, found, enis)
        odd += [] if found is None else _odd(member, found)
    if wrong:
        return failed("members", "; ".join(wrong + odd), "correct [[member]]: instance_id and address")
    if odd:
        remedy = "a member that does not run cannot take over; address is that of its primary ENI"
        return warned("members", "; ".join(odd), remedy)
    return passed("members", ", ".join(one.name for one in facts.config.members))


def _wrong(member: Member, found: InstanceDetail | None, enis: tuple[EniDetail, ...]) -> list[str]:
    if found is None or found.instance.state in _GONE:
        return [f"{member.name}: EC2 has no instance {member.instance_id} (any more)"]
    words = []
    zones = {one.eni.zone for one in enis if one.eni.zone}
    if zones and found.instance.zone and found.instance.zone not in zones:
        words.append(f"{member.name} is in {found.instance.zone}, the ENI in {', '.join(sorted(zones))}")
    words += [
        f"{member.name}: {member.address} is an address of {one.eni.eni_id}, which moves"
        for one in enis
        if member.address in (*one.eni.private_addresses, *one.eni.public_addresses)
    ]
    return words


def _odd(member: Member, found: InstanceDetail) -> list[str]:
    state, primary = found.instance.state, found.primary
    if state is not InstanceState.RUNNING:
        return [f"{member.name} is {state}"]
    if primary is None or not _is_literal(member.address):
        return []
    if member.address not in (*primary.addresses, *primary.public_addresses):
        return [f"{member.name}: {member.address} is no address of its primary ENI {primary.eni_id}"]
    return []


def _is_literal(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
