"""Checks of the ENIs: they are there, they are ours to move, and they are where members can take them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from eni_failover.adapters.ec2_details import EniDetail, InstanceDetail
from eni_failover.core.model import AttachmentStatus
from eni_failover.core.snapshot import Check
from eni_failover.core.vocabulary import CheckResult
from eni_failover.preflight.facts import Facts, Missed
from eni_failover.preflight.verdicts import failed, passed, unknown, warned

# What the VPC CNI of EKS marks as its own: amazon-vpc-cni-k8s, pkg/awsutils.
_CNI_DESCRIPTION = "aws-K8S-"
_CNI_TAGS = ("node.k8s.amazonaws.com/instance_id", "cluster.k8s.amazonaws.com/name", "eks:eni:owner")
_NOT_MANAGED = "node.k8s.amazonaws.com/no_manage"
_NODE_TAGS = ("kubernetes.io/cluster/", "eks:cluster-name")


def enis(facts: Facts) -> Check:
    """Each exists."""
    shown = facts.cloud.enis
    if isinstance(shown, Missed):
        return unknown("enis", shown)
    found = {one.eni.eni_id for one in shown}
    absent = [eni_id for eni_id in facts.config.eni_ids if eni_id not in found]
    if absent:
        return failed(
            "enis",
            f"EC2 does not show {', '.join(absent)}",
            "see [eni] ids: another region or account, or deleted?",
        )
    return passed("enis", ", ".join(facts.config.eni_ids))


def eni_movable(facts: Facts) -> Check:
    """Each is a secondary ENI of this account's own."""
    remedy = "configure a secondary ENI of your own: EC2 does not move this one"
    return _each(facts, "eni_movable", _why_not_movable, remedy)


def cni_marks(facts: Facts) -> Check:
    """None belongs to the VPC CNI of EKS, and none will be adopted by it."""
    name = "cni_marks"
    made = _each(facts, name, _cni_mark, "configure an ENI that no CNI plug-in has made")
    shown, own = facts.cloud.enis, facts.own
    if made.remedy or isinstance(shown, Missed) or isinstance(own, Missed):
        return made
    is_node = any(tag.startswith(_NODE_TAGS) for tag in own.tags)
    bare = [one.eni.eni_id for one in shown if one.tags.get(_NOT_MANAGED) != "true"]
    if is_node and bare:
        detail = f"this is a Kubernetes node, whose CNI plug-in adopts {', '.join(bare)}"
        return warned(name, detail, f"tag the ENI {_NOT_MANAGED}=true")
    return made


def zone(facts: Facts) -> Check:
    """Each is in this instance's availability zone."""

    def elsewhere(one: EniDetail, own: InstanceDetail) -> str:
        return "" if one.eni.zone == own.instance.zone else f"{one.eni.eni_id} is in {one.eni.zone}"

    remedy = "an ENI cannot leave its availability zone: put members and ENIs in one"
    return _beside_own(facts, "zone", elsewhere, remedy)


def vpc(facts: Facts) -> Check:
    """Each is in this instance's VPC. In another one it is likely the wrong ENI, unless a member has it.

    In some accounts EC2 attaches across VPCs; then that is evidently one of them.
    """

    def elsewhere(one: EniDetail, own: InstanceDetail) -> str:
        if one.vpc_id == own.vpc_id:
            return ""
        return f"{one.eni.eni_id} is in {one.vpc_id}, this instance in {own.vpc_id}"

    check = _beside_own(facts, "vpc", elsewhere, "put the ENI into the members' VPC, or see [eni] ids")
    own, shown = facts.own, facts.cloud.enis
    if isinstance(own, Missed) or isinstance(shown, Missed) or check.result is not CheckResult.FAIL:
        return check
    others = [one for one in shown if one.vpc_id != own.vpc_id]
    if all(_is_held_across(facts, one, own.vpc_id) for one in others):
        return replace(
            check, result=CheckResult.WARN, remedy="a member has it there now: if that is meant, none"
        )
    return check


