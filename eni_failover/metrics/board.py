"""The gauges that a snapshot sets, all of them at every pass: what is gone from it is gone here."""

from __future__ import annotations

import math

from eni_failover.core.model import PauseKind
from eni_failover.core.snapshot import FOREIGN, NOBODY, UNKNOWN, Snapshot
from eni_failover.core.words import Answer, CheckResult, Phase, Role, Trigger
from eni_failover.metrics.families import Gauges
from eni_failover.metrics.series import Labels, Series, one_of, show
from eni_failover.metrics.vocabulary import OWN_FILES


class Board:
    """The view of the last pass."""

    def __init__(self, gauges: Gauges, group: str) -> None:
        self._member_info = Series(gauges.member_info, group)
        self._holder = Series(gauges.holder, group, [(NOBODY,), (FOREIGN,), (UNKNOWN,)])
        self._eni_holder = Series(gauges.eni_holder, group)
        self._role = Series(gauges.role, group, [(role,) for role in Role])
        self._probe_state = Series(gauges.probe_state, group)
        self._ready = gauges.ready.labels(group)
        self._ready_check = Series(gauges.ready_check, group)
        self._paused = gauges.paused.labels(group)
        self._pause_expiry = gauges.pause_expiry.labels(group)
        self._in_progress = Series(gauges.takeover_in_progress, group, [(trigger,) for trigger in Trigger])
        self._last_takeover = gauges.last_takeover.labels(group)
        self._last_duration = Series(gauges.last_duration, group, [(phase,) for phase in Phase])
        self._unowned_since = Series(gauges.unowned_since, group)
        self._writable = Series(gauges.writable, group, [(name,) for name in OWN_FILES])
        for name in OWN_FILES:
            self._writable.of(name).set(1)  # nothing has failed yet

    def publish(self, snapshot: Snapshot) -> None:
        """Set every gauge from this snapshot."""
        show(self._member_info, {(snapshot.member, snapshot.instance_id, snapshot.config_hash): 1.0})
        self._publish_holders(snapshot)
        show(self._role, one_of(Role, snapshot.role))
        states: dict[Labels, float] = {
            (probe.name, probe.scope, probe.member, answer): float(answer is probe.state)
            for probe in snapshot.probes
            for answer in Answer
        }
        show(self._probe_state, states)
        self._ready.set(snapshot.ready)
        show(
            self._ready_check,
            {(check.name,): float(check.result is not CheckResult.FAIL) for check in snapshot.checks},
        )
        for check in snapshot.checks:
            if check.name in OWN_FILES:
                self._writable.of(check.name).set(check.result is CheckResult.PASS)
        self._publish_pause(snapshot)
        self._publish_takeovers(snapshot)

    def _publish_holders(self, snapshot: Snapshot) -> None:
        members = (snapshot.member, *(peer.member for peer in snapshot.peers), NOBODY, FOREIGN, UNKNOWN)
        show(self._holder, one_of(members, snapshot.holder))
        holders: dict[Labels, float] = {
            (eni.eni_id, *labels): value
            for eni in snapshot.enis
            for labels, value in one_of(members, eni.member).items()
        }
        show(self._eni_holder, holders)
        show(self._unowned_since, {(eni.eni_id,): eni.unowned_since_wall or 0.0 for eni in snapshot.enis})

    def _publish_pause(self, snapshot: Snapshot) -> None:
        self._paused.set(snapshot.paused)
        ends = [
            math.inf if record.until is None else record.until
            for record in (snapshot.pause, snapshot.local_pause)
            if record is not None and record.kind is PauseKind.PAUSE
        ]
        latest = max(ends, default=math.inf)
        self._pause_expiry.set(latest if snapshot.paused and math.isfinite(latest) else 0.0)

    def _publish_takeovers(self, snapshot: Snapshot) -> None:
        under_way = None if snapshot.takeover is None else snapshot.takeover.trigger
        for trigger in Trigger:
            self._in_progress.of(trigger).set(trigger is under_way)
        last = snapshot.last_takeover
        self._last_takeover.set(0.0 if last is None else last.ended_wall)
        spent = dict.fromkeys(Phase, 0.0)
        for phase, seconds in () if last is None else last.phases:
            spent[phase] += seconds
        for phase, total in spent.items():
            self._last_duration.of(phase).set(total)
