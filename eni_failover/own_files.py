"""What this daemon writes for itself and others: whether it can.

Warnings only: none of it is in the way of a takeover, but nobody would miss it before it is needed.
"""

from __future__ import annotations

from eni_failover.core.snapshot import Check
from eni_failover.core.vocabulary import CheckResult
from eni_failover.metrics.vocabulary import OWN_FILES

_REMEDIES = {
    "journal": "fix the state directory: a restart would forget pauses, limits and a takeover under way",
    "role_file": "fix the role file's directory: until then what follows that file goes by an old role",
    "log": "see who reads this daemon's output, and whether the disk is full: lines of the log are lost",
}


def checks(*, journal: str, role_file: str, lines_lost: int) -> tuple[Check, ...]:
    """One for each of OWN_FILES; the texts are what is wrong now, empty for nothing."""
    lost = f"{lines_lost} lines lost since the last one that was written" if lines_lost else ""
    problems = {"journal": journal, "role_file": role_file, "log": lost}
    return tuple(_check(name, problems[name]) for name in OWN_FILES)


def _check(name: str, problem: str) -> Check:
    if not problem:
        return Check(name=name, result=CheckResult.PASS)
    return Check(name=name, result=CheckResult.WARN, detail=problem, remedy=_REMEDIES[name])
