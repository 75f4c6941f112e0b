"""Checks of the links' keepers: nobody undoes what the daemon sets up, and somebody routes by source."""

from __future__ import annotations

from eni_failover.adapters.link import DetectedMode, LinkMode, Manager
from eni_failover.core.snapshot import Check
from eni_failover.preflight.facts import Facts, Missed
from eni_failover.preflight.verdicts import passed, unknown, warned


def network_manager(facts: Facts) -> Check:
    """No other program undoes what the daemon sets up."""
    name, mode = "network_manager", facts.host.link_mode
    if isinstance(mode, Missed):
        return unknown(name, mode)
    if mode.manager is None:
        return passed(name, "none was found that has a hand in new links")
    if mode.mode is not LinkMode.MANAGE:
        return passed(name, f"{mode.manager}; the daemon changes no link in mode {mode.mode}")
    if mode.manager is Manager.NETWORKD:
        return _networkd(facts)
    return warned(name, f"{mode.manager} has a hand in the links that the daemon sets up", mode.manager.truce)


def _networkd(facts: Facts) -> Check:
    settings = facts.host.networkd
    if isinstance(settings, Missed):
        return unknown("network_manager", settings, "let this user read networkd.conf")
    removed = [
        word
        for word, removes in (("rules", settings.removes_rules), ("routes", settings.removes_routes))
        if removes
    ]
    if removed:
        detail = f"{Manager.NETWORKD} removes the daemon's {' and '.join(removed)} whenever it starts"
        return warned("network_manager", detail, Manager.NETWORKD.truce)
    return passed("network_manager", f"{Manager.NETWORKD}, which leaves foreign rules and routes alone")


def source_routing(facts: Facts) -> Check:
    """Somebody gives the ENI's addresses their own routes: else EC2 drops the answers.

    Two ENIs in one subnet are the case that the user guide warns of (asymmetric routing):
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/best-practices-for-configuring-network-interfaces.html
    """
    name, mode = "source_routing", facts.host.link_mode
    if isinstance(mode, Missed):
        return unknown(name, mode)
    where = _subnets(facts)
    by = _router(mode)
    if by:
        return passed(name, f"{where}: {by} (mode {mode.mode})")
    return warned(
        name,
        f"{where}: nothing is known to route by source in mode {mode.mode}, and answers would be dropped",
        '[network] mode = "manage", amazon-ec2-net-utils, or a hook that adds the rules',
    )


def _router(mode: DetectedMode) -> str:
    if mode.mode is LinkMode.MANAGE:
        return "the daemon adds source rules"
    if mode.mode is LinkMode.VERIFY and mode.manager is not None and mode.manager.routes_by_source:
        return f"{mode.manager} adds source rules"
    return ""


def _subnets(facts: Facts) -> str:
    own, enis = facts.own, facts.cloud.enis
    if isinstance(own, Missed) or isinstance(enis, Missed):
        return "the ENI's subnet is not known"
    if any(one.eni.subnet_id == own.subnet_id for one in enis):
        return "ENI and primary ENI are in the same subnet"
    return "the ENI is in a subnet of its own"
