"""All checks, in the order in which an operator would look.

Owns the order, and which of them a running daemon repeats: the rest it knows better by its own passes.
A name stands for the same fact here and in `core.readiness`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from eni_failover.core.snapshot import Check
from eni_failover.core.vocabulary import CheckResult
from eni_failover.preflight import (
    access,
    answers,
    commands,
    enis,
    footing,
    links,
    members,
    permissions,
    room,
    ways,
)
from eni_failover.preflight.facts import Facts

Judge = Callable[[Facts], Check]

ALL: tuple[Judge, ...] = (
    access.file,
    access.identity,
    access.imds,
    access.credentials,
    access.ec2_api,
    access.api_path,
    access.clock,
    members.members,
    room.instance,
    enis.enis,
    enis.eni_movable,
    enis.cni_marks,
    enis.zone,
    enis.vpc,
    enis.holder,
    enis.delete_on_termination,
    room.slot,
    room.device_index,
    room.addresses_per_interface,
    room.poisoned_index,
    permissions.attach_permission,
    permissions.detach_permission,
    permissions.modify_permission,
    permissions.stop_permission,
    permissions.fence,
    permissions.subnets,
    links.network_manager,
    links.source_routing,
    links.mac_shared,
    links.firewall,
    ways.address_families,
    ways.rule_order,
    ways.own_traffic,
    answers.holder_probes,
    answers.self_probes,
    answers.witnesses,
    answers.peers,
    commands.programs,
    footing.disk,
    footing.ports,
    footing.control_socket,
)
"""What `eni-failover check` shows."""

_BY_PASSES = frozenset(
    {
        access.file,
        access.identity,
        access.ec2_api,
        room.instance,
        enis.enis,
        enis.eni_movable,
        enis.zone,
        enis.holder,
        room.slot,
        room.device_index,
        room.addresses_per_interface,
        permissions.attach_permission,
        permissions.subnets,
        answers.holder_probes,
        answers.self_probes,
        answers.witnesses,
        footing.ports,
        footing.control_socket,
    }
)

REPEATED: tuple[Judge, ...] = tuple(one for one in ALL if one not in _BY_PASSES)
"""What a daemon repeats beside its passes."""


# Another member's trouble, or a file that is being rolled out, keeps this member from nothing; and a takeover
# goes on without a journal and without its hooks.
_NO_OBSTACLES = frozenset(
    {members.members.__name__, answers.peers.__name__, footing.disk.__name__, commands.programs.__name__}
)


def repeated(facts: Facts) -> tuple[Check, ...]:
    """The verdicts for a daemon's readiness, which is about this member alone: see `judge`."""
    return tuple(
        replace(one, result=CheckResult.WARN)
        if one.name in _NO_OBSTACLES and one.result is CheckResult.FAIL
        else one
        for one in judge(facts, REPEATED)
    )


def judge(facts: Facts, judges: Iterable[Judge] = ALL) -> tuple[Check, ...]:
    """The verdict of each check."""
    return tuple(one(facts) for one in judges)


def worst(checks: Iterable[Check]) -> CheckResult:
    """The worst result: fail before warn before pass."""
    results = {one.result for one in checks}
    return next((one for one in (CheckResult.FAIL, CheckResult.WARN) if one in results), CheckResult.PASS)
