"""The program: its commands together, and one place for their mistakes.

Owns what is common to all commands: the program's own options, and the way from an error to a line and
an exit status.
"""

from __future__ import annotations

import contextlib
import errno
import json
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from eni_failover import __version__
from eni_failover.cli import drill_commands, group_commands, lab_commands, setup_commands
from eni_failover.cli.terminal import PROGRAM, complain
from eni_failover.errors import ConfigError, EniFailoverError
from eni_failover.exitcodes import ExitCode

# What writing to a file on a full or broken disk raises.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}

app = typer.Typer(
    rich_markup_mode=None,  # plain text: it can be searched, and costs no import
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(group_commands.app)
app.add_typer(setup_commands.app)
app.add_typer(drill_commands.app)
app.add_typer(lab_commands.app)


def main(arguments: Sequence[str]) -> int:
    """Does what the arguments say; the exit status. A user's mistakes are a line each on standard error.

    Without arguments the help, which lists the commands, is there, too, and the exit status is 2: a script
    that lost its command must not look like one that succeeded. With --json the mistakes of a file are a
    document, too.
    """
    try:
        return int(get_command(app).main(list(arguments), prog_name=PROGRAM, standalone_mode=False) or 0)
    except typer.TyperException as error:
        if arguments:
            complain(_usage(error))
        else:
            with contextlib.redirect_stdout(sys.stderr):
                get_command(app).main(["--help"], prog_name=PROGRAM, standalone_mode=False)
        return ExitCode.BAD_CONFIG
    except ConfigError as error:
        if "--json" in arguments:
            typer.echo(json.dumps({"result": "fail", "errors": list(error.problems)}))
        for problem in error.problems:
            complain(problem)
        return ExitCode.BAD_CONFIG
    except EniFailoverError as error:
        from eni_failover.client import BadOrderError, UnreachableError  # noqa: PLC0415 - not for completion

        if not isinstance(error, BadOrderError | UnreachableError):
            raise
        complain(str(error))
        return ExitCode.BAD_CONFIG if isinstance(error, BadOrderError) else ExitCode.UNREACHABLE
    except OSError as error:
        if error.errno not in _FULL:
            raise
        complain(f"standard output: {error.strerror}")
        return ExitCode.FAILED


def _usage(error: typer.TyperException) -> str:
    """Typer's message with the place where help is."""
    context = getattr(error, "ctx", None)
    where = context.command_path if context is not None else PROGRAM
    message = error.format_message().rstrip(".").replace("\n", " ")
    return f"{message} (see '{where} --help')"


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Move a floating EC2 network interface to a standby when its holder is down."""
