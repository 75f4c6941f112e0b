"""The metrics, by the events that move them."""

from __future__ import annotations

from itertools import product

from prometheus_client import (
    CollectorRegistry,
    Counter,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from eni_failover.core.model import Attempt, History
from eni_failover.core.policy import Policy
from eni_failover.core.snapshot import Snapshot
from eni_failover.core.vocabulary import Action, Answer, Reason, Result, Scope, Trigger
from eni_failover.metrics import vocabulary
from eni_failover.metrics.board import Board
from eni_failover.metrics.families import Counters, Gauges, Histograms
from eni_failover.metrics.series import Series, show, show_time

# More series than EC2 has codes: whatever answers then is not EC2.
_MAX_REQUEST_SERIES = 500
_OTHER = "other"


class Metrics:
    """All metrics of one daemon, on a registry of its own. Times are seconds, `*_wall` since the epoch."""

    def __init__(self, *, registry: CollectorRegistry, group: str, version: str) -> None:
        # Each counter would bring a second series with its time of birth, which nothing here asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        gauges = Gauges(registry)
        gauges.build_info.labels(group, version).set(1)
        self._board = Board(gauges, group)
        self._probe_timeout = Series(gauges.probe_timeout, group)
        self._last_success = Series(gauges.last_success, group)
        self._credentials_expiry = Series(gauges.credentials_expiry, group)
        self._reload_successful = gauges.reload_successful.labels(group)
        self._reload_success = Series(gauges.reload_success, group)
        self._count(Counters(registry), group)
        self._time(Histograms(registry), group)
        self._scopes: dict[str, Scope] = {}

    def _count(self, counters: Counters, group: str) -> None:
        self._decisions = Series(counters.decisions, group)
        self._probe_attempts: Series[Counter] = Series(counters.probe_attempts, group)
        self._takeovers = Series(counters.takeovers, group)
        self._would = Series(counters.would_take_over, group)
        self._requests = Series(counters.ec2_requests, group)
        self._passes = Series(counters.reconcile, group, [(word,) for word in vocabulary.PASS_RESULTS])
        self._stalls = counters.loop_stalls.labels(group)
        hooks = product(vocabulary.HOOKS, vocabulary.HOOK_RESULTS)
        self._hook_runs = Series(counters.hook_runs, group, hooks)
        self._repairs = Series(counters.link_repairs, group, [(word,) for word in vocabulary.LINK_REPAIRS])
        self._links_lost = counters.link_lost.labels(group)

    def _time(self, histograms: Histograms, group: str) -> None:
        self._probe_seconds = Series(histograms.probe, group)
        self._takeover_seconds = Series(histograms.takeover, group)
        self._phase_seconds = Series(histograms.takeover_phase, group)
        self._request_seconds = Series(histograms.ec2_request, group)
        self._pass_seconds = histograms.reconcile.labels(group)
        self._lag_seconds = histograms.loop_lag.labels(group)

    def page(self) -> bytes:
        """Every series in Prometheus's text format 0.0.4."""
        return generate_latest(self._registry)

    def configured(self, policy: Policy) -> None:
        """A configuration is in force. What a probe has counted stays as long as the probe does.

        What else was counted stays, also of what can happen no more.
        """
        self._scopes = {probe.name: probe.scope for probe in policy.probes}
        show(self._probe_timeout, {(probe.name,): probe.timeout for probe in policy.probes})
        self._probe_attempts.only(
            (name, scope, answer) for name, scope in self._scopes.items() for answer in Answer
        )
        self._probe_seconds.only((name,) for name in self._scopes)
        triggers = vocabulary.triggers(policy)
        self._board.configured(triggers)
        self._decisions.foresee(vocabulary.decisions(policy))
        self._takeovers.foresee(product(triggers, Result))
        self._takeover_seconds.foresee((trigger,) for trigger in triggers)
        self._would.foresee((trigger,) for trigger in vocabulary.would_triggers(policy))
        self._phase_seconds.foresee((phase,) for phase in vocabulary.phases(policy))
        self._requests.foresee(vocabulary.ec2_requests(policy))
        self._request_seconds.foresee((operation,) for operation in vocabulary.ec2_operations(policy))

    def config_reload(self, at_wall: float, *, ok: bool) -> None:
        """The file was read, at the start too; `ok` when it was taken."""
        self._reload_successful.set(ok)
        if ok:
            show_time(self._reload_success, at_wall)

    def publish(self, snapshot: Snapshot) -> None:
        """A pass has decided: everything that is shown of it."""
        self._board.publish(snapshot)

    def reconcile(self, result: str, seconds: float, at_wall: float) -> None:
        """A pass has ended: success or error."""
        self._passes.of(result).inc()
        self._pass_seconds.observe(seconds)
        if result == "success":
            show_time(self._last_success, at_wall)

    def decision(self, action: Action, reason: Reason) -> None:
        """The decision changed to this one."""
        self._decisions.of(action, reason).inc()

    def would_take_over(self, trigger: Trigger) -> None:
        """Observe mode reported a takeover."""
        self._would.of(trigger).inc()

    def takeover_ended(self, ended: History) -> None:
        """A takeover has ended. Only a success says how long one takes, detection included."""
        self._takeovers.of(ended.trigger, ended.result).inc()
        if ended.result is not Result.SUCCESS:
            return
        self._takeover_seconds.of(ended.trigger).observe(ended.took)
        for phase, seconds in ended.phases:
            self._phase_seconds.of(phase).observe(seconds)

    def probe_attempt(self, attempt: Attempt) -> None:
        """A probe attempt has ended. One of a probe that a reload took away is not counted."""
        probe = attempt.probe
        if self._scopes.get(probe.name) is probe.scope:
            self._probe_attempts.of(probe.name, probe.scope, attempt.answer).inc()
            self._probe_seconds.of(probe.name).observe(attempt.ended_at - attempt.started_at)

    def ec2_request(self, operation: str, code: str, seconds: float) -> None:
        """One attempt of an EC2 call: ok, the AWS error code, timeout or connection."""
        if (operation, code) not in self._requests and len(self._requests) >= _MAX_REQUEST_SERIES:
            code = _OTHER
        self._requests.of(operation, code).inc()
        self._request_seconds.of(operation).observe(seconds)

    def credentials_expiry(self, at_wall: float | None) -> None:
        """When the AWS credentials end, None when they do not or it is not known."""
        show_time(self._credentials_expiry, at_wall)

    def loop_lag(self, seconds: float) -> None:
        """How late the event loop ran."""
        self._lag_seconds.observe(seconds)

    def stall(self) -> None:
        """This process did not run for longer than it may."""
        self._stalls.inc()

    def hook_run(self, hook: str, result: str) -> None:
        """A hook ended, or was dropped."""
        self._hook_runs.of(hook, result).inc()

    def link_repaired(self, what: str) -> None:
        """Something that an attached ENI's link lacked was put back."""
        self._repairs.of(what).inc()

    def link_lost(self) -> None:
        """The kernel took a link of the group away."""
        self._links_lost.inc()
