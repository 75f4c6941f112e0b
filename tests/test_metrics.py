"""The page that Prometheus reads: every name, label and value of the contract."""

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from eni_failover.core.model import Attempt, History, NextHolder, Outage, PauseKind, PauseRecord, Peer
from eni_failover.core.policy import (
    EniId,
    FailbackMode,
    FenceMode,
    InstanceId,
    Member,
    MemberName,
    Policy,
    ProbePolicy,
    TakeoverMode,
)
from eni_failover.core.snapshot import Check, EniLine, ProbeLine, Snapshot, TakeoverLine
from eni_failover.core.vocabulary import (
    Action,
    Answer,
    CheckResult,
    Phase,
    ProbeType,
    Reason,
    Result,
    Role,
    Scope,
    Trigger,
)
from eni_failover.metrics import Metrics
from tests.core import builders

P = "eni_failover_"
WALL = 1_795_000_000.0
MEMBERS = tuple(
    Member(name=MemberName(name), instance_id=InstanceId(f"i-{name}"), address=f"10.0.1.1{n}")
    for n, name in enumerate(("alpha", "beta"), 1)
)

# Name in the page: type, and its labels beside `group` (of a histogram: without `le`).
CONTRACT = {
    "build_info": ("gauge", {"version"}),
    "member_info": ("gauge", {"member", "instance_id", "config_hash"}),
    "holder": ("gauge", {"member"}),
    "next_holder": ("gauge", {"member"}),
    "outage": ("gauge", set()),
    "eni_holder": ("gauge", {"eni_id", "member"}),
    "role": ("gauge", {"role"}),
    "probe_state": ("gauge", {"probe", "scope", "member", "state"}),
    "probe_timeout_seconds": ("gauge", {"probe"}),
    "ready": ("gauge", set()),
    "ready_check": ("gauge", {"check"}),
    "writable": ("gauge", {"file"}),
    "paused": ("gauge", set()),
    "pause_expiry_timestamp_seconds": ("gauge", set()),
    "takeover_in_progress": ("gauge", {"trigger"}),
    "last_takeover_timestamp_seconds": ("gauge", set()),
    "last_takeover_by_trigger_timestamp_seconds": ("gauge", {"trigger"}),
    "last_takeover_duration_seconds": ("gauge", {"phase"}),
    "eni_unowned_since_timestamp_seconds": ("gauge", {"eni_id"}),
    "last_reconcile_success_timestamp_seconds": ("gauge", set()),
    "credentials_expiry_timestamp_seconds": ("gauge", set()),
    "config_last_reload_successful": ("gauge", set()),
    "config_last_reload_success_timestamp_seconds": ("gauge", set()),
    "decisions_total": ("counter", {"action", "reason"}),
    "probe_attempts_total": ("counter", {"probe", "scope", "result"}),
    "takeovers_total": ("counter", {"trigger", "result"}),
    "would_take_over_total": ("counter", {"trigger"}),
    "ec2_requests_total": ("counter", {"operation", "code"}),
    "reconcile_total": ("counter", {"result"}),
    "loop_stalls_total": ("counter", set()),
    "hook_runs_total": ("counter", {"hook", "result"}),
    "link_repairs_total": ("counter", {"what"}),
    "link_lost_total": ("counter", set()),
    "probe_duration_seconds": ("histogram", {"probe"}),
    "takeover_duration_seconds": ("histogram", {"trigger"}),
    "takeover_phase_duration_seconds": ("histogram", {"phase"}),
    "ec2_request_duration_seconds": ("histogram", {"operation"}),
    "reconcile_duration_seconds": ("histogram", set()),
    "loop_lag_seconds": ("histogram", set()),
}
BOUNDS = {
    "probe_duration_seconds": (0.001, 30.0),
    "takeover_duration_seconds": (0.1, 600.0),
    "takeover_phase_duration_seconds": (0.01, 300.0),
    "ec2_request_duration_seconds": (0.005, 10.0),
    "reconcile_duration_seconds": (0.001, 10.0),
    "loop_lag_seconds": (0.001, 60.0),
}


def probe(name: str = "web", scope: Scope = Scope.HOLDER, timeout: float = 1.0) -> ProbePolicy:
    """A probe each second."""
    return ProbePolicy(
        name=name,
        type=ProbeType.TCP,
        scope=scope,
        interval=1.0,
        fast_interval=1.0,
        timeout=timeout,
        fall=3,
        rise=2,
    )


