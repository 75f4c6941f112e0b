"""Could this member take the group over now? One line for each thing that must hold.

The lines feed /readyz, `ready`, `ready_check{check}` and `eni-failover status`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eni_failover.core import fitness
from eni_failover.core.health import Health
from eni_failover.core.pause import is_in_force
from eni_failover.core.snapshot import Check
from eni_failover.core.state import Rest, rests_until
from eni_failover.core.triggers import limit_until
from eni_failover.core.view import View, not_ready
from eni_failover.core.vocabulary import Answer, CheckResult, Reason, Scope

UNDECIDED_INTERVALS = 3

_BADNESS = {CheckResult.PASS: 0, CheckResult.WARN: 1, CheckResult.FAIL: 2}

_ABLE = (
    ("ec2_api", {Reason.EC2_SILENT}, "see that this host reaches the EC2 API by its primary link"),
    ("instance", {Reason.INSTANCE_NOT_RUNNING}, "EC2 must show this instance running"),
    (
        "eni_movable",
        {Reason.ENI_PRIMARY, Reason.REQUESTER_MANAGED, Reason.SERVICE_MANAGED},
        "configure a secondary ENI of your own: EC2 does not move this one",
    ),
    ("zone", {Reason.OTHER_ZONE}, "an ENI cannot leave its availability zone"),
    ("slot", {Reason.NO_SLOT}, "free an interface slot, or use a larger instance type"),
    ("device_index", {Reason.NO_INDEX}, 'free the device index, or write device_index = "auto"'),
    (
        "addresses_per_interface",
        {Reason.TOO_MANY_ADDRESSES},
        "take addresses off the ENI, or use a larger instance type",
    ),
    ("attach_permission", {Reason.ATTACH_DENIED}, "allow ec2:AttachNetworkInterface to this role"),
    (
        "attach_refused",
        {Reason.ATTACH_REFUSED},
        "fix what ec2.attach says in the log, then eni-failover resume (it ends after ten minutes too)",
    ),
)


def checks(view: View) -> tuple[Check, ...]:
    """All readiness checks, in the order in which an operator would look."""
    return (*_able(view), *_group(view), *_probes(view), *_local(view))


def merged(quick: tuple[Check, ...], slow: tuple[Check, ...]) -> tuple[Check, ...]:
    """Both kinds of lines; of two with one name the worse stands."""
    known = {one.name: one for one in quick}
    for one in slow:
        before = known.get(one.name)
        if before is None or _BADNESS[one.result] > _BADNESS[before.result]:
            known[one.name] = one
    return tuple(known.values())


def _able(view: View) -> Iterator[Check]:
    obstacles = set(fitness.obstacles(view))
    for name, reasons, remedy in _ABLE:
        found = sorted(obstacles & reasons)
        yield _check(name, found, remedy)


def _check(name: str, found: Iterable[str], remedy: str, result: CheckResult = CheckResult.FAIL) -> Check:
    detail = " ".join(found)
    if not detail:
        return Check(name=name, result=CheckResult.PASS)
    return Check(name=name, result=result, detail=detail, remedy=remedy)


def _group(view: View) -> Iterator[Check]:
    found = [f"{Reason.ENI_UNKNOWN} {eni.eni_id}" for eni in view.unknown]
    found += [f"{Reason.FOREIGN_HOLDER} {eni.eni_id}" for eni in view.foreign]
    found += [f"{Reason.ENI_MISSING} {eni.eni_id}" for eni in view.missing]
    # The others of the group go on without the one that is foreign or missing.
    goes_on = not view.unknown and view.first is not None and view.foreign_until <= view.now
    result = CheckResult.WARN if goes_on else CheckResult.FAIL
    yield _check("enis", found, "every ENI of the group must exist, and be unattached or on a member", result)


def _probes(view: View) -> Iterator[Check]:
    undecided = [
        f"{Reason.PROBE_UNKNOWN} {health.probe.name}"
        for health in view.state.health
        if health.probe.scope is Scope.HOLDER
        and _is_undecided(view, health, UNDECIDED_INTERVALS * health.probe.interval)
    ]
    yield _check("holder_probes", undecided, "a probe that this host cannot send decides nothing")
    failing = [
        f"{Reason.SELF_PROBE_DOWN} {health.probe.name}"
        for health in view.state.health
        if health.probe.scope is Scope.SELF and health.verdict is not Answer.UP
    ]
    yield _check("self_probes", failing, "fix what this member's own probes report")
    lonely = [] if view.witnesses_up else [Reason.WITNESSES_DOWN.value]
    yield _check("witnesses", lonely, "no witness answers: this host may be the one that is cut off")


def _is_undecided(view: View, health: Health, after: float) -> bool:
    since = health.undecided_since
    return health.member is not None and since is not None and view.now - since >= after


def _local(view: View) -> Iterator[Check]:
    stalled_at = view.state.stalled_at
    lagging = stalled_at is not None and view.now - stalled_at < fitness.STALL_MEMORY
    yield _check(
        "loop_lag",
        [Reason.LOOP_LAG.value] if lagging else [],
        "the host is short of CPU: the daemon runs late",
    )
    waiting = [
        f"{Reason.LINK_NOT_READY} {eni.eni_id}"
        + "".join(f" {word}" for link in view.obs.links if link.eni_id == eni.eni_id for word in link.missing)
        for eni in not_ready(view)
    ]
    yield _check("links", waiting, "bring the link up with its addresses and source rules")
    unplanned = [] if view.obs.local.subnets_known else [Reason.SUBNET_UNKNOWN.value]
    yield _check(
        "subnets", unplanned, "allow ec2:DescribeSubnets to this role, or let another program set up links"
    )
    if rests_until(view.state, Rest.FENCE) > view.now:
        remedy = "see what EC2 said of the stop (ec2.stop in the log): nothing moves without it"
        yield _check("fence", [Reason.FENCE_REFUSED.value], remedy)
    spent = [Reason.LIMIT_REACHED.value] if limit_until(view) > view.now else []
    yield _check(
        "takeover_limit", spent, "fix what moves the group, then eni-failover resume", CheckResult.WARN
    )
    paused = [Reason.PAUSED.value] if view.is_paused else []
    yield _check("paused", paused, resume_command(view), CheckResult.WARN)


def resume_command(view: View) -> str:
    """What ends the pause in force: the group's resume leaves this member's own."""
    is_of_group = is_in_force(view.state.durable.pause, view.now)
    return "eni-failover resume" if is_of_group else "eni-failover resume --local"
