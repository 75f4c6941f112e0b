"""`eni-failover init`: a first configuration file, from options, IMDS and EC2.

Owns what an option means, and what is looked up when none says it. What neither says is an error: nothing is
guessed. The file is checked as `check --offline` would before anybody gets it.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import typer

from eni_failover.cli.init_text import Draft, DraftMember, DraftProbe, Service, UnknownError, render
from eni_failover.cli.terminal import complain
from eni_failover.config import identity, load, targets
from eni_failover.errors import ConfigError
from eni_failover.exitcodes import ExitCode

_T = TypeVar("_T")


def wish_of(
    *,
    group: str | None,
    enis: Sequence[str],
    members: Sequence[str],
    tag: str | None,
    probes: Sequence[str],
    witnesses: Sequence[str],
    service: Service = Service.EVERYWHERE,
) -> Draft:
    """What the options say. Raises the error of a wrong option."""
    return Draft(
        group=None if group is None else _read("--group", identity.group_name, group),
        enis=tuple(_read("--eni", identity.eni_id, one) for one in enis),
        members=tuple(_read("--member", _member, one) for one in members),
        tag=None if tag is None else _read("--tag", _tag, tag),
        probes=tuple(_read("--probe", _probe, one) for one in probes),
        witnesses=tuple(_read("--witness", targets.host, one) for one in witnesses),
        service=service,
    )


def init(wish: Draft, *, output: Path | None, force: bool) -> ExitCode:
    """Prints the file, or writes it to `output`; one that exists only with `force`."""
    if output is not None and os.path.lexists(output) and not force:
        complain(f"{output} exists: --force overwrites it")
        return ExitCode.FAILED
    try:
        draft = wish if wish.is_complete else asyncio.run(_looked_up(wish))
        text = _checked(render(draft))
        if output is not None:
            _write(output, text)
    except UnknownError as error:
        complain(str(error))
        return ExitCode.FAILED
    except OSError as error:
        complain(f"{output}: {error.strerror or error}")
        return ExitCode.FAILED
    if output is None:
        typer.echo(text, nl=False)
    if not draft.probes:
        complain(
            "no probe: a takeover starts only when EC2 reports the holder stopped, or an operator asks; add"
            " one with --probe, or in the file"
        )
    return ExitCode.OK


async def _looked_up(wish: Draft) -> Draft:
    """The wish, completed by what EC2 tells."""
    from eni_failover.cli.init_lookup import complete  # noqa: PLC0415 - boto3, for this alone

    return await complete(wish)


def _checked(text: str) -> str:
    """The text, when `check --offline` would accept it. Raises UnknownError with what it would say."""
    try:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "config.toml"
            path.write_text(text, encoding="utf-8")
            load(path, {})
    except OSError as error:
        raise UnknownError(f"the file cannot be checked: {error.strerror or error}") from error
    except ConfigError as error:
        problems = (problem.removeprefix(f"{path}:") for problem in error.problems)
        raise UnknownError(f"the file would be wrong: {'; '.join(problems)}") from error
    return text


def _write(path: Path, text: str) -> None:
    """The whole file or none, readable for all. Raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _read(option: str, read: Callable[[str], _T], value: str) -> _T:
    try:
        return read(value)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _member(value: str) -> DraftMember:
    name, equals, rest = value.partition("=")
    instance_id, at, address = rest.partition("@")
    if not equals or (at and not address):
        raise ValueError("must be NAME=INSTANCE_ID or NAME=INSTANCE_ID@ADDRESS")
    return DraftMember(
        name=identity.member_name(name),
        instance_id=identity.instance_id(instance_id),
        address=identity.address(address) if at else "",
    )


def _tag(value: str) -> tuple[str, str]:
    key, equals, tagged = value.partition("=")
    if not equals or not tagged:
        raise ValueError("must be KEY=VALUE")
    return identity.tag_key(key), tagged


def _probe(value: str) -> DraftProbe:
    if value.startswith(("http://", "https://")):
        return DraftProbe(name="web", lines=(("type", "http"), ("url", targets.url(value))))
    kind, _, port = value.partition(":")
    if kind == "tcp" and port.isascii() and port.isdecimal() and 0 < int(port) < 65536:
        return DraftProbe(
            name=f"tcp-{int(port)}", lines=(("type", "tcp"), ("host", "{address}"), ("port", int(port)))
        )
    if value == "icmp":
        return DraftProbe(name="ping", lines=(("type", "icmp"), ("host", "{address}")))
    if value == "peer":
        return DraftProbe(name="daemon", lines=(("type", "peer"),))
    raise ValueError("must be http://... or https://..., tcp:PORT, icmp or peer")
