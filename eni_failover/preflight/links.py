"""Checks of the links' keepers: nobody undoes what the daemon sets up, and somebody routes by source."""

from __future__ import annotations

from collections.abc import Iterable

from eni_failover.adapters.link import STACKED, DetectedMode, KernelLink, LinkMode, Manager
from eni_failover.adapters.unmanaged import network_manager_remedy, networkd_remedy
from eni_failover.core.policy import EniId
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
    if mode.manager is Manager.NETWORK_MANAGER:
        return _network_manager(facts)
    return warned(name, f"{mode.manager} has a hand in the links that the daemon sets up", mode.manager.truce)


def _networkd(facts: Facts) -> Check:
    settings, by = facts.host.networkd, facts.host.configured_by
    if isinstance(settings, Missed):
        return unknown("network_manager", settings, "let this user read networkd.conf")
    if isinstance(by, Missed):
        return unknown("network_manager", by, "let this user read networkd's .network files")
    removed = [
        word
        for word, removes in (("rules", settings.removes_rules), ("routes", settings.removes_routes))
        if removes
    ]
    found = {}
    if removed:
        found[f"removes the daemon's {' and '.join(removed)} whenever it starts"] = (
            "install networkd-eni-failover.conf (ManageForeignRoutingPolicyRules=no, ManageForeignRoutes=no)"
        )
    if by:
        found[f"configures the ENIs' links by {by}"] = networkd_remedy(_macs(facts))
    if found:
        detail = f"{Manager.NETWORKD} {' and '.join(found)}"
        return warned("network_manager", detail, "; ".join(found.values()))
    detail = f"{Manager.NETWORKD}, which leaves foreign rules and routes alone, and the ENIs' links as well"
    return passed("network_manager", detail)


def _network_manager(facts: Facts) -> Check:
    by = facts.host.configured_by
    if isinstance(by, Missed):
        return unknown("network_manager", by, "let this user read NetworkManager's files")
    if by:
        detail = f"{Manager.NETWORK_MANAGER} configures the ENIs' links as well"
        return warned("network_manager", detail, network_manager_remedy(_macs(facts)))
    return passed("network_manager", f"{Manager.NETWORK_MANAGER}, which leaves the ENIs' links alone")


def _macs(facts: Facts) -> list[str]:
    enis = facts.cloud.enis
    return [] if isinstance(enis, Missed) else [detail.eni.mac for detail in enis]


def mac_shared(facts: Facts) -> Check:
    """No link but the ENI's own has its MAC."""
    name, alike = "mac_shared", facts.host.alike
    if isinstance(alike, Missed):
        return unknown(name, alike)
    found = []
    for eni_id, links in alike.items():
        strangers = _strangers(links, is_here=_is_here(facts, eni_id))
        if strangers:
            found.append(f"{', '.join(link.name for link in strangers)} has the MAC of {eni_id}")
    if found:
        return warned(name, "; ".join(found), "give that link another MAC, or remove it")
    return passed(name)


def _strangers(links: Iterable[KernelLink], *, is_here: bool) -> list[KernelLink]:
    """Those that are not the ENI: all while it is elsewhere, else all but one and those on top of it."""
    if not is_here:
        return list(links)
    beside = [link for link in links if link.kind not in STACKED]
    return beside if len(beside) > 1 else []


def _is_here(facts: Facts, eni_id: EniId) -> bool:
    enis = facts.cloud.enis
    if isinstance(enis, Missed) or facts.me is None:
        return True
    return any(
        detail.eni.eni_id == eni_id
        and detail.eni.attachment is not None
        and detail.eni.attachment.instance_id == facts.me.instance_id
        for detail in enis
    )


def firewall(facts: Facts) -> Check:
    """A new link is in the same zone of firewalld as the others: a zone may be closed."""
    name, zones = "firewall", facts.host.zones
    remedy = (
        "put the link's name into a zone that is open for the service (firewall-cmd --permanent --zone=ZONE "
        "--add-interface=NAME), or open the default zone; a fixed [eni] device_index keeps the name the same"
    )
    if isinstance(zones, Missed):
        return unknown(name, zones, remedy)
    if zones is None:
        return passed(name, "firewalld does not run")
    if zones.others:
        elsewhere = ", ".join(f"{' '.join(links)} in {zone}" for zone, links in zones.others.items())
        detail = f"a new link gets firewalld's default zone {zones.default}, others are bound: {elsewhere}"
        return warned(name, detail, remedy)
    return passed(name, f"a new link gets firewalld's default zone {zones.default}, as all others do")


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