def holder(facts: Facts) -> Check:
    """One member has them all."""
    name, shown = "holder", facts.cloud.enis
    if isinstance(shown, Missed):
        return unknown(name, shown)
    foreign = [one for one in shown if one.eni.attachment is not None and facts.member_with(one) is None]
    if foreign:
        said = ", ".join(f"{one.eni.eni_id} is on {_instance_of(one)}" for one in foreign)
        return failed(name, f"{said}, no member", "detach it there, or list that instance as a member")
    moving = [one.eni.eni_id for one in shown if _is_moving(one)]
    if moving:
        return warned(name, f"{', '.join(moving)} is moving now", "check again when it has arrived")
    free = [one.eni.eni_id for one in shown if one.eni.attachment is None]
    if free:
        return warned(
            name,
            f"{', '.join(free)} is unattached",
            "a running daemon will attach it: see 'eni-failover status'",
        )
    having = {member.name for one in shown if (member := facts.member_with(one)) is not None}
    if len(having) > 1:
        return warned(name, f"split between {', '.join(sorted(having))}", "eni-failover takeover")
    return passed(name, "".join(having) or "no ENI was found")


def delete_on_termination(facts: Facts) -> Check:
    """None is deleted together with the instance that has it."""

    def deleted(one: EniDetail) -> str:
        attachment = one.eni.attachment
        doomed = attachment is not None and attachment.delete_on_termination
        return f"{one.eni.eni_id} is deleted when {_instance_of(one)} is terminated" if doomed else ""

    shown = () if isinstance(facts.cloud.enis, Missed) else facts.cloud.enis
    first = next((one.eni for one in shown if deleted(one)), None)
    attachment_id = first.attachment.attachment_id if first and first.attachment else ""
    return _each(
        facts,
        "delete_on_termination",
        deleted,
        f"aws ec2 modify-network-interface-attribute --network-interface-id {first.eni_id if first else ''}"
        f" --attachment AttachmentId={attachment_id},DeleteOnTermination=false",
    )


def _each(facts: Facts, name: str, why: Callable[[EniDetail], str], remedy: str) -> Check:
    """Fails for every ENI about which `why` has a word."""
    if isinstance(facts.cloud.enis, Missed):
        return unknown(name, facts.cloud.enis)
    words = [word for one in facts.cloud.enis if (word := why(one))]
    return failed(name, ", ".join(words), remedy) if words else passed(name)


def _beside_own(
    facts: Facts, name: str, why: Callable[[EniDetail, InstanceDetail], str], remedy: str
) -> Check:
    """As `_each`, beside this member's instance."""
    own = facts.own
    if isinstance(own, Missed):
        return unknown(name, own)
    return _each(facts, name, lambda one: why(one, own), remedy)


def _why_not_movable(one: EniDetail) -> str:
    return next(_obstacles(one), "")


def _obstacles(one: EniDetail) -> Iterator[str]:
    if one.eni.unmovable is not None:
        yield f"{one.eni.eni_id}: {one.eni.unmovable}"
    if one.interface_type not in {"", "interface"}:
        yield f"{one.eni.eni_id} is of type {one.interface_type}"
    if one.instance_owner and one.owner_id and one.instance_owner != one.owner_id:
        yield f"{one.eni.eni_id} is attached by account {one.instance_owner}"


def _cni_mark(one: EniDetail) -> str:
    marks = [tag for tag in _CNI_TAGS if tag in one.tags]
    if one.description.startswith(_CNI_DESCRIPTION):
        marks.append(f'description "{one.description}"')
    return f"{one.eni.eni_id} has {', '.join(marks)}" if marks else ""


def _is_held_across(facts: Facts, one: EniDetail, vpc_id: str) -> bool:
    """Whether a member in that VPC has this ENI of another one now: then EC2 lets it."""
    member, instances = facts.member_with(one), facts.cloud.instances
    if member is None or isinstance(instances, Missed):
        return False
    return any(
        other.instance.instance_id == member.instance_id and other.vpc_id == vpc_id for other in instances
    )


def _is_moving(one: EniDetail) -> bool:
    attachment = one.eni.attachment
    return attachment is not None and attachment.status is not AttachmentStatus.ATTACHED


def _instance_of(one: EniDetail) -> str:
    attachment = one.eni.attachment
    return str(attachment.instance_id or "a service of AWS") if attachment is not None else "nobody"
