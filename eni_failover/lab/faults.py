"""Scripted faults: what goes wrong with which call, how often, and what is wrong with an IMDS.

Owns: the kinds of fault, matching a call to one, and counting. Must not know: state, sockets; the world and
the server do what a matched fault says. Does not guarantee: an order between faults of one moment other
than the order in which they were scripted: the first that matches is used.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase


class FaultKind(StrEnum):
    """What happens to a call that a fault matches."""

    ERROR = "error"
    """Refused with `code`, `status`, `message`; nothing takes effect."""
    HTML = "html"
    """A proxy's HTML page with `status`; nothing takes effect."""
    TRUNCATED = "truncated"
    """Takes effect; the XML of the answer ends in the middle."""
    CLOSE = "close"
    """The connection is closed; nothing takes effect."""
    HANG = "hang"
    """Never answered; nothing takes effect."""
    LOST = "lost"
    """Takes effect; the connection is closed instead of an answer."""
    LATE = "late"
    """Takes effect in time; the answer comes `seconds` later."""
    DELAY = "delay"
    """Takes effect `seconds` later, and is answered then."""
    EMPTY = "empty"
    """A describe that finds nothing."""
    STALE = "stale"
    """A describe of the state `seconds` ago."""


UNEXECUTED = frozenset({FaultKind.ERROR, FaultKind.HTML, FaultKind.CLOSE, FaultKind.HANG})
"""Faults whose call never takes effect."""

UNANSWERED = frozenset(
    {FaultKind.HTML, FaultKind.TRUNCATED, FaultKind.CLOSE, FaultKind.HANG, FaultKind.LOST, FaultKind.LATE}
)
"""Faults after which an in-process caller has no usable answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One scripted fault. `remaining` None: until it is cleared."""

    kind: FaultKind
    action: str = "*"
    """Name of an action; `*` and `?` match as in a shell."""
    caller: str | None = None
    """Instance id of the caller, or "operator"; None: anyone."""
    dry_run: bool | None = None
    """Only calls with (True) or without (False) DryRun; None: both."""
    remaining: int | None = None
    code: str = "InternalError"
    status: int | None = None
    """HTTP status; None: the one that goes with the code (500 for `html`)."""
    message: str = "An internal error has occurred"
    seconds: float = 0.0

    def matches(self, action: str, caller: str, *, dry_run: bool) -> bool:
        """Whether a call is one that this fault is about."""
        return (
            fnmatchcase(action, self.action)
            and self.caller in (None, caller)
            and self.dry_run in (None, dry_run)
        )


class ImdsKind(StrEnum):
    """What is wrong with the IMDS of one instance."""

    REFUSED = "refused"
    """Connections are refused (those that are open are reset)."""
    HANG = "hang"
    """Never answered."""
    SLOW = "slow"
    """Answered `seconds` late."""
    TOKEN_403 = "token-403"  # noqa: S105 - the name of a fault, no password
    """No session tokens."""
    ERROR_500 = "error-500"
    NO_CREDENTIALS = "no-credentials"
    """The role has no credentials yet (404)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImdsCondition:
    """What is wrong with the IMDS of one instance; `seconds` counts for `slow`."""

    kind: ImdsKind
    seconds: float = 0.0


class Faults:
    """The script. Not thread-safe."""

    def __init__(self) -> None:
        self._script: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Append to the script."""
        self._script.append(fault)

    def clear(self) -> None:
        """Forget all."""
        self._script.clear()

    @property
    def pending(self) -> tuple[Fault, ...]:
        """What has not been used up."""
        return tuple(self._script)

    def take(self, action: str, caller: str, *, dry_run: bool) -> Fault | None:
        """The first fault for this call, counted as used once."""
        for index, fault in enumerate(self._script):
            if fault.matches(action, caller, dry_run=dry_run):
                if fault.remaining is not None:
                    if fault.remaining > 1:
                        self._script[index] = replace(fault, remaining=fault.remaining - 1)
                    else:
                        del self._script[index]
                return fault
        return None
