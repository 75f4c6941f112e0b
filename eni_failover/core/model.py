"""What one pass sees: the observation and its parts, all frozen.

Owns the shapes. Knows nothing of boto3, sockets or clocks. Times named `*_at` are seconds of one
monotonic clock; `wall` is seconds since the Unix epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from eni_failover.core.policy import AttachmentId, EniId, InstanceId, Member, MemberName, ProbePolicy
from eni_failover.core.vocabulary import Answer, Phase, Reason, Result, Trigger

SHOWN_TAKEOVERS = 5  # of each member, the last ones


class Presence(StrEnum):
    """What a describe said about one ENI: it is there, it is not, or the answer is no answer."""

    KNOWN = "known"
    MISSING = "missing"
    UNKNOWN = "unknown"


class AttachmentStatus(StrEnum):
    """EC2's `AttachmentStatus`; `detached` never reaches the core (it is no attachment)."""

    ATTACHING = "attaching"
    ATTACHED = "attached"
    DETACHING = "detaching"


class InstanceState(StrEnum):
    """EC2's instance states; `unknown` is a value this version does not know."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"
    UNKNOWN = "unknown"

    @property
    def is_ended(self) -> bool:
        """Whether EC2's own word is that the instance does not serve (row 9)."""
        return self in {
            InstanceState.STOPPING,
            InstanceState.STOPPED,
            InstanceState.SHUTTING_DOWN,
            InstanceState.TERMINATED,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """An ENI's relation to an instance, as one describe showed it."""

    attachment_id: AttachmentId
    instance_id: InstanceId | None
    status: AttachmentStatus
    device_index: int
    delete_on_termination: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Eni:
    """One ENI in one describe.

    `unmovable` is why EC2 would never let us move it (primary, requester- or service-managed).
    The identity fields stay the same over a move; they are what the link on this host is
    compared with. `prefixes` and `ipv6_prefixes` are the networks that EC2 has delegated to it.
    """

    eni_id: EniId
    presence: Presence = Presence.KNOWN
    attachment: Attachment | None = None
    zone: str = ""
    unmovable: Reason | None = None
    mac: str = ""
    subnet_id: str = ""
    addresses: tuple[str, ...] = ()
    ipv6_addresses: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    ipv6_prefixes: tuple[str, ...] = ()
    public_addresses: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def private_addresses(self) -> tuple[str, ...]:
        """All its addresses within the VPC, IPv4 first."""
        return (*self.addresses, *self.ipv6_addresses)

    @property
    def ipv4_count(self) -> int:
        """How many IPv4 addresses it has by EC2's limits, which count a delegated prefix as one."""
        return len(self.addresses) + len(self.prefixes)

    @property
    def ipv6_count(self) -> int:
        """As `ipv4_count`, of IPv6."""
        return len(self.ipv6_addresses) + len(self.ipv6_prefixes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A subnet, as EC2 describes it: its networks in CIDR notation."""

    subnet_id: str
    network: str
    ipv6_networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EniSurvey:
    """The answer of one DescribeNetworkInterfaces over the group's ENIs, in file order.

    `began_at` is when the call was sent: a fact about the world from then or later. `answered`
    False means that the call failed; every ENI in it is then `unknown`. `throttled`: for want of the
    account's quota.
    """

    began_at: float
    answered: bool
    enis: tuple[Eni, ...]
    throttled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One member's instance in one describe.

    `eni_indexes` has all its ENIs on network card 0 with their device indexes, detaching ones included; the
    index is None where EC2 does not say it. The other cards have limits of their own (DescribeInstanceTypes,
    NetworkCards), and nothing is attached there.
    """

    instance_id: InstanceId
    state: InstanceState
    zone: str = ""
    instance_type: str = ""
    eni_indexes: tuple[tuple[EniId, int | None], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSurvey:
    """The answer of one DescribeInstances over the members; absent ones are not in `instances`."""

    began_at: float
    answered: bool
    instances: tuple[Instance, ...]

    def find(self, instance_id: InstanceId | None) -> Instance | None:
        """The instance with this id, or None when this answer does not have it."""
        return next((one for one in self.instances if one.instance_id == instance_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One finished probe attempt: this probe, as it was configured, asked this member.

    `answered` is whether the target gave any sign of life: a refusal and a wrong answer do, a
    timeout does not. An answer of `unknown` may still carry one (a refused peer probe).
    """

    probe: ProbePolicy
    member: Member
    answer: Answer
    answered: bool
    started_at: float
    ended_at: float
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """A stretch in which this process did not run, though it should have."""

    from_at: float
    to_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The kernel's link of one ENI on this host.

    `watched` False means that nobody looks at links (`[network] mode = "off"`): an attached ENI
    then counts as ready. `missing` says what is not there yet, one word each. `is_known` False means
    that nobody has looked for it yet, as just after a start: it says nothing about the link.
    """

    eni_id: EniId
    watched: bool
    is_known: bool = True
    present: bool = False
    missing: tuple[str, ...] = ()
    lost_at: float | None = None

    @property
    def is_ready(self) -> bool:
        """Whether packets for this ENI's addresses are served by this host."""
        return not self.watched or (self.present and not self.missing)


class PauseKind(StrEnum):
    """The two operator words that travel between members."""

    PAUSE = "pause"
    RESUME = "resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRecord:
    """An operator's pause or resume. The newest `at` wins in the whole group.

    `at` is the wall clock of the member that was asked: it only puts the records in order. A pause is in
    force until `ends_at`, a monotonic time of this process: each member counts the time that was left when
    it first heard of the record, so hosts' clocks need not agree. `until` is that moment by this host's
    wall clock, for people. A resume has neither. A `local` record is this member's alone, never adopted.
    """

    kind: PauseKind
    at: float
    until: float | None = None
    ends_at: float | None = None
    reason: str = ""
    by: str = ""
    local: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One takeover that ended: a line of the journal, and of `eni-failover history`.

    `started_wall` is when the decision was written down. The phases begin earlier, with the first sign of
    its cause.
    """

    takeover_id: str
    trigger: Trigger
    reason: Reason
    from_member: str
    to_member: str
    started_wall: float
    ended_wall: float
    result: Result
    phases: tuple[tuple[Phase, float], ...] = ()
    detail: str = ""

    @property
    def took(self) -> float:
        """The whole in seconds, detection included; without phases from the start alone."""
        spent = sum(seconds for _, seconds in self.phases)
        return spent if self.phases else max(0.0, self.ended_wall - self.started_wall)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Nobody serves the group's address, or not all of it, and no takeover is under way.

    `reason` is the word for what is wrong, or for what holds this member back. `ends_at_wall` is when this
    member acts by itself, None when it does not; `remedy` is what an operator can do.
    """

    since_wall: float
    reason: str
    ends_at_wall: float | None
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """How long the next takeover would take, in seconds: detection at most, EC2's part as it was last time.

    None: there is no holder probe; this member has made no takeover yet.
    """

    detect: float | None = None
    detach: float | None = None
    attach: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NextHolder:
    """Who would take over if the holder died now, by what the members say of themselves.

    `member` None: nobody, for this reason of the one whose turn it would be.
    """

    member: MemberName | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerEni:
    """An ENI as another member shows it, by its own last look at EC2. An older version shows no addresses."""

    eni_id: str
    attachment_id: str | None
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What another member's /status said, the last time it was asked; `member` is its name in our file."""

    member: MemberName
    instance_id: InstanceId
    reachable: bool
    role: str = ""
    version: str = ""
    config_hash: str = ""
    enis: tuple[PeerEni, ...] = ()
    paused: bool = False
    pause: PauseRecord | None = None
    takeover_trigger: str = ""
    ready: bool = False
    reasons: tuple[str, ...] = ()
    outage: Outage | None = None
    takeovers: tuple[History, ...] = ()
    last_takeover_trigger: str = ""
    last_takeover_ended_wall: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeoverRequest:
    """An operator's wish to have the group here. Lives until `deadline`, never over a restart."""

    request_id: str
    deadline: float
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRequest:
    """An operator's pause or resume, not yet stamped: the core gives it its place in time."""

    kind: PauseKind
    duration: float | None = None
    reason: str = ""
    by: str = ""
    local: bool = False


Request = TakeoverRequest | PauseRequest


class Mutation(StrEnum):
    """The calls that change something."""

    DETACH = "detach"
    ATTACH = "attach"
    STOP = "stop"
    KEEP_ON_TERMINATION = "keep_on_termination"


class Verdict(StrEnum):
    """What is known of a mutation after its call returned.

    `unanswered`: it may have taken effect. `gone`: the attachment named does not exist.
    `in_use` / `index_taken` / `bad_state` / `limit`: EC2 refused, for that reason. `throttled`: the
    account's quota of such calls is used up. `busy`: out of order, nothing happened. `denied`: IAM.
    `refused`: any other no.
    """

    ACCEPTED = "accepted"
    UNANSWERED = "unanswered"
    GONE = "gone"
    IN_USE = "in_use"
    INDEX_TAKEN = "index_taken"
    BAD_STATE = "bad_state"
    LIMIT = "limit"
    THROTTLED = "throttled"
    BUSY = "busy"
    DENIED = "denied"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The fate of one mutation asked for by an earlier pass.

    `target` is the ENI, or the instance for `stop`. `code` is EC2's own word, for the log.
    `attachment_id` is the new one, after an accepted attach. `not_sent` True means that the call
    never left this host (the decision had grown old). `retry_after` is for how many seconds EC2 wants no
    more such calls, 0 when it does not say.
    """

    mutation: Mutation
    target: str
    verdict: Verdict
    sent_at: float
    ended_at: float
    attachment_id: AttachmentId | None = None
    code: str = ""
    detail: str = ""
    not_sent: bool = False
    retry_after: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeLimits:
    """What an instance type takes (DescribeInstanceTypes, NetworkInfo), on network card 0.

    None: EC2 did not say.
    """

    interfaces: int | None = None
    ipv4_per_interface: int | None = None
    ipv6_per_interface: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """Slow facts about this member, refreshed by timers outside the takeover path.

    `limits` are those of its instance type; `attach_allowed` is the last answered DryRun
    of attach, None before the first. `subnets_known` False: links are to be set up here, and EC2 has not
    told the ENIs' subnets.
    """

    zone: str = ""
    limits: TypeLimits = TypeLimits()
    attach_allowed: bool | None = None
    attach_detail: str = ""
    subnets_known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Everything one pass sees. Surveys are the newest there are, even when not from this pass.

    `jitter` is a fresh random number in [0, 1), drawn by the caller so that the core stays pure.
    `links`, `peers`, `outcomes`, `requests`, `attempts`, `stalls` are what came since the last pass
    (links and peers: their present state).
    """

    now: float
    wall: float
    enis: EniSurvey
    instances: InstanceSurvey
    jitter: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    stalls: tuple[Stall, ...] = ()
    links: tuple[Link, ...] = ()
    peers: tuple[Peer, ...] = ()
    requests: tuple[Request, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    local: Local = Local()
