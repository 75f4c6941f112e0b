"""Changes of the core that no test can notice, or should: each by its function and its diff.

`python -m tests.mutants.mutate` tells these from changes for which a test is missing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Equivalent:
    """One such change: a part of the line that goes and one of the line that comes, if one does."""

    function: str
    old: str
    new: str = ""
    because: str


NEVER_SO = "what the types allow here is never so"
READ_LATER = "set again before it is read"
LONG_OVER = "stands for a moment that is over: no clock of a running host shows one second"
SAME_NUMBER = "float() reads both alike"

EQUIVALENT = (
    Equivalent(
        function="update._operators",
        old="turn_probes=None",
        new="health=kept, turn_unowned=None, turn_ec2=None, )",
        because=f"{READ_LATER}: without downs of the probes their clock stops in the same pass",
    ),
    Equivalent(
        function="update._stalls",
        old="link_since=view.now",
        new="link_since=None",
        because=f"{READ_LATER}: the first pass that sees all ENIs here dates what has no date",
    ),
    Equivalent(
        function="update._operators",
        old="turn_unowned=None",
        new="health=kept, turn_ec2=None, turn_probes=None",
        because="a pause has held that clock at none, but for a rescue, which has no turn",
    ),
    Equivalent(function="triggers.unproven_until", old="return 0.0", new="return 1.0", because=LONG_OVER),
    Equivalent(function="triggers.cooldown_until", old="else 0.0", new="else 1.0", because=LONG_OVER),
    Equivalent(function="triggers.limit_until", old="return 0.0", new="return 1.0", because=LONG_OVER),
    Equivalent(function="triggers.turn_at", old='float("inf")', new='float("INF")', because=SAME_NUMBER),
    Equivalent(function="schedule._moments", old="or 0.0", new="or 1.0", because=LONG_OVER),
    Equivalent(
        function="view.View.paused_until_value", old='float("inf")', new='float("INF")', because=SAME_NUMBER
    ),
    Equivalent(
        function="update._fitness",
        old="one.ended_at < horizon",
        new="one.ended_at <= horizon",
        because="an equal history takes the place of the same one",
    ),
    Equivalent(
        function="fitness.obstacles",
        old="planned_indexes(view, view.takeover)",
        new="planned_indexes(view, None)",
        because="a refused index is passed over only while another is free: none is free either way",
    ),
    Equivalent(function="view._here_since", old='float("-inf")', new='float("-INF")', because=SAME_NUMBER),
    Equivalent(
        function="outcomes._answered",
        old="assert_never(outcome.mutation)",
        because=f"{NEVER_SO}: mypy has seen to it that no other mutation is left",
    ),
    Equivalent(
        function="outcomes._answered",
        old="assert_never(outcome.mutation)",
        new="assert_never(None)",
        because=f"{NEVER_SO}: mypy has seen to it that no other mutation is left",
    ),
    Equivalent(
        function="outcomes.doubled",
        old="min(times, 10)",
        new="min(times, 11)",
        because="the longest delay is reached long before; the bound keeps the power small",
    ),
    Equivalent(
        function="takeover.fence",
        old="fence_sent_at=None",
        new="fence=Sent.NO, )",
        because=f"{READ_LATER}: `fence` says that none was sent",
    ),
    Equivalent(
        function="moves._lock_released",
        old="if takeover.moves else None",
        new="(takeover.moves) or True",
        because=f"{NEVER_SO}: a takeover has a move for each ENI of the file",
    ),
    Equivalent(
        function="moves._record",
        old="detach_sent_at=None",
        because=f"{READ_LATER}: `detach` says that none was sent",
    ),
    Equivalent(
        function="moves._settled_at",
        old="sent_at = 0.0 if",
        new="sent_at = 1.0 if",
        because=f"{NEVER_SO}: a detach that was sent has its time",
    ),
    Equivalent(
        function="moves._attach",
        old="retry_at=None",
        new="attach_index=index, )",
        because=f"{READ_LATER}: the old time brings one needless pass",
    ),
)
