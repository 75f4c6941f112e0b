"""The options that several commands have, and the reading of what is written in them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eni_failover.cli.completion import groups, members

ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="PATH",
        help="The configuration file.  [default: $ENI_FAILOVER_CONFIG, else /etc/eni-failover/config.toml]",
    ),
]
GroupName = Annotated[
    str | None,
    typer.Option(
        "--group", metavar="NAME", autocompletion=groups, help="The file is /etc/eni-failover/NAME.toml."
    ),
]
MemberOption = Annotated[
    str | None,
    typer.Option(
        "--member",
        metavar="NAME",
        autocompletion=members,
        help="This member's name, where there is no instance metadata.  [default: $ENI_FAILOVER_MEMBER]",
    ),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for status, log and history.")]
Local = Annotated[bool, typer.Option("--local", help="This member only, not the whole group.")]


def seconds_of(value: str, option: str) -> float:
    """The seconds of a duration above zero, spelled as in the file. Raises the error of a wrong option."""
    from eni_failover.config.durations import positive_seconds  # noqa: PLC0415 - not for help and completion

    try:
        return positive_seconds(value)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def examples(*lines: str, statuses: str) -> str:
    """The end of a command's help: how it is used, and what its exit status means."""
    shown = "\n".join(f"  {line}" for line in lines)
    return f"\b\nExamples:\n{shown}\n\nExit status: {statuses}."
