"""The checks of who this is, and of the way to EC2."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eni_failover.errors import NO_CLIENT
from eni_failover.preflight import access
from eni_failover.preflight.facts import Api, Identity, Missed
from tests.preflight.builders import (
    BETA,
    SILENCE,
    WALL,
    alpha,
    beta,
    config,
    eni,
    facts,
    interface,
    said,
)


def test_a_likely_mistake_in_the_file_is_a_warning():
    """The first one is shown, with how many more there are."""
    two = facts(config(warnings=("orders.toml:3: odd", "orders.toml:9: odd too")))
    one = facts(config(warnings=("orders.toml:3: odd",)))

    assert said(access.file(two)) == ("warn", "orders.toml:3: odd (and 1 more)")
    assert said(access.file(one)) == ("warn", "orders.toml:3: odd")


def test_an_instance_that_is_no_member_fails():
    """The detail has this instance and those that the file lists."""
    check = access.identity(facts(identity=Identity(instance_id="i-0123456789abcdef0", member=None)))

    assert check.result == "fail"
    assert (
        check.detail == "i-0123456789abcdef0 is no member of orders: i-0aaaaaaaaaaaaaaa1, i-0bbbbbbbbbbbbbbb2"
    )


def test_an_unknown_identity_fails():
    """Without IMDS and without a name nothing about this member can be told."""
    check = access.identity(facts(identity=Missed(why="no answer within 1 s")))

    assert said(check) == ("fail", "no answer within 1 s")
    assert "--member" in check.remedy


def test_a_name_that_imds_has_not_confirmed_is_a_warning():
    """The operator may be wrong about where this runs."""
    member = config().members[1]
    check = access.identity(facts(identity=Identity(instance_id=BETA, member=member, named=True)))

    assert ("warn", f"beta, {BETA}, by name only") == said(check)


def test_imds_out_of_reach_fails():
    """With a hop limit of 1 the remedy is the one of a container."""
    silent = {"listed": Missed(why="no answer within 1 s")}
    near = access.imds(facts(of_cloud=silent))
    far = access.imds(facts(of_cloud={**silent, "instances": (alpha(), beta(imds_hop_limit=2))}))

    assert ("fail", "no answer within 1 s") == said(near) == said(far)
    assert "raise HttpPutResponseHopLimit to 2" in near.remedy
    assert "container" not in far.remedy


def test_imds_out_of_reach_of_a_named_member_is_a_warning():
    """Where the member is named, IMDS is not needed for that."""
    named = Identity(instance_id=BETA, member=config().members[1], named=True)
    check = access.imds(facts(identity=named, of_cloud={"listed": Missed(why="disabled")}))

    assert said(check) == ("warn", "disabled")


def test_version_1_of_imds_is_a_warning():
    """The remedy is the command that ends it, for this instance."""
    check = access.imds(facts(of_cloud={"instances": (alpha(), beta(imds_tokens="optional"))}))

    assert said(check) == ("warn", "version 1 is allowed too")
    assert check.remedy.endswith(f"--http-tokens required --instance-id {BETA}")


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (Missed(why="no provider has any"), ("fail", "no provider has any")),
        (WALL, ("fail", "expired")),
        (WALL + 1799, ("warn", "expire in 30 min")),
        (WALL + 1800, ("pass", "good for 0.5 h")),
        (None, ("pass", "they do not expire")),
    ],
)
def test_credentials_are_judged_by_their_expiry(until, expected):
    """None or expired fail; less than half an hour is a warning."""
    assert expected == said(access.credentials(facts(of_cloud={"credentials_until": until})))


def test_an_api_out_of_reach_fails():
    """The adapter's own words are the detail."""
    check = access.ec2_api(facts(of_cloud={"api": SILENCE}))

    assert said(check) == ("fail", "EC2 did not answer")
    assert "primary ENI" in check.remedy


def test_settings_that_make_no_client_are_what_to_mend():
    """Neither a profile of the instance nor a route to EC2 helps without a region."""
    why = Missed(why="boto3 cannot make an EC2 client: You must specify a region.", code=NO_CLIENT)
    world = facts(of_cloud={"api": why, "credentials_until": why})
    remedies = {access.credentials(world).remedy, access.ec2_api(world).remedy}

    assert remedies == {"set AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL or the files of boto3 right"}


def api(**changes) -> Api:
    return replace(Api(latency=0.04, region="eu-central-1", asked="ec2", source="10.0.1.12"), **changes)


@pytest.mark.parametrize(
    ("latency", "expected"),
    [
        (1.2, ("warn", "ec2 answers in 1200 ms")),
        (0.9, ("pass", "ec2 answers in 900 ms")),
        (None, ("pass", "ec2 answers")),
    ],
)
def test_a_slow_api_is_a_warning(latency, expected):
    """A second for one answer is many for a takeover."""
    assert expected == said(access.ec2_api(facts(of_cloud={"api": api(latency=latency)})))


def test_an_api_reached_by_the_floating_eni_fails():
    """A takeover would cut this member off from EC2, or has."""
    check = access.api_path(facts(of_cloud={"api": api(source="10.0.1.101")}))

    assert said(check) == ("fail", "leaves by eni-0ffffffffffffff01, from 10.0.1.101")


def test_an_api_reached_by_another_secondary_eni_is_a_warning():
    """It is not the primary one."""
    second = interface(BETA, "10.0.9.9", index=2)
    own = beta(interfaces=(interface(BETA, "10.0.1.12"), second))
    check = access.api_path(facts(of_cloud={"api": api(source="10.0.9.9"), "instances": (alpha(), own)}))

    assert ("warn", f"leaves by {second.eni_id} at index 2, from 10.0.9.9") == said(check)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("172.17.0.2", ("warn", "leaves from 172.17.0.2, which no ENI of this instance has")),
        ("127.0.0.1", ("pass", "ec2 is on this host")),
        (Missed(why="not resolved"), ("warn", "unknown: not resolved")),
    ],
)
def test_a_path_from_elsewhere_is_not_vouched_for(source, expected):
    """A container's address may be any link; loopback is a proxy, or a lab."""
    assert expected == said(access.api_path(facts(of_cloud={"api": api(source=source)})))


def test_the_ipv6_addresses_of_the_floating_eni_count_too():
    """The path may be IPv6."""
    shown = (eni(of_eni={"ipv6_addresses": ("2001:db8::1",)}),)
    check = access.api_path(facts(of_cloud={"api": api(source="2001:db8::1"), "enis": shown}))

    assert check.result == "fail"


@pytest.mark.parametrize(
    ("skew", "expected"),
    [
        (301.0, ("fail", "301 s ahead of EC2: it refuses more than 300 s")),
        (-301.0, ("fail", "301 s behind EC2: it refuses more than 300 s")),
        (6.0, ("warn", "6 s ahead of EC2")),
        (4.0, ("pass", "as EC2's")),
        (None, ("warn", "unknown: EC2 did not tell the time")),
    ],
)
def test_the_clock_is_compared_with_ec2s(skew, expected):
    """Five minutes are EC2's own limit for signatures."""
    assert expected == said(access.clock(facts(of_cloud={"clock_skew": skew})))
