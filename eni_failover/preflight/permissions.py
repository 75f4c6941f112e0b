"""Checks of what IAM allows, by DryRun: attach, detach, modify, stop; of the fence, and of subnets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from eni_failover.adapters.ec2_inspection import Permission
from eni_failover.adapters.link import LinkMode
from eni_failover.core.policy import EniId, FenceMode, MemberName
from eni_failover.core.snapshot import Check
from eni_failover.core.vocabulary import CheckResult
from eni_failover.preflight.facts import Facts, Missed
from eni_failover.preflight.verdicts import failed, passed, unknown, warned

_Name = TypeVar("_Name", EniId, MemberName)
_POLICY = "eni-failover policy prints what the role needs"


def attach_permission(facts: Facts) -> Check:
    """Each ENI may be attached to this instance."""
    return _judge("attach_permission", facts.cloud.attach, "ec2:AttachNetworkInterface")


def detach_permission(facts: Facts) -> Check:
    """Each ENI may be detached from where it is; one that is nowhere cannot be asked about."""
    return _judge("detach_permission", facts.cloud.detach, "ec2:DetachNetworkInterface")


def modify_permission(facts: Facts) -> Check:
    """The ENIs may be made to outlive their instance. Without it a takeover works all the same."""
    return _judge(
        "modify_permission", facts.cloud.keep, "ec2:ModifyNetworkInterfaceAttribute", CheckResult.WARN
    )


def stop_permission(facts: Facts) -> Check:
    """With fencing, each other member may be stopped: else no takeover by probes moves anything."""
    if facts.config.fence is FenceMode.NONE:
        return passed("stop_permission", 'not needed: [policy] fence = "none"')
    return _judge("stop_permission", facts.cloud.stop, "ec2:StopInstances")


def fence(facts: Facts) -> Check:
    """With fencing, EC2 can stop each other member at all. A fence that EC2 refuses moves nothing."""
    if facts.config.fence is FenceMode.NONE:
        return passed("fence", 'not needed: [policy] fence = "none"')
    said = facts.cloud.unstoppable
    unclear = {name: one for name, one in said.items() if isinstance(one, Missed)}
    words = [f"{name} {one}" for name, one in said.items() if one and not isinstance(one, Missed)]
    if words:
        return failed(
            "fence",
            f"EC2 cannot stop: {', '.join(words)}",
            'no takeover by probes moves anything then: change the instance, or write fence = "none"',
        )
    if unclear:
        denied = any(one.denied for one in unclear.values())
        why = "; ".join(f"{name}: {one.why}" for name, one in unclear.items())
        return unknown("fence", Missed(why=why, denied=denied))
    if not said:
        return unknown("fence", Missed(why="there was no other member to ask about"))
    return passed("fence", f"EC2 can stop {', '.join(said)}")


def subnets(facts: Facts) -> Check:
    """The ENIs' subnets are shown, where the daemon sets links up: the router's address follows from them."""
    mode, shown, enis = facts.host.link_mode, facts.cloud.subnets, facts.cloud.enis
    if isinstance(mode, Missed):
        return unknown("subnets", mode)
    if mode.mode is not LinkMode.MANAGE:
        return passed("subnets", f"not needed: links are in mode {mode.mode}")
    if isinstance(shown, Missed):
        if not shown.denied:
            return unknown("subnets", shown)
        return failed("subnets", shown.why, f"allow ec2:DescribeSubnets: {_POLICY}")
    wanted = set() if isinstance(enis, Missed) else {one.eni.subnet_id for one in enis}
    absent = sorted(wanted - shown)
    if absent:
        return failed("subnets", f"EC2 does not show {', '.join(absent)}", "see the region and the account")
    return passed("subnets", ", ".join(sorted(shown)))


def _judge(
    name: str, said: Mapping[_Name, Permission], action: str, worst: CheckResult = CheckResult.FAIL
) -> Check:
    denied = [about for about, one in said.items() if one.allowed is False]
    unclear = [f"{about}: {one.detail}" for about, one in said.items() if one.allowed is None]
    if denied:
        detail = f"IAM denies {action} for {', '.join(denied)}"
        return (failed if worst is CheckResult.FAIL else warned)(name, detail, f"allow it: {_POLICY}")
    if unclear:
        return unknown(name, Missed(why="; ".join(unclear)), "check again; if it stays, see CloudTrail")
    if not said:
        return unknown(name, Missed(why="there was nothing to try it on"))
    return passed(name, f"allowed for {', '.join(said)}")
