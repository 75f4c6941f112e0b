"""`eni-failover demo`: the story of `lab.demo`, shown while it happens or told as one document."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from eni_failover.cli.tables import cells, console, show, table
from eni_failover.cli.takeover_lines import phases
from eni_failover.cli.terminal import complain, plain, seconds
from eni_failover.errors import StartError
from eni_failover.exitcodes import ExitCode
from eni_failover.lab.demo import Options, Stage, play
from eni_failover.lab.demo_values import DemoEvent, DemoResult, Happening, Identity, Packets, Report, Sight

_STYLES = {
    DemoEvent.SERVICE_KILLED: "red",
    DemoEvent.DAEMON_KILLED: "red",
    DemoEvent.HOST_KILLED: "red",
    DemoEvent.ENI_CHANGED: "cyan",
    DemoEvent.TAKEOVER_STARTED: "yellow",
    DemoEvent.TAKEOVER_ENDED: "green",
}


def demo(*, as_json: bool, net: bool) -> ExitCode:
    """Plays and shows it. Interrupted in any way, it leaves nothing behind."""
    options = Options()
    try:
        stage = _net_stage(options) if net else None
    except StartError as error:
        complain(str(error))
        return ExitCode.FAILED
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    screen = console()
    try:
        report = play(_quiet if as_json else lambda one: _tell(screen, one), options, stage)
    except KeyboardInterrupt:
        complain("interrupted: nothing is left behind")
        return ExitCode.FAILED
    if as_json:
        typer.echo(json.dumps(report.document()))
    else:
        show(*_parts(report))
    if report.result is DemoResult.SUCCESS:
        return ExitCode.OK
    complain(f"demo failed: {report.problem or 'the ENI is not what and where it should be'}")
    return ExitCode.FAILED


def _quiet(_: Happening) -> None:
    """With `--json` the timeline is in the document."""


def _tell(screen: Console, one: Happening) -> None:
    screen.print(Text(f"{one.at:7.2f} s  "), Text(plain(one.text), style=_STYLES.get(one.event, "")), sep="")


def _parts(report: Report) -> Iterator[RenderableType]:
    """What is shown after the timeline."""
    if report.before is not None and report.after is not None:
        yield from ("", _compared(report, report.before, report.after))
    if report.takeover is not None:
        yield from ("", _phases(report.takeover))
    if report.packets is not None:
        yield from ("", _clients(report.packets), "", _neighbour(report.packets))
    if report.result is DemoResult.SUCCESS and report.packets is not None:
        yield f"\n{_gap(report.packets)}"
    elif report.result is DemoResult.SUCCESS and report.gap is not None:
        gap = f"{seconds(report.gap)} after the holder's death"
        yield f"\nThe ENI moved with all that it is known by; the standby was active {gap}."


def _compared(report: Report, before: Sight, after: Sight) -> Table:
    made = table("", "before", "after", "")
    for part in fields(Identity):
        same = "same" if report.same[part.name] else "CHANGED"
        then, now = getattr(before.identity, part.name), getattr(after.identity, part.name)
        made.add_row(*cells(part.name.replace("_", " "), _words(then), _words(now), same))
    made.add_row(*cells("attachment", before.attachment_id, after.attachment_id, ""))
    made.add_row(*cells("member", before.member, after.member, "moved" if report.has_moved else "NOT MOVED"))
    return made


def _words(value: object) -> str:
    return " ".join(str(one) for one in value) if isinstance(value, tuple) else str(value)


def _clients(packets: Packets) -> Table:
    made = table("client", "protocol", "answered before by", "after by", "gap")
    for one in packets.clients:
        made.add_row(*cells(one.client, one.protocol, one.before, one.after, f"{one.gap:.2f} s"))
    return made


def _neighbour(packets: Packets) -> str:
    before, after = packets.neighbour_before, packets.neighbour_after
    same = "the same" if before == after else "CHANGED"
    return f"The floating address's MAC in its neighbour's table: {before} before, {after} after: {same}."


def _gap(packets: Packets) -> str:
    return (
        f"The longest gap was {packets.gap:.2f} s: {packets.detection:.2f} s detection, {packets.ec2:.2f} s "
        f"in EC2, {packets.added:.2f} s added."
    )


def _net_stage(options: Options) -> Stage:
    """Raises StartError when this machine has not what it takes."""
    # Not at the top: it brings pyroute2, which the other commands can do without.
    from eni_failover.lab.demo_net import NetStage, refuse_without_means  # noqa: PLC0415 - see above

    refuse_without_means()
    return NetStage(options.settings, options.interval)


def _phases(takeover: Mapping[str, Any]) -> Table:
    made = table("phase", "took")
    spent = phases(takeover)
    for phase, length in spent.items():
        made.add_row(*cells(phase, f"{length:.2f} s"))
    made.add_row(*cells("in all", f"{sum(spent.values()):.2f} s"))
    return made
