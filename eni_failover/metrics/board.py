"""The gauges that a snapshot sets, all of them at every pass: what is gone from it is gone here."""

from __future__ import annotations

import math
from collections.abc import Iterable

from eni_failover.core.model import PauseKind
from eni_failover.core.snapshot import Snapshot
from eni_failover.core.vocabulary import FOREIGN, NOBODY, UNKNOWN, Answer, CheckResult, Role, Trigger
from eni_failover.metrics.families import Gauges
from eni_failover.metrics.series import Labels, Series, one_of, show, show_time
from eni_failover.metrics.vocabulary import OWN_FILES


class Board:
    """The view of the last pass."""

    def __init__(self, gauges: Gauges, group: str) -> None:
        self._member_info = Series(gauges.member_info, group)
        self._holder = Series(gauges.holder, group, [(NOBODY,), (FOREIGN,), (UNKNOWN,)])
        self._next_holder = Series(gauges.next_holder, group)
        self._outage = gauges.outage.labels(group)
        self._eni_holder = Series(gauges.eni_holder, group)
        self._role = Series(gauges.role, group, [(role,) for role in Role])
        self._probe_state = Series(gauges.probe_state, group)
        self._ready = gauges.ready.labels(group)
        self._ready_check = Series(gauges.ready_check, group)
        self._paused = gauges.paused.labels(group)
        self._pause_expiry = Series(gauges.pause_expiry, group)
        self._triggers: tuple[Trigger, ...] = ()
        self._in_progress = Series(gauges.takeover_in_progress, group)
        self._ended_by_trigger: dict[Labels, float] = {}
        self._last_by_trigger = Series(gauges.last_by_trigger, group)
        self._last_takeover = Series(gauges.last_takeover, group)
        self._last_duration = Series(gauges.last_duration, group)
        self._unowned_since = Series(gauges.unowned_since, group)
        self._writable = Series(gauges.writable, group, [(name,) for name in OWN_FILES])
        for name in OWN_FILES:
            self._writable.of(name).set(1)  # nothing has failed yet

    def configured(self, triggers: Iterable[Trigger]) -> None:
        """What can start a takeover here from now on."""
        self._triggers = tuple(triggers)
        self._in_progress.foresee((trigger,) for trigger in self._triggers)

    def publish(self, snapshot: Snapshot) -> None:
        """Set every gauge from this snapshot."""
        show(self._member_info, {(snapshot.member, snapshot.instance_id, snapshot.config_hash): 1.0})
        self._publish_holders(snapshot)
        self._outage.set(snapshot.outage is not None)
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
        group = (snapshot.member, *(peer.member for peer in snapshot.peers))
        following = snapshot.next_holder.member
        show(self._next_holder, {(member,): float(member == following) for member in group})
        members = (*group, NOBODY, FOREIGN, UNKNOWN)
        show(self._holder, one_of(members, snapshot.holder))
        holders: dict[Labels, float] = {
            (eni.eni_id, *labels): value
            for eni in snapshot.enis
            for labels, value in one_of(members, eni.member).items()
        }
        show(self._eni_holder, holders)
        since = ((eni.eni_id, eni.unowned_since_wall) for eni in snapshot.enis)
        show(self._unowned_since, {(eni_id,): at for eni_id, at in since if at is not None})

    def _publish_pause(self, snapshot: Snapshot) -> None:
        self._paused.set(snapshot.paused)
        ends = [
            math.inf if record.until is None else record.until
            for record in (snapshot.pause, snapshot.local_pause)
            if record is not None and record.kind is PauseKind.PAUSE
        ]
        latest = max(ends, default=math.inf)
        show_time(self._pause_expiry, latest if snapshot.paused and math.isfinite(latest) else None)

    def _publish_takeovers(self, snapshot: Snapshot) -> None:
        under_way = None if snapshot.takeover is None else snapshot.takeover.trigger
        triggers = dict.fromkeys(self._triggers if under_way is None else (*self._triggers, under_way))
        show(self._in_progress, {(trigger,): float(trigger is under_way) for trigger in triggers})
        last = snapshot.last_takeover
        show_time(self._last_takeover, None if last is None else last.ended_wall)
        # The snapshot has the last few: what was seen of an older trigger stays.
        self._ended_by_trigger |= {(ended.trigger,): ended.ended_wall for ended in snapshot.takeovers}
        show(self._last_by_trigger, self._ended_by_trigger)
        spent: dict[Labels, float] = {}
        for phase, seconds in () if last is None else last.phases:
            spent[(phase,)] = spent.get((phase,), 0.0) + seconds
        show(self._last_duration, spent)
