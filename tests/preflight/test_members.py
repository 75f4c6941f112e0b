"""The check of the members as EC2 has them."""

from __future__ import annotations

import pytest

from eni_failover.core.model import InstanceState
from eni_failover.preflight import members
from tests.preflight.builders import ALPHA, ENI, FILE, alpha, beta, config, facts, said


def seen(*instances, file=None):
    return members.members(facts(file, of_cloud={"instances": instances}))


def test_a_member_that_ec2_does_not_know_fails():
    """A typing error in the id, or an instance of long ago."""
    assert ("fail", f"alpha: EC2 has no instance {ALPHA} (any more)") == said(seen(beta()))


@pytest.mark.parametrize("state", [InstanceState.TERMINATED, InstanceState.SHUTTING_DOWN])
def test_a_member_that_is_terminated_fails(state):
    """It will never hold again."""
    assert seen(alpha(of_instance={"state": state}), beta()).result == "fail"


def test_a_member_that_does_not_run_is_a_warning():
    """It may be started again."""
    check = seen(alpha(of_instance={"state": InstanceState.STOPPED}), beta())

    assert said(check) == ("warn", "alpha is stopped")


def test_a_member_in_another_zone_fails():
    """It could never take the ENI."""
    check = seen(alpha(of_instance={"zone": "eu-central-1b"}), beta())

    assert said(check) == ("fail", "alpha is in eu-central-1b, the ENI in eu-central-1a")


def test_a_member_probed_at_the_floating_address_fails():
    """The probe would follow the ENI: it asks whoever holds, not that member."""
    file = config(FILE.replace("10.0.1.11", "10.0.1.101"))

    check = seen(alpha(), beta(), file=file)

    assert check.result == "fail"
    assert check.detail.startswith(f"alpha: 10.0.1.101 is an address of {ENI}, which moves; ")


def test_a_member_at_an_address_that_its_instance_does_not_have_is_a_warning():
    """It may be one that a load balancer or NAT gives it, or a mistake."""
    check = seen(alpha(), beta(), file=config(FILE.replace("10.0.1.11", "10.0.1.99")))

    assert said(check) == ("warn", "alpha: 10.0.1.99 is no address of its primary ENI eni-0aaaaaaaaaaaaaaa10")


def test_a_member_by_name_is_not_compared():
    """What a name means is the resolver's word."""
    check = seen(alpha(), beta(), file=config(FILE.replace("10.0.1.11", "alpha.internal")))

    assert check.result == "pass"
