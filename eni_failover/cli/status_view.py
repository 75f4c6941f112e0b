"""The status document as people read it.

Owns the layout. Takes the document as it came: a daemon of a neighbouring version may leave a field
out or add one, and the view then shows less, never a traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from eni_failover.cli.headline import Document, Tone, headline, inner, listed, now_of, problems, when
from eni_failover.cli.paragraphs import Paragraph, rows
from eni_failover.cli.tables import cells
from eni_failover.cli.takeover_lines import takeover_lines
from eni_failover.core.vocabulary import CheckResult

_TONES = {
    Tone.OUTAGE: "bold red",
    Tone.WARN: "bold yellow",
    Tone.BUSY: "bold yellow",
    Tone.WELL: "bold green",
}
_SHOWN_TAKEOVERS = 2


def view(document: Document) -> RenderableType:
    """Everything an operator looks for, the most urgent first."""
    found = headline(document)
    parts: list[RenderableType] = [Paragraph(found.sentence, style=_TONES.get(found.tone, "bold"))]
    parts += [Padding(Paragraph(line), (0, 0, 0, 2), expand=False) for line in found.more]
    for title, lines in _sections(document):
        parts += ["", Text(title, style="bold"), rows(lines)] if lines else []
    return Group(*parts)


def check_lines(checks: Iterable[Document]) -> list[tuple[Text, Paragraph]]:
    """The result of each check, what was found, and what is to be done."""
    return [(word(one.get("result")), Paragraph(*_check(one))) for one in checks]


def word(value: object) -> Text:
    """A word of a closed vocabulary in its colour."""
    return cells(value)[0]


def _check(check: Document) -> Iterator[str]:
    yield f"{check.get('name')}: {check['detail']}" if check.get("detail") else str(check.get("name"))
    if check.get("remedy"):
        yield f"to do: {check['remedy']}"


def _sections(document: Document) -> Iterator[tuple[str, list[tuple[Text, Paragraph]]]]:
    yield "Problems", check_lines(problems(document, CheckResult.FAIL, CheckResult.WARN))
    yield "Group", [(Text(name, style="bold"), Paragraph(value)) for name, value in _facts(document)]
    yield "Interfaces", [(word(one.get("status")), Paragraph(_eni(one))) for one in listed(document, "enis")]
    yield "Probes", [(word(one.get("state")), Paragraph(_probe(one))) for one in listed(document, "probes")]
    yield "Other members", [_peer(one) for one in listed(document, "peers")]
    takeovers = listed(document, "takeovers") or [one for one in (inner(document, "last_takeover"),) if one]
    yield (
        "Last takeovers by this member",
        [(word(one.get("result")), Paragraph(*takeover_lines(one))) for one in takeovers[-_SHOWN_TAKEOVERS:]],
    )


def _facts(document: Document) -> Iterator[tuple[str, object]]:
    now = now_of(document)
    yield "group", document.get("group", "?")
    yield "holder", document.get("holder", "?")
    yield "member", f"{document.get('member', '?')}, {document.get('role', '?')}{_ready(document)}"
    decision = inner(document, "decision")
    if decision:
        at = when(decision.get("at"), now)
        yield "decision", f"{decision.get('action')}: {decision.get('reason')}, since {at}"
    takeover = inner(document, "takeover")
    if takeover:
        said = f", {takeover['detail']}" if takeover.get("detail") else ""
        since = when(takeover.get("since"), now)
        yield "takeover", f"{takeover.get('trigger')}: {takeover.get('phase')}, since {since}{said}"
    paused = inner(document, "paused")
    if paused:
        yield "paused", pause_line(paused, now)
    yield "version", f"{document.get('version')}, configuration {document.get('config_hash')}"


def _ready(document: Document) -> str:
    return "" if document.get("ready") is None else ", ready" if document["ready"] else ", not ready"


def pause_line(paused: Document, now: float | None) -> str:
    """How long, by whom, why."""
    until = "resumed" if paused.get("until") is None else when(paused["until"], now)
    where = ", this member only" if paused.get("local") else ""
    why = f": {paused['reason']}" if paused.get("reason") else ""
    return f"until {until}{where}, by {paused.get('by') or 'unknown'}{why}"


def _eni(eni: Document) -> str:
    attachment = f", attachment {eni['attachment_id']}" if eni.get("attachment_id") else ""
    return f"{eni.get('id')}, on {eni.get('member')}{attachment}"


def _probe(probe: Document) -> str:
    said = f": {probe['detail']}" if probe.get("detail") else ""
    where = f"{probe.get('name')} ({probe.get('scope')}) of {probe.get('member')}"
    return f"{where}, {probe.get('consecutive')} in a row{said}"


def _peer(peer: Document) -> tuple[Text, Paragraph]:
    name = peer.get("member")
    if not peer.get("reachable"):
        return Text("silent", style="yellow"), Paragraph(f"{name}: its daemon does not answer")
    reasons = peer.get("reasons")
    why = f": {', '.join(map(str, reasons))}" if isinstance(reasons, list) and reasons else ""
    ready = {True: f", ready{why}", False: f", not ready{why}"}.get(peer.get("ready"), "")  # type: ignore[arg-type]
    paused = ", paused" if peer.get("paused") else ""
    text = f"{name}{ready}{paused}, version {peer.get('version')}, configuration {peer.get('config_hash')}"
    return word(peer.get("role")), Paragraph(text)
