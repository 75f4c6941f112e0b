"""How a check says what it found: one line, and one line of remedy."""

from __future__ import annotations

from eni_failover.core.snapshot import Check
from eni_failover.core.vocabulary import CheckResult
from eni_failover.preflight.facts import Missed

UNKNOWN = "unknown"
_POLICY = "eni-failover policy prints what the role needs"


def passed(name: str, detail: str = "") -> Check:
    """It holds."""
    return Check(name=name, result=CheckResult.PASS, detail=detail)


def warned(name: str, detail: str, remedy: str) -> Check:
    """A takeover works, and something is not as it should be."""
    return Check(name=name, result=CheckResult.WARN, detail=detail, remedy=remedy)


def failed(name: str, detail: str, remedy: str) -> Check:
    """A takeover by this member would not work."""
    return Check(name=name, result=CheckResult.FAIL, detail=detail, remedy=remedy)


def unknown(
    name: str, missed: Missed, remedy: str = "fix the failed checks above, then run the check again"
) -> Check:
    """It could not be found out: a warning, since unknown is neither good nor bad."""
    why = f"{UNKNOWN}: {missed.why}"
    return warned(name, why, f"allow it: {_POLICY}" if missed.denied else remedy)
