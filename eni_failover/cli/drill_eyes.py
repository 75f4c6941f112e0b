"""What a drill sees: this member's daemon by its socket, the holder's by its read-only /status, and EC2.

Owns the looks, each bounded, and what a document must be like before anything is read from it: anybody
may answer at another member's port. Orders nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eni_failover.adapters.ec2_details import EniDetail
from eni_failover.cli.examine import look_at_enis
from eni_failover.client import Client, UnreachableError
from eni_failover.config import Config
from eni_failover.core.policy import Member
from eni_failover.preflight.facts import Missed
from eni_failover.preflight.neighbours import document_at
from eni_failover.status import peer_from_document

Document = Mapping[str, Any]

_LISTS = ("enis", "probes", "checks")
_OBJECTS = ("takeover", "last_takeover", "paused", "decision")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Both members at one moment, `at` monotonic seconds; None: that daemon gave no answer of use."""

    at: float
    here: Document | None
    there: Document | None

    def of(self, member: str, me: str) -> Document | None:
        """The document of one of the two."""
        return self.here if member == me else self.there


@dataclass(frozen=True, slots=True, kw_only=True)
class Eyes:
    """`config` has the members that are there now, `holding` is the one that holds."""

    client: Client
    config: Config
    me: str
    holding: Member
    region: str | None

    @property
    def holder(self) -> str:
        """The holder's name."""
        return self.holding.name

    def look(self) -> Look:
        """Both members now; takes seven seconds at worst."""
        there = self.holder_status()
        return Look(at=time.monotonic(), here=self.own_status(), there=there)

    def own_status(self) -> Document | None:
        """What this member's daemon says."""
        try:
            return self.client.status().document
        except UnreachableError:
            return None

    def holder_status(self) -> Document | None:
        """What the holder's daemon says of itself."""
        document, _ = asyncio.run(document_at(self.config.status_url(self.holding)))
        return as_status(document, self.holding, self.config.group)

    def enis(self) -> tuple[EniDetail, ...] | None:
        """EC2's own word about the ENIs, None when it gives none."""
        found = asyncio.run(look_at_enis(self.config, self.region))
        return None if isinstance(found, Missed) else found


def as_status(document: object, member: Member, group: str) -> Document | None:
    """The document, when it is a /status of this member and its parts are what they must be."""
    if not isinstance(document, dict) or not peer_from_document(document, member, group=group).reachable:
        return None
    lists = all(
        isinstance(found := document.get(name, []), list) and all(isinstance(one, dict) for one in found)
        for name in _LISTS
    )
    objects = all(isinstance(document.get(name), dict | None) for name in _OBJECTS)
    return document if lists and objects and _has_phases(document.get("last_takeover")) else None


def _has_phases(line: dict[str, Any] | None) -> bool:
    """Whether the lengths in a history line are numbers; a line without any is well."""
    phases = {} if line is None else line.get("phases", {})
    return isinstance(phases, dict) and all(
        isinstance(spent, int | float) and not isinstance(spent, bool) for spent in phases.values()
    )
