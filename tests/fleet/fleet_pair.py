"""One pair: two hosts with their real daemons, one ENI, and their own EC2 but for the account's buckets.

The parts are those of the simulation of one group (`tests/sim`), without its faults and its audit.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eni_failover.adapters.ec2_model import Operation
from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import ProbeSpec, Target
from eni_failover.config import load
from eni_failover.core.model import Attempt
from eni_failover.core.policy import InstanceId
from eni_failover.core.snapshot import Snapshot
from eni_failover.core.state import State
from eni_failover.core.vocabulary import Answer, Role, Scope
from eni_failover.errors import AdapterError
from eni_failover.history import Journal
from eni_failover.identity import Self
from eni_failover.lab import Settings
from eni_failover.lab import World as Lab
from eni_failover.lab.timeline import StateChange
from eni_failover.lab.values import AttachmentStatus
from eni_failover.status import to_document
from tests.fleet.fleet_account import ATTACH_DRY_RUN, Account, Call
from tests.sim.sim_clockwork import Clockwork, ProcessLoop
from tests.sim.sim_daemon import Daemon, Surroundings
from tests.sim.sim_disk import Disk
from tests.sim.sim_due import DueChanges
from tests.sim.sim_ec2 import Paper, SimEc2Client, Wire
from tests.sim.sim_host import Host, KernelLink, Links
from tests.sim.sim_network import Network

if TYPE_CHECKING:
    from eni_failover.lab.values import Attachment

ZONE = "eu-central-1a"
SUBNET = "subnet-0123456789abcdef0"
MEMBERS = ("alpha", "beta")
EPOCH = 1_800_000_000.0
LINKS_KNOWN_AFTER = 0.2
UP = ProbeResult(answer=Answer.UP, answered=True, detail="")

FILE = """
group = "{group}"
[eni]
ids = ["{eni_id}"]
[[member]]
name = "alpha"
instance_id = "{alpha}"
address = "10.0.1.11"
[[member]]
name = "beta"
instance_id = "{beta}"
address = "10.0.1.12"
[[probe]]
name = "web"
type = "http"
url = "http://{{address}}:8080/healthz"
[control]
role_file = "{directory}/role"
[state]
directory = "{directory}/state"
"""
"""All else is as the daemon has it by default."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What is the same for all pairs. Seconds."""

    settings: Settings
    api_latency: float = 0.04
    api_jitter: float = 1.0
    link_delay: float = 0.1


