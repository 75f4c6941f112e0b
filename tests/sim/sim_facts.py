"""What the audit knows of one call, one life and one member: facts to judge by, no judgement."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eni_failover.core.model import Attempt, PauseRecord
from eni_failover.core.policy import Policy
from eni_failover.core.state import State, Takeover
from eni_failover.core.vocabulary import Answer, Scope, Trigger
from eni_failover.lab.values import Attachment, AttachmentStatus
from tests.sim.sim_ec2 import Flight

ENDED = frozenset({"stopping", "stopped", "shutting-down", "terminated"})
ABSENCE_CONFIRMED_AFTER = 2.0
NEVER = float("-inf")
SAME_RECORD = 0.0005  # the times of two pauses or resumes differ by more


@dataclass(slots=True)
class Verdict:
    """One question, a probe that asks a member, counted here a second time.

    `answer` is what `rise` and `fall` made of the answers. It is evidence as long as the newest `fall`
    answers are all down, and the newest of them was not begun longer ago than `lasts`.
    """

    about: tuple[object, ...]
    lasts: float = 0.0
    timeout: float = 0.0
    answer: Answer = Answer.UNKNOWN
    streak: Answer = Answer.UNKNOWN
    count: int = 0
    is_down: bool = False
    newest_at: float = NEVER
    down_since: float = NEVER
    evidence_until: float = NEVER
    down_until: float = NEVER
    up_until: float = NEVER
    up_since: float = float("inf")

    def take(self, answer: Answer, now: float, *, rise: int, fall: int, began_at: float) -> None:
        """One more answer; an unknown one counts for nothing."""
        if answer is Answer.UNKNOWN:
            return
        self._until(now)
        if answer is not self.streak:
            self.up_since = now if answer is Answer.UP else float("inf")
        self.count = self.count + 1 if answer is self.streak else 1
        self.streak, self.newest_at = answer, began_at
        if self.count >= (rise if answer is Answer.UP else fall):
            self.answer = answer
        was_down, self.is_down = self.is_down, answer is Answer.DOWN and self.count >= fall
        if self.is_down and not was_down:
            self.down_since = now

    def _until(self, now: float) -> None:
        """What has been so until now."""
        if self.is_down:
            self.down_until = now
            self.evidence_until = min(now, self.newest_at + self.lasts)
        if self.answer is Answer.UP:
            self.up_until = now

    def was_down(self, now: float, *, within: float) -> bool:
        """Whether the newest answers are all down, or were so not longer ago than this."""
        return self.is_down or now - self.down_until <= within

    def was_evidence(self, now: float, *, within: float) -> bool:
        """Whether it was down by young answers not longer ago than this."""
        is_young = self.is_down and now - within <= self.newest_at + self.lasts
        return is_young or now - self.evidence_until <= within

    def was_up(self, now: float, *, within: float) -> bool:
        """Whether it is up, or was so not longer ago than this."""
        return self.answer is Answer.UP or now - self.up_until <= within

    def forget_downs(self, now: float) -> None:
        """A pause, a stall or a sleep has ended: what was up stays up."""
        self._until(now)
        if self.streak is Answer.DOWN:
            self.streak, self.count, self.is_down = Answer.UNKNOWN, 0, False
        if self.answer is Answer.DOWN:
            self.answer = Answer.UNKNOWN


@dataclass(slots=True)
class HolderRecord:
    """A holder as one process has come to know it; `since` None: up before it, and there at its start."""

    attachment_id: str
    since: float | None
    answered: bool = False
    proven: bool = False


@dataclass(slots=True)
class Life:
    """What one process was told since its start. Times are the world's seconds."""

    began_at: float = NEVER
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    attachments: set[str] = field(default_factory=set)
    enis_heard_at: float | None = None
    enis_asked_at: float = float("-inf")
    """When the newest look at the ENIs that was answered had been sent."""
    lock_free_since: float | None = None
    """Since when every answer has shown the first ENI on nobody, or detaching."""
    lock_last_on: str = ""
    """The instance that an answer with every ENI in it has last shown the first ENI on."""
    foreign_since: dict[str, float] = field(default_factory=dict)
    """Since when each ENI has been shown on an instance that is no member."""
    instance_states: dict[str, str] = field(default_factory=dict)
    absent_since: dict[str, float] = field(default_factory=dict)
    surely_absent: set[str] = field(default_factory=set)
    asked_until: float = float("-inf")
    hooks_due: list[str] = field(default_factory=list)
    hooks_begun: int = 0
    hook_runs: bool = False
    role: str = ""
    holder_record: HolderRecord | None = None
    has_looked: bool = False
    was_paused: bool = False
    last_up: str = ""
    """The newest attachment whose holder was seen up, by this process or one before it."""
    spoilt_until: dict[float, float] = field(default_factory=dict)
    """By a probe's timeout: what it asked before then, and did not find up, says nothing."""

    def take_attempt(self, attempt: Attempt, policy: Policy, now: float, began_at: float) -> None:
        """A probe has answered."""
        probe = next((one for one in policy.probes if one == attempt.probe), None)
        if probe is None:
            return
        about = probe.settings, attempt.member.instance_id, attempt.member.address
        verdict = self.verdicts.get(probe.name)
        if verdict is None or verdict.about != about:
            lasts = max(probe.timeout, min(probe.fast_interval, 5.0)) + 1.0
            verdict = self.verdicts[probe.name] = Verdict(about, lasts=lasts, timeout=probe.timeout)
        if attempt.answer is Answer.UP or began_at > self.spoilt_until.get(probe.timeout, NEVER):
            verdict.take(attempt.answer, now, rise=probe.rise, fall=probe.fall, began_at=began_at)
        if probe.scope is Scope.HOLDER and self.holder_record is not None:
            self.holder_record.answered |= attempt.answered
            self.holder_record.proven |= attempt.answer is verdict.answer is Answer.UP
            if self.holder_record.proven:
                self.last_up = self.holder_record.attachment_id

    def pass_ended(self, policy: Policy, at: float, *, paused: bool) -> None:
        """A pass has been shown, that looked at the world then; no down from before a pause's end counts."""
        if self.was_paused and not paused:
            self._spoil(policy, at, at)
        self.was_paused = paused

    def stood_still(self, policy: Policy, now: float, seconds: float) -> None:
        """The process did not run for so long: what a probe asked until then, and had half its time for."""
        self._spoil(policy, now, now, shorter_than=2 * seconds)

    def _spoil(self, policy: Policy, now: float, until: float, *, shorter_than: float = float("inf")) -> None:
        for timeout in {probe.timeout for probe in policy.probes if probe.timeout < shorter_than}:
            self.spoilt_until[timeout] = until
        for verdict in self.verdicts.values():
            if verdict.timeout < shorter_than:
                verdict.forget_downs(now)

    def take_enis(self, answer: Mapping[str, Any], enis: Sequence[str], now: float, asked_at: float) -> None:
        """A describe of the ENIs was answered; `enis` are the group's, its lock first."""
        self.enis_heard_at = now
        self.enis_asked_at = max(self.enis_asked_at, asked_at)
        found = {eni["NetworkInterfaceId"]: eni for eni in answer["NetworkInterfaces"]}
        self._take_presence(found, enis, now)
        lock = found.get(enis[0])
        if lock is not None:
            self._take_lock(lock, now)
        if lock is not None and len(found) == len(enis):
            attachment = lock.get("Attachment") or {"Status": "detaching"}
            if attachment["Status"] != "detaching":
                self.lock_last_on = attachment.get("InstanceId", "")
        for eni in answer["NetworkInterfaces"]:
            if "Attachment" in eni:
                self.attachments.add(eni["Attachment"]["AttachmentId"])

    def take_foreign(self, answer: Mapping[str, Any], members: Collection[str], now: float) -> None:
        """Which ENIs that answer shows on an instance that is no member."""
        holders = {
            eni["NetworkInterfaceId"]: (eni.get("Attachment") or {}).get("InstanceId")
            for eni in answer["NetworkInterfaces"]
        }
        foreign = {eni for eni, holder in holders.items() if holder is not None and holder not in members}
        self.foreign_since = {eni: self.foreign_since.get(eni, now) for eni in foreign}

    def _take_lock(self, eni: Mapping[str, Any], now: float) -> None:
        attachment = eni.get("Attachment") or {"Status": "detaching"}
        if attachment["Status"] == "detaching":
            self.holder_record = None
            self.lock_free_since = now if self.lock_free_since is None else self.lock_free_since
        elif self.holder_record is None or self.holder_record.attachment_id != attachment["AttachmentId"]:
            known = not self.has_looked and attachment["AttachmentId"] == self.last_up
            since = None if known else now if self.has_looked else self.began_at
            self.holder_record = HolderRecord(attachment_id=attachment["AttachmentId"], since=since)
            self.lock_free_since = None
        self.has_looked = True

    def take_instances(self, answer: Mapping[str, Any], members: Mapping[str, str], now: float) -> None:
        """A describe of the instances was answered; `members` are all instance ids, by name."""
        found = {one["InstanceId"]: one for each in answer["Reservations"] for one in each["Instances"]}
        self.instance_states = {name: one["State"]["Name"] for name, one in found.items()}
        self._take_presence(found, members.values(), now)

    def _take_presence(self, found: Container[str], ids: Iterable[str], now: float) -> None:
        """Two answers some time apart that do not have an item are believed; one is not."""
        for one in ids:
            if one in found:
                self.absent_since.pop(one, None)
                self.surely_absent.discard(one)
            elif now - self.absent_since.setdefault(one, now) >= ABSENCE_CONFIRMED_AFTER - 0.5:
                self.surely_absent.add(one)

    def heard_it_ended(self, instance_id: str) -> bool:
        """Whether EC2's last word was that this instance does not run."""
        return self.instance_states.get(instance_id) in ENDED or instance_id in self.surely_absent


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """A detach or attach as it was sent: by whom, in which takeover, and what was true at that moment.

    `holder` is whose attachment it names, empty for an attach; `turn` is this member's place among all but
    the holder. `matched_at` is when its cause was first found to hold; `recorded` is the attachment of this
    ENI that the takeover had on its mind when it began; `stalled_for` is the longest stall of that process of
    late. `on_disk` is whether the journal has the takeover, or cannot be written; `rested_for` is the time
    since this member's last takeover of its own accord; `begun_under` is the file that the takeover began
    under, and `old` by how much what was decided on may be older than the call. `fenced` is whether the
    holder was asked to stop; `pause_until` until when the pause that this member knows lasts, as it was
    said, and `unheard` whose pause it must have heard of by now, and has not.
    """

    flight: Flight
    by: str
    at: float
    eni_id: str
    attachment_id: str
    is_first: bool
    holder: str
    holder_instance: str
    status: str
    up_for: float
    free_for: float
    attaching_for: float
    fenced: bool
    force: bool
    intent: Takeover | None
    policy: Policy
    life: Life
    paused: bool
    pause_until: float
    unheard: str
    first_is_here: bool
    recorded: str | None
    matched_at: float
    stalled_for: float
    turn: int
    on_disk: bool
    rested_for: float
    begun_under: Policy
    old: float

    @property
    def trigger(self) -> Trigger | None:
        """What started the takeover that this call belongs to."""
        return None if self.intent is None else self.intent.trigger

    @property
    def committed(self) -> bool:
        """Whether the point of no return is certainly passed."""
        return self.intent is not None and self.intent.committed

    @property
    def from_another(self) -> bool:
        """Whether it takes from another member."""
        return self.holder not in {"", self.by}

    def __str__(self) -> str:
        how = f"{self.trigger}{' committed' if self.committed else ''}{' force' if self.force else ''}"
        return (
            f"{self.by} took {self.eni_id} from {self.holder or 'nobody'} ({self.status}) by {how}, "
            f"sent at {self.at:.3f}, up for {self.up_for:.1f} s"
        )


