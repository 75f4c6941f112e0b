"""`eni-failover check --offline`: whether the file is right, and how soon a dead holder would be found.

Owns the report. Asks neither AWS nor any other file.
"""

from __future__ import annotations

import json
from typing import Any

import typer

from eni_failover.cli.terminal import complain, say
from eni_failover.config import Config
from eni_failover.core.words import CheckResult
from eni_failover.errors import ConfigError
from eni_failover.exitcodes import ExitCode


def check(config: Config, *, as_json: bool) -> ExitCode:
    """Shows what the file means. Raises ConfigError for what this version cannot run."""
    if as_json:
        typer.echo(json.dumps(document(config)))
        return ExitCode.OK
    _show(config)
    for warning in config.warnings:
        say(f"warning: {warning}")
    say(f"pass: {config.path} is a valid configuration")
    return ExitCode.OK


def refuse_online() -> ExitCode:
    """Says that AWS is not asked in this version."""
    complain("check asks AWS in a later version: 'eni-failover check --offline' checks the file")
    return ExitCode.BAD_CONFIG


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

    counts = f"{len(config.members)} members, {len(config.eni_ids)} ENI"
    say(f"group {config.group}: {counts}, configuration {config.config_hash}")
    if not config.probes:
        return
    shown = table("probe", "type", "scope", "worst case to detection")
    for probe in config.probes:
        policy = probe.policy
        shown.add_row(*cells(policy.name, policy.type, policy.scope, f"{policy.worst_case:g} s"))
    show(shown)
