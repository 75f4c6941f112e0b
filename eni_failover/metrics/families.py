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

        self.build_info = gauge("build_info", "Always 1; the running version.", "version")
        self.member_info = gauge(
            "member_info", "Always 1; who this member is.", "member", "instance_id", "config_hash"
        )
        self.holder = gauge(
            "holder", "1 for who has the group's first ENI, or none, foreign, unknown.", "member"
        )
        self.eni_holder = gauge(
            "eni_holder", "1 for who has this ENI, or none, foreign, unknown.", "eni_id", "member"
        )
        self.role = gauge("role", "1 for this member's role.", "role")
        self.probe_state = gauge(
            "probe_state",
            "1 for the verdict of this probe about this member, after rise and fall.",
            *("probe", "scope", "member", "state"),
        )
        self.probe_timeout = gauge("probe_timeout_seconds", "The probe's configured timeout.", "probe")
        self.ready = gauge("ready", "1 when this member is active, or could take the group over now.")
        self.ready_check = gauge("ready_check", "0 when this readiness check fails.", "check")
        self.paused = gauge("paused", "1 while an operator's pause is in force.")
        self.pause_expiry = gauge(
            "pause_expiry_timestamp_seconds", "When the pause in force ends; 0 without one or without an end."
        )
        self.takeover_in_progress = gauge(
            "takeover_in_progress", "1 while this member takes the group over, by its cause.", "trigger"
        )
        self.last_takeover = gauge(
            "last_takeover_timestamp_seconds", "When this member's last takeover ended; 0 when it had none."
        )
        self.last_duration = gauge(
            "last_takeover_duration_seconds",
            "This member's last takeover by phase; 0 for a phase it did not have.",
            "phase",
        )
        self.unowned_since = gauge(
            "eni_unowned_since_timestamp_seconds", "Since when nobody has this ENI; 0 when owned.", "eni_id"
        )
        self.writable = gauge(
            "writable", "0 while what this daemon writes cannot be written: journal, role_file, log.", "file"
        )
        self.last_success = gauge(
            "last_reconcile_success_timestamp_seconds", "When a pass last ended well; 0 before the first."
        )
        self.credentials_expiry = gauge(
            "credentials_expiry_timestamp_seconds",
            "When the AWS credentials end; 0 when they do not or are not known.",
        )
        self.reload_successful = gauge(
            "config_last_reload_successful", "1 when the last read of the configuration was taken."
        )
        self.reload_success = gauge(
            "config_last_reload_success_timestamp_seconds", "When the configuration was last taken."
        )


class Counters:
    """What has happened since the start."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(_PREFIX + name, text, ("group", *labels), registry=registry)

        self.decisions = counter("decisions_total", "Changes of decision.", "action", "reason")
        self.probe_attempts = counter(
            "probe_attempts_total", "Finished probe attempts.", "probe", "scope", "result"
        )
        self.takeovers = counter(
            "takeovers_total", "This member's takeovers that ended.", "trigger", "result"
        )
        self.would_take_over = counter(
            "would_take_over_total", "Takeovers that observe mode reported instead of starting.", "trigger"
        )
        self.ec2_requests = counter(
            "ec2_requests_total",
            "Attempts of EC2 calls: ok, the AWS error code, timeout, connection;"
            " a code that is not known to come with a call appears when it is first seen.",
            *("operation", "code"),
        )
        self.reconcile = counter("reconcile_total", "Passes that ended.", "result")
        self.loop_stalls = counter("loop_stalls_total", "Stalls of this process longer than max_loop_lag.")
        self.hook_runs = counter("hook_runs_total", "Hooks that ended, or never ran.", "hook", "result")
        self.link_repairs = counter(
            "link_repairs_total", "What was missing on an attached ENI's link and was put back.", "what"
        )
        self.link_lost = counter("link_lost_total", "Links of the group that the kernel took away.")


class Histograms:
    """How long things took."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
            return Histogram(_PREFIX + name, text, ("group", *labels), buckets=buckets, registry=registry)

        self.probe = histogram("probe_duration_seconds", "One probe attempt.", _PROBE, "probe")
        self.takeover = histogram(
            "takeover_duration_seconds", "One successful takeover, start to ready.", _TAKEOVER, "trigger"
        )
        self.takeover_phase = histogram(
            "takeover_phase_duration_seconds", "One phase of a successful takeover.", _PHASE, "phase"
        )
        self.ec2_request = histogram(
            "ec2_request_duration_seconds", "One attempt of an EC2 call.", _REQUEST, "operation"
        )
        self.reconcile = histogram("reconcile_duration_seconds", "One pass.", _PASS)
        self.loop_lag = histogram("loop_lag_seconds", "How late the event loop ran.", _LAG)
