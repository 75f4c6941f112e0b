"""The metric families: name, help, labels, buckets. The first label of each is `group`."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_PREFIX = "eni_failover_"

# From a warm standby with instant EC2 to the bound at which a stuck takeover is somebody's night.
_TAKEOVER = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_PHASE = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0)
_PROBE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_REQUEST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PASS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)


class Gauges:
    """What is, as of the last pass."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(_PREFIX + name, text, ("group", *labels), registry=registry)

        self.build_info = gauge("build_info", "Always 1; the label says which version runs.", "version")
        self.member_info = gauge(
            "member_info",
            "Always 1; the labels say which member this is, on which instance, with which configuration.",
            *("member", "instance_id", "config_hash"),
        )
        self.holder = gauge(
            "holder",
            "1 for the member that the group's first ENI is attached to, or for none, foreign or unknown;"
            " 0 for the others.",
            "member",
        )
        self.next_holder = gauge(
            "next_holder",
            "1 for the member that would take over if the holder died now, 0 for the others;"
            " 0 for all when nobody could.",
            "member",
        )
        self.outage = gauge(
            "outage",
            "1 while this member sees that the holder is down, or that an ENI has no holder,"
            " and no takeover is under way; else 0.",
        )
        self.eni_holder = gauge(
            "eni_holder",
            "1 for the member that this ENI is attached to, or for none, foreign or unknown;"
            " 0 for the others.",
            *("eni_id", "member"),
        )
        self.role = gauge("role", "1 for this member's present role, 0 for the others.", "role")
        self.probe_state = gauge(
            "probe_state",
            "1 for what this probe says of this member, after rise and fall: up, down or unknown;"
            " 0 for the others.",
            *("probe", "scope", "member", "state"),
        )
        self.probe_timeout = gauge(
            "probe_timeout_seconds", "The configured timeout of this probe, in seconds.", "probe"
        )
        self.ready = gauge("ready", "1 when this member is active or could take over now, else 0.")
        self.ready_check = gauge(
            "ready_check", "0 when this readiness check fails, 1 when it passes or only warns.", "check"
        )
        self.paused = gauge("paused", "1 while automatic takeovers are paused on this member, else 0.")
        self.pause_expiry = gauge(
            "pause_expiry_timestamp_seconds",
            "When the pause ends, in seconds since the epoch; absent without a pause, or without an end.",
        )
        self.takeover_in_progress = gauge(
            "takeover_in_progress",
            "1 while this member carries out a takeover with this trigger, else 0.",
            "trigger",
        )
        self.last_takeover = gauge(
            "last_takeover_timestamp_seconds",
            "When this member's last takeover ended, whatever its result, in seconds since the epoch;"
            " absent before the first.",
        )
        self.last_by_trigger = gauge(
            "last_takeover_by_trigger_timestamp_seconds",
            "When this member's last takeover with this trigger ended, whatever its result, in seconds since"
            " the epoch; absent before the first. After a restart the last five takeovers are known.",
            "trigger",
        )
        self.last_duration = gauge(
            "last_takeover_duration_seconds",
            "How long each phase of this member's last takeover took, in seconds; absent for a phase that it"
            " did not have.",
            "phase",
        )
        self.unowned_since = gauge(
            "eni_unowned_since_timestamp_seconds",
            "Since when this ENI has been attached to no member, in seconds since the epoch;"
            " absent while it is attached to one.",
            "eni_id",
        )
        self.writable = gauge(
            "writable",
            "0 while this file of the daemon's cannot be written: journal, role_file, log.",
            "file",
        )
        self.last_success = gauge(
            "last_reconcile_success_timestamp_seconds",
            "When a pass last succeeded, in seconds since the epoch; absent before the first.",
        )
        self.credentials_expiry = gauge(
            "credentials_expiry_timestamp_seconds",
            "When the AWS credentials expire, in seconds since the epoch; absent when they do not, or when it"
            " is not known.",
        )
        self.reload_successful = gauge(
            "config_last_reload_successful", "1 when the configuration was valid at its last read, else 0."
        )
        self.reload_success = gauge(
            "config_last_reload_success_timestamp_seconds",
            "When a valid configuration was last read, in seconds since the epoch.",
        )


class Counters:
    """What has happened since the start."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(_PREFIX + name, text, ("group", *labels), registry=registry)

        self.decisions = counter(
            "decisions_total", "Changes of the decision, by the new one.", "action", "reason"
        )
        self.probe_attempts = counter(
            "probe_attempts_total", "Probe attempts that ended, by result.", "probe", "scope", "result"
        )
        self.takeovers = counter(
            "takeovers_total", "Takeovers by this member that ended, by result.", "trigger", "result"
        )
        self.would_take_over = counter(
            "would_take_over_total",
            "Takeovers that this member did not start because it only observes.",
            "trigger",
        )
        self.ec2_requests = counter(
            "ec2_requests_total",
            "Attempts of EC2 API calls, by code: ok, the AWS error code, timeout or connection."
            " A code that is not known of a call appears when it is first seen.",
            *("operation", "code"),
        )
        self.reconcile = counter(
            "reconcile_total", "Passes of the control loop that ended, by result.", "result"
        )
        self.loop_stalls = counter(
            "loop_stalls_total", "Times that this process did not run for longer than max_loop_lag."
        )
        self.hook_runs = counter(
            "hook_runs_total", "Runs of hooks that ended, or were dropped, by result.", "hook", "result"
        )
        self.link_repairs = counter(
            "link_repairs_total",
            "Times that something missing on the link of an attached ENI was restored.",
            "what",
        )
        self.link_lost = counter(
            "link_lost_total", "Times that the link of an attached ENI disappeared from the kernel."
        )


class Histograms:
    """How long things took."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
            return Histogram(_PREFIX + name, text, ("group", *labels), buckets=buckets, registry=registry)

        self.probe = histogram(
            "probe_duration_seconds", "How long a probe attempt took, in seconds.", _PROBE, "probe"
        )
        self.takeover = histogram(
            "takeover_duration_seconds",
            "How long a successful takeover took, from the first sign of its cause until the link was ready,"
            " in seconds: the sum of its phases.",
            _TAKEOVER,
            "trigger",
        )
        self.takeover_phase = histogram(
            "takeover_phase_duration_seconds",
            "How long a phase of a successful takeover took, in seconds.",
            _PHASE,
            "phase",
        )
        self.ec2_request = histogram(
            "ec2_request_duration_seconds",
            "How long an attempt of an EC2 API call took, in seconds.",
            _REQUEST,
            "operation",
        )
        self.reconcile = histogram(
            "reconcile_duration_seconds", "How long a pass of the control loop took, in seconds.", _PASS
        )
        self.loop_lag = histogram("loop_lag_seconds", "How late the event loop ran, in seconds.", _LAG)