class Attachments:
    """Since when EC2 has had each ENI as it is; the world's seconds."""

    def __init__(self) -> None:
        self._free_since: dict[str, float] = {}
        self._attaching: dict[str, tuple[str, float]] = {}
        self._attached: dict[str, tuple[str, float]] = {}
        self._ended_at: dict[str, float] = {}

    def changed(self, eni_id: str, attachment: Attachment | None, now: float) -> None:
        """EC2 has another attachment of this ENI, or another status of it."""
        before = self._attached.get(eni_id)
        is_attached = attachment is not None and attachment.status is AttachmentStatus.ATTACHED
        if before is not None and not (is_attached and attachment and attachment.id == before[0]):
            self._ended_at[before[0]] = now
            del self._attached[eni_id]
        if is_attached and attachment is not None:
            self._attached.setdefault(eni_id, (attachment.id, now))
        if attachment is not None and attachment.status is AttachmentStatus.ATTACHING:
            self._attaching.setdefault(eni_id, (attachment.id, now))
        else:
            self._attaching.pop(eni_id, None)
        if attachment is None or attachment.status is AttachmentStatus.DETACHING:
            self._free_since.setdefault(eni_id, now)
        else:
            self._free_since.pop(eni_id, None)

    def free_for(self, eni_id: str, now: float) -> float:
        """For how long it has been on nobody, or detaching."""
        return now - self._free_since.get(eni_id, now)

    def attaching_for(self, eni_id: str, now: float) -> float:
        """For how long it has been attaching; 0 when it is not."""
        return now - self._attaching.get(eni_id, ("", now))[1]

    def attached_for(self, eni_id: str, now: float) -> float:
        """For how long it has been attached where it is; for ever when that is older than the story."""
        return now - self._attached.get(eni_id, ("", float("-inf")))[1]

    def ended_for(self, attachment_id: str, now: float) -> float:
        """For how long this attachment has not been attached any more; not above 0 while it is."""
        return now - self._ended_at.get(attachment_id, now)


@dataclass(slots=True, kw_only=True)
class Counted:
    """A takeover by probes or failback that counts towards its member's limit."""

    takeover_id: str
    ended_at: float | None = None


def records_of(state: State) -> list[PauseRecord]:
    """The pauses and resumes that a member remembers: the group's, and its own."""
    return [one for one in (state.durable.pause, state.durable.local_pause) if one is not None]


def is_paused(state: State, now: float) -> bool:
    """Whether a pause that this member knows is in force, by its own clock."""
    return any(
        one.kind == "pause" and (one.ends_at is None or one.ends_at > now) for one in records_of(state)
    )
