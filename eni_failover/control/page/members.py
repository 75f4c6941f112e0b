"""The members as cards, each with the interfaces it has: a takeover is an interface that changes cards."""

from __future__ import annotations

from collections.abc import Iterable

from eni_failover.control.page.markup import Html, element, spaced
from eni_failover.control.page.moments import Tone, badge, when
from eni_failover.core.model import AttachmentStatus, Peer
from eni_failover.core.snapshot import EniLine, Snapshot
from eni_failover.core.vocabulary import FOREIGN, NOBODY, UNKNOWN, Role

_ROLES = {Role.ACTIVE: Tone.GOOD, Role.STANDBY: Tone.QUIET, Role.TAKING: Tone.BUSY, Role.FAULT: Tone.BAD}
_STRAYS = {
    NOBODY: "Unattached",
    FOREIGN: "On an instance outside the group",
    UNKNOWN: "Not known on whom",
}


def members(snapshot: Snapshot) -> Html:
    """This member and its peers by name, so that every member's page has the same order."""
    cards = {peer.member: _peer(peer, snapshot) for peer in snapshot.peers}
    cards[snapshot.member] = _local(snapshot)
    strays = [
        element("li", element("h3", title), _enis(found, snapshot.at_wall), class_="card stray")
        for name, title in _STRAYS.items()
        if (found := [eni for eni in snapshot.enis if eni.member == name])
    ]
    return element(
        "section",
        element("h2", "Members", id="members"),
        element("ul", *(cards[name] for name in sorted(cards)), *strays, class_="cards"),
        _addresses(snapshot.addresses),
        aria_labelledby="members",
    )


def _local(snapshot: Snapshot) -> Html:
    badges = [badge(snapshot.role, _ROLES[snapshot.role])]
    if not snapshot.ready:
        badges.append(badge("not ready", Tone.WARN))
    if snapshot.paused:
        badges.append(badge("paused", Tone.WARN))
    facts = [element("p", f"this member, version {snapshot.version}", class_="fact")]
    return _card(snapshot.member, badges, facts, snapshot)


def _peer(peer: Peer, snapshot: Snapshot) -> Html:
    if not peer.reachable:
        fact = element("p", "its /status does not answer", class_="fact")
        return _card(peer.member, [badge("not reachable", Tone.WARN)], [fact], snapshot)
    badges = [badge(peer.role or "no role told", _tone_of(peer.role))]
    if not peer.ready:
        badges.append(badge("not ready", Tone.WARN))
    if peer.paused:
        badges.append(badge("paused", Tone.WARN))
    if peer.config_hash != snapshot.config_hash:
        badges.append(badge("other configuration", Tone.WARN))
    facts = [element("p", f"version {peer.version or 'unknown'}", class_="fact")]
    if peer.reasons and not peer.ready:
        words = spaced(element("code", reason) for reason in peer.reasons)
        facts.append(element("p", "not ready: ", words, class_="fact"))
    if peer.last_takeover_ended_wall is not None:
        told = when(peer.last_takeover_ended_wall, snapshot.at_wall)
        trigger = element("code", peer.last_takeover_trigger or "unknown")
        facts.append(element("p", "last takeover ", told, ", trigger ", trigger, class_="fact"))
    return _card(peer.member, badges, facts, snapshot)


def _tone_of(role: str) -> Tone:
    """A peer's role is its own word, and a newer version may have others."""
    return next((tone for known, tone in _ROLES.items() if known == role), Tone.QUIET)


def _card(name: str, badges: Iterable[Html], facts: Iterable[Html], snapshot: Snapshot) -> Html:
    holds = name == snapshot.holder
    mine = [eni for eni in snapshot.enis if eni.member == name]
    return element(
        "li",
        element("h3", name),
        element("p", spaced((badge("holder", Tone.GOOD) if holds else None, *badges)), class_="badges"),
        *facts,
        _enis(mine, snapshot.at_wall)
        if mine
        else element("p", "has no interface of the group", class_="fact"),
        class_="card holds" if holds else "card",
    )


def _enis(enis: Iterable[EniLine], now: float) -> Html:
    return element("ul", *(_eni(eni, now) for eni in enis), class_="enis")


def _eni(eni: EniLine, now: float) -> Html:
    settled = eni.status == AttachmentStatus.ATTACHED
    unowned = eni.unowned_since_wall
    return element(
        "li",
        element("code", eni.eni_id),
        " ",
        element("span", eni.status, class_="status"),
        None if unowned is None else element("span", " since ", when(unowned, now)),
        class_="eni" if settled else "eni unsettled",
    )


def _addresses(addresses: Iterable[str]) -> Html | None:
    shown = [element("code", address) for address in addresses]
    if not shown:
        return None
    return element("p", "Addresses that move with the group: ", spaced(shown), class_="fact")
