"""`eni-failover history`: the takeovers of this member, from its journal, with or without a daemon."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import typer

from eni_failover.cli.takeover_lines import takeover_lines
from eni_failover.cli.terminal import complain
from eni_failover.config import Config
from eni_failover.core.model import History
from eni_failover.exitcodes import ExitCode
from eni_failover.journal_lines import Takeovers, read_history
from eni_failover.status import history_document


def history(config: Config, *, last: int | None, as_json: bool) -> ExitCode:
    """Prints the takeovers, oldest first; of many, only the `last` ones. None is no mistake."""
    try:
        found = read_history(config.state_directory, group=config.group, wall=time.time())
    except FileNotFoundError:
        found = Takeovers()
    except OSError as error:
        complain(f"the journal in {config.state_directory} cannot be read: {error.strerror or error}")
        return ExitCode.FAILED
    if found.left_out:
        counted = (f"{n} {'line' if n == 1 else 'lines'} {why}" for why, n in found.left_out.items())
        complain(f"left out of the journal in {config.state_directory}: {', '.join(counted)}")
    shown = found.takeovers if last is None else found.takeovers[-last:]
    if as_json:
        for line in shown:
            typer.echo(json.dumps(history_document(line)))
    elif shown:
        _show(shown)
    else:
        complain(f"no takeover is recorded in {config.state_directory}")
    return ExitCode.OK


def _show(lines: Sequence[History]) -> None:
    """Each takeover as a block of its own."""
    from eni_failover.cli.paragraphs import Paragraph, rows  # noqa: PLC0415 - rich only where it is shown
    from eni_failover.cli.tables import cells, show  # noqa: PLC0415 - likewise

    documents = [history_document(line) for line in lines]
    blocks = [(cells(one["result"])[0], Paragraph(*takeover_lines(one))) for one in documents]
    parts = [part for block in blocks for part in ("", rows([block]))]
    show(*parts[1:])