def policy(*probes: ProbePolicy, **changes) -> Policy:
    """A policy of a group of two with these probes."""
    return builders.policy(probes=probes, down_needed=1, config_hash="c0ffee", **changes)


# Every reason but those of what is shown beside the decisions, and the one of a group without holder probes.
DECIDED = set(Reason) - {
    Reason.OBSERVES,
    Reason.PEER_SILENT,
    Reason.NOT_READY,
    Reason.NO_OTHER_MEMBER,
    Reason.NO_HOLDER_PROBE,
}
EVERYTHING = {
    "local": "alpha",  # the primary: no other one fails back
    "enis": 2,
    "failback": FailbackMode.AUTOMATIC,
    "fence": FenceMode.STOP,
}


def snapshot(**changes) -> Snapshot:
    """A standby that has something of everything to show."""
    base = Snapshot(
        version="0.1.0",
        group="orders",
        member=MemberName("beta"),
        instance_id="i-beta",
        config_hash="c0ffee",
        role=Role.STANDBY,
        holder="alpha",
        at_wall=WALL,
        enis=(EniLine(eni_id=EniId("eni-1"), status="attached", member="alpha"),),
        probes=(ProbeLine(name="web", scope=Scope.HOLDER, member="alpha", state=Answer.UP, consecutive=9),),
        ready=True,
        checks=(Check(name="slot", result=CheckResult.PASS),),
        peers=(Peer(member=MemberName("alpha"), instance_id=InstanceId("i-alpha"), reachable=True),),
    )
    return replace(base, **changes)


def attempt(answer: Answer, seconds: float = 0.004, name: str = "web") -> Attempt:
    """One finished attempt."""
    return Attempt(
        probe=probe(name),
        member=Member(name="alpha", instance_id="i-alpha", address="10.0.1.11"),
        answer=answer,
        answered=True,
        started_at=10.0,
        ended_at=10.0 + seconds,
    )


def history(**changes) -> History:
    """A takeover of six seconds."""
    base = History(
        takeover_id="1",
        trigger=Trigger.PROBES,
        reason=Reason.HOLDER_DOWN,
        from_member="alpha",
        to_member="beta",
        started_wall=WALL,
        ended_wall=WALL + 6,
        result=Result.SUCCESS,
        phases=((Phase.DETECT, 3.0), (Phase.DETACH, 4.0), (Phase.ATTACH, 1.5)),
    )
    return replace(base, **changes)


def started(*probes: ProbePolicy, **changes) -> Metrics:
    """The metrics of a daemon whose configuration was taken."""
    metrics = Metrics(registry=CollectorRegistry(), group="orders", version="0.1.0")
    metrics.configured(policy(*(probes or (probe(),)), **changes))
    return metrics


def samples(metrics: Metrics) -> dict[tuple[str, frozenset], float]:
    """Every sample of the page: (name without our prefix, its labels without the group) and its value."""
    found = {}
    for family in text_string_to_metric_families(metrics.page().decode()):
        for one in family.samples:
            labels = frozenset((key, value) for key, value in one.labels.items() if key != "group")
            found[one.name.removeprefix(P), labels] = one.value
    return found


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """One sample's value, None when there is no such series."""
    return samples(metrics).get((name, frozenset(labels.items())))


def ones(metrics: Metrics, name: str, label: str) -> dict[str, float]:
    """A one-label enumeration: its values by word."""
    return {
        dict(labels)[label]: number
        for (found, labels), number in samples(metrics).items()
        if found == name and label in dict(labels)
    }


def test_page_is_the_contract() -> None:
    """The page has exactly the documented families, with their types and labels, `group` on each."""
    metrics = started()
    metrics.publish(
        snapshot(
            enis=(
                EniLine(
                    eni_id=EniId("eni-1"), status="available", member="none", unowned_since_wall=WALL - 5
                ),
            ),
            pause=PauseRecord(kind=PauseKind.PAUSE, at=WALL, until=WALL + 60),
            paused=True,
            takeovers=(history(),),
        )
    )
    metrics.reconcile("success", 0.1, WALL)
    metrics.credentials_expiry(WALL + 60)
    metrics.config_reload(WALL, ok=True)
    actual, groups, foreign = {}, set(), set()
    for family in text_string_to_metric_families(metrics.page().decode()):
        if not family.name.startswith(P):
            foreign.add(family.name.split("_")[0])
            continue
        name = family.name.removeprefix(P) + ("_total" if family.type == "counter" else "")
        labels = {frozenset(one.labels) - {"group", "le"} for one in family.samples}
        groups |= {one.labels["group"] for one in family.samples}
        actual[name] = (family.type, *map(set, labels))

    assert {"orders"} == groups
    assert {"process", "python"} == foreign
    assert actual == CONTRACT


