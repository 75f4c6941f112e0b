"""The label values that exist from the start.

A counter that appears only with its first event hides that event from `increase()`: Prometheus has no
value before it. So every pair that can happen with this configuration is there at 0, and no other: a
series that can never move is a series for nothing. Not foreseen are EC2's rare codes: any other than those
below appears when it is first seen.
"""

from __future__ import annotations

from collections.abc import Iterator

from eni_failover.core.policy import FailbackMode, FenceMode, Policy, TakeoverMode
from eni_failover.core.vocabulary import Action, Phase, Reason, Scope, Trigger

CAUSES = (
    Reason.OPERATOR,
    Reason.ENI_UNOWNED,
    Reason.STUCK_DETACHING,
    Reason.GROUP_SPLIT,
    Reason.HOLDER_STOPPED,
    Reason.HOLDER_GONE,
    Reason.HOLDER_DOWN,
    Reason.PRIMARY_RECOVERED,
)
_MOVES = (
    Reason.ENI_UNKNOWN,
    Reason.LINK_WAIT,
    Reason.LINK_NOT_READY,
    Reason.DETACHING,
    Reason.FORCE_DETACH,
    Reason.ATTACHING,
    Reason.ANSWER_PENDING,
    Reason.EC2_REFUSED,
    Reason.ATTACHMENT_GONE,
    Reason.FENCING,
    Reason.NO_INDEX,
)
_REFUSALS = (
    Reason.FOREIGN_HOLDER,
    Reason.ENI_MISSING,
    Reason.OTHER_TAKEOVER,
    Reason.INSTANCE_NOT_RUNNING,
    Reason.EC2_SILENT,
    Reason.OTHER_ZONE,
    Reason.ENI_PRIMARY,
    Reason.REQUESTER_MANAGED,
    Reason.SERVICE_MANAGED,
    Reason.NO_SLOT,
    Reason.NO_INDEX,
    Reason.TOO_MANY_ADDRESSES,
    Reason.ATTACH_DENIED,
)
# Of what is shown beside the decisions: why nobody would take over.
_NO_DECISIONS = {Reason.OBSERVES, Reason.PEER_SILENT, Reason.NOT_READY, Reason.NO_OTHER_MEMBER}
_REASONS: dict[Action, tuple[Reason, ...]] = {
    Action.WAIT: tuple(Reason),
    Action.CONFIRM: CAUSES,
    Action.TAKE_OVER: CAUSES,
    Action.WOULD_TAKE_OVER: CAUSES,
    Action.MOVE: _MOVES,
    Action.HOLD: (Reason.HELD,),
    Action.END: tuple(Reason),
    Action.REFUSE: _REFUSALS,
}

PASS_RESULTS = ("success", "error")
HOOKS = ("on_active", "on_standby", "on_fault", "notify")
HOOK_RESULTS = ("success", "failed", "timeout", "missing", "dropped")
OWN_FILES = ("journal", "role_file", "log")  # each is the check of that name, too
LINK_REPAIRS = ("link", "address", "route", "rule")
# What each call can be answered: by us, by whoever stands before EC2's own rules, by EC2 in trouble.
_EVERY_CALL = (
    "ok",
    "timeout",
    "connection",
    "RequestLimitExceeded",
    "UnauthorizedOperation",
    "AuthFailure",
    "RequestExpired",
    "InternalError",
    "Unavailable",
    "ServiceUnavailable",
)
# What EC2 is known to say to this one: describes ask by Filter, which refuses nothing.
_OWN_CODES = {
    "DescribeNetworkInterfaces": (),
    "DescribeInstances": (),
    "DescribeInstanceTypes": (),
    "DescribeSubnets": (),
    "DescribeInstanceAttribute": ("InvalidInstanceID.NotFound",),
    "DescribeSpotInstanceRequests": (),
    "AttachNetworkInterface": (
        "DryRunOperation",
        "InvalidNetworkInterface.InUse",
        "InvalidNetworkInterfaceID.NotFound",
        "InvalidInstanceID.NotFound",
        "InvalidParameterValue",
        "InvalidParameterCombination",
        "AttachmentLimitExceeded",
        "PrivateIpAddressLimitExceeded",
        "OperationNotPermitted",
        "UnsupportedOperation",
        "IncorrectState",
        "IncorrectInstanceState",
    ),
    "DetachNetworkInterface": (
        "DryRunOperation",
        "InvalidAttachmentID.NotFound",
        "IncorrectState",
        "OperationNotPermitted",
    ),
    "ModifyNetworkInterfaceAttribute": (
        "DryRunOperation",
        "InvalidAttachmentID.NotFound",
        "InvalidNetworkInterfaceID.NotFound",
    ),
    "StopInstances": (
        "DryRunOperation",
        "InvalidInstanceID.NotFound",
        "IncorrectInstanceState",
        "OperationNotPermitted",
        "UnsupportedOperation",
    ),
}
# Made only where the holder's instance is stopped before a detach, and to look whether EC2 would.
_FENCE_CALLS = {"StopInstances", "DescribeInstanceAttribute", "DescribeSpotInstanceRequests"}


