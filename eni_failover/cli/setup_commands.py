"""The commands that come before a daemon, `policy` and `init`: their options and their help.

Owns the parsing. What a command does is in the module of its name, imported when it runs: help and
completion answer at once, and no command pays for another's libraries.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from eni_failover.cli.init_text import Service
from eni_failover.cli.options import ConfigPath, GroupName, examples

_STANDARD_OUTPUT = Path("-")
_REGION = re.compile(r"[a-z]{2,5}(?:-[a-z]+)+-[0-9]{1,2}")

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "policy",
    epilog=examples(
        "eni-failover policy > policy.json",
        "eni-failover policy --config ./orders.toml --account 123456789012 --region eu-central-1",
        statuses="0, 1 a placeholder is left in it, 2 bad configuration",
    ),
)
def _policy(
    *,
    config: ConfigPath = None,
    group: GroupName = None,
    account: Annotated[
        str | None,
        typer.Option("--account", metavar="ACCOUNT", help="The account's id.  [default: the ENI's owner]"),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option("--region", metavar="REGION", help="The region.  [default: as the AWS tools find it]"),
    ] = None,
) -> int:
    """Print the least-privilege IAM policy for this file. As JSON, with the ARNs filled in."""
    from eni_failover.cli import configured, policy  # noqa: PLC0415 - see the module's docstring

    if account is not None and not (account.isascii() and account.isdecimal() and len(account) == 12):
        raise typer.BadParameter("an account's id has 12 digits", param_hint="--account")
    if region is not None and not _REGION.fullmatch(region):
        raise typer.BadParameter("a region looks like eu-central-1", param_hint="--region")
    return policy.policy(configured.config_of(config, group), account=account, region=region)


@app.command(
    "init",
    epilog=examples(
        "eni-failover init --output /etc/eni-failover/config.toml",
        "eni-failover init --group orders --probe http://{address}:8080/healthz --witness 10.0.1.20",
        "eni-failover init --group orders --eni eni-0123456789abcdef0 \\",
        "    --member alpha=i-0aaaaaaaaaaaaaaa1@10.0.1.11 --member beta=i-0bbbbbbbbbbbbbbb2@10.0.1.12",
        statuses="0, 1 something is not known, or the file exists, 2 a wrong option",
    ),
)
def _init(
    *,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="NAME",
            help="The group's name.  [default: this instance's tag eni-failover-group]",
        ),
    ] = None,
    eni: Annotated[
        list[str] | None,
        typer.Option("--eni", metavar="ENI_ID", help="What moves; repeat it.  [default: by the tag]"),
    ] = None,
    member: Annotated[
        list[str] | None,
        typer.Option(
            "--member",
            metavar="NAME=INSTANCE_ID[@ADDRESS]",
            help="Who may hold it; repeat it, the first is the primary.  [default: by the tag]",
        ),
    ] = None,
    tag: Annotated[
        str | None,
        typer.Option(
            "--tag",
            metavar="KEY=VALUE",
            help="Of members and ENIs that are not written.  [default: eni-failover-group=NAME]",
        ),
    ] = None,
    probe: Annotated[
        list[str] | None,
        typer.Option("--probe", metavar="URL|tcp:PORT|icmp|peer", help="Is the holder up? Repeat it."),
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option("--witness", metavar="HOST", help="Am I on the network? A host to ping; repeat it."),
    ] = None,
    service: Annotated[
        Service,
        typer.Option(
            "--service",
            metavar="everywhere|active-only",
            help="Where it runs: on every member, which then asks its own, too; or on the active one.",
        ),
    ] = Service.EVERYWHERE,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="PATH", help="Write there; - prints it.  [default: -]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> int:
    """Write a configuration file. From options, instance metadata and EC2; commented, to be edited."""
    from eni_failover.cli import init  # noqa: PLC0415 - see the module's docstring

    wish = init.wish_of(
        group=group,
        enis=eni or (),
        members=member or (),
        tag=tag,
        probes=probe or (),
        witnesses=witness or (),
        service=service,
    )
    return init.init(wish, output=None if output == _STANDARD_OUTPUT else output, force=force)
