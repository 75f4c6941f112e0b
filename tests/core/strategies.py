"""Hypothesis strategies: any policy, any state, any observation, likely or not.

The parts are drawn from small pools, so that ids, members and moments meet often enough to matter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st

from eni_failover.core import model, state
from eni_failover.core.health import Health
from eni_failover.core.model import InstanceState, Mutation, Observation, PauseKind, Verdict
from eni_failover.core.policy import FailbackMode, FenceMode, Member, Policy, TakeoverMode
from eni_failover.core.state import State
from eni_failover.core.vocabulary import Answer, Reason, Role, Trigger
from tests.core import builders

NOW = 100_000.0
WALL = builders.EPOCH + NOW
KINDS = (
    *["attached"] * 8,
    *["free"] * 5,
    *["attaching", "detaching"] * 3,
    "missing",
    "unknown",
)
PROBES = (builders.WEB, builders.probe("ssh"), builders.SELF, builders.WITNESS)

ids = st.sampled_from(("att-1", "att-2", "att-3", "att-4"))
times = st.sampled_from((0.0, 0.1, 0.9, 2.5, 6.0, 16.0, 61.0, 400.0, 4000.0)).map(lambda ago: NOW - ago)
moments = st.none() | times
triggers = st.sampled_from(Trigger)
answers = st.sampled_from(Answer)
booleans = st.booleans()
seldom = st.sampled_from((*[False] * 6, True))


@dataclass(frozen=True, kw_only=True)
class Case:
    """One pass: everything `step` may depend on."""

    policy: Policy
    state: State
    obs: Observation


@st.composite
def policies(draw) -> Policy:
    members = draw(st.integers(2, 4))
    probes = tuple(one for one in PROBES if draw(booleans))
    made = builders.policy(
        draw(st.sampled_from(builders.NAMES[:members])),
        members=members,
        enis=draw(st.integers(1, 3)),
        probes=probes,
        device_index=draw(st.sampled_from((None, None, 1, 3))),
        takeover=draw(st.sampled_from(TakeoverMode)),
        failback=draw(st.sampled_from(FailbackMode)),
        fence=draw(st.sampled_from(FenceMode)),
        force_detach_after=draw(st.sampled_from((15.0, 1.0, None))),
        startup_grace=draw(st.sampled_from((0.0, 0.0, 30.0))),
        cooldown=draw(st.sampled_from((0.0, 60.0))),
        stagger=draw(st.sampled_from((0.0, 2.0))),
    )
    return replace(made, down_needed=draw(st.integers(1, made.down_needed)))


@st.composite
def shapes(draw, holders):
    kind = draw(st.sampled_from(KINDS))
    if kind in {"free", "missing", "unknown"}:
        return getattr(builders, kind)()
    unmovable = Reason.ENI_PRIMARY if kind == "attached" and draw(seldom) and draw(seldom) else None
    holder, attachment_id, index = draw(st.sampled_from(holders)), draw(ids), draw(st.integers(1, 4))
    make = getattr(builders, kind)
    return make(holder, attachment_id, index=index, unmovable=unmovable, delete_on_termination=draw(booleans))


def moves(eni_id: str):
    return st.builds(
        state.Move,
        eni_id=st.just(eni_id),
        recorded=st.none() | ids,
        detach=st.sampled_from(state.Sent),
        detach_sent_at=moments,
        detach_began_at=moments,
        bad_state=seldom,
        attach=st.sampled_from(state.Sent),
        attach_sent_at=moments,
        attach_index=st.sampled_from((None, 1, 2)),
        attaching_since=moments,
        refused_indexes=st.sampled_from(((), (1,), (1, 2))),
        reattached=booleans,
        barred=seldom,
        attempts=st.integers(0, 12),
        retry_at=moments | st.just(NOW + 3.0),
    )


def takeovers(policy: Policy):
    return st.builds(
        state.Takeover,
        takeover_id=st.just("t-1"),
        trigger=triggers,
        reason=st.sampled_from((Reason.HOLDER_DOWN, Reason.OPERATOR)),
        from_member=st.just("alpha"),
        started_at=times,
        started_wall=st.just(WALL - 10.0),
        cause_at=times,
        matched_at=times,
        moves=st.tuples(*(moves(eni_id) for eni_id in policy.eni_ids)),
        deadline_at=moments,
        fence_instance=st.sampled_from((None, "i-alpha", "i-beta")),
        fence=st.sampled_from(state.Sent),
        fence_began_at=moments,
        fence_sent_at=moments,
        fence_retry_at=moments,
        fence_refused=seldom,
        fenced_at=moments,
        committed=booleans,
        had_first=booleans,
        gone_at=st.sampled_from((*[None] * 6, NOW - 0.5, NOW - 4.0)),
        repaired=seldom,
        failing=seldom,
        detach_at=moments,
        available_at=moments,
        attached_at=moments,
        link_since=moments,
    )


records = st.builds(
    model.PauseRecord,
    kind=st.sampled_from(PauseKind),
    at=st.just(WALL - 30.0),
    ends_at=st.sampled_from((None, NOW - 1.0, NOW + 60.0)),
)
pauses = seldom.flatmap(lambda there: records if there else st.none())


def durables(policy: Policy, members):
    return st.builds(
        state.Durable,
        last_had=st.none() | members,
        last_up=st.none() | ids,
        lost_at=moments,
        unfit_since_loss=booleans,
        lost_unseen=booleans,
        failback_at=moments,
        failback_blocked=seldom,
        past=st.lists(
            st.builds(state.RecentTakeover, trigger=triggers, ended_at=times, forgiven=booleans), max_size=4
        ).map(tuple),
        pause=pauses,
        local_pause=pauses,
        takeover=st.none() | st.none() | takeovers(policy),
    )


def healths(policy: Policy):
    return st.tuples(
        *(
            st.builds(
                Health,
                probe=st.just(one),
                member=st.none() | st.sampled_from(policy.members),
                verdict=answers,
                streak=answers,
                consecutive=st.integers(0, 5),
                newest_at=moments,
                counts_from=times,
                down_since=moments,
                undecided_since=moments,
            )
            for one in policy.probes
        )
    )


@st.composite
def states(draw, policy: Policy) -> State:
    members = st.sampled_from([member.instance_id for member in policy.members])
    observed = tuple(
        state.EniObservation(
            eni_id=eni_id,
            status=draw(st.sampled_from(("known", "attached", "attaching", "detaching", "missing"))),
            attachment_id=draw(st.none() | ids),
            since=draw(times),
            seen_at=draw(times),
        )
        for eni_id in policy.eni_ids
        if draw(booleans)
    )
    tenures = st.builds(
        state.HolderRecord,
        instance_id=members,
        attachment_id=ids,
        since=moments,
        proven=booleans,
        answered=booleans,
    )
    unseens = st.builds(
        state.AbsentHolder,
        instance_id=st.sampled_from(("i-alpha", "i-beta")),
        since=times,
        confirmed=booleans,
    )
    confirms = st.builds(
        state.Confirm, trigger=triggers, attachment_id=st.none() | ids, since=times | st.just(NOW - 0.05)
    )
    requests = st.builds(
        model.TakeoverRequest, request_id=st.just("r-0"), deadline=st.sampled_from((NOW - 1.0, NOW + 60.0))
    )
    return draw(
        st.builds(
            State,
            started_at=times,
            role=st.sampled_from(Role),
            role_known=booleans,
            durable=durables(policy, members),
            health=healths(policy),
            observed=st.just(observed),
            holder_record=st.none() | tenures,
            holder_changed_at=moments,
            moved_at=moments,
            absent_holder=st.none() | unseens,
            unowned_since=moments,
            turn_unowned=moments,
            turn_ec2=moments,
            turn_probes=moments,
            confirm=st.none() | confirms,
            request=seldom.flatmap(lambda there: requests if there else st.none()),
            fit_since=moments,
            not_ready_since=moments,
            barred_at=moments,
            rests=st.lists(
                st.tuples(st.sampled_from(state.Rest), times | st.just(NOW + 5.0)), max_size=2
            ).map(tuple),
            asked=st.sampled_from(((), ("web",))),
            me=st.sampled_from((None, builders.instance("beta"), builders.instance("beta", "stopping"))),
            stalled_at=moments,
            last_answer_at=st.sampled_from((*[NOW - 8.0] * 6, NOW - 60.0, None)),
            known_at=moments,
            surveyed_at=moments,
            polled_from_at=moments,
            describe_failures=st.integers(0, 2000),
            instances_failures=st.integers(0, 2000),
            instances_failed_at=moments,
            here=st.sampled_from(((), policy.eni_ids[:1], policy.eni_ids)),
            was_paused=booleans,
            reported_cause=st.sampled_from(("", "probes:att-1:holder_down")),
        )
    )


@st.composite
def observations(draw, policy: Policy) -> Observation:
    holders = [*[one.name for one in policy.members] * 6, "stranger"]
    answered = not draw(seldom)
    count = len(policy.eni_ids)
    began_at = draw(st.sampled_from((NOW - 0.02, NOW - 1.0, NOW - 8.0)))
    seen = [draw(shapes(holders)) if answered else builders.unknown() for _ in range(count)]
    machines = tuple(
        builders.instance(
            one.name,
            draw(st.sampled_from((*[InstanceState.RUNNING] * 8, *InstanceState))),
            used_indexes=draw(st.sampled_from((*[(0,)] * 4, (0, 1), tuple(range(32))))),
            interface_count=draw(st.sampled_from((*[1] * 6, 15))),
        )
        for one in policy.members
        if not draw(seldom)
    )
    looked = not draw(seldom)
    return Observation(
        now=NOW,
        wall=WALL,
        jitter=draw(st.sampled_from((0.0, 0.5))),
        enis=builders.survey(*seen, at=began_at, answered=answered),
        instances=builders.instances(
            *machines if looked else (), at=draw(st.sampled_from((NOW - 0.02, NOW - 8.0))), answered=looked
        ),
        attempts=tuple(draw(st.lists(attempts(policy), max_size=3))),
        stalls=tuple(draw(st.lists(stalls, max_size=1))) if draw(seldom) else (),
        links=tuple(draw(links(eni_id)) for eni_id in policy.eni_ids if draw(booleans)),
        peers=tuple(draw(peers(one)) for one in policy.members if one != policy.me),
        requests=tuple(draw(st.lists(requests, max_size=2))),
        outcomes=tuple(draw(st.lists(outcomes(policy), max_size=2))),
        local=replace(builders.LOCAL, attach_allowed=not draw(seldom)),
    )


def later(obs: Observation, seconds: float) -> Observation:
    """The same world, looked at again after a while in which nothing came in."""
    now = obs.now + seconds
    return replace(
        obs,
        now=now,
        wall=obs.wall + seconds,
        enis=replace(obs.enis, began_at=now - 0.05),
        instances=replace(obs.instances, began_at=now - 0.05),
        attempts=(),
        stalls=(),
        requests=(),
        outcomes=(),
    )


stalls = st.builds(model.Stall, from_at=times, to_at=st.just(NOW))
requests = st.builds(
    model.TakeoverRequest, request_id=st.just("r-1"), deadline=st.sampled_from((NOW - 1.0, NOW + 60.0))
) | st.builds(
    model.PauseRequest,
    kind=st.sampled_from(PauseKind),
    duration=st.sampled_from((None, 5.0)),
    local=booleans,
)


def attempts(policy: Policy):
    return st.builds(
        model.Attempt,
        probe=st.sampled_from(policy.probes or (builders.WEB,)),
        member=st.sampled_from(policy.members),
        answer=answers,
        answered=booleans,
        started_at=times,
        ended_at=st.just(NOW),
    )


def links(eni_id: str):
    return st.builds(
        model.Link,
        eni_id=st.just(eni_id),
        watched=booleans,
        present=booleans,
        missing=st.sampled_from(((), ("rule",))),
        lost_at=moments,
    )


def peers(member: Member):
    return st.builds(
        model.Peer,
        member=st.just(member.name),
        instance_id=st.just(member.instance_id),
        reachable=booleans,
        role=st.sampled_from(("", "standby", "taking")),
        config_hash=st.sampled_from(("same", "other", "")),
        pause=pauses,
        takeover_trigger=st.sampled_from(("", *Trigger)),
        last_takeover_trigger=st.sampled_from(("", *Trigger)),
    )


def outcomes(policy: Policy):
    return st.builds(
        model.Outcome,
        mutation=st.sampled_from(Mutation),
        target=st.sampled_from((*policy.eni_ids, "i-alpha", "eni-9")),
        verdict=st.sampled_from(Verdict),
        sent_at=times,
        ended_at=st.just(NOW - 0.01),
        not_sent=booleans,
    )


@st.composite
def cases(draw) -> Case:
    policy = draw(policies())
    return Case(policy=policy, state=draw(states(policy)), obs=draw(observations(policy)))
