"""The label values that exist from the start.

A counter that appears only with its first event hides that event from `increase()`: Prometheus has no
value before it. So every pair that can be foreseen is there at 0. Not foreseen are EC2's rare codes: any
other than those below appears when it is first seen.
"""

from __future__ import annotations

from collections.abc import Iterator

from eni_failover.core.words import Action, Reason

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
EC2_OPERATIONS = tuple(_OWN_CODES)


def decisions() -> Iterator[tuple[str, str]]:
    """Each action with the reasons that can come with it."""
    for action, reasons in _REASONS.items():
        for reason in reasons:
            yield action, reason


def ec2_requests() -> Iterator[tuple[str, str]]:
    """Each EC2 call with the codes that are known to come with it; EC2 has no closed list of them."""
    for operation, own in _OWN_CODES.items():
        for code in (*_EVERY_CALL, *own):
            yield operation, code
