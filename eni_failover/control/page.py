"""The status page: one plain HTML table from a snapshot, no script, everything escaped."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from eni_failover.core.snapshot import Snapshot
from eni_failover.core.words import CheckResult
from eni_failover.status import pause_in_force, time_text

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{font: 15px/1.5 sans-serif; margin: 2em}} th {{text-align: left; padding-right: 2em}}</style>
</head><body><h1>{title}</h1><table>
{rows}
</table><p><a href="status">status</a> <a href="metrics">metrics</a></p></body></html>
"""


def render(snapshot: Snapshot | None) -> str:
    """The page; before the first pass it says only that."""
    if snapshot is None:
        return _PAGE.format(title="eni-failover", rows="<tr><td>starting: no pass has ended yet</td></tr>")
    rows = "\n".join(
        f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in _rows(snapshot)
    )
    return _PAGE.format(title=escape(f"eni-failover {snapshot.group}: {snapshot.member}"), rows=rows)


def _rows(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    yield "role", snapshot.role
    yield "holder", snapshot.holder
    decision = snapshot.decision
    yield "decision", f"{decision.action}: {decision.reason}, {time_text(decision.at_wall)}"
    yield "ready", "yes" if snapshot.ready else "no"
    for check in snapshot.checks:
        if check.result is not CheckResult.PASS:
            yield f"check {check.name}", f"{check.result}: {check.detail} ({check.remedy})"
    pause = pause_in_force(snapshot)
    if pause is not None:
        until = "resumed" if pause.until is None else time_text(pause.until)
        yield "paused", f"until {until}, by {pause.by}: {pause.reason}"
    takeover = snapshot.takeover
    if takeover is not None:
        yield "takeover", f"{takeover.trigger}: {takeover.phase}, since {time_text(takeover.since_wall)}"
    for eni in snapshot.enis:
        yield eni.eni_id, f"{eni.status}: {eni.member}"
    for probe in snapshot.probes:
        yield f"probe {probe.name}", f"{probe.member} is {probe.state} ({probe.consecutive}) {probe.detail}"
    for peer in snapshot.peers:
        yield f"peer {peer.member}", peer.role if peer.reachable else "not reachable"
    yield "version", snapshot.version