class Pair:
    """Two members; alpha has the ENI."""

    def __init__(
        self,
        number: int,
        conditions: Conditions,
        *,
        clockwork: Clockwork,
        account: Account,
        rng: random.Random,
        directory: Path,
        on_error: Callable[[str, str], None],
    ) -> None:
        self.number = number
        self.conditions = conditions
        self.clockwork = clockwork
        self.account = account
        self.random = rng
        self.on_error = on_error
        self.eni_id = f"eni-0{number:016x}"
        self.died_at: float | None = None
        self.detected_at: float | None = None
        """When the last answer came that the standby's probe needs to be down."""
        self.attached_at: float | None = None
        """When EC2 had the ENI attached to the standby."""
        self.served_at: float | None = None
        """When the standby's kernel had the link with its address: the first packet could be answered."""
        self.active_at: float | None = None
        """When the standby's daemon knew, and said that it is active."""
        self.lab = self._make_lab()
        self.wire = Wire(
            clockwork,
            rng,
            lab=self.lab,
            network=Network(rng),
            latency=conditions.api_latency,
            jitter=conditions.api_jitter,
            decided=lambda _flight, _answer: None,
        )
        self.members = tuple(FleetMember(self, name, directory / name) for name in MEMBERS)
        self.holder, self.standby = self.members
        attachment = self.lab.eni(self.eni_id).attachment
        assert attachment is not None
        self.holder.host.links[self.eni_id] = KernelLink(attachment_id=attachment.id, ready_at=0.0)
        self._due = DueChanges(clockwork, self.lab)
        self.lab.subscribe(self._changed)

    def _make_lab(self) -> Lab:
        lab = Lab(
            settings=self.conditions.settings,
            clock=lambda: self.clockwork.now,
            wall=lambda: EPOCH + self.clockwork.now,
        )
        lab._buckets = self.account.buckets
        lab.add_subnet(SUBNET, ZONE, "10.0.1.0/24")
        for place, name in enumerate(MEMBERS):
            lab.add_instance(self.instance_id(name), name=name, address=f"10.0.1.{11 + place}")
        lab.add_eni(self.eni_id, addresses=["10.0.1.101"], tags={"Name": "floating"})
        lab.place(self.eni_id, "alpha")
        lab.forget_history()
        return lab

    def instance_id(self, name: str) -> str:
        """The instance of this member, another one in each pair."""
        return f"i-0{self.number:08x}{MEMBERS.index(name) + 1:08x}"

    def of(self, instance_id: str | None) -> FleetMember | None:
        """The member on this instance."""
        return next((one for one in self.members if one.host.instance_id == instance_id), None)

    def kill_holder(self) -> None:
        """The holder's host hangs for ever: nothing there answers, and EC2 says that it runs."""
        self.died_at = self.clockwork.now
        self.holder.die()
        self.standby.poke()

    # What follows from what ------------------------------------------------------------------------

    def _changed(self, change: StateChange) -> None:
        before, after = (state.enis[self.eni_id].attachment for state in (change.before, change.after))
        if before != after:
            self._attachment_changed(after)
        self._due.expect()

    def _attachment_changed(self, attachment: Attachment | None) -> None:
        holder = self.of(attachment.instance_id) if attachment else None
        for member in self.members:
            if member is not holder:
                member.unplug()
        if attachment is None or holder is None or attachment.status is not AttachmentStatus.ATTACHED:
            return
        if holder is self.standby:
            self.attached_at = self.clockwork.now
        self.clockwork.after(self.conditions.link_delay, partial(holder.plug, attachment.id))

    def plugged(self, member: FleetMember) -> None:
        """This member's kernel has the link, with its address."""
        if member is self.standby:
            self.served_at = self.clockwork.now

    def published(self, member: FleetMember, role: Role) -> None:
        """This member's daemon shows another role."""
        if member is self.standby and role is Role.ACTIVE:
            self.active_at = self.clockwork.now
        for one in self.members:
            one.poke()


