"""The report of a drill: one JSON document, or tables and a last line.

Owns the names in it and what "kept" means. Knows what was seen, not how.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eni_failover.adapters.ec2_details import EniDetail
from eni_failover.cli.drill_eyes import Document
from eni_failover.cli.drill_legs import Leg, Stay
from eni_failover.cli.terminal import moment, say, seconds
from eni_failover.config import Config
from eni_failover.core.vocabulary import FOREIGN, NOBODY, UNKNOWN, Phase
from eni_failover.exitcodes import ExitCode

RESULTS = {
    ExitCode.OK: "success",
    ExitCode.FAILED: "failed",
    ExitCode.REFUSED: "refused",
    ExitCode.UNDER_WAY: "unfinished",
}
_KEPT = ("eni_id", "mac", "private_addresses", "public_addresses", "groups")

Enis = tuple[EniDetail, ...] | None


@dataclass(slots=True, kw_only=True)
class Report:
    """What is known of one drill.

    `before` and `after` are EC2's words, None where it gave none. `where` is told at an end that is not
    the planned one, and `home` is then what brings the group back.
    """

    config: Config
    detail: str
    member: object = None
    holder: object = None
    problem: str = ""
    warnings: list[str] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)
    stay: Stay | None = None
    before: Enis = None
    after: Enis = None
    where: list[dict[str, Any]] = field(default_factory=list)
    home: str = ""

    def document(self, code: ExitCode) -> dict[str, Any]:
        """The document of `--json`."""
        return {
            "result": RESULTS[code],
            "problem": self.problem,
            "group": self.config.group,
            "member": self.member,
            "holder": self.holder,
            "detail": self.detail,
            "warnings": self.warnings,
            "legs": [leg_document(one) for one in self.legs],
            "stay": None if self.stay is None else stay_document(self.stay),
            "before": self._identities(self.before),
            "after": self._identities(self.after),
            "same": self.same(),
            "where": self.where,
            "home": self.home or None,
        }

    def same(self) -> dict[str, bool] | None:
        """For each part that a move must keep, whether it did; None when EC2 did not tell."""
        before, after = self._identities(self.before), self._identities(self.after)
        if before is None or after is None:
            return None
        return {name: [one[name] for one in before] == [one[name] for one in after] for name in _KEPT}

    def show(self, code: ExitCode) -> None:
        """The same for people, on standard output."""
        from eni_failover.cli.tables import cells, show, table  # noqa: PLC0415 - rich only where it is shown

        made = table("leg", "from", "to", "trigger", "started", "took", "gap", "phases")
        for leg in self.legs:
            line = leg_document(leg)
            took, gap = (_length(line[name]) for name in ("took_s", "gap_s"))
            made.add_row(
                *cells(leg.name, leg.origin, leg.to, line["trigger"] or "-", moment(line["started_at"])),
                *cells(took, gap, _phases(line["phases"])),
            )
        show("", made, "")
        if self.stay is not None:
            say(_stay_line(self.stay, self.member))
        say(self._kept_line())
        if code is ExitCode.OK:
            say(f"success: {self.config.group} went from {self.holder} to {self.member} and back")

    def _kept_line(self) -> str:
        same, known = self.same(), self._identities(self.before)
        if same is None or known is None:
            return "what was kept is not known: EC2 did not tell"
        if not all(same.values()):
            return f"changed: {', '.join(name for name, kept in same.items() if not kept)}"
        return "kept: " + "; ".join(
            f"{one['eni_id']}, {one['mac']}, {', '.join(one['private_addresses'] + one['public_addresses'])}"
            for one in known
        )

    def _identities(self, enis: Enis) -> list[dict[str, Any]] | None:
        if enis is None:
            return None
        names = _names(self.config)
        return [
            {
                "eni_id": one.eni.eni_id,
                "mac": one.eni.mac,
                "private_addresses": list(one.eni.private_addresses),
                "public_addresses": list(one.eni.public_addresses),
                "groups": sorted(one.eni.groups),
                "member": None if held is None else names.get(held.instance_id),
                "attachment_id": None if held is None else held.attachment_id,
            }
            for one in enis
            for held in (one.eni.attachment,)
        ]


def leg_document(leg: Leg) -> dict[str, Any]:
    """One leg. `took_s` is from the order (back: from the end of the stay) to everything ready."""
    ended = leg.ended or {}
    took = None if leg.arrived_at is None else leg.arrived_at - leg.began_at
    return {
        "leg": leg.name,
        "from": leg.origin,
        "to": leg.to,
        "took_s": _rounded(took),
        "gap_s": _rounded(leg.gap),
        "id": ended.get("id"),
        "trigger": ended.get("trigger"),
        "result": ended.get("result"),
        "started_at": ended.get("started_at"),
        "ended_at": ended.get("ended_at"),
        "phases": ended.get("phases") or {},
        "detail": ended.get("detail", ""),
    }


def stay_document(stay: Stay) -> dict[str, Any]:
    """The stay. `stayed_s` null: it was not ended."""
    stayed = None if stay.ended_at is None else stay.ended_at - stay.began_at
    return {"stayed_s": _rounded(stayed), "probes": list(stay.probes.values())}


def where_document(enis: Enis, status: Document | None, config: Config) -> list[dict[str, Any]]:
    """Each ENI's place: by EC2's word, else by the daemon's last look at EC2, else unknown."""
    seen = () if status is None else status.get("enis", ())
    places = {one.get("id"): (one.get("status"), one.get("member")) for one in seen}
    if enis is not None:
        places = {one.eni.eni_id: _place(one, _names(config)) for one in enis}
    return [
        {"eni_id": one, "status": status_, "member": member}
        for one in config.eni_ids
        for status_, member in (places.get(one, (UNKNOWN, UNKNOWN)),)
    ]


def _place(eni: EniDetail, names: Mapping[str | None, str]) -> tuple[str, str]:
    held = eni.eni.attachment
    return ("available", NOBODY) if held is None else (held.status, names.get(held.instance_id, FOREIGN))


def _names(config: Config) -> dict[str | None, str]:
    """The members' names by their instances' ids; EC2 may leave an id out."""
    return {one.instance_id: one.name for one in config.members}


def where_line(where: Sequence[Document]) -> str:
    """The places in a few words: ENIs in the same place together."""
    by_place: dict[str, list[str]] = {}
    for one in where:
        place = "unknown" if one["status"] == UNKNOWN else f"{one['status']} ({one['member']})"
        by_place.setdefault(place, []).append(str(one["eni_id"]))
    return ", ".join(f"{' '.join(ids)} {place}" for place, ids in by_place.items())


def _stay_line(stay: Stay, member: object) -> str:
    document = stay_document(stay)
    said = [
        f"{one['name']} {one['state']}"
        + (f" after {one['up_after_s']:.1f} s" if one["up_after_s"] is not None else "")
        for one in document["probes"]
    ]
    proof = f", {', '.join(said)}" if said else ", no holder probe asks"
    return f"stay: {_length(document['stayed_s'])} on {member}{proof}"


def _phases(spent: Document) -> str:
    known = ((phase, spent.get(f"{phase}_s")) for phase in Phase)
    return " ".join(f"{phase} {took:.1f}" for phase, took in known if took is not None)


def _length(value: float | None) -> str:
    return "-" if value is None else seconds(value)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