def test_page_has_no_time_of_birth() -> None:
    """No `_created` series stands beside the counters and histograms."""
    assert b"_created" not in started().page()


@pytest.mark.parametrize("name", BOUNDS)
def test_buckets_fit_what_is_measured(name: str) -> None:
    """The first and the last finite bucket of each histogram are the documented ones."""
    metrics = started()
    bounds = sorted(
        {
            float(dict(labels)["le"])
            for found, labels in samples(metrics)
            if found == f"{name}_bucket" and dict(labels)["le"] != "+Inf"
        }
    )

    assert BOUNDS[name] == (bounds[0], bounds[-1])


def test_every_foreseeable_counter_series_exists_at_zero() -> None:
    """Before anything happened, increase() already has a value for each pair that can be foreseen."""
    metrics = started(probe(), probe("disk", Scope.SELF), probe("router", Scope.WITNESS), **EVERYTHING)
    at_zero = {key for key, number in samples(metrics).items() if number == 0.0}
    expected = {
        *(
            ("takeovers_total", (("trigger", trigger), ("result", result)))
            for trigger in Trigger
            for result in Result
        ),
        *(("decisions_total", (("action", Action.WAIT), ("reason", reason))) for reason in DECIDED),
        *(("decisions_total", (("action", Action.END), ("reason", reason))) for reason in DECIDED),
        ("decisions_total", (("action", Action.TAKE_OVER), ("reason", Reason.HOLDER_DOWN))),
        ("decisions_total", (("action", Action.HOLD), ("reason", Reason.HELD))),
        ("decisions_total", (("action", Action.REFUSE), ("reason", Reason.NO_SLOT))),
        ("decisions_total", (("action", Action.MOVE), ("reason", Reason.FORCE_DETACH))),
        *(
            ("probe_attempts_total", (("probe", name), ("scope", scope), ("result", answer)))
            for name, scope in (("web", Scope.HOLDER), ("disk", Scope.SELF))
            for answer in Answer
        ),
        *(
            ("hook_runs_total", (("hook", hook), ("result", result)))
            for hook in ("on_active", "on_standby", "on_fault", "notify")
            for result in ("success", "failed", "timeout", "missing", "dropped")
        ),
        *(("reconcile_total", (("result", result),)) for result in ("success", "error")),
        *(
            ("ec2_requests_total", (("operation", operation), ("code", code)))
            for operation in ("DescribeNetworkInterfaces", "AttachNetworkInterface", "StopInstances")
            for code in ("ok", "timeout", "connection", "RequestLimitExceeded", "UnauthorizedOperation")
        ),
        *(("link_repairs_total", (("what", what),)) for what in ("link", "address", "route", "rule")),
        ("loop_stalls_total", ()),
        ("link_lost_total", ()),
        *(("takeover_duration_seconds_count", (("trigger", trigger),)) for trigger in Trigger),
        *(("takeover_phase_duration_seconds_count", (("phase", phase),)) for phase in Phase),
        ("probe_duration_seconds_count", (("probe", "web"),)),
        ("ec2_request_duration_seconds_count", (("operation", "DetachNetworkInterface"),)),
    }

    assert set() == {(name, frozenset(labels)) for name, labels in expected} - at_zero


BARE = frozenset({"probes", "split", "failback"})
"""The triggers that a group of one ENI without holder probes cannot have."""


