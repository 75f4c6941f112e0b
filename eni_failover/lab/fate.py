"""Verbs about how instances and moves fare: durations, states, stuck moves, status checks.

Owns: what becomes of what is there, by an operator's call or against EC2's rules. Must not know: faults of
calls, sockets. Does not guarantee: that a guest notices; there is none.
"""

from dataclasses import replace
from math import inf

from eni_failover.lab import lifecycle
from eni_failover.lab.lifecycle import durations_of
from eni_failover.lab.scene import Scene
from eni_failover.lab.values import AttachmentStatus, CheckStatus, Eni, Instance, InstanceState


class Fate(Scene):
    """A scene in which things happen."""

    def stick_detach(self, eni: str) -> None:
        """From now on plain detaches of the ENI do not end, one that is under way included."""
        with self._lock:
            self._stick(self.eni(eni), detach=True)

    def unstick_detach(self, eni: str, *, after: float = 0.0) -> None:
        """Detaches end again; one that is stuck ends `after` seconds."""
        with self._lock:
            target = replace(self.eni(eni), detach_stuck=False)
            if target.attachment and target.attachment.status is AttachmentStatus.DETACHING:
                ends_at = min(target.attachment.ends_at, self._clock() + after)
                target = replace(target, attachment=replace(target.attachment, ends_at=ends_at))
            self._put(self.state.with_eni(target))

    def stick_attach(self, eni: str) -> None:
        """From now on attaches of the ENI stay `attaching`, one that is under way included."""
        with self._lock:
            self._stick(self.eni(eni), attach=True)

    def unstick_attach(self, eni: str, *, after: float = 0.0) -> None:
        """Attaches end again; one that is stuck ends `after` seconds."""
        with self._lock:
            target = replace(self.eni(eni), attach_stuck=False)
            if target.attachment and target.attachment.status is AttachmentStatus.ATTACHING:
                attached_at = min(target.attachment.attached_at, self._clock() + after)
                target = replace(target, attachment=replace(target.attachment, attached_at=attached_at))
            self._put(self.state.with_eni(target))

    def _stick(self, eni: Eni, *, attach: bool = False, detach: bool = False) -> None:
        attachment = eni.attachment
        if attachment and attach and attachment.status is AttachmentStatus.ATTACHING:
            attachment = replace(attachment, attached_at=inf)
        if (
            attachment
            and detach
            and attachment.status is AttachmentStatus.DETACHING
            and not attachment.forced
        ):
            attachment = replace(attachment, ends_at=inf)
        stuck = replace(
            eni,
            attachment=attachment,
            attach_stuck=eni.attach_stuck or attach,
            detach_stuck=eni.detach_stuck or detach,
        )
        self._put(self.state.with_eni(stuck))

    def set_durations(self, target: str | None = None, **seconds: float | None) -> None:
        """Set fields of `Durations` for one ENI or instance, or (None) for the world; what runs, runs on."""
        with self._lock:
            if target is None:
                self.configure(durations=self._settings.durations.changed(**seconds))
                return
            owner = self._owner(target)
            own = durations_of(owner, self._settings).changed(**seconds)
            if isinstance(owner, Eni):
                self._put(self.state.with_eni(replace(owner, durations=own)))
            else:
                self._put(self.state.with_instance(replace(owner, durations=own)))

    def _owner(self, ref: str) -> Eni | Instance:
        try:
            return self.eni(ref)
        except KeyError:
            return self.instance(ref)

    def set_state(self, instance: str, state: str) -> None:
        """Put an instance into a state, at once and for as long as nobody changes it."""
        with self._lock:
            target = replace(self.instance(instance), state=InstanceState(state), state_until=inf)
            self._put(self.state.with_instance(target))

    def impair(self, instance: str, *, system: str | None = None, guest: str | None = None) -> None:
        """Set the system or the instance status check: ok, impaired, insufficient-data, initializing."""
        with self._lock:
            target = self.instance(instance)
            self._put(
                self.state.with_instance(
                    replace(
                        target,
                        system_check=CheckStatus(system) if system else target.system_check,
                        instance_check=CheckStatus(guest) if guest else target.instance_check,
                        impaired_since=self._wall(),
                    )
                )
            )

    def stop_instance(self, instance: str, *, force: bool = False) -> None:
        """Stop it as an operator would. Raises Ec2Error by EC2's rules."""
        with self._lock:
            self._put(lifecycle.stop(self.state, self.instance(instance), self._moment(), force=force))

    def start_instance(self, instance: str) -> None:
        """Start it as an operator would. Raises Ec2Error by EC2's rules."""
        with self._lock:
            self._put(lifecycle.start(self.state, self.instance(instance), self._moment()))

    def terminate_instance(self, instance: str) -> None:
        """Terminate it as an operator would."""
        with self._lock:
            self._put(lifecycle.terminate(self.state, self.instance(instance), self._moment()))

    def reboot_instance(self, instance: str) -> None:
        """Reboot it as an operator would. Raises Ec2Error by EC2's rules."""
        with self._lock:
            self._put(lifecycle.reboot(self.state, self.instance(instance), self._moment()))
