"""`eni-failover lab`: a fake EC2 and IMDS for a person, until interrupted."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from eni_failover.cli.terminal import complain
from eni_failover.exitcodes import ExitCode
from eni_failover.lab import Durations, Settings
from eni_failover.lab.directory import DirectoryError, UnwritableError, opened
from eni_failover.lab.serve import ServeOptions, serve, usage
from eni_failover.lab.server import Lab

_VERBS = """\

# --- directing it, with the operator's variables set
#   curl $AWS_ENDPOINT_URL_EC2/_lab/state
#   curl $AWS_ENDPOINT_URL_EC2/_lab/verbs
#   curl -d '{"instance": "alpha"}' $AWS_ENDPOINT_URL_EC2/_lab/stop_instance
#   curl -d '{"eni": "floating-1"}' $AWS_ENDPOINT_URL_EC2/_lab/stick_detach
# Ctrl-C ends it"""


class _UnheardError(Exception):
    """Nobody can be told how the lab is reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long the fake EC2 takes, in seconds."""

    detach: float
    attach: float
    api: float


def lab(
    times: Times, *, members: int, enis: int, port: int, imds_port: int, write: Path | None = None
) -> ExitCode:
    """Serves until SIGINT or SIGTERM; `write` gets the files of a pair to run by hand."""
    durations = Durations(detach=times.detach, attach=times.attach)
    options = ServeOptions(
        members=members,
        enis=enis,
        port=port,
        imds_port=imds_port,
        settings=Settings(latency=times.api, durations=durations),
    )
    with ExitStack() as stack:
        describe = usage
        if write is not None:
            try:
                directory = stack.enter_context(opened(write, members=members, enis=enis))
            except DirectoryError as error:
                complain(str(error))
                return ExitCode.BAD_CONFIG
            describe = directory.write
            options = replace(
                options,
                port=port or directory.ec2_port,
                imds_ports=directory.imds_ports,
                addresses=directory.addresses,
                attachments_made=int(time.time()),  # more than an earlier lab here has made
            )
        return _served(options, describe)


def _served(options: ServeOptions, describe: Callable[[Lab], str]) -> ExitCode:
    code = ExitCode.OK
    try:
        asyncio.run(_until_interrupted(options, describe))
    except* _UnheardError as errors:
        complain(f"cannot write to standard output: {errors.exceptions[0]}")
        code = ExitCode.FAILED
    except* UnwritableError as errors:
        complain(str(errors.exceptions[0]))
        code = ExitCode.FAILED
    except* OSError as errors:
        complain(f"the lab cannot listen: {errors.exceptions[0]}")
        code = ExitCode.FAILED
    return code


async def _until_interrupted(options: ServeOptions, describe: Callable[[Lab], str]) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(serve(options, _announce, describe), name="lab")
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, serving.cancel)


def _announce(text: str) -> None:
    try:
        typer.echo(text + "\n" + _VERBS)
    except OSError as error:  # else it would look like a port that is taken
        raise _UnheardError(error.strerror or str(error)) from error
