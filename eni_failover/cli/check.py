"""`eni-failover check`: would a takeover by this member work, and how soon would a dead holder be found.

Owns the report. With `--offline` only the file is looked at, and neither AWS nor another file is asked;
`examine`, imported for the rest alone, asks.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import typer

from eni_failover.cli.run import named_member
from eni_failover.cli.terminal import say
from eni_failover.config import Config
from eni_failover.core.policy import MemberName
from eni_failover.core.snapshot import Check
from eni_failover.core.vocabulary import CheckResult
from eni_failover.exitcodes import ExitCode
from eni_failover.preflight.missing import WITHOUT
from eni_failover.status import check_document


def offline(config: Config, *, as_json: bool, quiet: bool = False) -> ExitCode:
    """Shows what the file means, what is likely a mistake first; with `quiet` nothing else."""
    warnings = (*config.warnings, *missing_probes(config))
    if as_json:
        typer.echo(json.dumps({**document(config), "warnings": list(warnings)}))
        return ExitCode.OK
    for warning in warnings:
        say(f"warning: {warning}")
    if not quiet:
        _show(config)
        say(f"pass: {config.path} is a valid configuration")
    return ExitCode.OK


def online(config: Config, *, member: str | None, as_json: bool, quiet: bool = False) -> ExitCode:
    """Asks EC2, IMDS, this host and the other members. Raises ConfigError when IMDS contradicts `member`."""
    from eni_failover.cli.examine import examine  # noqa: PLC0415 - boto3 and more, for this alone
    from eni_failover.preflight.checks import judge, worst  # noqa: PLC0415 - likewise

    written = named_member(member)
    named = None if written is None else MemberName(written)
    facts = asyncio.run(examine(config, named=named, env=os.environ))
    checks = judge(facts)
    result = worst(checks)
    if as_json:
        me = None if facts.me is None else facts.me.name
        typer.echo(
            json.dumps(
                {
                    **document(facts.config),
                    "member": me,
                    "checks": [check_document(one) for one in checks],
                    "result": result,
                }
            )
        )
    else:
        _show_checks(checks, CheckResult.FAIL, CheckResult.WARN)
        if not quiet:
            _show_checks(checks, CheckResult.PASS)
            _show(facts.config)
            say(_verdict(checks, result))
    return ExitCode.FAILED if result is CheckResult.FAIL else ExitCode.OK


def missing_probes(config: Config) -> Iterator[str]:
    """What nobody would be asked, with the line to add. Warnings: a group may do without, knowingly."""
    scopes = {probe.policy.scope for probe in config.probes}
    for scope, (why, line) in WITHOUT.items():
        if scope not in scopes:
            yield f"no probe of scope {scope}: {why}; add a [[probe]] with {line}"


def document(config: Config) -> dict[str, Any]:
    """The report as `--json` prints it. `worst_case_s` is from the holder's death to the verdict."""
    return {
        "path": str(config.path),
        "group": config.group,
        "config_hash": config.config_hash,
        "warnings": list(config.warnings),
        "probes": [
            {
                "name": probe.policy.name,
                "type": probe.policy.type,
                "scope": probe.policy.scope,
                "worst_case_s": round(probe.policy.worst_case, 6),
            }
            for probe in config.probes
        ],
        "result": CheckResult.PASS,
    }


def _show(config: Config) -> None:
    from eni_failover.cli.tables import cells, show, table  # noqa: PLC0415 - rich only where it is shown

    say(f"group {config.group}: {config.extent}, configuration {config.config_hash}")
    if not config.probes:
        return
    shown = table("worst case to detection", "probe", "type", "scope")
    for probe in config.probes:
        policy = probe.policy
        shown.add_row(*cells(f"{policy.worst_case:g} s", policy.name, policy.type, policy.scope))
    show(shown)


def _show_checks(checks: Sequence[Check], *results: CheckResult) -> None:
    from eni_failover.cli.paragraphs import rows  # noqa: PLC0415 - likewise
    from eni_failover.cli.status_view import check_lines  # noqa: PLC0415 - rich only where it is shown
    from eni_failover.cli.tables import show  # noqa: PLC0415 - likewise

    found = [check_document(one) for result in results for one in checks if one.result is result]
    if found:
        show(rows(check_lines(found)), "")


def _verdict(checks: Sequence[Check], result: CheckResult) -> str:
    """The last line."""
    bad = [one.name for one in checks if one.result is result]
    match result:
        case CheckResult.FAIL:
            return f"fail: {', '.join(bad)}"
        case CheckResult.WARN:
            return f"pass, with warnings: {', '.join(bad)}"
        case CheckResult.PASS:
            return "pass: a takeover by this member would work, as far as can be known beforehand"
