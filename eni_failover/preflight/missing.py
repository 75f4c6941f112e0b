"""What it means when nobody is asked: for each scope of probes that a group had better have."""

from __future__ import annotations

from eni_failover.core.vocabulary import Scope

WITHOUT: dict[Scope, tuple[str, str]] = {
    Scope.HOLDER: (
        "a takeover starts only when EC2 reports the holder stopped, or an operator asks",
        'scope = "holder" that asks the service of the probed member, at {address}',
    ),
    Scope.SELF: (
        "this member takes over even when its own service could not serve",
        'scope = "self" that asks the same of this member',
    ),
    Scope.WITNESS: (
        "a member that is cut off itself takes the holder for dead",
        'scope = "witness" that asks a third host',
    ),
}
"""Why it matters, and the line to add."""