@pytest.mark.parametrize(
    ("changes", "probes", "impossible"),
    [
        pytest.param({}, (), BARE, id="no holder probe"),
        pytest.param({"enis": 2}, (), BARE - {"split"}, id="two ENIs"),
        pytest.param({}, (probe(),), BARE - {"probes"}, id="a holder probe"),
        pytest.param({}, (probe("me", Scope.SELF),), BARE, id="a self probe"),
        pytest.param(
            {"failback": FailbackMode.AUTOMATIC, "local": "alpha"}, (), BARE - {"failback"}, id="the primary"
        ),
        pytest.param({"failback": FailbackMode.AUTOMATIC, "local": "beta"}, (), BARE, id="not the primary"),
    ],
)
def test_a_trigger_that_cannot_be_has_no_series(changes, probes, impossible) -> None:
    """Whatever has a label `trigger` has those that this configuration can have."""
    for mode in TakeoverMode:
        metrics = Metrics(registry=CollectorRegistry(), group="orders", version="0.1.0")
        metrics.configured(policy(*probes, takeover=mode, **changes))
        metrics.publish(snapshot())
        triggers = {str(trigger) for trigger in Trigger} - impossible
        assert ones(metrics, "takeovers_total", "trigger").keys() == triggers
        assert ones(metrics, "takeover_in_progress", "trigger").keys() == triggers
        assert ones(metrics, "takeover_duration_seconds_count", "trigger").keys() == triggers
        assert ones(metrics, "would_take_over_total", "trigger").keys() == triggers - {"manual"}


@pytest.mark.parametrize(
    ("changes", "probes", "words"),
    [
        pytest.param({}, (), {"fencing", "fence_refused", "fence", "StopInstances"}, id="no fence"),
        pytest.param(
            {}, (), {"DescribeInstanceAttribute", "DescribeSpotInstanceRequests"}, id="no fence: looks"
        ),
        pytest.param({}, (), {"holder_down", "holder_up", "probe_unknown"}, id="no holder probe"),
        pytest.param(
            {}, (probe(),), {"no_holder_probe", "self_probe_down", "witnesses_down"}, id="that alone"
        ),
        pytest.param({}, (), {"primary_recovered", "failback_delay", "failback"}, id="no failback"),
        pytest.param({}, (), {"group_split", "split"}, id="one ENI"),
        pytest.param({}, (), {"would_take_over"}, id="not observing"),
        pytest.param({}, (), {"peer_silent", "not_ready", "no_other_member"}, id="not decided"),
    ],
)
def test_what_this_configuration_cannot_have_is_no_label(changes, probes, words) -> None:
    """No series has this word: not a reason, a phase, an operation, a code."""
    metrics = Metrics(registry=CollectorRegistry(), group="orders", version="0.1.0")
    metrics.configured(policy(*probes, **changes))
    metrics.publish(snapshot(probes=()))
    shown = {word for name, labels in samples(metrics) if name != "ready_check" for _, word in labels}

    assert shown & words == set()


def test_observe_mode_starts_nothing_but_for_an_operator() -> None:
    metrics = started(takeover=TakeoverMode.OBSERVE)
    reasons = {
        dict(labels)["reason"]
        for name, labels in samples(metrics)
        if name == "decisions_total" and ("action", "take_over") in labels
    }

    assert reasons == {"operator"}


def test_what_was_counted_stays_when_a_reload_makes_it_impossible() -> None:
    """A counter that vanishes would hide what it has counted; what becomes possible is there at 0."""
    metrics = started(takeover=TakeoverMode.OBSERVE)
    metrics.would_take_over(Trigger.PROBES)
    metrics.configured(policy(probe(), fence=FenceMode.STOP))

    assert value(metrics, "would_take_over_total", trigger="probes") == 1
    assert value(metrics, "decisions_total", action="wait", reason="fencing") == 0
    assert value(metrics, "takeover_phase_duration_seconds_count", phase="fence") == 0


def test_a_time_that_has_not_been_is_absent() -> None:
    """No series of a time has a value before its moment: 0 would be 1970."""
    metrics = started()
    metrics.publish(snapshot())
    times = {name for name, _ in samples(metrics) if name.endswith("timestamp_seconds")}

    assert times == set()
    assert ones(metrics, "last_takeover_duration_seconds", "phase") == {}


def test_every_help_text_is_a_sentence_that_names_the_unit() -> None:
    """It ends with a full stop, and a family of seconds says so."""
    for family in text_string_to_metric_families(started().page().decode()):
        if family.name.startswith(P):
            text = family.documentation

            assert text[0].isupper() or text[0].isdigit()
            assert text.endswith(".")
            assert ("seconds" in text) == ("seconds" in family.name), family.name


