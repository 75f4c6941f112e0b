"""`eni-failover status`: what the daemon on this host sees, once or again each second."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from eni_failover.cli.terminal import complain
from eni_failover.client import Client, UnreachableError
from eni_failover.exitcodes import ExitCode

if TYPE_CHECKING:
    from rich.console import RenderableType

REDRAW = 1.0


def status(client: Client, *, as_json: bool, watch: bool, is_active: bool) -> ExitCode:
    """Shows the daemon's status. Raises UnreachableError, with `watch` never."""
    if is_active:
        return ExitCode.OK if client.is_active() else ExitCode.FAILED
    try:
        if as_json:
            return _documents(client, watch=watch)
        return _watch(client) if watch else _once(client)
    except KeyboardInterrupt:
        if not watch:
            raise
        return ExitCode.OK


def _documents(client: Client, *, watch: bool) -> ExitCode:
    """The daemon's own document, untouched, one line each time."""
    while True:
        try:
            status = client.status()
            # As it came, but for letters that this terminal may not have: escapes are JSON everywhere.
            typer.echo(status.text if status.text.isascii() else json.dumps(status.document))
        except UnreachableError as error:
            if not watch:
                raise
            complain(str(error))
        if not watch:
            return ExitCode.OK
        time.sleep(REDRAW)


def _once(client: Client) -> ExitCode:
    document = client.status().document
    from eni_failover.cli.status_view import view  # noqa: PLC0415 - rich only where it is shown
    from eni_failover.cli.tables import show  # noqa: PLC0415 - likewise

    show(view(document))
    return ExitCode.OK


def _watch(client: Client) -> ExitCode:
    from rich.live import Live  # noqa: PLC0415 - rich only where it is shown

    from eni_failover.cli.tables import console, show  # noqa: PLC0415 - likewise

    screen = console()
    if screen.is_terminal:
        with Live(console=screen, auto_refresh=False) as live:
            for shown in _views(client):
                live.update(shown, refresh=True)
    for shown in _views(client):
        show(shown)
    return ExitCode.OK


def _views(client: Client) -> Iterator[RenderableType]:
    """A view each second, without end."""
    from eni_failover.cli.status_view import view  # noqa: PLC0415 - rich only where it is shown

    while True:
        try:
            yield view(client.status().document)
        except UnreachableError as error:
            yield str(error)
        time.sleep(REDRAW)
