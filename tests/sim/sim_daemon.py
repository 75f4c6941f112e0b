"""One life of one member's daemon: the parts of the real one, joined as `assembly` joins them.

Real: loop, surveys, actor, EC2 adapter, prober, peers' memory, journal, stalls, broadcast, hook queue, role
file, desk, reloader, configuration. Stand-ins: boto3's client, netlink, the probes' sockets, the peers'
HTTP, the hooks' programs, metrics, systemd, the servers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, cast

import structlog

from eni_failover.acting import Actor
from eni_failover.adapters.ec2 import Ec2
from eni_failover.adapters.quota import Quota
from eni_failover.assembly import Bell, Parts
from eni_failover.broadcast import Broadcast
from eni_failover.config import Config
from eni_failover.core.model import Attempt, History, Peer
from eni_failover.core.snapshot import Snapshot
from eni_failover.core.state import State
from eni_failover.desk import LoopDesk
from eni_failover.errors import EniFailoverError
from eni_failover.history import Journal, Moment
from eni_failover.hooks import HookRunner, priority_of
from eni_failover.identity import Self
from eni_failover.lag import LoopLag
from eni_failover.prober import Prober
from eni_failover.reconciler import Reconciler
from eni_failover.reloading import Reloader
from eni_failover.rolefile import RoleFile
from eni_failover.sdnotify import Notifier
from eni_failover.status import peer_from_document
from eni_failover.surveys import Surveys
from tests.sim.sim_clockwork import ProcessLoop
from tests.sim.sim_ec2 import SimEc2Client
from tests.sim.sim_host import Links
from tests.sim.sim_senses import Ask, AskStatus, SimPeers, SimProbe

VERSION = "0"
CALL_LATER = 1e-6


class Unmeasured:
    """Stands for the metrics: takes every figure and keeps none.

    `make_ec2` is what the stand-in for `reloading.make_ec2` calls: it is given nothing else of the daemon.
    """

    def __init__(self, make_ec2: Callable[[], Ec2] | None = None) -> None:
        self.make_ec2 = make_ec2

    def __getattr__(self, name: str) -> Callable[..., None]:
        return _nothing


def _nothing(*_args: object, **_keys: object) -> None:
    """No figure is kept."""


class QuietLag(LoopLag):
    """The real bookkeeping of stalls, without its four ticks a second: at rest they tell nothing."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._stalling = False

    def begin_stall(self) -> None:
        """The process stops running now, just after a tick."""
        if not self._stalling:
            self._seen_at = self._clock()
        self._stalling = True

    def stalls(self) -> tuple[Any, ...]:
        """The stalls since the last call."""
        if not self._stalling:
            self._seen_at = self._clock()
        self._stalling = False
        return super().stalls()

    async def run(self) -> None:
        """Nothing ticks."""
        await asyncio.get_running_loop().create_future()


@dataclass(kw_only=True)
class Surroundings:
    """What a life is given of the world around it."""

    loop: ProcessLoop
    wall: Callable[[], float]
    client: Callable[[Callable[[], State]], SimEc2Client]
    links: Links
    probe: Ask
    round_trip: float
    status_of: AskStatus
    ask_again: Callable[[], bool]
    draw: Callable[[], float]
    on_published: Callable[[Snapshot, State], None]
    on_took_over: Callable[[History], None]
    on_attempt: Callable[[Attempt], None]
    true_lag: bool