def test_an_outage_and_who_comes_next() -> None:
    """1 while there is an outage; of all members one is next, or none."""
    seen = []
    metrics = started()
    outage = Outage(since_wall=WALL, reason="paused", ends_at_wall=None, remedy="eni-failover resume")
    for changes in (
        {"next_holder": NextHolder(member=MemberName("beta"), reason="ready")},
        {"outage": outage, "next_holder": NextHolder(member=None, reason="paused")},
        {},
    ):
        metrics.publish(snapshot(**changes))
        seen.append((value(metrics, "outage"), ones(metrics, "next_holder", "member")))

    assert seen == [
        (0, {"alpha": 0, "beta": 1}),
        (1, {"alpha": 0, "beta": 0}),
        (0, {"alpha": 0, "beta": 0}),
    ]


def test_the_last_takeover_of_each_trigger_stays() -> None:
    """An operator's move back hides no failure, also when the snapshot shows the last ones only."""
    metrics = started()
    name = "last_takeover_by_trigger_timestamp_seconds"
    failed = history(trigger=Trigger.PROBES, ended_wall=WALL)
    moved = history(trigger=Trigger.MANUAL, ended_wall=WALL + 60, result=Result.FAILED)
    metrics.publish(snapshot(takeovers=(replace(failed, ended_wall=WALL - 60), failed, moved)))
    first = ones(metrics, name, "trigger")
    metrics.publish(snapshot(takeovers=(replace(moved, ended_wall=WALL + 120),)))

    assert first == {"probes": WALL, "manual": WALL + 60}
    assert ones(metrics, name, "trigger") == {"probes": WALL, "manual": WALL + 120}
    assert value(metrics, "last_takeover_timestamp_seconds") == WALL + 120


def test_snapshot_sets_every_enumeration_with_all_its_words() -> None:
    """Each enumeration has all its words, one of them 1."""
    metrics = started(**EVERYTHING)
    metrics.publish(snapshot())

    assert ones(metrics, "role", "role") == {"active": 0, "standby": 1, "taking": 0, "fault": 0}
    assert ones(metrics, "holder", "member") == {
        "alpha": 1,
        "beta": 0,
        "none": 0,
        "foreign": 0,
        "unknown": 0,
    }
    assert ones(metrics, "eni_holder", "member") == ones(metrics, "holder", "member")
    assert ones(metrics, "probe_state", "state") == {"up": 1, "down": 0, "unknown": 0}
    assert ones(metrics, "takeover_in_progress", "trigger") == dict.fromkeys(Trigger, 0)
    assert value(metrics, "build_info", version="0.1.0") == 1
    assert value(metrics, "member_info", member="beta", instance_id="i-beta", config_hash="c0ffee") == 1


def test_snapshot_sets_its_gauges() -> None:
    """Readiness, checks, takeover, unowned time and the last takeover are as in the snapshot."""
    line = TakeoverLine(
        takeover_id="1", trigger=Trigger.UNOWNED, phase=Phase.ATTACH, since_wall=WALL, reason=Reason.OPERATOR
    )
    metrics = started()
    metrics.publish(
        snapshot(
            ready=False,
            checks=(
                Check(name="slot", result=CheckResult.FAIL),
                Check(name="zone", result=CheckResult.PASS),
                Check(name="paused", result=CheckResult.WARN),
            ),
            enis=(
                EniLine(
                    eni_id=EniId("eni-1"), status="available", member="none", unowned_since_wall=WALL - 5
                ),
                EniLine(eni_id=EniId("eni-2"), status="attached", member="alpha"),
            ),
            takeover=line,
            takeovers=(history(phases=((Phase.ATTACH, 1.0), (Phase.ATTACH, 0.5))),),
        )
    )

    assert value(metrics, "ready") == 0
    assert ones(metrics, "ready_check", "check") == {"slot": 0, "zone": 1, "paused": 1}
    assert value(metrics, "takeover_in_progress", trigger="unowned") == 1
    assert ones(metrics, "eni_unowned_since_timestamp_seconds", "eni_id") == {"eni-1": WALL - 5}
    assert value(metrics, "last_takeover_timestamp_seconds") == WALL + 6
    assert ones(metrics, "last_takeover_duration_seconds", "phase") == {"attach": 1.5}


