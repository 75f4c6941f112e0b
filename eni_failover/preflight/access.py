"""Checks of who this is, and of the way to EC2: file, identity, IMDS, credentials, API, clock."""

from __future__ import annotations

import ipaddress

from eni_failover.core.snapshot import Check
from eni_failover.errors import NO_CLIENT
from eni_failover.preflight.facts import Facts, Missed
from eni_failover.preflight.verdicts import failed, passed, unknown, warned

SLOW_API = 1.0
# IMDS has new ones hours before the end. Old ones from IMDS botocore shows as good for up to 20 minutes more
# (https://github.com/boto/botocore/pull/2664), so what is so near to its end may be at it.
RENEWAL_DUE = 1800.0
CLOCK_NOTICED = 5.0
CLOCK_REFUSED = 300.0  # EC2 refuses what is signed by a clock further off (errors-overview)
HOPS_FOR_CONTAINERS = 2
_MEND_SETTINGS = "set AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL or the files of boto3 right"
_BY_PRIMARY = "route it by the primary ENI: its default route must have the best metric"


def file(facts: Facts) -> Check:
    """The file is valid, or there would be no facts; it may still hold likely mistakes."""
    config = facts.config
    if config.warnings:
        more = f" (and {len(config.warnings) - 1} more)" if len(config.warnings) > 1 else ""
        return warned("file", config.warnings[0] + more, "see 'eni-failover check --offline'")
    return passed("file", f"{config.extent}, configuration {config.config_hash}")


def identity(facts: Facts) -> Check:
    """This instance is a member, and it is known which."""
    found = facts.identity
    if isinstance(found, Missed):
        return failed("identity", found.why, "run it on a member, or name one with --member")
    if found.member is None:
        known = ", ".join(one.instance_id for one in facts.config.members)
        return failed(
            "identity",
            f"{found.instance_id} is no member of {facts.config.group}: {known or 'there is none'}",
            "run it on a member, or list this instance as one",
        )
    who = f"{found.member.name}, {found.member.instance_id}"
    if found.named:
        return warned("identity", f"{who}, by name only", "let IMDS be reached: it would confirm the name")
    return passed("identity", who)


def imds(facts: Facts) -> Check:
    """Version 2 of IMDS answers here, and version 1 does not."""
    listed, own = facts.cloud.listed, facts.own
    hops = 0 if isinstance(own, Missed) else own.imds_hop_limit
    if isinstance(listed, Missed):
        remedy = "see that http://169.254.169.254 is reached, or name the member and bring credentials"
        if 0 < hops < HOPS_FOR_CONTAINERS:
            remedy = (
                "in a container: use the host's network, or raise HttpPutResponseHopLimit"
                f" to {HOPS_FOR_CONTAINERS}"
            )
        is_named = not isinstance(facts.identity, Missed) and facts.identity.named
        return (warned if is_named else failed)("imds", listed.why, remedy)
    if not isinstance(own, Missed) and own.imds_tokens == "optional":
        return warned(
            "imds",
            "version 1 is allowed too",
            "aws ec2 modify-instance-metadata-options --http-tokens required"
            f" --instance-id {own.instance.instance_id}",
        )
    return passed("imds", f"version 2, hop limit {hops}" if hops else "version 2 answers")


def credentials(facts: Facts) -> Check:
    """There are some, for a while yet."""
    until = facts.cloud.credentials_until
    if isinstance(until, Missed):
        remedy = "give the instance a profile with the policy of 'eni-failover policy'"
        return failed("credentials", until.why, _MEND_SETTINGS if until.code == NO_CLIENT else remedy)
    if until is None:
        return passed("credentials", "they do not expire")
    left = until - facts.wall
    remedy = "see why IMDS, or the credential process, has no newer ones"
    if left <= 0:
        return failed("credentials", "expired", remedy)
    if left < RENEWAL_DUE:
        return warned("credentials", f"expire in {left / 60:.0f} min", remedy)
    return passed("credentials", f"good for {left / 3600:.1f} h")


def ec2_api(facts: Facts) -> Check:
    """EC2 answers, and soon."""
    api = facts.cloud.api
    if isinstance(api, Missed):
        remedy = "reach the EC2 API by the primary ENI: NAT, gateway, VPC endpoint"
        if api.throttled:
            remedy = "see in CloudTrail who makes so many calls, then check again"
        return failed("ec2_api", api.why, _MEND_SETTINGS if api.code == NO_CLIENT else remedy)
    if api.latency is None:
        return passed("ec2_api", f"{api.asked} answers")
    said = f"{api.asked} answers in {1000 * api.latency:.0f} ms"
    if api.latency > SLOW_API:
        return warned("ec2_api", said, "a takeover makes some ten calls in a row: find what slows them")
    return passed("ec2_api", said)


def api_path(facts: Facts) -> Check:
    """Requests leave by the primary ENI, which stays: not by one that a takeover moves."""
    name, api = "api_path", facts.cloud.api
    if isinstance(api, Missed):
        return unknown(name, api)
    if isinstance(api.source, Missed):
        return unknown(name, api.source)
    enis = () if isinstance(facts.cloud.enis, Missed) else facts.cloud.enis
    floating = next((one.eni for one in enis if api.source in one.eni.private_addresses), None)
    if floating is not None:
        return failed(name, f"leaves by {floating.eni_id}, from {api.source}", _BY_PRIMARY)
    return _by_link_of_own(facts, api.source, asked=api.asked)


def _by_link_of_own(facts: Facts, source: str, *, asked: str) -> Check:
    name, own = "api_path", facts.own
    if isinstance(own, Missed):
        return unknown(name, own)
    by = next((one for one in own.interfaces if source in one.addresses), None)
    if by is not None and by.is_primary:
        return passed(name, f"leaves by the primary ENI, from {source}")
    if by is not None:
        return warned(name, f"leaves by {by.eni_id} at index {by.device_index}, from {source}", _BY_PRIMARY)
    if ipaddress.ip_address(source).is_loopback:
        return passed(name, f"{asked} is on this host")
    what = f"leaves from {source}, which no ENI of this instance has"
    return warned(name, what, "see which link it goes by: ip route get")


def clock(facts: Facts) -> Check:
    """This host's clock is near EC2's: signatures, pauses and histories are compared by it."""
    skew = facts.cloud.clock_skew
    if skew is None:
        return unknown("clock", Missed(why="EC2 did not tell the time"))
    said = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} EC2"
    remedy = "let chrony follow the Amazon Time Sync Service, 169.254.169.123"
    if abs(skew) > CLOCK_REFUSED:
        return failed("clock", f"{said}: it refuses more than {CLOCK_REFUSED:.0f} s", remedy)
    if abs(skew) > CLOCK_NOTICED:
        return warned("clock", said, remedy)
    return passed("clock", "as EC2's")