@dataclass(kw_only=True)
class Daemon:
    """A running daemon. `desk` is where operators press, `reloader` where a file is read again."""

    config: Config
    around: Surroundings
    journal: Journal
    identified: Self
    parts: Parts = field(init=False)
    desk: LoopDesk = field(init=False)
    reloader: Reloader = field(init=False)
    lag: LoopLag = field(init=False)
    peers: SimPeers = field(init=False)
    peers_seen: tuple[Peer, ...] = ()
    """What the newest pass was told of the others."""

    def __post_init__(self) -> None:
        self.reloader = Reloader(self.config, self.identified, env={}, notifier=Notifier({}))
        self.parts = self._build()
        self.reloader.connect(self.parts)

    @property
    def reconciler(self) -> Reconciler:
        """The loop."""
        return self.parts.reconciler

    async def run(self) -> None:
        """All parts, until the process ends."""
        parts = self.parts
        eternal: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "reconciler": parts.reconciler.run,
            "probes": parts.prober.run,
            "surveys": parts.surveys.run,
            "peers": self.peers.run,
            "hooks": parts.hooks.run,
            "loop lag": self.lag.run,
            "reloads": self.reloader.run,
        }
        async with asyncio.TaskGroup() as group:
            for name, run in eternal.items():
                group.create_task(_guard(name, run()), name=name)

    def close(self) -> None:
        """What the kernel does for a process that is gone."""
        self.journal.close()
        self.parts.ec2.close()

    # Joining the parts -----------------------------------------------------------------------------

    def _build(self) -> Parts:
        config, around, me = self.config, self.around, self.identified.member
        policy, clock, bell = config.policy_for(me.instance_id), around.loop.clock, Bell()
        ec2 = self._ec2()
        surveys = Surveys(ec2=ec2, policy=policy, zone=self.identified.zone, clock=clock, wake=bell.ring)
        prober = Prober(
            config.probes,
            me=me,
            clock=clock,
            on_attempt=lambda attempt, late: self._attempted(bell, attempt, late),
            wake=bell.ring,
            make=lambda spec: SimProbe(spec, around.probe, round_trip=around.round_trip),
        )
        lag_type = LoopLag if around.true_lag else QuietLag
        self.lag = lag_type(clock=clock, threshold=policy.stall_length, on_lag=_nothing, on_stall=_nothing)
        self.peers = SimPeers(
            policy.members,
            me=me,
            url_of=lambda member: member.address,
            parse=partial(peer_from_document, group=config.group),
            clock=clock,
            on_change=bell.ring,
            ask=around.status_of,
            again=around.ask_again,
        )
        hooks = HookRunner(
            commands=config.hooks,
            group=config.group,
            member=me.name,
            priority=priority_of(policy.members.index(me)),
            environment={},
            on_run=_nothing,
        )
        broadcast = _Broadcast(
            around,
            policy=policy,
            prober=prober,
            metrics=cast(Any, Unmeasured()),
            hooks=hooks,
            role_file=RoleFile(config.role_file),
            notifier=Notifier({}),
            credentials_expiry=lambda: None,
        )
        reconciler = self._reconciler(ec2, surveys, broadcast)
        bell.connect(reconciler, cast(Any, Unmeasured()))
        self.desk = LoopDesk(
            reconciler=reconciler, metrics=cast(Any, Unmeasured()), reload=self.reloader.reload, clock=clock
        )
        joined: dict[str, Any] = {
            "metrics": Unmeasured(self._ec2),
            "me": me,
            "ec2": ec2,
            "surveys": surveys,
            "actor": reconciler._actor,
            "prober": prober,
            "links": around.links,
            "peers": self.peers,
            "lag": self.lag,
            "hooks": hooks,
            "broadcast": broadcast,
            "reconciler": reconciler,
        }
        # What a reload does to the other parts is of no consequence here.
        return Parts(**{part.name: joined.get(part.name, Unmeasured()) for part in fields(Parts)})

    def _attempted(self, bell: Bell, attempt: Attempt, late: float) -> None:
        self.around.on_attempt(attempt)
        bell.attempt(attempt, late)

    def _ec2(self) -> Ec2:
        ec2 = Ec2(
            region="eu-central-1",
            group=self.config.group,
            version=VERSION,
            connect_timeout=self.config.aws.connect_timeout,
            read_timeout=self.config.aws.read_timeout,
            # No call leaves at the very moment of the pass that wants it.
            clock=lambda: self.around.loop.clock() + CALL_LATER,
            on_request=_nothing,
        )
        ec2._calls.close()
        client = self.around.client(lambda: self.reconciler.state)
        ec2._calls = cast(Any, client)
        ec2._quota = Quota(self.around.loop.clock, jitter=client.jitter)
        return ec2

    def _reconciler(self, ec2: Ec2, surveys: Surveys, broadcast: Broadcast) -> Reconciler:
        around, me = self.around, self.identified.member
        clock, policy = around.loop.clock, self.config.policy_for(me.instance_id)
        recovered = self.journal.load(Moment(now=clock(), wall=around.wall()), me=me.instance_id)
        logger = structlog.get_logger()
        for problem in recovered.problems:
            logger.warning("journal.read_problem", detail=problem)
        if recovered.durable.takeover is not None:
            logger.warning("takeover.resumed", trigger=str(recovered.durable.takeover.trigger))
        return Reconciler(
            policy=policy,
            state=State(started_at=clock(), durable=recovered.durable),
            version=VERSION,
            actor=Actor(ec2=ec2, instance_id=me.instance_id, clock=clock),
            surveys=surveys,
            links=around.links,
            peers=self._see_peers,
            lag=self.lag,
            journal=self.journal,
            listener=broadcast,
            clock=clock,
            wall=around.wall,
            takeovers=recovered.history,
            draw=around.draw,
        )

    def _see_peers(self) -> tuple[Peer, ...]:
        self.peers_seen = self.peers.peers()
        return self.peers_seen


class _Broadcast(Broadcast):
    """The real one, overheard."""

    def __init__(self, around: Surroundings, **options: Any) -> None:
        super().__init__(**options)
        self._around = around

    def published(self, view: Snapshot, state: State) -> None:
        super().published(view, state)
        self._around.on_published(view, state)

    def took_over(self, ended: History) -> None:
        super().took_over(ended)
        self._around.on_took_over(ended)


async def _guard(name: str, work: Coroutine[Any, Any, None]) -> None:
    await work
    raise EniFailoverError(f"the {name} task ended, which it never should")
