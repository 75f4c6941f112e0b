"""`eni-failover takeover`: an operator brings the ENIs to this member.

Owns the question to the operator, the order, and following it to its end. Decides nothing: the daemon
refuses or carries out. Does not guarantee that the takeover ends with this command: the daemon goes
on when the command is interrupted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import typer

from eni_failover.cli.takeover_lines import phases
from eni_failover.cli.terminal import complain, is_confirmed, plain, say, seconds
from eni_failover.client import Client, UnreachableError
from eni_failover.core.vocabulary import FOREIGN, NOBODY, UNKNOWN, Answer, CheckResult, Result, Role, Scope
from eni_failover.exitcodes import ExitCode

POLL = 0.2

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the operator asks for. `timeout` in seconds, for the daemon and for this command."""

    reason: str = ""
    confirmed: bool = False
    wait: bool = True
    timeout: float = 120.0


def takeover(client: Client, wish: Wish) -> ExitCode:
    """Asks when the holder is healthy, orders, and waits. Raises UnreachableError and BadOrderError."""
    before = client.status().document
    if not wish.confirmed and _is_holder_healthy(before):
        refusal = _question(before)
        if refusal:
            complain(refusal)
            return ExitCode.REFUSED
    began = time.monotonic()
    reply = client.order("/takeover", {"reason": wish.reason, "timeout_s": wish.timeout})
    if reply.status == 409:
        reason = str(reply.document.get("reason", ""))
        complain(f"takeover refused: {reason}{_remedy(client, reason)}")
        return ExitCode.REFUSED
    follower = _Follower(client=client, before=before, began=began, deadline=began + wish.timeout)
    if not wish.wait:
        return follower.look_once()
    try:
        return follower.follow()
    except KeyboardInterrupt:
        complain("interrupted: the daemon goes on with the takeover")
        return ExitCode.INTERRUPTED


def _is_holder_healthy(document: Document) -> bool:
    """Whether taking over would end a service that nothing says is down."""
    if document.get("holder") in {NOBODY, FOREIGN, UNKNOWN, document.get("member")}:
        return False
    return all(probe.get("state") != Answer.DOWN for probe in _holder_probes(document))


def _holder_probes(document: Document) -> list[Document]:
    return [probe for probe in document.get("probes", ()) if probe.get("scope") == Scope.HOLDER]


def _question(document: Document) -> str:
    """Asks on the terminal, default no; why not to go on, or empty."""
    holder, group = plain(document.get("holder")), plain(document.get("group"))
    healthy = f"{holder} holds {group} and no probe says that it is down"
    if not sys.stdin.isatty():
        return f"not confirmed: {healthy}, give --yes to take over all the same"
    probes = ", ".join(f"{probe.get('name')} {probe.get('state')}" for probe in _holder_probes(document))
    typer.echo(f"{healthy} ({plain(probes or 'there is none')}).", err=True)
    return "" if is_confirmed(f"Take {group} over from {holder}?") else "not confirmed"


def _remedy(client: Client, reason: str) -> str:
    """What the daemon's own check says to do about it, or nothing."""
    try:
        checks = client.status().document.get("checks", ())
    except UnreachableError:
        return ""
    failing = (check for check in checks if check.get("result") == CheckResult.FAIL)
    found = next((check for check in failing if reason in str(check.get("detail", "")).split()), None)
    return f" ({found['remedy']})" if found and found.get("remedy") else ""


@dataclass(slots=True, kw_only=True)
class _Follower:
    """Follows one accepted takeover. `began` and `deadline` are monotonic seconds."""

    client: Client
    before: Document
    began: float
    deadline: float
    shown: str = ""

    def follow(self) -> ExitCode:
        """Until it has ended or the time is over. Raises UnreachableError when that is how it ends."""
        while True:
            gone: UnreachableError | None = None
            try:
                now = self.client.status().document
            except UnreachableError as error:
                gone = error  # a daemon that was restarted goes on with its takeover
                self._show("no answer from the daemon")
            else:
                code = self._verdict(now)
                if code is not None:
                    return code
                self._show(stage(now))
            if time.monotonic() >= self.deadline:
                if gone is not None:
                    raise gone
                return self._late(now)
            time.sleep(POLL)

    def look_once(self) -> ExitCode:
        """What `--no-wait` says: held and ready already, or accepted and still under way."""
        now = self.client.status().document
        code = self._verdict(now)
        if code is not None:
            return code
        say(f"accepted: {stage(now)}")
        return ExitCode.UNDER_WAY

    def _verdict(self, now: Document) -> ExitCode | None:
        ended = self._ended(now)
        if ended is not None and ended.get("result") != Result.SUCCESS:
            detail = f" ({ended['detail']})" if ended.get("detail") else ""
            complain(f"takeover {ended.get('result')}: {ended.get('reason')}{detail}")
            return ExitCode.REFUSED
        if now.get("takeover") is None and now.get("role") == Role.ACTIVE:
            took = f", took {_took(ended, time.monotonic() - self.began)}" if ended else " already"
            say(f"{now.get('member')} holds {now.get('group')} and is ready{took}")
            return ExitCode.OK
        return None

    def _ended(self, now: Document) -> Document | None:
        """The takeover that has ended since the order, or None."""
        last, earlier = now.get("last_takeover"), self.before.get("last_takeover")
        if last is None or (earlier is not None and earlier.get("id") == last.get("id")):
            return None
        return dict(last)

    def _late(self, now: Document) -> ExitCode:
        if now.get("takeover") is None and now.get("holder") != now.get("member"):
            complain(f"takeover not begun in time: {now.get('decision', {}).get('reason')}")
            return ExitCode.REFUSED
        complain(f"still under way: {stage(now)}")
        return ExitCode.UNDER_WAY

    def _show(self, stage: str) -> None:
        if stage != self.shown:
            self.shown = stage
            say(f"{time.monotonic() - self.began:6.1f} s  {stage}")


def stage(now: Document) -> str:
    """Where the takeover is, in the daemon's words."""
    decision = now.get("decision", {}).get("reason")
    under_way = now.get("takeover")
    if under_way is None:
        return f"role {now.get('role')}: {decision}"
    return f"{under_way.get('phase')}: {decision}"


def _took(ended: Document, elapsed: float) -> str:
    """The whole as the history has it, and its phases; from the order on where there are none."""
    spent = phases(ended)
    if not spent:
        return seconds(elapsed)
    shown = " + ".join(f"{name} {length:.2f}" for name, length in spent.items())
    return f"{sum(spent.values()):.2f} s ({shown})"
