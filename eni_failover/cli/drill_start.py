"""Everything before a drill moves anything: what the operator wants, the refusals, `check`, the question.

Owns the order in which they come: what costs nothing first, and what may have changed since once more at
the end. Nothing here changes anything.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import typer

from eni_failover.cli.drill_eyes import Document, Eyes
from eni_failover.cli.drill_refusals import why_not_back, why_not_here
from eni_failover.cli.drill_service import why_not_served
from eni_failover.cli.examine import examine
from eni_failover.cli.init_text import Service
from eni_failover.cli.run import named_member
from eni_failover.cli.terminal import is_confirmed, plain, seconds
from eni_failover.client import Client
from eni_failover.config import Config
from eni_failover.core.policy import MemberName
from eni_failover.core.snapshot import Check
from eni_failover.core.vocabulary import CheckResult
from eni_failover.preflight.checks import judge
from eni_failover.preflight.facts import Facts, Missed

DETAIL = "drill"


class RefusedError(Exception):
    """The drill does not begin; the message has the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the operator asks for. `place` are the options that name the file, as they were given.

    In seconds: `timeout` of each leg, `stay`, and `back_within` for somebody to order the way back.
    """

    place: tuple[str, ...] = ()
    member: str | None = None
    reason: str = ""
    confirmed: bool = False
    stay: float = 10.0
    timeout: float = 120.0
    back_within: float = 600.0
    back_command: tuple[str, ...] = ()
    service: Service = Service.EVERYWHERE
    as_json: bool = False

    @property
    def detail(self) -> str:
        """What status, log and history say about both takeovers."""
        return f"{DETAIL}: {self.reason}" if self.reason else DETAIL

    @property
    def home(self) -> str:
        """What to run on the other member."""
        return shlex.join(["eni-failover", "takeover", *self.place, "--yes", "--reason", self.detail])


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A drill that may begin: the members as they were at `at`, monotonic seconds, and `check`'s facts."""

    eyes: Eyes
    facts: Facts
    warnings: tuple[str, ...]
    here: Document
    there: Document
    at: float


def prepare(client: Client, config: Config, wish: Wish) -> Start:
    """Raises RefusedError, UnreachableError, and ConfigError when IMDS contradicts the member's name."""
    here = client.status().document
    _refuse(why_not_here(here))
    written = named_member(wish.member)
    named = None if written is None else MemberName(written)
    facts = asyncio.run(examine(config, named=named, env=os.environ))
    checks = judge(facts)
    _refuse(_why_check_fails(checks))
    warnings = tuple(f"{one.name}: {one.detail}" for one in checks if one.result is CheckResult.WARN)
    eyes = _eyes(client, facts, here)
    if wish.service is Service.EVERYWHERE and facts.me is not None:
        _refuse(asyncio.run(why_not_served(facts.config.probes, facts.me)))
    _refuse(why_not_back(here, eyes.holder_status()))
    if not wish.as_json:
        for warning in warnings:
            typer.echo(f"warning: {plain(warning)}", err=True)
    if not wish.confirmed:
        _refuse(_question(eyes, wish))
    here, there, at = client.status().document, eyes.holder_status(), time.monotonic()
    _refuse(why_not_here(here) or why_not_back(here, there))
    if there is None or here.get("holder") != eyes.holder:
        raise RefusedError(f"{eyes.holder} does not hold {facts.config.group} any more")
    return Start(eyes=eyes, facts=facts, warnings=warnings, here=here, there=there, at=at)


def _refuse(why: str) -> None:
    if why:
        raise RefusedError(why)


def _why_check_fails(checks: Sequence[Check]) -> str:
    bad = [one for one in checks if one.result is CheckResult.FAIL]
    if not bad:
        return ""
    remedy = f" ({bad[0].remedy})" if bad[0].remedy else ""
    more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
    return f"'eni-failover check' fails: {bad[0].name}: {bad[0].detail}{remedy}{more}"


def _eyes(client: Client, facts: Facts, here: Document) -> Eyes:
    config, me, holder = facts.config, facts.me, str(here.get("holder"))
    if me is None or me.name != here.get("member"):
        raise RefusedError(f"the daemon is {here.get('member')}, and 'eni-failover check' does not say so")
    other = next((one for one in config.members if one.name == holder), None)
    if other is None:
        raise RefusedError(f"{holder} holds {config.group}, and {config.path} has no such member")
    api = facts.cloud.api
    return Eyes(
        client=client,
        config=config,
        me=me.name,
        holding=other,
        region=None if isinstance(api, Missed) else api.region,
    )


def _question(eyes: Eyes, wish: Wish) -> str:
    """Asks on the terminal, default no; why not to go on, or empty."""
    group, holder, me = eyes.config.group, eyes.holder, eyes.me
    if not sys.stdin.isatty():
        return f"not confirmed: give --yes to move {group} from {holder} to {me} and back"
    by = f"run there within {seconds(wish.back_within)}: {wish.home}"
    if wish.back_command:
        by = f"by {shlex.join(wish.back_command)}"
    for line in (
        f"{holder} holds {group}. It goes to {me}, stays {seconds(wish.stay)}, and back to {holder}:",
        f"  {by}",
        "Connections to its addresses break twice.",
    ):
        typer.echo(plain(line), err=True)
    return "" if is_confirmed(f"Drill {group} now?") else "not confirmed"
