"""A takeover that ended, in a few lines: a document of the journal, of `/status` or of `history --json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from eni_failover.cli.terminal import wall
from eni_failover.core.vocabulary import NOBODY, Phase

Document = Mapping[str, Any]


def takeover_lines(document: Document) -> Iterator[str]:
    """Who took over from whom and when, why, and how long each phase took.

    The whole is the sum of the phases, from the first sign of the cause: detection is part of it. So it
    begins before `started_at`, which is when the decision was written down.
    """
    spent = phases(document)
    begun, ended = wall(document.get("started_at")), wall(document.get("ended_at"))
    took = round(sum(spent.values()), 2) if spent else None
    if took is None and begun is not None and ended is not None:
        took = max(0.0, ended - begun)
    if took is not None and ended is not None:
        begun = ended - took
    origin = document.get("from")
    origin = "nobody" if origin in {None, "", NOBODY} else origin
    yield f"{origin} -> {document.get('to')}, {_clocks(begun, ended)}"
    whole = "" if took is None else f", {took:.2f} s in all"
    yield f"by {document.get('trigger')}: {document.get('reason')}{whole}"
    if spent:
        yield " + ".join(f"{name} {length:.2f}" for name, length in spent.items())
    if document.get("detail"):
        yield f"said: {document['detail']}"


def phases(document: Document) -> dict[str, float]:
    """The seconds of each phase to a hundredth, so that what is shown adds up to the whole that is shown."""
    found = document.get("phases")
    found = found if isinstance(found, Mapping) else {}
    known = ((phase.value, found.get(f"{phase}_s")) for phase in Phase)
    return {name: round(float(value), 2) for name, value in known if isinstance(value, int | float)}


def _clocks(begun: float | None, ended: float | None) -> str:
    if begun is None or ended is None:
        return "at an unknown time"
    first, last = (_tenths(datetime.fromtimestamp(round(at, 1), UTC)) for at in (begun, ended))
    return f"{first} to {last.removeprefix(first[:11])} UTC"


def _tenths(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-5]
