"""The checks of the ENIs."""

from __future__ import annotations

import pytest

from eni_failover.core.model import AttachmentStatus
from eni_failover.core.vocabulary import Reason
from eni_failover.preflight import enis
from tests.preflight.builders import (
    ALPHA,
    BETA,
    ENI,
    ENI2,
    FILE,
    alpha,
    attachment,
    beta,
    config,
    eni,
    facts,
    said,
)

TWO = config(FILE.replace('"eni-0ffffffffffffff01"', f'"{ENI}", "{ENI2}"'))
OTHER_VPC = "vpc-0fedcba9876543210"


def shown(*found, file=None, **of_cloud):
    return facts(file, of_cloud={"enis": found, **of_cloud})


def test_an_eni_that_ec2_does_not_show_fails():
    """Only the absent one is named."""
    check = enis.enis(shown(eni(), file=TWO))

    assert ("fail", f"EC2 does not show {ENI2}") == said(check)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (eni(of_eni={"unmovable": Reason.ENI_PRIMARY}), f"{ENI}: eni_primary"),
        (eni(of_eni={"unmovable": Reason.REQUESTER_MANAGED}), f"{ENI}: requester_managed"),
        (eni(of_eni={"unmovable": Reason.SERVICE_MANAGED}), f"{ENI}: service_managed"),
        (eni(interface_type="efa"), f"{ENI} is of type efa"),
        (eni(instance_owner="amazon-aws"), f"{ENI} is attached by account amazon-aws"),
    ],
)
def test_an_eni_that_is_not_ours_to_move_fails(changed, expected):
    """Primary ones, those of a service, those of another type, those that another account attached."""
    assert ("fail", expected) == said(enis.eni_movable(shown(changed)))


@pytest.mark.parametrize(
    ("changed", "mark"),
    [
        (eni(description="aws-K8S-i-0123"), 'description "aws-K8S-i-0123"'),
        (eni(tags={"node.k8s.amazonaws.com/instance_id": ALPHA}), "node.k8s.amazonaws.com/instance_id"),
        (eni(tags={"cluster.k8s.amazonaws.com/name": "x"}), "cluster.k8s.amazonaws.com/name"),
        (eni(tags={"eks:eni:owner": "amazon-vpc-cni"}), "eks:eni:owner"),
    ],
)
def test_an_eni_that_a_cni_has_made_fails(changed, mark):
    """The CNI plug-in would free it, or give its addresses to pods."""
    assert ("fail", f"{ENI} has {mark}") == said(enis.cni_marks(shown(changed)))


@pytest.mark.parametrize("tag", ["kubernetes.io/cluster/blue", "eks:cluster-name"])
def test_an_eni_on_a_kubernetes_node_needs_the_tag_that_keeps_the_cni_away(tag):
    """Without the tag the plug-in adopts every ENI that appears."""
    node = {"instances": (alpha(), beta(tags={tag: "owned"}))}
    tagged = eni(tags={"node.k8s.amazonaws.com/no_manage": "true"})

    assert enis.cni_marks(shown(eni(), **node)).result == "warn"
    assert enis.cni_marks(shown(tagged, **node)).result == "pass"


def test_an_eni_in_another_zone_fails():
    """It cannot leave its zone."""
    check = enis.zone(shown(eni(of_eni={"zone": "eu-central-1b"})))

    assert ("fail", f"{ENI} is in eu-central-1b") == said(check)


def test_an_eni_in_another_vpc_fails():
    """It is likely the wrong ENI."""
    check = enis.vpc(shown(eni(vpc_id=OTHER_VPC, of_eni={"attachment": None})))

    assert check.result == "fail"
    assert check.detail.startswith(f"{ENI} is in {OTHER_VPC}, this instance in vpc-")


def test_an_eni_of_another_vpc_that_a_member_of_this_one_has_is_a_warning():
    """EC2 evidently attaches it across VPCs in this account; a member elsewhere proves nothing."""
    held = {"instances": (alpha(vpc_id=OTHER_VPC), beta(vpc_id=OTHER_VPC))}
    unlike = {"instances": (alpha(), beta(vpc_id=OTHER_VPC))}

    assert enis.vpc(shown(eni(), **held)).result == "warn"
    assert enis.vpc(shown(eni(), **unlike)).result == "fail"


def test_a_foreign_holder_fails():
    """Nothing is taken from an instance that is no member."""
    check = enis.holder(shown(eni(of_eni={"attachment": attachment("i-0deadbeefdeadbeef")})))

    assert ("fail", f"{ENI} is on i-0deadbeefdeadbeef, no member") == said(check)


def test_a_service_that_holds_is_foreign_too():
    """Its attachment has no instance."""
    check = enis.holder(shown(eni(of_eni={"attachment": attachment(None)})))

    assert ("fail", f"{ENI} is on a service of AWS, no member") == said(check)


@pytest.mark.parametrize(
    ("second", "detail"),
    [
        (attachment(BETA), "split between alpha, beta"),
        (attachment(status=AttachmentStatus.DETACHING), f"{ENI2} is moving now"),
        (None, f"{ENI2} is unattached"),
    ],
)
def test_enis_that_one_member_does_not_have_together_are_a_warning(second, detail):
    """Split, moving, or on nobody: the daemons see to it."""
    check = enis.holder(shown(eni(), eni(ENI2, of_eni={"attachment": second}), file=TWO))

    assert ("warn", detail) == said(check)


def test_an_eni_that_is_deleted_with_its_instance_fails():
    """The remedy is the command that ends it, with the attachment's id."""
    check = enis.delete_on_termination(
        shown(eni(of_eni={"attachment": attachment(delete_on_termination=True)}))
    )

    assert ("fail", f"{ENI} is deleted when {ALPHA} is terminated") == said(check)
    assert check.remedy == (
        f"aws ec2 modify-network-interface-attribute --network-interface-id {ENI}"
        " --attachment AttachmentId=eni-attach-01,DeleteOnTermination=false"
    )
