"""What a pass found, told to everything outside the loop.

Owns the order: the probes learn their target and verdicts, metrics, log and systemd follow, and a change
of role goes to the role file and the hooks. Nothing here can stop a pass.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from eni_failover.core.decision import Decision
from eni_failover.core.model import History
from eni_failover.core.policy import Policy
from eni_failover.core.snapshot import Snapshot
from eni_failover.core.state import State
from eni_failover.core.vocabulary import Action, Role, Trigger
from eni_failover.hooks import HookRunner
from eni_failover.metrics import Metrics
from eni_failover.narration import Narration
from eni_failover.prober import Prober
from eni_failover.rolefile import RoleFile
from eni_failover.sdnotify import Notifier


class Broadcast:
    """The reconciler's listener. `role_problem` is why the role file cannot be written, or empty."""

    def __init__(
        self,
        *,
        policy: Policy,
        prober: Prober,
        metrics: Metrics,
        hooks: HookRunner,
        role_file: RoleFile,
        notifier: Notifier,
        credentials_expiry: Callable[[], float | None],
    ) -> None:
        self.policy = policy
        self.hooks = hooks
        self.role_file = role_file
        self._prober = prober
        self._metrics = metrics
        self._notifier = notifier
        self._credentials_expiry = credentials_expiry
        self._role: Role | None = None
        self._written: tuple[RoleFile, Role] | None = None
        self.role_problem = ""
        self._last_trigger: Trigger | None = None
        self._narration = Narration()
        self._status = ""
        self._log = structlog.get_logger()

    def published(self, view: Snapshot, state: State) -> None:
        """A pass has decided: show it."""
        self._aim_probes(state)
        self._metrics.publish(view)
        self._narration.published(view, state)
        if state.role_known:
            self._show_role(view, state.role)
        status = f"{view.role}: {view.holder} holds {view.group}; {view.decision.reason}"
        if status != self._status:
            self._status = status
            self._notifier.status(status)

    def pass_ended(self, seconds: float, wall: float, *, good: bool) -> None:
        """A pass has ended, whatever its result: the daemon is alive."""
        self._metrics.reconcile("success" if good else "error", seconds, wall)
        self._metrics.credentials_expiry(self._credentials_expiry())
        self._notifier.watchdog()

    def decided(self, decision: Decision, state: State) -> None:
        """A decision changed."""
        self._metrics.decision(decision.action, decision.reason)
        if decision.would is not None:
            self._metrics.would_take_over(decision.would)
            self._log.warning("takeover.suppressed", trigger=str(decision.would), reason=str(decision.reason))
        takeover = state.durable.takeover
        if decision.action is Action.TAKE_OVER and takeover is not None:
            self._narration.started(takeover)

    def took_over(self, ended: History) -> None:
        """A takeover has ended."""
        self._last_trigger = ended.trigger
        self._metrics.takeover_ended(ended)

    def _aim_probes(self, state: State) -> None:
        record = state.holder_record
        self._prober.target(None if record is None else self.policy.member_of(record.instance_id))
        self._prober.settle({health.probe.name: health.verdict for health in state.health})
        self._prober.hurry(state.asked)

    def _show_role(self, view: Snapshot, role: Role) -> None:
        changed, was = role is not self._role, self._role or "none"
        self._role = role
        if changed:
            self._log.info("role.changed", to=str(role), was=str(was), reason=str(view.decision.reason))
        self._write_role(role)
        if changed:
            self._enqueue_hooks(view, role)

    def _write_role(self, role: Role) -> None:
        """Until the file has it: a full disk gets room again, and a reload may name another file."""
        if self._written == (self.role_file, role):
            return
        problem = self.role_file.write(role)
        if not problem:
            self._remove_old()
            self._written = (self.role_file, role)
        if problem and problem != self.role_problem:
            self._log.error("role_file.failed", error=problem)
        elif self.role_problem and not problem:
            self._log.info("role_file.recovered")
        self.role_problem = problem

    def _remove_old(self) -> None:
        """A reload has named another file: nobody keeps the old one true. One try is enough."""
        if self._written is None or self._written[0] is self.role_file:
            return
        problem = self._written[0].give_way(self.role_file)
        if problem:
            self._log.warning("role_file.not_removed", error=problem)

    def _enqueue_hooks(self, view: Snapshot, role: Role) -> None:
        trigger = view.takeover.trigger if view.takeover else self._last_trigger
        self.hooks.enqueue(
            role=role,
            reason=view.decision.reason,
            trigger=trigger,
            eni_ids=tuple(eni.eni_id for eni in view.enis),
            addresses=view.addresses,
        )
