"""The witness of a simulation: gathers facts while it runs and asks the invariants of them.

Owns the violations and the figures. Looks into a daemon only for what it intends when it calls; everything
else is the truth about the world and what was told to the daemon.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eni_failover.adapters.ec2_model import Operation
from eni_failover.core.model import Attempt, History, PauseKind, PauseRecord
from eni_failover.core.policy import Policy
from eni_failover.core.snapshot import Snapshot
from eni_failover.core.state import State, Takeover
from eni_failover.core.vocabulary import FOREIGN, Result, Trigger
from tests.sim import sim_invariants as invariants
from tests.sim.sim_ec2 import Answer, Flight
from tests.sim.sim_facts import NEVER, SAME_RECORD, Attachments, Counted, Life, Taking, is_paused, records_of
from tests.sim.sim_starts import (
    DECISION_AGE,
    PASS_AGE,
    STARTS,
    what_somebody_takes_is_left_to_him,
)

if TYPE_CHECKING:
    from tests.sim.sim_daemon import Daemon
    from tests.sim.sim_world import World

COUNTED = frozenset({Trigger.PROBES, Trigger.FAILBACK})
KNOWN: dict[str, str] = {}
"""Invariants that the product is known to break, and how: counted, printed loudly, and no violation."""
CALL_GRAIN = 0.1  # from the pass that decides to the call, on a disk that is well
HEARD_WITHIN = 12.0  # seconds: a peer is asked every two, and one that is silent for one more
MOST_AHEAD = 3000.0  # of another clock; a record further ahead may be refused
WEEK = 7 * 86_400.0
TOLD = frozenset({"active", "standby", "fault"})


class Audit:
    """Facts, figures and violations of one world."""

    def __init__(self, world: World) -> None:
        self.violations: list[str] = []
        self.takeovers: Counter[tuple[str, str]] = Counter()
        self.faults: Counter[str] = Counter()
        self.attachments = Attachments()
        self.tolerated: Counter[str] = Counter()
        self.lives: dict[str, Life] = {name: Life() for name in world.members}
        self._world = world
        self._ids = {name: host.instance_id for name, host in world.hosts.items()}
        self._takings: dict[Flight, tuple[Taking, list[tuple[str, str]]]] = {}
        self._counted: dict[str, list[Counted]] = {name: [] for name in world.members}
        self._accepted: set[str] = set()
        self._begun_under: dict[str, Policy] = {}
        self._rests_since: dict[str, float] = {}
        self._fenced: set[str] = set()
        self._pauses: dict[float, float] = {}
        self._acknowledged_at: dict[float, float] = {}
        self._resumes: dict[tuple[str, bool], float] = {}
        self._recorded: dict[str, dict[str, str | None]] = {}
        self._winners: defaultdict[str, set[str]] = defaultdict(set)

    def wrong(self, invariant: str, problem: str) -> None:
        """Something that must never be so is so."""
        line = f"{invariant}: {problem}"
        if invariant in KNOWN:
            self.tolerated[invariant] += 1
            return
        self.violations.append(line)
        self._world.say("WRONG", line)

    def escaped(self, name: str, error: str) -> None:
        """An exception that nobody in the daemon expected."""
        self.wrong("nothing_escapes_a_daemon", f"{name}: {error}")

    # Lives -----------------------------------------------------------------------------------------

    def life_began(self, name: str) -> None:
        """A process starts: it has been told nothing yet."""
        self.lives[name] = Life(began_at=self._world.now, last_up=self.lives[name].last_up)

    def life_ended(self, name: str) -> None:
        """A process is gone, and its hooks with it."""
        self.lives[name].hook_runs = False

    def asked(self, name: str, timeout: float) -> None:
        """An operator has pressed `takeover` there."""
        life = self.lives[name]
        life.asked_until = max(life.asked_until, self._world.now + timeout)

    def acknowledged(self, record: PauseRecord, pressed_at: float, seconds: float | None) -> None:
        """An operator was told that the group is paused for so long from now on; None is for a week."""
        self._acknowledged_at[record.at] = self._world.now
        self._pauses[record.at] = pressed_at + (WEEK if seconds is None else seconds)

    def forgive(self, name: str) -> None:
        """That member's journal is not what it was, or its clock: the limit counts from here."""
        self._resumes = {key: at for key, at in self._resumes.items() if key[0] != name}
        self._forgive(name)

    def _forgive(self, name: str) -> None:
        self._counted[name].clear()
        self._rests_since.pop(name, None)

    def _hear_resumes(self, name: str, state: State) -> None:
        """A resume that this member has not heard of before: the same one heard again forgives nothing."""
        for record in records_of(state):
            key = name, record.local
            if record.kind == "resume" and record.at > self._resumes.get(key, 0.0) + SAME_RECORD:
                self._resumes[key] = record.at
                self._forgive(name)

    def attempted(self, name: str, attempt: Attempt) -> None:
        """A probe of that member has answered."""
        daemon = self._world.members[name].daemon
        if daemon is not None:
            now = self._world.now
            began_at = now - (daemon.around.loop.clock() - attempt.started_at)
            self.lives[name].take_attempt(attempt, daemon.reconciler.policy, now, began_at)

    def heard(self, flight: Flight, answer: Mapping[str, Any]) -> None:
        """An answer of EC2's has reached the daemon that asked."""
        life, now = self.lives[flight.host], self._world.now
        if flight.operation is Operation.DESCRIBE_ENIS:
            life.take_enis(answer, self._world.plan.eni_ids, now, flight.sent_at)
            life.take_foreign(answer, self._ids.values(), now)
        elif flight.operation is Operation.DESCRIBE_INSTANCES:
            life.take_instances(answer, self._ids, now)

    # Calls -----------------------------------------------------------------------------------------

    def sent(self, flight: Flight) -> None:
        """A request leaves a daemon."""
        if flight.is_mutation:
            self._world.say(flight.host, "->", flight.operation, *_words(flight))
            if flight.operation in {Operation.ATTACH, Operation.DETACH, Operation.STOP}:
                # Judged by what the daemon knew when it sent it; it counts when EC2 accepts it.
                taking = self._taking(flight)
                judged = [(one.__name__, one(taking)) for one in (*invariants.ACCEPTED, *STARTS)]
                self._takings[flight] = (taking, [(name, what) for name, what in judged if what])
            if flight.operation is Operation.STOP and flight.intent is not None:
                self._fenced.add(flight.intent.takeover_id)

    def _taking(self, flight: Flight) -> Taking:
        world, name = self._world, flight.host
        member = world.members[name]
        assert member.daemon is not None
        reconciler, state = member.daemon.reconciler, world.lab.state
        policy = reconciler.policy
        stalled_for = member.stalls.longest(within=invariants.recovery_seen(policy))
        attachment_id = str(flight.parameters.get("AttachmentId", ""))
        if flight.operation is Operation.STOP:
            attachment_id = self._attachment_of_the_first()
        eni = state.by_attachment(attachment_id)
        eni_id = str(flight.parameters.get("NetworkInterfaceId", eni.id if eni else ""))
        attachment = eni.attachment if eni else None
        holder_instance = attachment.instance_id if attachment else ""
        holder = world.name_of(holder_instance) if holder_instance else ""
        first = state.enis.get(world.plan.eni_ids[0])
        first_on = first.attachment.instance_id if first and first.attachment else None
        return Taking(
            flight=flight,
            by=name,
            at=world.now,
            eni_id=eni_id,
            attachment_id=attachment_id,
            is_first=eni_id == world.plan.eni_ids[0],
            holder=holder,
            holder_instance=holder_instance,
            status=str(attachment.status) if attachment else "",
            up_for=world.truth.up_for(name, holder) if holder in world.hosts else 0.0,
            free_for=self.attachments.free_for(eni_id, world.now),
            attaching_for=self.attachments.attaching_for(eni_id, world.now),
            fenced=flight.intent is not None and flight.intent.takeover_id in self._fenced,
            force=bool(flight.parameters.get("Force")),
            intent=flight.intent,
            policy=policy,
            life=self.lives[name],
            pause_until=self._pause_until(reconciler.state),
            unheard=self._unheard(name, reconciler.state),
            paused=is_paused(reconciler.state, reconciler._clock()),
            first_is_here=first_on == flight.instance_id,
            recorded=self._recorded_for(flight.intent, eni_id),
            matched_at=self._matched_at(name, flight.intent),
            stalled_for=stalled_for,
            turn=sum(one != holder for one in list(world.members)[: list(world.members).index(name)]),
            on_disk=bool(member.daemon.journal.problem) or member.host.disk.has(flight.intent),
            begun_under=self._begun_under.get(flight.intent.takeover_id if flight.intent else "", policy),
            old=CALL_GRAIN
            + stalled_for
            + (DECISION_AGE if member.host.disk.delays(within=DECISION_AGE) else 0.0),
            rested_for=world.now - self._rests_since.get(name, float("-inf")),
        )

    def _attachment_of_the_first(self) -> str:
        first = next(iter(self._world.floating()), None)
        return first.attachment.id if first and first.attachment else ""

    def _pause_until(self, state: State) -> float:
        """Until when the pause that this member knows holds it back, by what the operator was told."""
        record = state.durable.pause
        known = record is not None and record.kind is PauseKind.PAUSE
        return self._pauses.get(record.at, NEVER) if record and known else NEVER

    def _unheard(self, name: str, state: State) -> str:
        """A member that is paused, as an operator was told long enough ago, and can tell this one of it."""
        known = state.durable.pause
        for other, member in self._world.members.items():
            record = member.state.durable.pause if member.state else None
            if other == name or record is None or self._pauses.get(record.at, NEVER) <= self._world.now:
                continue
            newer = known is not None and known.at >= record.at
            ahead = record.at - self._world.members[name].wall() > MOST_AHEAD
            if not newer and not ahead and self._could_tell(other, name, record.at):
                return other
        return ""

    def _could_tell(self, one: str, other: str, at: float) -> bool:
        """Whether this record is known for long enough, with both daemons and their way at work."""
        now, both = self._world.now, (one, other)
        known_for = now - self._acknowledged_at.get(at, now)
        runs_for = min(now - self.lives[name].began_at for name in both)
        stalled = max(self._world.members[name].stalls.longest(within=HEARD_WITHIN) for name in both)
        well = not any(self._world.hosts[name].disk.delays(within=HEARD_WITHIN) for name in both)
        runs = all(self._world.members[name].is_responsive for name in both)
        told_for = min(known_for, runs_for, self._world.truth.open_for(one, other))
        return runs and well and not stalled and told_for >= HEARD_WITHIN

    def _recorded_for(self, intent: Takeover | None, eni_id: str) -> str | None:
        if intent is None:
            return None
        first_seen = self._recorded.setdefault(
            intent.takeover_id, {one.eni_id: one.recorded for one in intent.moves}
        )
        return first_seen.get(eni_id)

    def _matched_at(self, name: str, intent: Takeover | None) -> float:
        loop = self._world.members[name].loop
        if intent is None or loop is None:
            return self._world.now
        return self._world.now - (loop.clock() - intent.matched_at)

    def decided(self, flight: Flight, answer: Answer) -> None:
        """EC2 has decided a request; whether the daemon will hear of it is another matter."""
        refused = isinstance(answer, Exception)
        code = answer.response["Error"]["Code"] if refused else "accepted"  # type: ignore[union-attr]
        self._world.say("ec2", flight.host, flight.operation, code)
        sent = self._takings.pop(flight, None)
        if sent is None or refused:
            return
        taking, problems = sent
        for invariant, problem in problems:
            self.wrong(invariant, f"{taking}: {problem}")
        if flight.operation is Operation.STOP:
            return
        if taking.intent is not None and taking.trigger is not Trigger.MANUAL:
            self._accepted.add(taking.intent.takeover_id)
        self._count(taking)

    def _count(self, taking: Taking) -> None:
        """A takeover by probes or failback has passed its point of no return."""
        intent = taking.intent
        if intent is None or intent.trigger not in COUNTED or not taking.from_another:
            return
        counted = self._counted[taking.by]
        if any(one.takeover_id == intent.takeover_id for one in counted):
            return
        problem = invariants.the_limit_holds(counted, taking.policy, self._world.now)
        if problem:
            self.wrong("the_limit_holds", f"{taking}: {problem}")
        counted.append(Counted(takeover_id=intent.takeover_id))

    # What daemons say ------------------------------------------------------------------------------

    def ended(self, name: str, ended: History) -> None:
        """A takeover of that member's has ended."""
        self.takeovers[str(ended.trigger), str(ended.result)] += 1
        self._begun_under.pop(ended.takeover_id, None)
        if ended.takeover_id in self._accepted:
            self._accepted.remove(ended.takeover_id)
            self._rests_since[name] = self._world.now
        for one in self._counted[name]:
            if one.takeover_id == ended.takeover_id:
                one.ended_at = self._world.now
        if ended.trigger is Trigger.MANUAL and ended.result is Result.SUCCESS:
            self._forgive(name)
        recorded = self._recorded.pop(ended.takeover_id, {}).get(self._world.plan.eni_ids[0])
        if recorded is not None:
            winners = self._winners[recorded]
            problem = invariants.one_winner_for_each_observation(winners, name, ended.result)
            if problem:
                self.wrong("one_winner_for_each_observation", problem)
            if ended.result is Result.SUCCESS:
                winners.add(name)

    def published(self, name: str, view: Snapshot, state: State) -> None:
        """A pass has shown what it found."""
        life, role = self.lives[name], str(state.role)
        self._hear_resumes(name, state)
        daemon = self._world.members[name].daemon
        if daemon is not None:
            late = PASS_AGE if self._world.hosts[name].disk.delays(within=PASS_AGE) else CALL_GRAIN
            life.pass_ended(daemon.reconciler.policy, self._world.now - late, paused=view.paused)
            if state.durable.takeover is not None:
                self._takeover_shown(name, daemon, state.durable.takeover)
        if not state.role_known or role == life.role:
            return
        before, life.role = life.role, role
        if role in TOLD:
            life.hooks_due.append(role)
        problem = invariants.who_has_everything_stays_active(
            before,
            role,
            had_for=self._world.truth.had_for(name),
            absent=bool(life.surely_absent & set(self._world.plan.eni_ids)),
        )
        if problem:
            self.wrong("who_has_everything_stays_active", f"{name}: {problem}")
        group = [eni.eni_id for eni in view.enis if eni.member != FOREIGN]
        self._role_shown(name, role, group)

    def _takeover_shown(self, name: str, daemon: Daemon, takeover: Takeover) -> None:
        if takeover.takeover_id in self._begun_under:
            return
        self._begun_under[takeover.takeover_id] = daemon.reconciler.policy
        taking = [one.member for one in daemon.peers_seen if one.reachable and one.role == "taking"]
        free_since = self.lives[name].lock_free_since
        free_for = self._world.now - free_since if free_since is not None else float("inf")
        problem = what_somebody_takes_is_left_to_him(takeover.trigger, taking, free_for)
        if problem:
            self.wrong("what_somebody_takes_is_left_to_him", f"{name}: {problem}")

    def _role_shown(self, name: str, role: str, enis: list[str]) -> None:
        host, now = self._world.hosts[name], self._world.now
        gone = [self.attachments.ended_for(host.lost[one], now) for one in enis if one in host.lost]
        enis = [one for one in enis if one in self._world.lab.state.enis]
        problem = invariants.active_has_every_link(
            role, {one: host.lost_at.get(one) for one in enis if one not in host.links}, now
        )
        if problem:
            self.wrong("active_has_every_link", f"{name}: {problem}")
        unready = [one for one in enis if one not in host.links or host.links[one].ready_at > now]
        problem = invariants.fault_has_a_cause(
            role,
            unready_for=max((self.attachments.attached_for(one, now) for one in unready), default=0.0),
            gone_for=min(gone, default=None),
        )
        if problem:
            self.wrong("fault_has_a_cause", f"{name}: {problem}")

    def hook_began(self, name: str, role: str) -> None:
        """A hook's program starts."""
        life = self.lives[name]
        problem = invariants.hooks_run_in_order(
            life.hooks_due, life.hooks_begun, role, another_runs=life.hook_runs
        )
        if problem:
            self.wrong("hooks_run_in_order", f"{name}: {problem}")
        life.hooks_begun += 1
        life.hook_runs = True

    def hook_ended(self, name: str) -> None:
        """It has ended."""
        self.lives[name].hook_runs = False


def _words(flight: Flight) -> list[str]:
    parameters = flight.parameters
    words = [str(parameters[key]) for key in ("AttachmentId", "NetworkInterfaceId") if key in parameters]
    words += [f"index={parameters['DeviceIndex']}"] if "DeviceIndex" in parameters else []
    words += [",".join(parameters["InstanceIds"])] if "InstanceIds" in parameters else []
    return [*words, "force"] if parameters.get("Force") else words
