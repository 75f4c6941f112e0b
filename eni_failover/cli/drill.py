"""`eni-failover drill`: a planned takeover here and back, timed.

Owns the order of its parts and every ending. The takeover here is ordered from this member's daemon by
its socket. The one back only the other member's daemon can make, on an order given there: by a person,
or by the operator's own command. Nothing else is changed, and an end before the planned one says where
each ENI is. docs/design/drill.md has the reasons.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

import typer

from eni_failover.cli.drill_eyes import Document, Eyes
from eni_failover.cli.drill_legs import Followed, Leg, Stay, StoppedError
from eni_failover.cli.drill_report import Report, where_document, where_line
from eni_failover.cli.drill_start import RefusedError, Start, Wish, prepare
from eni_failover.cli.drill_way import running
from eni_failover.cli.terminal import complain, plain, seconds
from eni_failover.client import Client, UnreachableError
from eni_failover.config import Config
from eni_failover.core.vocabulary import Role
from eni_failover.exitcodes import ExitCode
from eni_failover.preflight.facts import Missed

_SETTLE = 5.0


def drill(config: Config, wish: Wish) -> ExitCode:
    """The whole drill with its report. Raises ConfigError and BadOrderError, both before anything moved."""
    client = Client(config.socket)
    report = Report(config=config, detail=wish.detail)
    try:
        start = prepare(client, config, wish)
    except (RefusedError, UnreachableError) as refused:
        report.problem = f"drill refused: {refused}"
        return _told(report, wish, ExitCode.REFUSED)
    except KeyboardInterrupt:
        report.problem = "interrupted: nothing was ordered"
        return _told(report, wish, ExitCode.REFUSED)
    report = Report(
        config=start.facts.config,
        detail=wish.detail,
        member=start.eyes.me,
        holder=start.eyes.holder,
        warnings=list(start.warnings),
        before=None if isinstance(start.facts.cloud.enis, Missed) else start.facts.cloud.enis,
    )
    with _terminated_as_interrupted():
        code = _Walk(client=client, start=start, wish=wish, report=report).walk()
    return _told(report, wish, code)


def _told(report: Report, wish: Wish, code: ExitCode) -> ExitCode:
    try:
        if wish.as_json:
            typer.echo(json.dumps(report.document(code)))
        elif report.legs:
            report.show(code)
    finally:  # whoever reads the report may have gone
        if report.problem:
            complain(report.problem)
    return code


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends the drill as Ctrl-C does: with a word about where the ENIs are."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    client: Client
    start: Start
    wish: Wish
    report: Report

    def walk(self) -> ExitCode:
        """There and back; the exit status. The report has the rest."""
        try:
            problem = self._there_and_back()
            return self._ended(problem)
        except RefusedError as refused:
            self.report.problem = f"drill refused: {refused}"
            return ExitCode.REFUSED
        except StoppedError as stopped:
            return self._stopped(stopped.problem, stopped.code)
        except UnreachableError as error:  # of the order itself: it may have been taken
            return self._stopped(str(error), ExitCode.UNDER_WAY)
        except KeyboardInterrupt:
            return self._stopped("interrupted", ExitCode.UNDER_WAY)

    def _there_and_back(self) -> str:
        """What was wrong on the way, or empty."""
        eyes, wish, start = self.start.eyes, self.wish, self.start
        began_at = time.monotonic()
        self._order()
        followed = Followed(eyes=eyes, show=self._show, began_at=began_at)
        here = self._leg("here", eyes.holder, eyes.me, began_at, start.here)
        here.left_at = start.at
        problem = followed.here(here, began_at + wish.timeout)
        if not problem:
            stay = self.report.stay = Stay(began_at=time.monotonic())
            problem = followed.stay(stay, least=wish.stay, most=wish.stay + wish.timeout)
        if problem:
            self._show(f"{problem}: back at once")
            self.report.problem = problem  # in case that something worse comes
        back = self._leg("back", eyes.me, eyes.holder, time.monotonic(), start.there)
        self._go_back(followed, back)
        # Without a link to watch, a former holder learns of it by its next describe.
        left = followed.settle(2 * eyes.config.observe_interval + _SETTLE)
        return problem or left

    def _order(self) -> None:
        body = {"reason": self.wish.detail, "timeout_s": self.wish.timeout}
        reply = self.client.order("/takeover", body).document
        if "error" in reply:
            raise RefusedError(str(reply.get("reason")))
        if reply.get("state") not in {"started", "pending"}:
            me = self.start.eyes.me
            raise RefusedError(f"another takeover of {me} has begun meanwhile, and goes on")

    def _leg(self, name: str, origin: str, to: str, began_at: float, before: Document) -> Leg:
        last = (before.get("last_takeover") or {}).get("id")
        leg = Leg(name=name, origin=origin, to=to, began_at=began_at, last_takeover_id=last)
        self.report.legs.append(leg)
        return leg

    def _go_back(self, followed: Followed, leg: Leg) -> None:
        wish = self.wish
        if wish.back_command:
            self._show(f"the way back: {shlex.join(wish.back_command)}")
            with running(wish.back_command) as see:
                followed.back(leg, see, begin_within=wish.timeout, timeout=wish.timeout)
            return
        self._show(f"the way back, on {leg.to}, within {seconds(wish.back_within)}: {wish.home}")
        followed.back(leg, _nothing_to_see, begin_within=wish.back_within, timeout=wish.timeout)

    def _ended(self, problem: str) -> ExitCode:
        self.report.after = self.start.eyes.enis()
        same = self.report.same()
        changed = [] if same is None else [name for name, kept in same.items() if not kept]
        if changed and not problem:
            problem = f"the ENIs are not what they were: {', '.join(changed)}"
        if problem:
            self.report.problem = f"drill failed: {problem}; {self.start.eyes.holder} holds the group again"
        return ExitCode.FAILED if problem else ExitCode.OK

    def _stopped(self, problem: str, code: ExitCode) -> ExitCode:
        """Says where everything is. A second Ctrl-C must not cut that off; every wait in it is bounded."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        eyes, report = self.start.eyes, self.report
        status, report.after = eyes.own_status(), eyes.enis()
        report.where = where_document(report.after, status, eyes.config)
        at_home = all((one["status"], one["member"]) == ("attached", eyes.holder) for one in report.where)
        report.home = "" if at_home else self.wish.home
        report.problem = "; ".join(
            (
                f"drill {_WORDS[code]}: {', then '.join(one for one in (report.problem, problem) if one)}",
                where_line(report.where),
                _goes_on(status, eyes),
                f"{_when(status)}to bring it home, on {eyes.holder}: {report.home}"
                if report.home
                else "it is at home",
            )
        )
        return code

    def _show(self, line: str) -> None:
        with contextlib.suppress(OSError):  # a reader that has gone must not end a drill in the middle
            typer.echo(plain(line), err=self.wish.as_json)


_WORDS = {ExitCode.FAILED: "failed", ExitCode.UNDER_WAY: "not finished"}


def _goes_on(status: Document | None, eyes: Eyes) -> str:
    """What this member's daemon does from here on."""
    if status is None:
        return f"{eyes.me}'s daemon gives no answer: started again, it ends what had begun"
    takeover = status.get("takeover")
    if takeover:
        return f"{eyes.me}'s daemon goes on with its takeover ({takeover.get('phase')})"
    if status.get("role") == Role.ACTIVE:
        return f"{eyes.me}'s daemon holds it and serves on"
    return f"{eyes.me} is {status.get('role')}, its daemon has nothing under way"


def _when(status: Document | None) -> str:
    """A takeover is refused while another one is under way."""
    return "after that, " if status is not None and status.get("takeover") else ""


def _nothing_to_see() -> None:
    """A person gives the order, any time."""