def triggers(policy: Policy) -> tuple[Trigger, ...]:
    """What can start a takeover of this member's."""
    missing = set()
    if not _has(policy, Scope.HOLDER):
        missing.add(Trigger.PROBES)
    if len(policy.eni_ids) == 1:
        missing.add(Trigger.SPLIT)
    if not _fails_back(policy):
        missing.add(Trigger.FAILBACK)
    return tuple(trigger for trigger in Trigger if trigger not in missing)


def would_triggers(policy: Policy) -> tuple[Trigger, ...]:
    """What observe mode would report instead of starting it: all but an operator's own."""
    return tuple(trigger for trigger in triggers(policy) if trigger is not Trigger.MANUAL)


def phases(policy: Policy) -> tuple[Phase, ...]:
    """The parts that a takeover can have."""
    return tuple(phase for phase in Phase if phase is not Phase.FENCE or policy.fence is not FenceMode.NONE)


def decisions(policy: Policy) -> Iterator[tuple[str, str]]:
    """Each action with the reasons that can come with it."""
    missing = _NO_DECISIONS | set(_missing_reasons(policy))
    observes = policy.takeover is TakeoverMode.OBSERVE
    for action, reasons in _REASONS.items():
        if action is Action.WOULD_TAKE_OVER and not observes:
            continue
        for reason in reasons:
            is_operators = reason is Reason.OPERATOR
            if action is Action.WOULD_TAKE_OVER and is_operators:
                continue
            if action is Action.TAKE_OVER and observes and not is_operators:
                continue
            if reason not in missing:
                yield action, reason


def _missing_reasons(policy: Policy) -> Iterator[Reason]:
    """The reasons that this configuration cannot have."""
    if _has(policy, Scope.HOLDER):
        yield Reason.NO_HOLDER_PROBE
    else:
        yield from (Reason.HOLDER_DOWN, Reason.HOLDER_UP, Reason.PROBE_UNKNOWN)
    if not _has(policy, Scope.SELF):
        yield Reason.SELF_PROBE_DOWN
    if not _has(policy, Scope.WITNESS):
        yield Reason.WITNESSES_DOWN
    if len(policy.eni_ids) == 1:
        yield Reason.GROUP_SPLIT
    if not _fails_back(policy):
        yield from (Reason.PRIMARY_RECOVERED, Reason.FAILBACK_DELAY)
    if policy.fence is FenceMode.NONE:
        yield from (Reason.FENCING, Reason.FENCE_REFUSED)


def _has(policy: Policy, scope: Scope) -> bool:
    return any(probe.scope is scope for probe in policy.probes)


def _fails_back(policy: Policy) -> bool:
    return policy.failback is FailbackMode.AUTOMATIC and policy.is_primary


def ec2_operations(policy: Policy) -> tuple[str, ...]:
    """The EC2 calls that the daemon can make."""
    fences = policy.fence is not FenceMode.NONE
    return tuple(operation for operation in _OWN_CODES if fences or operation not in _FENCE_CALLS)


def ec2_requests(policy: Policy) -> Iterator[tuple[str, str]]:
    """Each EC2 call with the codes that are known to come with it; EC2 has no closed list of them."""
    for operation in ec2_operations(policy):
        for code in (*_EVERY_CALL, *_OWN_CODES[operation]):
            yield operation, code