def test_pause_gauges_follow_the_pause_that_ends_last() -> None:
    """Without a pause, and without an end of one, there is no expiry."""
    pause = PauseRecord(kind=PauseKind.PAUSE, at=WALL, until=WALL + 60)
    longer = replace(pause, until=WALL + 600, local=True)
    metrics = started()
    seen = []
    for changes in (
        {"pause": pause, "paused": True},
        {"pause": pause, "local_pause": longer, "paused": True},
        {"pause": replace(pause, until=None), "local_pause": longer, "paused": True},
        {"pause": pause, "paused": False},
        {},
    ):
        metrics.publish(snapshot(**changes))
        seen.append((value(metrics, "paused"), value(metrics, "pause_expiry_timestamp_seconds")))

    assert seen == [(1, WALL + 60), (1, WALL + 600), (1, None), (0, None), (0, None)]


def test_what_a_reload_took_away_is_gone() -> None:
    """Members, ENIs, probes and checks that are no more leave no series; what stays keeps its count."""
    metrics = started(probe("web"), probe("old"))
    metrics.publish(
        snapshot(
            probes=(ProbeLine(name="old", scope=Scope.HOLDER, member="x", state=Answer.UP, consecutive=1),),
            peers=(
                Peer(
                    member=MemberName("gone-member"), instance_id=InstanceId("i-gone-member"), reachable=True
                ),
            ),
            enis=(EniLine(eni_id=EniId("eni-gone"), status="attached", member="beta"),),
            checks=(Check(name="gone_check", result=CheckResult.PASS),),
        )
    )
    metrics.probe_attempt(attempt(Answer.UP))
    metrics.probe_attempt(attempt(Answer.UP, name="old"))
    metrics.configured(policy(probe("web", timeout=2.5), probe("new")))
    metrics.publish(snapshot(config_hash="other"))
    metrics.probe_attempt(attempt(Answer.DOWN, name="old"))
    page = metrics.page().decode()

    for word in ("old", "gone-member", "eni-gone", "gone_check", "c0ffee"):
        assert f'"{word}"' not in page
    assert value(metrics, "probe_attempts_total", probe="web", scope="holder", result="up") == 1
    assert value(metrics, "probe_attempts_total", probe="new", scope="holder", result="up") == 0
    assert ones(metrics, "probe_timeout_seconds", "probe") == {"web": 2.5, "new": 1.0}


def test_probe_attempt_counts_and_times() -> None:
    """An attempt is counted by its answer, and its length observed."""
    metrics = started()
    metrics.probe_attempt(attempt(Answer.DOWN, seconds=0.75))

    assert value(metrics, "probe_attempts_total", probe="web", scope="holder", result="down") == 1
    assert value(metrics, "probe_duration_seconds_sum", probe="web") == 0.75


def test_success_moves_the_reconcile_timestamp_and_an_error_does_not() -> None:
    """The time of the last good pass is absent before the first, and stands still after a bad one."""
    metrics = started()
    name = "last_reconcile_success_timestamp_seconds"
    seen = [value(metrics, name)]
    metrics.reconcile("error", 0.5, WALL)
    seen.append(value(metrics, name))
    metrics.reconcile("success", 0.25, WALL + 1)
    metrics.reconcile("error", 0.25, WALL + 2)
    seen.append(value(metrics, name))

    assert seen == [None, None, WALL + 1]
    assert ones(metrics, "reconcile_total", "result") == {"success": 1, "error": 2}
    assert value(metrics, "reconcile_duration_seconds_sum") == 1.0


def test_only_a_successful_takeover_says_how_long_one_takes() -> None:
    """Every ended takeover is counted; only a success is observed, whole and by phase.

    The whole is the sum of the phases: detection, which began before the decision, is part of it.
    """
    metrics = started(enis=2)
    metrics.takeover_ended(history())
    metrics.takeover_ended(history(result=Result.LOST))
    metrics.takeover_ended(history(result=Result.FAILED, trigger=Trigger.MANUAL))
    metrics.takeover_ended(history(trigger=Trigger.SPLIT, ended_wall=WALL - 3600, phases=()))

    assert value(metrics, "takeovers_total", trigger="probes", result="success") == 1
    assert value(metrics, "takeovers_total", trigger="probes", result="lost") == 1
    assert value(metrics, "takeovers_total", trigger="manual", result="failed") == 1
    assert value(metrics, "takeover_duration_seconds_count", trigger="probes") == 1
    assert value(metrics, "takeover_duration_seconds_sum", trigger="probes") == 8.5
    assert value(metrics, "takeover_duration_seconds_sum", trigger="split") == 0.0
    assert value(metrics, "takeover_phase_duration_seconds_sum", phase="detach") == 4.0
    assert value(metrics, "takeover_phase_duration_seconds_count", phase="link") == 0


