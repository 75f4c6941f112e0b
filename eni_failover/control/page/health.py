"""The probes and the readiness checks: what this member sees, and why it could or could not take over."""

from __future__ import annotations

from eni_failover.control.page.markup import Html, element
from eni_failover.control.page.moments import Tone, badge
from eni_failover.core.snapshot import Check, ProbeLine, Snapshot
from eni_failover.core.vocabulary import NOBODY, Answer, CheckResult, Role

_ANSWERS = {Answer.UP: Tone.GOOD, Answer.DOWN: Tone.BAD, Answer.UNKNOWN: Tone.QUIET}
_RESULTS = {CheckResult.PASS: Tone.GOOD, CheckResult.WARN: Tone.WARN, CheckResult.FAIL: Tone.BAD}


def readiness(snapshot: Snapshot) -> Html:
    """Whether this member could take over, each reason why not with its remedy, and what is in order."""
    troubles = [check for check in snapshot.checks if check.result is not CheckResult.PASS]
    passed = [check for check in snapshot.checks if check.result is CheckResult.PASS]
    return element(
        "section",
        element("h2", "Readiness", id="readiness"),
        element("p", badge(*_ready(snapshot)), class_="badges"),
        element("ul", *(_trouble(check) for check in troubles), class_="troubles"),
        _passed(passed) if passed else None,
        aria_labelledby="readiness",
    )


def _ready(snapshot: Snapshot) -> tuple[str, Tone]:
    if not snapshot.ready:
        return "not ready", Tone.BAD
    return ("ready: it holds the group" if snapshot.role is Role.ACTIVE else "ready to take over"), Tone.GOOD


def _trouble(check: Check) -> Html:
    return element(
        "li",
        badge(check.result, _RESULTS[check.result]),
        " ",
        element("b", check.name),
        " ",
        element("code", check.detail),
        element("p", check.remedy, class_="remedy") if check.remedy else None,
    )


def _passed(checks: list[Check]) -> Html:
    summary = f"{len(checks)} {'check passes' if len(checks) == 1 else 'checks pass'}"
    names = (element("li", badge(check.name, Tone.GOOD)) for check in checks)
    return element("details", element("summary", summary), element("ul", *names, class_="passed"))


def probes(snapshot: Snapshot) -> Html:
    """Every probe with its verdict, about whom it is, and the last answer's words."""
    return element(
        "section",
        element("h2", "Probes", id="probes"),
        _table(snapshot.probes) if snapshot.probes else element("p", "No probe has a target.", class_="fact"),
        aria_labelledby="probes",
    )


def _table(lines: tuple[ProbeLine, ...]) -> Html:
    titles = ("Probe", "About", "Verdict")
    head = element("tr", *(element("th", title, scope="col") for title in titles))
    return element(
        "table",
        element("thead", head),
        element("tbody", *(_row(line) for line in lines)),
        aria_labelledby="probes",
    )


def _row(line: ProbeLine) -> Html:
    asked = line.member != NOBODY  # a holder's own holder probes ask nobody
    counted = f"{line.consecutive} in a row" if line.consecutive else "no answer yet"
    return element(
        "tr",
        element("th", line.name, " ", element("span", line.scope, class_="under"), scope="row"),
        element("td", line.member if asked else "nobody"),
        element(
            "td",
            badge(line.state, _ANSWERS[line.state]),
            " ",
            element("span", counted if asked else "not asked", class_="count"),
            " ",
            element("span", line.detail, class_="under") if line.detail else None,
        ),
    )
