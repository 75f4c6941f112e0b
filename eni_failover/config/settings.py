"""The configuration as the rest of the program sees it: frozen, checked, durations in seconds.

Owns the shapes. Holds no defaults (`schema` does) and checks nothing (`load` does). Building one by
hand skips every check.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from eni_failover.adapters.probes.spec import ProbeSpec, Target
from eni_failover.config.targets import split_listen, status_url
from eni_failover.core.policy import EniId, FailbackMode, FenceMode, InstanceId, Member, Policy, TakeoverMode
from eni_failover.errors import ConfigError


class NetworkMode(StrEnum):
    """What is done about the link of an attached ENI."""

    AUTO = "auto"
    MANAGE = "manage"
    VERIFY = "verify"
    OFF = "off"


class LogFormat(StrEnum):
    """How a log line looks; `auto` chooses by where it goes."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """The least severe line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverySettings:
    """Members found by an EC2 tag whose value is the group's name; `tag` is its key."""

    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSettings:
    """Limits of one EC2 call, in seconds."""

    connect_timeout: float
    read_timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """Links: `ipv6_router` is empty for the one that advertises itself."""

    mode: NetworkMode
    path_check: bool
    ipv6_router: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSettings:
    """Programs run after a change of role, argv each, () for none; `timeout` in seconds for each run."""

    on_active: tuple[str, ...]
    on_standby: tuple[str, ...]
    on_fault: tuple[str, ...]
    notify: tuple[str, ...]
    timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is logged, and how."""

    format: LogFormat
    level: LogLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One checked configuration file.

    `members` is in file order and empty with `discovery`. `device_index` None is the lowest free one,
    `force_detach_after` None is never, `down_needed` is how many holder probes must be down (at least
    1, also without any). `listen` is a template: see `listen_at`.

    `config_hash` covers [eni] and [[member]] or [discovery] only, so that members can compare it;
    `file_hash` covers everything that has an effect. `warnings` are lines about what is allowed and
    likely a mistake.
    """

    path: Path
    group: str
    eni_ids: tuple[EniId, ...]
    device_index: int | None
    members: tuple[Member, ...]
    discovery: DiscoverySettings | None
    probes: tuple[ProbeSpec, ...]
    down_needed: int
    takeover: TakeoverMode
    failback: FailbackMode
    failback_delay: float
    cooldown: float
    max_takeovers: int
    max_takeovers_window: float
    stagger: float
    unproven_grace: float
    force_detach_after: float | None
    startup_grace: float
    fence: FenceMode
    observe_interval: float
    idle_interval: float
    move_interval: float
    max_loop_lag: float
    aws: AwsSettings
    network: NetworkSettings
    hooks: HookSettings
    listen: str
    socket: Path
    role_file: Path
    state_directory: Path
    log: LogSettings
    config_hash: str
    file_hash: str
    warnings: tuple[str, ...]

    @property
    def extent(self) -> str:
        """How many members and ENIs, in words; members that EC2 is still to tell are named by their tag."""
        members = f"members by the tag {self.discovery.tag}" if self.discovery else "no members"
        if self.members:
            members = _count(len(self.members), "member")
        return f"{members}, {_count(len(self.eni_ids), 'ENI')}"

    def listen_at(self, address: str) -> tuple[str, int]:
        """The (host, port) on which the member with this address listens; an IPv6 host has no brackets."""
        host, port = split_listen(self.listen)
        return host.replace("{address}", address), port

    def status_url(self, member: Member) -> str:
        """Where another member's /status is; one that listens on every address is asked at its own."""
        return Target.of(member).fill(status_url(self.listen))

    def policy_for(self, instance_id: InstanceId) -> Policy:
        """What the core needs when it decides for the member that is this instance.

        Raises ConfigError when the file lists no such member.
        """
        me = next((member for member in self.members if member.instance_id == instance_id), None)
        if me is None:
            known = ", ".join(member.instance_id for member in self.members) or "none"
            raise ConfigError(f"{self.path}: no [[member]] is {instance_id}, the file lists: {known}")
        return Policy(
            group=self.group,
            me=me,
            members=self.members,
            eni_ids=self.eni_ids,
            device_index=self.device_index,
            probes=tuple(probe.policy for probe in self.probes),
            down_needed=self.down_needed,
            takeover=self.takeover,
            failback=self.failback,
            failback_delay=self.failback_delay,
            cooldown=self.cooldown,
            max_takeovers=self.max_takeovers,
            max_takeovers_window=self.max_takeovers_window,
            stagger=self.stagger,
            unproven_grace=self.unproven_grace,
            force_detach_after=self.force_detach_after,
            startup_grace=self.startup_grace,
            fence=self.fence,
            observe_interval=self.observe_interval,
            idle_interval=self.idle_interval,
            move_interval=self.move_interval,
            max_loop_lag=self.max_loop_lag,
            call_timeout=self.aws.connect_timeout + self.aws.read_timeout,
            config_hash=self.config_hash,
        )


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
