"""A whole group in virtual time: hosts, network, the lab's EC2, and a real daemon on each host.

Owns the joining of the parts. Must not know which fault is next or what is forbidden. Does not guarantee
that two worlds may run at the same time in one process: log and hooks are caught globally.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

from eni_failover import reconciler, reloading, surveys
from eni_failover.hooks import runner
from eni_failover.lab import Settings
from eni_failover.lab import World as Lab
from eni_failover.lab.timeline import StateChange
from eni_failover.lab.values import AttachmentStatus, Eni, InstanceState
from tests.sim.sim_audit import Audit
from tests.sim.sim_clockwork import Clockwork
from tests.sim.sim_disk import Disk
from tests.sim.sim_due import DueChanges
from tests.sim.sim_ec2 import Answer, Flight, Wire
from tests.sim.sim_guests import Guests
from tests.sim.sim_hooks import hook_program
from tests.sim.sim_host import Host, KernelLink
from tests.sim.sim_member import Member
from tests.sim.sim_network import Network
from tests.sim.sim_plan import Plan
from tests.sim.sim_recall import remembering
from tests.sim.sim_trace import Trace, logs_into
from tests.sim.sim_truth import Truth

EPOCH = 1_800_000_000.0
CALM_PASSES = 60.0
CALM_PERMISSION = 300.0
CALLS_KEPT = 2_000


async def nothing_wrong(_: object) -> tuple[str, ...]:
    """The stage has no disks to look at."""
    return ()


class World:
    """Everything of one seed, or of one scenario."""

    def __init__(self, plan: Plan, *, rng: random.Random, directory: Path, keep: int | None = 400) -> None:
        self.plan = plan
        self.random = rng
        self.clockwork = Clockwork()
        self.trace = Trace(lambda: self.clockwork.now, hide=str(directory), keep=keep)
        self.network = Network(rng)
        self.lab = self._make_lab(plan)
        self.wire = Wire(
            self.clockwork,
            rng,
            lab=self.lab,
            network=self.network,
            latency=plan.api_latency,
            jitter=plan.api_jitter,
            decided=self._decided,
        )
        self.members = {name: self._make_member(name, directory / name) for name in plan.names}
        self.hosts = {name: member.host for name, member in self.members.items()}
        self.liars: dict[str, Callable[[object], object]] = {}
        """What somebody else at a member's address makes of its /status."""
        self.truth = Truth(self)
        self.audit = Audit(self)
        for eni in self.floating():
            self.audit.attachments.changed(eni.id, eni.attachment, self.now)
        self.guests = Guests(self)
        self.lab.subscribe(self._changed)
        self.moves = 0
        self._calls = 0
        self._era = 0
        self._on_taking: list[tuple[float, Callable[[], object]]] = []
        self._on_attaching: Callable[[str, str], object] | None = None
        self.endless: set[str] = set()
        """Attachments that EC2 never ends."""
        self._due = DueChanges(self.clockwork, self.lab)

    def _make_lab(self, plan: Plan) -> Lab:
        return Lab.pair(
            members=plan.members,
            enis=plan.enis,
            instance_type="m5.4xlarge",
            settings=Settings(durations=plan.durations, lag=plan.lag),
            clock=lambda: self.clockwork.now,
            wall=lambda: EPOCH + self.clockwork.now,
        )

    def _make_member(self, name: str, directory: Path) -> Member:
        (directory / "state").mkdir(parents=True)
        host = Host(
            name=name,
            instance_id=self.lab.instance(name).id,
            disk=Disk(self.clockwork, self.random, directory / "state"),
        )
        for eni in self.floating():
            if eni.attachment and eni.attachment.instance_id == host.instance_id:
                host.links[eni.id] = KernelLink(attachment_id=eni.attachment.id, ready_at=0.0)
        return Member(self, host, directory)

    # Time ------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self.clockwork.now

    def run(self, seconds: float, *, until: Callable[[], bool] | None = None) -> bool:
        """Let time pass, at most so much; gives whether `until` came true."""
        return self.clockwork.run(seconds, until=until)

    def say(self, who: str, *words: object) -> None:
        """A line of the story."""
        self.trace.say(who, *words)

    @contextmanager
    def catching(self) -> Iterator[None]:
        """What the daemons log and start goes nowhere else."""
        with ExitStack() as stack:
            stack.enter_context(logs_into(self.trace))
            stack.enter_context(remembering())
            stack.enter_context(patch.object(runner, "Run", hook_program(self)))
            stack.enter_context(patch.object(reloading, "configure_log", lambda *_, **__: None))
            stack.enter_context(
                patch.object(reloading, "make_ec2", lambda _, __, metrics: metrics.make_ec2())
            )
            stack.enter_context(patch.object(reloading, "why_not_runnable", nothing_wrong))
            if self.plan.calm:
                stack.enter_context(patch.object(reconciler, "LONGEST_WAIT", CALM_PASSES))
                stack.enter_context(patch.object(surveys, "PERMISSION_INTERVAL", CALM_PERMISSION))
            try:
                yield
            finally:
                for member in self.members.values():
                    member.kill()

    # What is so ------------------------------------------------------------------------------------

    def floating(self) -> list[Eni]:
        """The group's ENIs that exist, in file order."""
        state = self.lab.state
        return [state.enis[eni_id] for eni_id in self.plan.eni_ids if eni_id in state.enis]

    def name_of(self, instance_id: str | None) -> str:
        """The member on that instance."""
        found = (one.name for one in self.hosts.values() if one.instance_id == instance_id)
        return next(found, "foreign")

    def where(self) -> tuple[str, ...]:
        """Where each ENI is: a member's name when attached, else `member:status` or `free`."""
        return tuple(self.shown(eni) for eni in self.floating())

    def holder(self) -> str:
        """Whose the first ENI is, attached or on its way; "free" or "" when it is nobody's or gone."""
        return self.where()[0].partition(":")[0] if self.where() else ""

    def shown(self, eni: Eni) -> str:
        """Where this ENI is, in one word."""
        if eni.attachment is None:
            return "free"
        name, status = self.name_of(eni.attachment.instance_id), eni.attachment.status
        return name if status is AttachmentStatus.ATTACHED else f"{name}:{status}"

    def is_running(self, name: str) -> bool:
        """Whether EC2 says so, now."""
        instance = self.lab.state.instances.get(self.hosts[name].instance_id)
        return instance is not None and instance.state is InstanceState.RUNNING

    def is_starting(self, name: str) -> bool:
        """Whether EC2 is starting this member's instance."""
        instance = self.lab.state.instances.get(self.hosts[name].instance_id)
        return instance is not None and instance.state is InstanceState.PENDING

    def is_gone(self, name: str) -> bool:
        """Whether this member's instance was terminated."""
        instance = self.lab.state.instances.get(self.hosts[name].instance_id)
        ended = {InstanceState.SHUTTING_DOWN, InstanceState.TERMINATED}
        return instance is None or instance.state in ended

    def present(self) -> list[str]:
        """The members whose instance was not terminated."""
        return [name for name in self.members if not self.is_gone(name)]

    def api_back(self) -> None:
        """EC2 answers every member again."""
        for name in self.present():
            self.lab.reachable(name)

    def later(self, delay: float, action: Callable[[], object]) -> None:
        """Do this to the world after a while, unless everything is mended before."""
        era = self._era
        self.clockwork.after(delay, lambda: action() if self._era == era else None)

    def when_taking(self, delay: float, action: Callable[[], object]) -> None:
        """Do this so long after the next start of anybody's takeover, unless everything is mended before."""
        self._on_taking.append((delay, action))

    def when_attaching(self, action: Callable[[str, str], object]) -> None:
        """Do this at the next attach of anybody's, with the ENI and the member's name."""
        self._on_attaching = action

    def when_attaching_no_more(self) -> None:
        """That is not done any more."""
        self._on_attaching = None

    def attaching_began(self, eni_id: str, name: str) -> None:
        """EC2 attaches an ENI to a member."""
        action, self._on_attaching = self._on_attaching, None
        if action is not None:
            self.later(0.0, lambda: action(eni_id, name))

    def taking_began(self) -> None:
        """Somebody has written down the intent to take over."""
        waiting, self._on_taking = self._on_taking, []
        for delay, action in waiting:
            self.later(delay, action)

    def end_of_faults(self) -> None:
        """What was to be done later is not done any more."""
        self._era += 1
        self._on_taking.clear()
        self._on_attaching = None

    # What follows from what ------------------------------------------------------------------------

    def refresh(self) -> None:
        """Something has been done to the world: work out what follows from it."""
        self.truth.refresh()
        self.poke_peers()

    def poke_peers(self) -> None:
        """An answer to a peer's question may be another from now on."""
        for member in self.members.values():
            member.poke()

    def _decided(self, flight: Flight, answer: Answer) -> None:
        if flight.is_mutation:
            self.audit.decided(flight, answer)
        self._calls += 1
        if self._calls % CALLS_KEPT == 0:
            self.lab.clear_calls()

    def _changed(self, change: StateChange) -> None:
        for name, host in self.hosts.items():
            before = change.before.instances.get(host.instance_id)
            after = change.after.instances.get(host.instance_id)
            if before is not None and (after is None or before.state is not after.state):
                self.guests.instance_changed(name, after.state if after else None)
        for eni_id in self.plan.eni_ids:
            old, new = change.before.enis.get(eni_id), change.after.enis.get(eni_id)
            if (old.attachment if old else None) != (new.attachment if new else None):
                self.guests.attachment_changed(eni_id, new)
        self._due.expect()

    def release(self, eni: str) -> None:
        """A foreign instance gives an ENI back."""
        attachment = self.lab.eni(eni).attachment if eni in self.lab.state.enis else None
        if attachment is not None and self.name_of(attachment.instance_id) == "foreign":
            self.say("mend", "foreign instance gives back", eni)
            self.lab.place(eni, None)