def test_events_move_their_counters() -> None:
    """Each event moves its own series by one, a foreseen one or a new one."""
    metrics = started()
    before = samples(metrics)
    metrics.decision(Action.TAKE_OVER, Reason.HOLDER_DOWN)
    metrics.decision(Action.HOLD, Reason.PAUSED)
    metrics.would_take_over(Trigger.EC2)
    metrics.ec2_request("DetachNetworkInterface", "IncorrectState", 0.5)
    metrics.hook_run("notify", "timeout")
    metrics.link_repaired("rule")
    metrics.link_lost()
    metrics.stall()
    metrics.loop_lag(0.5)
    after = samples(metrics)
    ours = {key for key in after if not key[0].startswith(("process_", "python_"))}
    moved = {key: after[key] for key in ours if after[key] != before.get(key, 0) and "bucket" not in key[0]}
    expected = {
        ("decisions_total", ("action", "take_over"), ("reason", "holder_down")): 1,
        ("decisions_total", ("action", "hold"), ("reason", "paused")): 1,
        ("would_take_over_total", ("trigger", "ec2")): 1,
        ("ec2_requests_total", ("operation", "DetachNetworkInterface"), ("code", "IncorrectState")): 1,
        ("ec2_request_duration_seconds_count", ("operation", "DetachNetworkInterface")): 1,
        ("ec2_request_duration_seconds_sum", ("operation", "DetachNetworkInterface")): 0.5,
        ("hook_runs_total", ("hook", "notify"), ("result", "timeout")): 1,
        ("link_repairs_total", ("what", "rule")): 1,
        ("link_lost_total",): 1,
        ("loop_stalls_total",): 1,
        ("loop_lag_seconds_count",): 1,
        ("loop_lag_seconds_sum",): 0.5,
    }

    assert {(name, frozenset(labels)): number for (name, *labels), number in expected.items()} == moved


def test_codes_of_something_that_is_not_ec2_are_bounded() -> None:
    """An endpoint that invents a code for each answer cannot fill the memory."""
    metrics = started()
    for number in range(2000):
        metrics.ec2_request("DescribeInstances", f"Code{number}", 0.1)
    series = [name for name, _ in samples(metrics) if name == "ec2_requests_total"]

    assert len(series) <= 501
    assert value(metrics, "ec2_requests_total", operation="DescribeInstances", code="other") > 1000


def test_reload_and_credentials_gauges() -> None:
    """A refused reload clears `successful` and keeps the time of the last good one; no expiry is absent."""
    metrics = started()
    metrics.config_reload(WALL, ok=True)
    metrics.config_reload(WALL + 60, ok=False)
    metrics.credentials_expiry(WALL + 3600)

    assert value(metrics, "config_last_reload_successful") == 0
    assert value(metrics, "config_last_reload_success_timestamp_seconds") == WALL
    assert value(metrics, "credentials_expiry_timestamp_seconds") == WALL + 3600

    metrics.credentials_expiry(None)
    assert value(metrics, "credentials_expiry_timestamp_seconds") is None


def test_hot_methods_look_no_label_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts, passes, requests, lag and an unchanged snapshot touch only series that are at hand."""
    metrics = started()
    metrics.publish(snapshot())
    metrics.reconcile("success", 0.1, WALL)

    def fail(*args: object, **kwargs: object) -> None:
        pytest.fail("a label lookup in a hot path")

    for family in (Counter, Gauge, Histogram):
        monkeypatch.setattr(family, "labels", fail)
        monkeypatch.setattr(family, "remove", fail)
    for answer in Answer:
        metrics.probe_attempt(attempt(answer))
    metrics.ec2_request("DescribeNetworkInterfaces", "ok", 0.1)
    metrics.reconcile("success", 0.1, WALL)
    metrics.loop_lag(0.001)
    metrics.publish(snapshot())

    assert value(metrics, "probe_duration_seconds_count", probe="web") == 3


def test_two_daemons_in_one_process_do_not_share() -> None:
    """The registry is an argument: two sets of metrics know nothing of each other."""
    one, other = started(), started()
    one.stall()

    assert (value(one, "loop_stalls_total"), value(other, "loop_stalls_total")) == (1, 0)