class FleetMember:
    """A member: its host, and the daemon there."""

    def __init__(self, pair: Pair, name: str, directory: Path) -> None:
        self.name = name
        self.host = Host(
            name=name,
            instance_id=pair.instance_id(name),
            disk=Disk(pair.clockwork, pair.random, directory / "state"),
        )
        self.daemon: Daemon | None = None
        self._pair = pair
        self._directory = directory
        self._shown: tuple[Any, ...] = ()
        self._loop = ProcessLoop(  # type: ignore[abstract]  # what is not there raises
            pair.clockwork,
            name=f"{pair.number}-{name}",
            offset=pair.random.uniform(1e3, 1e6),
            on_work=self.host.disk.work,
            on_error=partial(pair.on_error, f"pair {pair.number} {name}"),
        )
        self._downs = 0

    def start(self) -> None:
        """Start the daemon."""
        (self._directory / "state").mkdir(parents=True)
        self._loop.step(asyncio.Handle(self._build, (), self._loop))
        assert self.daemon is not None
        task = self._loop.spawn(self.daemon.run(), name="daemon")
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled():
            self._pair.on_error(self._loop.name, repr(task.exception()))

    def _build(self) -> None:
        pair, loop = self._pair, self._loop
        path = self._directory / "config.toml"
        alpha, beta = (pair.instance_id(name) for name in MEMBERS)
        text = FILE.format(
            group=f"pair-{pair.number}", eni_id=pair.eni_id, alpha=alpha, beta=beta, directory=self._directory
        )
        path.write_text(text, encoding="utf-8")
        config = load(path, {})
        me = next(one for one in config.members if one.name == self.name)
        journal = Journal(
            config.state_directory,
            group=config.group,
            instance_id=me.instance_id,
            boot="boot",
            uptime=lambda: pair.clockwork.now,
        )
        around = Surroundings(
            loop=loop,
            wall=lambda: EPOCH + pair.clockwork.now,
            client=self._client,
            links=Links(
                self.host,
                clock=loop.clock,
                world_clock=lambda: pair.clockwork.now,
                known_after=LINKS_KNOWN_AFTER,
            ),
            probe=self._probe,
            round_trip=0.0,
            status_of=self._status_of,
            ask_again=lambda: False,
            draw=pair.random.random,
            on_published=self._published,
            on_took_over=_ignored,
            on_attempt=self._attempted,
            true_lag=False,
        )
        identified = Self(member=me, region="eu-central-1", zone=ZONE)
        self.daemon = Daemon(config=config, around=around, journal=journal, identified=identified)

    def die(self) -> None:
        """The host hangs for ever, and the daemon with it."""
        daemon, self.daemon = self.daemon, None
        self.host.is_hung = True
        self._loop.kill()
        if daemon is not None:
            daemon.close()

    # The world, as the daemon meets it -------------------------------------------------------------

    def _client(self, state: Callable[[], State]) -> SimEc2Client:
        pair = self._pair
        return RecordedClient(
            record=self._record,
            host=self.name,
            instance_id=self.host.instance_id,
            life=1,
            wire=pair.wire,
            rng=pair.random,
            clock=self._loop.clock,
            world_clock=lambda: pair.clockwork.now,
            intent=lambda: state().durable.takeover,
            sent=_ignored,
            heard=_ignored,
        )

    def _record(self, operation: str, sent_at: float, code: str) -> None:
        pair = self._pair
        pair.account.calls.append(
            Call(
                pair=pair.number,
                member=self.name,
                operation=operation,
                sent_at=sent_at,
                ended_at=pair.clockwork.now,
                code=code,
            )
        )

    def _probe(self, _spec: ProbeSpec, target: Target) -> ProbeResult | None:
        asked = self._pair.of(target.instance_id)
        return UP if asked is not None and asked.host.is_alive else None

    def _status_of(self, instance_id: InstanceId) -> object | None:
        asked = self._pair.of(instance_id)
        if asked is None or asked.daemon is None:
            return None
        snapshot = asked.daemon.reconciler.snapshot
        return None if snapshot is None else to_document(snapshot)

    def _attempted(self, attempt: Attempt) -> None:
        pair = self._pair
        if pair.died_at is None or pair.detected_at is not None or attempt.probe.scope is not Scope.HOLDER:
            return
        self._downs = self._downs + 1 if attempt.answer is Answer.DOWN else 0
        if self._downs == attempt.probe.fall:
            pair.detected_at = pair.clockwork.now

    def _published(self, view: Snapshot, state: State) -> None:
        takeover = view.takeover and view.takeover.trigger
        shown = (view.role, takeover, view.last_takeover, view.paused, view.enis)
        if shown != self._shown:
            self._shown = shown
            self._pair.published(self, state.role)

    def poke(self) -> None:
        """A question to the other member may have another answer now."""
        if self.daemon is not None:
            self.daemon.peers.poke()

    # Its links -------------------------------------------------------------------------------------

    def plug(self, attachment_id: str) -> None:
        """The kernel finds the ENI, and its address is set."""
        if self.daemon is None:
            return
        eni_id, now = self._pair.eni_id, self._pair.clockwork.now
        self.host.links[eni_id] = KernelLink(attachment_id=attachment_id, ready_at=now)
        self.daemon.around.links.came(eni_id)
        self.daemon.reconciler.wake()
        self._pair.plugged(self)

    def unplug(self) -> None:
        """The kernel has the ENI no more."""
        if self.host.links.pop(self._pair.eni_id, None) is not None and self.daemon is not None:
            self.daemon.around.links.lost(self._pair.eni_id)
            self.daemon.reconciler.wake()


class RecordedClient(SimEc2Client):
    """The simulation's client, which says what became of each attempt."""

    def __init__(self, *, record: Callable[[str, float, str], None], **options: Any) -> None:
        super().__init__(**options)
        self._record = record

    async def call(self, operation: Operation, send: Callable[[Any], Any], **options: Any) -> Any:
        sent_at, code = self._world_clock(), "ok"
        try:
            return await super().call(operation, send, **options)
        except AdapterError as error:
            code = error.code
            raise
        finally:
            dry_run = operation is Operation.ATTACH and send(Paper()).get("DryRun")
            self._record(ATTACH_DRY_RUN if dry_run else operation.value, sent_at, code)


def _ignored(*_args: object) -> None:
    """Nobody wants to know."""
