"""The switches of a world: how long things take, and which of two plausible answers EC2 gives.

Owns: the frozen values `Settings` and `Durations` and their defaults. Must not know: state or wire. Does
not guarantee: that a default is what AWS does where AWS does not say; such switches are marked "not
documented" and take both values, so that a client can be tried against either.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from math import inf
from typing import Any


class MovingStatus(StrEnum):
    """What an ENI's own Status says while its attachment is attaching or detaching."""

    IN_USE = "in-use"
    """As the text of the `status` filter of DescribeNetworkInterfaces says: attached means in-use."""
    TRANSITIONAL = "transitional"
    """`attaching` / `detaching`, which the enumeration NetworkInterfaceStatus also has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How long EC2 takes for each step, in seconds; `inf` is for ever."""

    attach: float = 2.0
    """attaching -> attached."""
    detach: float = 3.0
    """detaching -> available."""
    force_detach: float = 1.0
    """detaching with force -> available, counted from the forced call."""
    start: float = 2.0
    """pending -> running."""
    stop: float = 5.0
    """stopping -> stopped."""
    force_stop: float = 1.0
    """stopping -> stopped with force, counted from the forced call."""
    terminate: float = 5.0
    """shutting-down -> terminated; only then are the instance's attachments ended."""
    vanish: float = 3600.0
    """terminated -> no longer described. AWS keeps terminated instances visible for about an hour."""
    initializing: float = 0.0
    """Status checks of an instance say `initializing` for this long after it began to run."""

    def __post_init__(self) -> None:
        for item in fields(self):
            _check_seconds(item.name, getattr(self, item.name))

    def changed(self, **seconds: float | None) -> "Durations":
        """The same with some fields changed; None is for ever, as JSON has no infinity.

        Raises TypeError for a field that is none, ValueError for a value that is no duration.
        """
        return replace(self, **{name: inf if value is None else value for name, value in seconds.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The behaviour of one world. Seconds throughout."""

    region: str = "eu-central-1"
    account: str = "123456789012"
    durations: Durations = field(default_factory=Durations)
    """Defaults; an ENI or an instance can have its own."""

    latency: float = 0.02
    """Of each EC2 call over HTTP: half passes before the effect, half after it."""
    lag: float = 0.0
    """Describe calls answer from the state this long ago (eventual consistency)."""
    lag_by_action: Mapping[str, float] = field(default_factory=dict)
    """Exceptions to `lag`, by action."""

    throttle: bool = True
    """Whether the token buckets count."""
    buckets: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """(capacity, refill per second) by bucket; see `buckets.DEFAULT_BUCKETS` for names and defaults."""

    strict_credentials: bool = False
    """True: an access key that the lab did not hand out is AuthFailure. False: it is an operator."""
    expired_code: str = "RequestExpired"
    """Answer to expired credentials: RequestExpired as documented for EC2, or ExpiredToken."""
    credentials_lifetime: float = 6 * 3600.0
    """Of the credentials that IMDS hands out."""
    credentials_renewed_after: float = 3600.0
    """IMDS hands out new ones when those it has are this old."""

    moving_status: MovingStatus = MovingStatus.IN_USE
    in_use_code: str = "InvalidNetworkInterface.InUse"
    """Answer to an attach of what is in use; InvalidParameterValue is documented too."""
    instance_state_code: str = "IncorrectInstanceState"
    """Answer to an attach to a pending, stopping, shutting-down or terminated instance (not documented)."""
    ip_limit_code: str = "PrivateIpAddressLimitExceeded"
    """Answer to an attach of more addresses than the type takes per interface (not documented)."""
    refuse_second_detach: bool = True
    """A plain detach of what is detaching: IncorrectState, or accepted (not documented)."""
    refuse_detach_while_attaching: bool = False
    """A detach of what is attaching: IncorrectState, or accepted (not documented)."""
    refuse_detach_while_shutting_down: bool = False
    """A detach from an instance shutting down: IncorrectState, or accepted (not documented)."""
    service_owned_code: str = "OperationNotPermitted"
    """Answer to a detach of an ela-attach attachment; the user guide suggests AuthFailure."""
    poison_after_force: bool = True
    """A forced detach leaves the index of a running instance unusable until it is stopped and started."""
    attachments_survive_termination: bool = False
    """ENIs stay attached to the terminated instance (seen by aws-nuke, pull request 607)."""
    dry_run_finds_ids: bool = True
    """DryRun of a mutation still refuses malformed and unknown ids (not documented)."""

    imds_appears_after: float = 0.0
    """IMDS lists an attached ENI this long after EC2 says `attached`."""
    imds_lingers: float = 0.0
    """IMDS still lists an ENI this long after it was detached."""

    history: float = 600.0
    """How far back earlier states are kept at least, for lags and stale answers."""

    def __post_init__(self) -> None:
        for item in fields(self):
            if item.type is float:
                _check_seconds(item.name, getattr(self, item.name))

    def changed(self, **changes: Any) -> "Settings":
        """The same with some fields changed, also from what JSON can say.

        Raises TypeError for a field that is none and for a value of another kind, ValueError for one that is
        no duration.
        """
        if isinstance(changes.get("durations"), Mapping):
            changes["durations"] = self.durations.changed(**changes["durations"])
        if "moving_status" in changes:
            changes["moving_status"] = MovingStatus(changes["moving_status"])
        for name, value in changes.items():
            held = getattr(self, name, None)
            if isinstance(held, (bool, str, Mapping, Durations)) and not isinstance(value, _kind_of(held)):
                raise TypeError(f"{name}: {value!r} is not of the right kind")
        return replace(self, **changes)


def _kind_of(held: object) -> type:
    return Mapping if isinstance(held, Mapping) else type(held)


def _check_seconds(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise ValueError(f"{name}: {value!r} is not a duration in seconds")
