"""One member: its host, and the daemon that lives, dies and comes back there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eni_failover.adapters.probes.probe import ProbeResult
from eni_failover.adapters.probes.spec import ProbeSpec, Target
from eni_failover.config import load
from eni_failover.core.policy import InstanceId
from eni_failover.core.snapshot import Snapshot
from eni_failover.core.state import State
from eni_failover.core.vocabulary import Answer, ProbeType, Scope
from eni_failover.errors import ConfigError
from eni_failover.history import Journal
from eni_failover.identity import Self
from eni_failover.status import to_document
from tests.sim.sim_clockwork import ProcessLoop
from tests.sim.sim_console import Console
from tests.sim.sim_daemon import Daemon, QuietLag, Surroundings
from tests.sim.sim_ec2 import SimEc2Client
from tests.sim.sim_host import Host, Links, Service
from tests.sim.sim_network import WITNESS, Exchange
from tests.sim.sim_plan import WRONG_PORT
from tests.sim.sim_stalls import Stalls

if TYPE_CHECKING:
    from tests.sim.sim_plan import Plan
    from tests.sim.sim_world import World

LINKS_KNOWN_AFTER = 0.2
SERVED = ProbeResult(answer=Answer.UP, answered=True, detail="")
ANSWERS = {
    Service.UP: SERVED,
    Service.DOWN: ProbeResult(answer=Answer.DOWN, answered=True, detail="refused"),
    Service.HANGS: None,
}


class Member:
    """A member's daemon from life to life."""

    def __init__(self, world: World, host: Host, directory: Path) -> None:
        self.host = host
        self.name = host.name
        self.life = 0
        self.daemon: Daemon | None = None
        self.loop: ProcessLoop | None = None
        self.config_path = directory / "config.toml"
        self.console = Console(world, self)
        self.stalls = Stalls(world.clockwork)
        self._world = world
        self._directory = directory
        self._shown: tuple[Any, ...] = ()
        self.stalls_probing = 0.0
        """For how long the process stalls as soon as a probe of its has been sent."""
        self._is_changed, self._taking = False, ""
        self.dies_taking: int | None = None
        """After how many steps of its next takeover the daemon is killed."""
        self.write_config()

    def write_config(self, other: Plan | None = None, **changes: str | int) -> None:
        """The file on this host, of another plan, or with these things of [policy] changed."""
        self._is_changed = other is not None or bool(changes)
        plan = other or self._world.plan
        self.config_path.write_text(plan.toml(self._directory, **changes), encoding="utf-8")

    def restore_config(self) -> None:
        """The file is again what the plan says, and read again if it was not."""
        if self._is_changed:
            self.write_config()
            self.console.reload()

    # Life ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the daemon, when its host runs and none runs there."""
        if self.daemon is not None or not self.host.is_alive:
            return
        world = self._world
        self.life += 1
        self._shown = ()
        self.loop = loop = ProcessLoop(  # type: ignore[abstract]  # what is not there raises
            world.clockwork,
            name=self.name,
            offset=1_000.0 * self.life + 7.0,
            on_work=self.host.disk.work,
            on_error=partial(world.audit.escaped, self.name),
        )
        world.say(self.name, "starts")
        world.audit.life_began(self.name)
        loop.step(asyncio.Handle(self._build, (), loop))
        if self.state is None:
            loop.kill()
            return
        task = loop.spawn(self._run(), name="daemon")
        task.add_done_callback(self._ended)
        world.poke_peers()

    async def _run(self) -> None:
        if self.daemon is not None:
            await self.daemon.run()

    def _build(self) -> None:
        world, loop, host = self._world, self.loop, self.host
        assert loop is not None
        try:
            config = load(self.config_path, {})
        except ConfigError:
            world.say(self.name, "cannot start: bad file")
            return
        me = next(one for one in config.members if one.instance_id == host.instance_id)
        journal = Journal(
            config.state_directory,
            group=config.group,
            instance_id=me.instance_id,
            boot=f"boot-{host.boots}",
            uptime=lambda: world.now,
        )
        journal.lock()
        around = Surroundings(
            loop=loop,
            wall=self.wall,
            client=self._client,
            links=Links(
                host,
                clock=loop.clock,
                world_clock=lambda: world.now,
                known_after=LINKS_KNOWN_AFTER,
            ),
            probe=self._probe,
            round_trip=world.plan.round_trip,
            status_of=self._status_of,
            ask_again=lambda: world.network.is_lossy,
            draw=world.random.random,
            on_published=self._published,
            on_took_over=partial(world.audit.ended, self.name),
            on_attempt=partial(world.audit.attempted, self.name),
            true_lag=world.plan.true_lag,
        )
        identified = Self(member=me, region="eu-central-1", zone="eu-central-1a")
        self.daemon = Daemon(config=config, around=around, journal=journal, identified=identified)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and self.daemon is not None:
            self._world.audit.escaped(self.name, repr(task.exception()))

    def kill(self) -> None:
        """The process is gone, in the middle of whatever it did."""
        if self.daemon is None or self.loop is None:
            return
        daemon, self.daemon = self.daemon, None
        torn = self.host.disk.cut()
        self.loop.kill()
        daemon.close()
        self._world.say(self.name, "ends", f"journal={torn}" if torn else "")
        self._world.audit.life_ended(self.name)
        self._world.poke_peers()

    def kill_soon(self, steps: int) -> None:
        """Gone after so many more steps of its loop."""
        if self.loop:
            self.loop.kill_after = (steps, self.kill)

    def spare(self) -> None:
        """It will not be killed after all."""
        self.dies_taking = None
        self.stalls_probing = 0.0
        if self.loop is not None:
            self.loop.kill_after = None

    def freeze(self, seconds: float) -> None:
        """The process does not run for so long."""
        if self.daemon is not None and self.loop is not None:
            if isinstance(self.daemon.lag, QuietLag):
                self.daemon.lag.begin_stall()
            self.stalls.begin(seconds, over=partial(self._ran_again, self.life))
            self.loop.freeze(seconds)

    def _ran_again(self, life: int, seconds: float) -> None:
        """A stall is over, of a process that may have noticed it."""
        daemon = self.daemon if life == self.life else None
        if daemon:
            policy = daemon.reconciler.policy
            self._world.audit.lives[self.name].stood_still(policy, self._world.now, seconds)

    def sleep(self, seconds: float) -> None:
        """The host sleeps: nothing runs, and no timer of the process's goes on."""
        if self.daemon is not None and self.loop is not None:
            if isinstance(self.daemon.lag, QuietLag):
                self.daemon.lag.begin_stall()
            self.stalls.begin(seconds, over=partial(self._ran_again, self.life))
            self.loop.sleep(seconds)

    def thaw(self) -> None:
        """It runs again."""
        self.stalls.cut_short()
        if self.loop is not None:
            self.loop.thaw()

    def wall(self) -> float:
        """What this host's wall clock says."""
        return self._world.lab._wall() + self.host.skew

    @property
    def state(self) -> State | None:
        """What the daemon remembers, None while none runs."""
        return self.daemon.reconciler.state if self.daemon else None

    @property
    def is_responsive(self) -> bool:
        """Whether a daemon runs here and runs on."""
        return self.daemon is not None and self.host.is_alive and not (self.loop and self.loop.is_frozen)

    # The world, as the daemon meets it -------------------------------------------------------------

    def _client(self, state: Callable[[], State]) -> SimEc2Client:
        world, loop = self._world, self.loop
        assert loop
        return SimEc2Client(
            host=self.name,
            instance_id=self.host.instance_id,
            life=self.life,
            wire=world.wire,
            rng=world.random,
            clock=loop.clock,
            world_clock=lambda: world.now,
            intent=lambda: state().durable.takeover,
            sent=world.audit.sent,
            heard=world.audit.heard,
        )

    def _probe(self, spec: ProbeSpec, target: Target) -> ProbeResult | None:
        world, scope = self._world, spec.policy.scope
        if self.stalls_probing and scope is Scope.HOLDER:
            seconds, self.stalls_probing = self.stalls_probing, 0.0
            world.clockwork.after(0.0, lambda: self.freeze(seconds))
        if self.host.is_deaf:
            return ProbeResult(answer=Answer.UNKNOWN, answered=False, detail="not sent")
        if scope is Scope.WITNESS:
            return SERVED if world.network.exchange(self.name, WITNESS) is Exchange.DONE else None
        asked = world.members[world.name_of(target.instance_id)]
        there = asked is self or world.network.exchange(self.name, asked.name) is Exchange.DONE
        if not (there and asked.host.is_alive):
            return None
        if spec.policy.type is ProbeType.PEER:
            return asked.as_peer()
        nothing_there = str(WRONG_PORT) in str(spec.settings)
        return ANSWERS[Service.DOWN if nothing_there else asked.host.service]

    def as_peer(self) -> ProbeResult | None:
        """What a probe of type peer makes of this member."""
        if self.daemon is None:
            return ProbeResult(answer=Answer.UNKNOWN, answered=True, detail="refused")
        if not self.is_responsive:
            return None
        snapshot = self.daemon.reconciler.snapshot
        if snapshot is None:
            return ProbeResult(answer=Answer.UNKNOWN, answered=True, detail="starting")
        answer = Answer.DOWN if snapshot.role == "fault" else Answer.UP
        return ProbeResult(answer=answer, answered=True, detail=f"role {snapshot.role}")

    def _status_of(self, instance_id: InstanceId) -> object | None:
        name = self._world.name_of(instance_id)
        asked = self._world.members.get(name)
        if asked is None:
            return None  # a member of the file alone
        if self._world.network.exchange(self.name, name) is not Exchange.DONE:
            return None
        snapshot = asked.daemon.reconciler.snapshot if asked.daemon and asked.is_responsive else None
        document = None if snapshot is None else to_document(snapshot)
        lie = self._world.liars.get(name)
        return document if lie is None else lie(document)

    def _published(self, view: Snapshot, state: State) -> None:
        takeover = state.durable.takeover
        if takeover is not None and takeover.takeover_id != self._taking:
            self._taking = takeover.takeover_id
            self._world.taking_began()
            if self.dies_taking is not None:
                self.kill_soon(self.dies_taking)
                self.dies_taking = None
        shown = (
            view.role,
            view.version,
            view.config_hash,
            view.paused,
            view.pause,
            view.takeover and view.takeover.trigger,
            view.last_takeover,
        )
        if shown != self._shown:
            self._shown = shown
            self._world.poke_peers()
        self._world.audit.published(self.name, view, state)

    def poke(self) -> None:
        """A question to a peer may have another answer now."""
        if self.daemon:
            self.daemon.peers.poke()

    def wake(self) -> None:
        """The kernel has news of a link."""
        if self.daemon is not None:
            self.daemon.reconciler.wake()

    def link_lost(self, eni_id: str) -> None:
        """The kernel tells that a link is gone."""
        if self.daemon is not None:
            self.daemon.around.links.lost(eni_id)
            self.wake()

    def link_came(self, eni_id: str) -> None:
        """The kernel tells of a new link."""
        if self.daemon is not None:
            self.daemon.around.links.came(eni_id)
            self.wake()
