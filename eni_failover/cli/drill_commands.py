"""The command `drill`: its options and its help.

Owns the parsing, and finds a back command that is no program before anything moves.
"""

from __future__ import annotations

import shlex
import shutil
from typing import Annotated

import typer

from eni_failover.cli.init_text import Service
from eni_failover.cli.options import ConfigPath, GroupName, MemberOption, Reason, examples, seconds_of

_LONGEST = 3600.0

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "drill",
    epilog=examples(
        "eni-failover drill",
        "eni-failover drill --yes --back-command 'ssh alpha eni-failover takeover --yes --reason drill'",
        "eni-failover drill --yes --stay 1m --json > drill.json",
        statuses="0 there and back, 1 a takeover failed, or this member was not proven, 2 bad configuration,"
        " 4 refused or not confirmed, 5 not back",
    ),
)
def _drill(
    *,
    config: ConfigPath = None,
    group: GroupName = None,
    member: MemberOption = None,
    reason: Reason = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    stay: Annotated[
        str, typer.Option("--stay", metavar="DURATION", help="How long to stay here, at least.")
    ] = "10s",
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="DURATION", help="Of each takeover, 1h at most.")
    ] = "120s",
    back_command: Annotated[
        str,
        typer.Option(
            "--back-command",
            metavar="COMMAND",
            help="Orders the takeover back on the other member; run without a shell.  [default: you do]",
        ),
    ] = "",
    back_within: Annotated[
        str,
        typer.Option("--back-within", metavar="DURATION", help="Wait so long for your order to go back."),
    ] = "10m",
    service: Annotated[
        Service,
        typer.Option(
            "--service",
            metavar="everywhere|active-only",
            help="Where it runs: on every member, and this one's is asked first; or on the active one.",
        ),
    ] = Service.EVERYWHERE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document at the end.")] = False,
) -> int:
    """Take over and go back, timed, to prove that it works. On a standby, with everything in health."""
    from eni_failover.cli import configured, drill, drill_start  # noqa: PLC0415 - see group_commands

    place = ["--config", str(config)] if config else []
    place += ["--group", group] if group else []
    wish = drill_start.Wish(
        place=tuple(place),
        member=member,
        reason=reason,
        confirmed=yes,
        stay=_bounded(stay, "--stay"),
        timeout=_bounded(timeout, "--timeout"),
        back_within=seconds_of(back_within, "--back-within"),
        back_command=_program(back_command),
        service=service,
        as_json=as_json,
    )
    return drill.drill(configured.config_of(config, group), wish)


def _bounded(value: str, option: str) -> float:
    bound = seconds_of(value, option)
    if bound > _LONGEST:
        raise typer.BadParameter(f"must be 1h or shorter, not {value}", param_hint=option)
    return bound


def _program(command: str) -> tuple[str, ...]:
    """The command's words; raises the error of a wrong option when they name no program."""
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--back-command") from error
    if words and shutil.which(words[0]) is None:
        raise typer.BadParameter(f"there is no program {words[0]}", param_hint="--back-command")
    return words
