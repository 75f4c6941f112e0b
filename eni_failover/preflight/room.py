"""Checks of this member's instance: it runs, and has room for every ENI that is not on it yet."""

from __future__ import annotations

from eni_failover.adapters.ec2_details import EniDetail, InstanceDetail
from eni_failover.core.model import InstanceState, TypeLimits
from eni_failover.core.snapshot import Check
from eni_failover.preflight.facts import Facts, Missed
from eni_failover.preflight.verdicts import failed, passed, unknown, warned

_OUR_CARD = 0


def instance(facts: Facts) -> Check:
    """This member's instance runs, by EC2."""
    own = facts.own
    if isinstance(own, Missed):
        return unknown("instance", own)
    state = own.instance.state
    if state is not InstanceState.RUNNING:
        return failed("instance", f"EC2 says {state}", "EC2 must show this instance running")
    return passed("instance", f"{own.instance.instance_type}, running")


def slot(facts: Facts) -> Check:
    """The type takes as many more ENIs as are not here."""
    room = _room(facts)
    if isinstance(room, Missed):
        return unknown("slot", room)
    own, limits, coming = room
    used = sum(one.card_index == _OUR_CARD for one in own.interfaces)
    kind = own.instance.instance_type
    if limits.interfaces is None:
        return unknown("slot", Missed(why=f"EC2 does not say how many ENIs {kind} takes"))
    said = f"{used} of {limits.interfaces} used on {kind}, {len(coming)} to come"
    if used + len(coming) > limits.interfaces:
        return failed("slot", said, "free an interface slot, or use a larger instance type")
    return passed("slot", said)


def device_index(facts: Facts) -> Check:
    """The index that the file fixes is free, for each ENI that is not here."""
    room = _room(facts)
    if isinstance(room, Missed):
        return unknown("device_index", room)
    fixed = facts.config.device_index
    if fixed is None:
        return passed("device_index", "the lowest free one")
    own, _, coming = room
    wanted = {one.eni.eni_id: fixed + facts.config.eni_ids.index(one.eni.eni_id) for one in coming}
    used = {index for _, index in own.instance.eni_indexes}
    taken = [f"{index} for {eni_id}" for eni_id, index in wanted.items() if index in used]
    if taken:
        return failed(
            "device_index",
            f"taken: {', '.join(taken)}",
            'free the device index, or write device_index = "auto"',
        )
    return passed("device_index", f"{', '.join(map(str, wanted.values())) or fixed}")


def addresses_per_interface(facts: Facts) -> Check:
    """No ENI has more addresses than this instance's type takes on one."""
    name, room = "addresses_per_interface", _room(facts)
    if isinstance(room, Missed):
        return unknown(name, room)
    own, limits, coming = room
    words = []
    for one in coming:
        counts = (
            ("IPv4", one.eni.ipv4_count, limits.ipv4_per_interface),
            ("IPv6", one.eni.ipv6_count, limits.ipv6_per_interface),
        )
        words += [
            f"{one.eni.eni_id} has {count} {family}, {own.instance.instance_type} takes {limit}"
            for family, count, limit in counts
            if limit is not None and count > limit
        ]
    if words:
        return failed(name, ", ".join(words), "take addresses off the ENI, or use a larger instance type")
    return passed(name)


def poisoned_index(facts: Facts) -> Check:
    """No index of this instance is left unusable by a forced detach.

    EC2 does not tell. The sign is an ENI that IMDS still lists here and EC2 does not
    (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachNetworkInterface.html); for some
    minutes after any detach it is a false one.
    """
    name, own, listed = "poisoned_index", facts.own, facts.cloud.listed
    if isinstance(own, Missed):
        return unknown(name, own)
    if isinstance(listed, Missed):
        return unknown(name, listed)
    here = {one.mac for one in own.interfaces}
    stale = [one for one in listed if one.mac not in here]
    if not stale:
        return passed(name)
    places = ", ".join(
        f"{one.mac} at index {'?' if one.device_index is None else one.device_index}" for one in stale
    )
    detail = f"IMDS still lists {places}, which EC2 does not"
    indexes = {one.device_index for one in stale}
    fixed = facts.config.device_index
    if fixed is not None and indexes & set(range(fixed, fixed + len(facts.config.eni_ids))):
        return failed(name, detail, 'stop and start this instance, or write device_index = "auto"')
    return warned(name, detail, "if it stays for an hour after a forced detach: stop and start this instance")


def _room(facts: Facts) -> tuple[InstanceDetail, TypeLimits, list[EniDetail]] | Missed:
    """This instance, what its type takes, and the ENIs that are not on it."""
    own, limits, shown = facts.own, facts.cloud.limits, facts.cloud.enis
    if isinstance(own, Missed):
        return own
    if isinstance(limits, Missed):
        return limits
    if isinstance(shown, Missed):
        return shown
    mine = own.instance.instance_id
    coming = [one for one in shown if one.eni.attachment is None or one.eni.attachment.instance_id != mine]
    return own, limits, coming
