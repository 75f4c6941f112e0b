"""The status document as people read it.

Owns the layout. Takes the document as it came: a daemon of a neighbouring version may leave a field
out or add one, and the view then shows less, never a traceback.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from eni_failover.cli.tables import cells, table
from eni_failover.cli.terminal import moment
from eni_failover.core.words import CheckResult

Document = Mapping[str, Any]

# The heading of each column, and the field it shows.
_ENI_COLUMNS = {"ENI": "id", "status": "status", "member": "member", "attachment": "attachment_id"}
_PROBE_COLUMNS = {
    "probe": "name",
    "scope": "scope",
    "member": "member",
    "state": "state",
    "in a row": "consecutive",
    "detail": "detail",
}
_CHECK_COLUMNS = {"check": "name", "result": "result", "detail": "detail", "remedy": "remedy"}


def view(document: Document) -> RenderableType:
    """Everything an operator looks for, the most urgent first."""
    parts: list[RenderableType] = [_facts(document)]
    for part in _tables(document):
        parts += ["", part]
    return Group(*parts)


def _facts(document: Document) -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    for name, value in _lines(document):
        facts.add_row(name, *cells(value))
    return facts


def _lines(document: Document) -> Iterator[tuple[str, object]]:
    yield "group", document.get("group", "?")
    yield "member", document.get("member", "?")
    yield "role", document.get("role", "?")
    yield "holder", document.get("holder", "?")
    yield "ready", "yes" if document.get("ready") else "no"
    decision = _inner(document, "decision")
    if decision:
        at = moment(decision.get("at"))
        yield "decision", f"{decision.get('action')}: {decision.get('reason')}, since {at}"
    takeover = _inner(document, "takeover")
    if takeover:
        since = moment(takeover.get("since"))
        said = f", {takeover['detail']}" if takeover.get("detail") else ""
        yield "takeover", f"{takeover.get('trigger')}: {takeover.get('phase')}, since {since}{said}"
    paused = _inner(document, "paused")
    if paused:
        yield "paused", pause_line(paused)
    last = _inner(document, "last_takeover")
    if last:
        route = f"{last.get('from')} -> {last.get('to')}"
        yield (
            "last takeover",
            f"{last.get('trigger')}: {last.get('result')}, {route}, {moment(last.get('ended_at'))}",
        )
    yield "version", f"{document.get('version')}, configuration {document.get('config_hash')}"


def pause_line(paused: Document) -> str:
    """How long, by whom, why."""
    until = "resumed" if paused.get("until") is None else moment(paused["until"])
    where = ", this member only" if paused.get("local") else ""
    why = f": {paused['reason']}" if paused.get("reason") else ""
    return f"until {until}{where}, by {paused.get('by') or 'unknown'}{why}"


def _tables(document: Document) -> Iterator[Table]:
    yield _rows(document.get("enis", ()), _ENI_COLUMNS)
    if document.get("probes"):
        yield _rows(document["probes"], _PROBE_COLUMNS)
    failing = [check for check in document.get("checks", ()) if check.get("result") != CheckResult.PASS]
    if failing:
        yield _rows(failing, _CHECK_COLUMNS)
    if document.get("peers"):
        yield _peers(document["peers"])


def _rows(lines: Sequence[Document], columns: Mapping[str, str]) -> Table:
    made = table(*columns)
    for line in lines:
        made.add_row(*cells(*(_or_dash(line.get(key)) for key in columns.values())))
    return made


def _peers(peers: Sequence[Document]) -> Table:
    made = table("peer", "role", "paused", "version", "configuration")
    for peer in peers:
        if peer.get("reachable"):
            paused = "paused" if peer.get("paused") else "-"
            made.add_row(
                *cells(
                    peer.get("member"), peer.get("role"), paused, peer.get("version"), peer.get("config_hash")
                )
            )
        else:
            made.add_row(*cells(peer.get("member"), "not reachable", "-", "-", "-"))
    return made


def _or_dash(value: object) -> object:
    return "-" if value is None or value == "" else value


def _inner(document: Document, name: str) -> Document | None:
    found = document.get(name)
    return found if isinstance(found, Mapping) else None
