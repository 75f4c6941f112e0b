"""An abstract EC2 in virtual time: the rules that the core relies on, and nothing of the wire.

It keeps: one attachment for each ENI, timed attaching and detaching, atomic refusal, detach by attachment
id only, an instance that stops with its ENI and one that terminates without it. It can be told to hang
a detach, to hang an attach, to refuse an instance its attaches, and to answer describes from the past.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from eni_failover.core.model import (
    Attachment,
    AttachmentStatus,
    Eni,
    EniSurvey,
    Instance,
    InstanceState,
    InstanceSurvey,
    Verdict,
)
from eni_failover.core.policy import AttachmentId, EniId, InstanceId
from tests.core.builders import ZONE

Shown = tuple[tuple[EniId, Attachment | None], ...]


@dataclass(slots=True, kw_only=True)
class Durations:
    """How long EC2 takes, seconds."""

    detach: float = 3.0
    attach: float = 2.0
    force: float = 0.5
    stop: float = 8.0
    start: float = 4.0


@dataclass(slots=True)
class AbstractEc2:
    """The one truth that all members look at."""

    at: Callable[[float, Callable[[], None]], None]
    clock: Callable[[], float]
    durations: Durations = field(default_factory=Durations)
    enis: dict[EniId, Attachment | None] = field(default_factory=dict)
    instances: dict[InstanceId, InstanceState] = field(default_factory=dict)
    stuck: set[EniId] = field(default_factory=set)
    hung: set[InstanceId] = field(default_factory=set)
    busy: set[AttachmentId] = field(default_factory=set)
    refusing: dict[InstanceId, Verdict] = field(default_factory=dict)
    on_change: Callable[[], None] = lambda: None
    changed_at: dict[EniId, float] = field(default_factory=dict)
    attached_at: dict[AttachmentId, float] = field(default_factory=dict)
    running_since: dict[InstanceId, float] = field(default_factory=dict)
    ids: int = 0
    past: deque[tuple[float, Shown]] = field(default_factory=lambda: deque(maxlen=200))

    # Changing --------------------------------------------------------------------------------------

    def detach(self, attachment_id: AttachmentId, *, force: bool = False) -> Verdict:
        """Detaches exactly this attachment; without force it hangs where EC2 hangs."""
        eni_id = self.find(attachment_id)
        if eni_id is None:
            return Verdict.GONE
        attachment = self.enis[eni_id]
        if attachment_id in self.busy and not force:
            return Verdict.BAD_STATE
        if attachment.status is AttachmentStatus.DETACHING and not force:
            return Verdict.ACCEPTED
        self._set(eni_id, replace(attachment, status=AttachmentStatus.DETACHING))
        if force or eni_id not in self.stuck:
            after = self.durations.force if force else self.durations.detach
            self.at(after, lambda: self._gone(eni_id, attachment_id))
        return Verdict.ACCEPTED

    def attach(
        self, eni_id: EniId, instance_id: InstanceId, index: int
    ) -> tuple[Verdict, AttachmentId | None]:
        """Attaches what is available; everything else is refused without an effect."""
        if instance_id in self.refusing:
            return self.refusing[instance_id], None
        if self.enis[eni_id] is not None:
            return Verdict.IN_USE, None
        if self.instances[instance_id] is not InstanceState.RUNNING:
            return Verdict.BAD_STATE, None
        if index in self.indexes(instance_id):
            return Verdict.INDEX_TAKEN, None
        self.ids += 1
        attachment_id = AttachmentId(f"att-{self.ids}")
        attachment = Attachment(
            attachment_id=attachment_id,
            instance_id=instance_id,
            status=AttachmentStatus.ATTACHING,
            device_index=index,
        )
        self._set(eni_id, attachment)
        if instance_id not in self.hung:
            self.at(self.durations.attach, lambda: self._attached(eni_id, attachment_id))
        return Verdict.ACCEPTED, attachment_id

    def stop(self, instance_id: InstanceId) -> Verdict:
        """Stops an instance; what is attached to it stays."""
        if self.instances[instance_id] in {InstanceState.RUNNING, InstanceState.PENDING}:
            self.instances[instance_id] = InstanceState.STOPPING
            self.at(self.durations.stop, lambda: self._become(instance_id, InstanceState.STOPPED))
        return Verdict.ACCEPTED

    def start(self, instance_id: InstanceId) -> None:
        """Starts a stopped instance."""
        self.instances[instance_id] = InstanceState.PENDING
        self.at(self.durations.start, lambda: self._become(instance_id, InstanceState.RUNNING))

    def terminate(self, instance_id: InstanceId) -> None:
        """Ends an instance; its ENIs become available."""
        self.instances[instance_id] = InstanceState.SHUTTING_DOWN
        self.at(self.durations.stop, lambda: self._end(instance_id))

    def put(self, eni_id: EniId, instance_id: InstanceId | None, index: int = 1) -> None:
        """Places an ENI, as if it had been there for ever."""
        if instance_id is None:
            self._set(eni_id, None)
            return
        self.ids += 1
        attachment = Attachment(
            attachment_id=AttachmentId(f"att-{self.ids}"),
            instance_id=instance_id,
            status=AttachmentStatus.ATTACHED,
            device_index=index,
        )
        self.attached_at[attachment.attachment_id] = self.clock()
        self._set(eni_id, attachment)

    # Asking ----------------------------------------------------------------------------------------

    def describe_enis(self, began_at: float, *, lag: float = 0.0) -> EniSurvey:
        """What EC2 shows; `lag` seconds old when reads lag."""
        shown = dict(self._shown(self.clock() - lag))
        return EniSurvey(
            began_at=began_at,
            answered=True,
            enis=tuple(Eni(eni_id=one, attachment=shown[one], zone=ZONE) for one in self.enis),
        )

    def describe_instances(self, began_at: float) -> InstanceSurvey:
        """The members' instances; terminated ones are still shown."""
        found = tuple(
            Instance(
                instance_id=one,
                state=state,
                zone=ZONE,
                eni_indexes=((EniId("eni-primary"), 0), *self.eni_indexes(one)),
            )
            for one, state in self.instances.items()
        )
        return InstanceSurvey(began_at=began_at, answered=True, instances=found)

    def find(self, attachment_id: AttachmentId) -> EniId | None:
        """The ENI with this attachment."""
        found = (eni_id for eni_id, one in self.enis.items() if one and one.attachment_id == attachment_id)
        return next(found, None)

    def eni_indexes(self, instance_id: InstanceId) -> list[tuple[EniId, int]]:
        """The ENIs of the group on this instance, with their device indexes."""
        return [
            (eni_id, found.device_index)
            for eni_id, found in self.enis.items()
            if found and found.instance_id == instance_id
        ]

    def indexes(self, instance_id: InstanceId) -> set[int]:
        """The device indexes in use, that of the primary ENI left out."""
        return {index for _, index in self.eni_indexes(instance_id)}

    def attached_to(self, instance_id: InstanceId) -> set[EniId]:
        """The ENIs that this instance's kernel has."""
        return {
            eni_id
            for eni_id, one in self.enis.items()
            if one and one.instance_id == instance_id and one.status is not AttachmentStatus.ATTACHING
        }

    # Inside ----------------------------------------------------------------------------------------

    def _set(self, eni_id: EniId, attachment: Attachment | None) -> None:
        self.enis[eni_id] = attachment
        self.changed_at[eni_id] = self.clock()
        self.past.append((self.clock(), tuple(self.enis.items())))
        self.on_change()

    def _shown(self, moment: float) -> Shown:
        seen = [shown for changed_at, shown in self.past if changed_at <= moment]
        return seen[-1] if seen else tuple(self.enis.items())

    def _gone(self, eni_id: EniId, attachment_id: AttachmentId) -> None:
        if self.find(attachment_id) == eni_id:
            self._set(eni_id, None)

    def _attached(self, eni_id: EniId, attachment_id: AttachmentId) -> None:
        attachment = self.enis[eni_id]
        if self.find(attachment_id) == eni_id and attachment.status is AttachmentStatus.ATTACHING:
            self.attached_at[attachment_id] = self.clock()
            self._set(eni_id, replace(attachment, status=AttachmentStatus.ATTACHED))

    def _become(self, instance_id: InstanceId, state: InstanceState) -> None:
        before = {InstanceState.STOPPED: InstanceState.STOPPING, InstanceState.RUNNING: InstanceState.PENDING}
        if self.instances[instance_id] is before[state]:
            self.instances[instance_id] = state
            self.running_since[instance_id] = self.clock()
            self.on_change()

    def _end(self, instance_id: InstanceId) -> None:
        self.instances[instance_id] = InstanceState.TERMINATED
        for eni_id, one in list(self.enis.items()):
            if one and one.instance_id == instance_id:
                self._set(eni_id, None)
