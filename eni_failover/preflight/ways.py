"""Checks of this host's kernel: it carries the ENIs' addresses, and answers leave by the right link."""

from __future__ import annotations

from collections.abc import Iterator

from eni_failover.adapters.link import LinkMode, LinkSurvey, versions
from eni_failover.core.snapshot import Check
from eni_failover.preflight.facts import Facts, Missed
from eni_failover.preflight.verdicts import failed, passed, unknown, warned

_SWITCH_ON = "switch the family on in the kernel, or give the ENI no addresses of it"
_SEE_MISSING = "bring the link up in both families; docs/network.md says what the words mean"
_REMEDY_ANSWERS = "give the rule a priority after 9000, or limit it to the packets that it is for"
_NAMED = 5
_REMEDY_SOME = "give it a priority after 9000, unless its packets are never answers from a floating address"
_REMEDY_OWN = (
    '[network] mode = "manage" removes such routes; else have the program that makes them leave them out '
    "(for networkd UseRoutes=no, RoutesToDNS=no, or a RouteMetric= above the primary link's)"
)


def _asked(name: str, facts: Facts) -> Check | LinkSurvey:
    """What the kernel said, or the verdict without it."""
    links = facts.host.links
    if links is None:
        return passed(name, "links are not watched")
    return unknown(name, links) if isinstance(links, Missed) else links


def address_families(facts: Facts) -> Check:
    """This kernel carries the address families of the ENIs; each serves by itself."""
    name = "address_families"
    links, enis = _asked(name, facts), facts.cloud.enis
    if isinstance(links, Check):
        return links
    if isinstance(enis, Missed):
        return unknown(name, enis)
    families = [versions(detail.eni) for detail in enis]
    wanted, able = frozenset[int]().union(*families), links.carried & links.routed
    if wanted - able:
        lacking = "; ".join(_reasons(links, wanted))
        if all(found & able for found in families):
            return warned(name, f"{lacking}: the ENI serves by its other address family alone", _SWITCH_ON)
        return failed(name, lacking, _SWITCH_ON)
    return _heard(name, facts, links, wanted)


def _heard(name: str, facts: Facts, links: LinkSurvey, wanted: frozenset[int]) -> Check:
    """Whether what the kernel carries serves, or would."""
    if links.silent:
        found = "; ".join(f"{eni_id} {missing}" for eni_id, missing in links.silent.items())
        return warned(name, f"one address family serves, missing of the other: {found}", _SEE_MISSING)
    mode = facts.host.link_mode
    is_managed = not isinstance(mode, Missed) and mode.mode is LinkMode.MANAGE
    if 6 in wanted and is_managed and not links.hears_ipv6_router and not facts.config.network.ipv6_router:
        detail = "this host forwards IPv6 and hears no router: the ENI's IPv6 addresses would not be served"
        return warned(name, detail, '[network] ipv6_router = "fe80::..."')
    return passed(name, " and ".join(f"IPv{version}" for version in sorted(wanted)))


def _reasons(links: LinkSurvey, wanted: frozenset[int]) -> Iterator[str]:
    for version in sorted(wanted - links.routed):
        yield f"this kernel has no policy routing for IPv{version}"
    if 6 in wanted - links.carried:
        yield "IPv6 is switched off for new links (net.ipv6.conf.default.disable_ipv6)"


def rule_order(facts: Facts) -> Check:
    """No rule before those of the ENI's addresses takes their answers away."""
    name = "rule_order"
    links = _asked(name, facts)
    if isinstance(links, Check):
        return links
    if links.catching:
        detail = f"answers would leave by another link: rule {_listed(links.catching)}"
        return warned(name, detail, _REMEDY_ANSWERS)
    if links.catching_some:
        detail = f"some answers would not leave by the ENI's link: rule {_listed(links.catching_some)}"
        return warned(name, detail, _REMEDY_SOME)
    return passed(name)


def _listed(rules: tuple[str, ...]) -> str:
    """The first few: a host of containers may have one for each."""
    more = len(rules) - _NAMED
    return ", ".join(rules[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def own_traffic(facts: Facts) -> Check:
    """What the host itself sends leaves by its primary ENI, though a floating one is here."""
    name = "own_traffic"
    links = _asked(name, facts)
    if isinstance(links, Check):
        return links
    if links.own_ways:
        found = "; ".join(f"{eni_id} {' '.join(ways)}" for eni_id, ways in links.own_ways.items())
        return warned(name, f"routes in main send it by a floating ENI: {found}", _REMEDY_OWN)
    return passed(name)
