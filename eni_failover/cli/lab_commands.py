"""The commands about this machine alone, the lab and the demo: their options and their help.

Owns the parsing. What a command does is in the module of its name, imported when it runs: help and
completion answer at once, and no command pays for another's libraries.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eni_failover.cli.options import examples, seconds_of

_LARGEST_PORT = 65535
_FEWEST_TO_WRITE = 2  # a standby belongs to a group

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "lab",
    epilog=examples(
        "eni-failover lab",
        "eni-failover lab --write /tmp/pair",
        "eni-failover lab --members 3 --enis 2 --detach 8s --port 4566",
        statuses="0 when interrupted, 1 it cannot listen or write, 2 a wrong option or directory",
    ),
)
def _lab(
    *,
    members: Annotated[int, typer.Option("--members", metavar="N", min=1, max=50, help="Instances.")] = 2,
    enis: Annotated[int, typer.Option("--enis", metavar="N", min=1, max=50, help="Floating ENIs.")] = 1,
    detach: Annotated[
        str, typer.Option("--detach", metavar="DURATION", help="How long a detach takes.")
    ] = "3s",
    attach: Annotated[
        str, typer.Option("--attach", metavar="DURATION", help="How long an attach takes.")
    ] = "2s",
    api: Annotated[
        str, typer.Option("--api", metavar="DURATION", help="How long each EC2 call takes.")
    ] = "40ms",
    port: Annotated[
        int,
        typer.Option("--port", metavar="PORT", min=0, max=_LARGEST_PORT, help="Of EC2; 0 is any free one."),
    ] = 0,
    imds_port: Annotated[
        int,
        typer.Option(
            "--imds-port",
            metavar="PORT",
            min=0,
            max=_LARGEST_PORT,
            help="Of the first member's IMDS; the others follow.",
        ),
    ] = 0,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write",
            metavar="DIR",
            help="Write the members' files there, to run a group by hand on this machine;"
            " print the commands to copy.",
        ),
    ] = None,
) -> int:
    """Serve a fake EC2 on loopback. With IMDS, until interrupted; prints the variables to export."""
    from eni_failover.cli import lab  # noqa: PLC0415 - see the module's docstring

    last = _LARGEST_PORT + 1 - members
    if imds_port > last:
        text = f"must be {last} or less: each of {members} members has one, in a row"
        raise typer.BadParameter(text, param_hint="--imds-port")
    if write is not None and members < _FEWEST_TO_WRITE:
        raise typer.BadParameter("needs two members or more", param_hint="--write")
    times = lab.Times(
        detach=seconds_of(detach, "--detach"),
        attach=seconds_of(attach, "--attach"),
        api=seconds_of(api, "--api"),
    )
    return lab.lab(times, members=members, enis=enis, port=port, imds_port=imds_port, write=write)


@app.command(
    "demo",
    epilog=examples(
        "eni-failover demo",
        "eni-failover demo --json | jq .phases",
        statuses="0 the ENI moved and everything was kept, 1 else, 2 a wrong option",
    ),
)
def _demo(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document at the end.")] = False,
    net: Annotated[bool, typer.Option("--net", help="With real links, as root.")] = False,
) -> int:
    """Show a failover on this machine. Two daemons and a fake EC2: no AWS account, no root."""
    from eni_failover.cli import demo  # noqa: PLC0415 - see the module's docstring

    return demo.demo(as_json=as_json, net=net)
