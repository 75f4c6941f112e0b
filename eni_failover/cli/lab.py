"""`eni-failover lab`: a fake EC2 and IMDS for a person, until interrupted."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass

import typer

from eni_failover.cli.terminal import complain
from eni_failover.exitcodes import ExitCode
from eni_failover.lab import Durations, Settings
from eni_failover.lab.serve import ServeOptions, serve

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


def lab(times: Times, *, members: int, enis: int, port: int, imds_port: int) -> ExitCode:
    """Serves until SIGINT or SIGTERM."""
    durations = Durations(detach=times.detach, attach=times.attach)
    options = ServeOptions(
        members=members,
        enis=enis,
        port=port,
        imds_port=imds_port,
        settings=Settings(latency=times.api, durations=durations),
    )
    code = ExitCode.OK
    try:
        asyncio.run(_until_interrupted(options))
    except* _UnheardError as errors:
        complain(f"cannot write to standard output: {errors.exceptions[0]}")
        code = ExitCode.FAILED
    except* OSError as errors:
        complain(f"the lab cannot listen: {errors.exceptions[0]}")
        code = ExitCode.FAILED
    return code


async def _until_interrupted(options: ServeOptions) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(serve(options, _announce), name="lab")
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, serving.cancel)


def _announce(text: str) -> None:
    try:
        typer.echo(text + "\n" + _VERBS)
    except OSError as error:  # else it would look like a port that is taken
        raise _UnheardError(error.strerror or str(error)) from error
