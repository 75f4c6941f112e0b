"""Building the parts of a daemon and joining them; the only place that knows them all.

Each part gets what it needs as arguments. Nothing runs yet, and no socket is open.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import structlog
from prometheus_client import CollectorRegistry

from eni_failover import __version__, log, own_files
from eni_failover.acting import Actor
from eni_failover.adapters.ec2 import Ec2
from eni_failover.adapters.ec2_client import RequestReport
from eni_failover.adapters.imds import Imds
from eni_failover.adapters.link import Capability, has
from eni_failover.adapters.peers import PeerWatcher
from eni_failover.broadcast import Broadcast
from eni_failover.config import Config
from eni_failover.config.identity import is_like_an_id
from eni_failover.control import Servers
from eni_failover.core.model import Attempt
from eni_failover.core.policy import Member, Policy
from eni_failover.core.state import Durable, State
from eni_failover.desk import LoopDesk
from eni_failover.errors import AdapterError, StartError, TerminalError
from eni_failover.history import Journal, Moment
from eni_failover.hooks import HookRunner, priority_of
from eni_failover.identity import Self
from eni_failover.lag import LoopLag
from eni_failover.linking import Linking
from eni_failover.metrics import Metrics
from eni_failover.preflight.repeat import RepeatedChecks, Sources
from eni_failover.prober import Prober
from eni_failover.reconciler import Reconciler
from eni_failover.rolefile import RoleFile
from eni_failover.sdnotify import Notifier
from eni_failover.status import peer_from_document
from eni_failover.surveys import Surveys

# It goes on while the host sleeps (clock_gettime(2)), so that what was seen before is old after it. Only
# Linux has it.
_CLOCK_ID = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
CLOCK = partial(time.clock_gettime, _CLOCK_ID)
WALL = time.time


@dataclass(slots=True, kw_only=True)
class Parts:
    """Everything that runs."""

    me: Member
    metrics: Metrics
    ec2: Ec2
    surveys: Surveys
    actor: Actor
    prober: Prober
    links: Linking
    peers: PeerWatcher
    lag: LoopLag
    hooks: HookRunner
    broadcast: Broadcast
    reconciler: Reconciler
    servers: Servers
    checks: RepeatedChecks

    def use_ec2(self, ec2: Ec2) -> None:
        """From the next call on this client, warm already, is asked; calls under way end on the old one."""
        self.ec2 = self.surveys.ec2 = self.actor.ec2 = ec2


async def warm(ec2: Ec2) -> None:
    """Builds the EC2 client and loads the credentials, so that no takeover has to.

    Raises StartError when there is no client: the region, the profile or the endpoint is to be mended.
    Without credentials there is one, and it works as soon as there are some.
    """
    try:
        await ec2.warm()
    except TerminalError as error:
        raise StartError(str(error)) from error
    except AdapterError as error:
        structlog.get_logger().warning("ec2.client_not_ready", error=str(error), code=error.code)


def configure_log(config: Config, env: Mapping[str, str], *, member: str = "") -> None:
    """Sets the log up as the configuration says, on standard output."""
    log.configure(
        log_format=config.log.format,
        level=config.log.level,
        stream=sys.stdout,
        environment=env,
        group=config.group,
        member=member,
    )


def build(
    config: Config,
    identified: Self,
    *,
    journal: Journal,
    notifier: Notifier,
    reload: Callable[[], Awaitable[tuple[str, ...]]],
    present: Callable[[], Config],
    env: Mapping[str, str],
) -> Parts:
    """Builds every part. `present` is the configuration in force, which reloads replace.

    Raises ConfigError when this host cannot run one of the probes.
    """
    policy = config.policy_for(identified.member.instance_id)
    me = identified.member
    metrics = Metrics(registry=CollectorRegistry(), group=config.group, version=__version__)
    metrics.configured(policy)
    metrics.config_reload(WALL(), ok=True)
    ec2 = make_ec2(config, identified.region, metrics)
    bell = Bell()
    surveys = Surveys(ec2=ec2, policy=policy, zone=identified.zone, clock=CLOCK, wake=bell.ring)
    links = Linking(
        settings=config.network,
        instance_id=me.instance_id,
        facts=surveys,
        clock=CLOCK,
        wake=bell.ring,
        on_lost=metrics.link_lost,
        on_repair=metrics.link_repaired,
    )
    prober = Prober(config.probes, me=me, clock=CLOCK, on_attempt=bell.attempt, wake=bell.ring)
    lag = LoopLag(clock=CLOCK, threshold=policy.stall_length, on_lag=metrics.loop_lag, on_stall=metrics.stall)
    peers = PeerWatcher(
        policy.members,
        me=me,
        url_of=config.status_url,
        parse=partial(peer_from_document, group=config.group),
        clock=CLOCK,
        on_change=bell.ring,
    )
    hooks = HookRunner(
        commands=config.hooks,
        group=config.group,
        member=me.name,
        priority=priority_of(policy.members.index(me)),
        environment=env,
        on_run=metrics.hook_run,
    )
    broadcast = Broadcast(
        policy=policy,
        prober=prober,
        metrics=metrics,
        hooks=hooks,
        role_file=RoleFile(config.role_file),
        notifier=notifier,
        credentials_expiry=lambda: ec2.credentials_expiry,
    )
    actor = Actor(ec2=ec2, instance_id=me.instance_id, clock=CLOCK)
    checks = RepeatedChecks(
        Sources(
            config=present,
            ec2=lambda: parts.ec2,
            peers=peers.peers,
            imds=Imds(env),
            calm=surveys.calm,
            may_manage=has(Capability.NET_ADMIN),
        ),
        me=me,
        on_change=bell.ring,
    )
    reconciler = _reconciler(
        policy,
        actor=actor,
        surveys=surveys,
        links=links,
        peers=peers,
        lag=lag,
        journal=journal,
        broadcast=broadcast,
        checks=checks,
    )
    bell.connect(reconciler, metrics)
    desk = LoopDesk(reconciler=reconciler, metrics=metrics, reload=reload, clock=CLOCK)
    host, port = config.listen_at(me.address)
    servers = Servers(
        desk=desk,
        host=host,
        port=port,
        socket_path=config.socket,
        interval=config.observe_interval,
        config=config.path.absolute(),
        clock=CLOCK,
        members=lambda: broadcast.policy.members,
    )
    parts = Parts(
        me=me,
        metrics=metrics,
        ec2=ec2,
        surveys=surveys,
        actor=actor,
        prober=prober,
        links=links,
        peers=peers,
        lag=lag,
        hooks=hooks,
        broadcast=broadcast,
        reconciler=reconciler,
        servers=servers,
        checks=checks,
    )
    return parts


def _reconciler(
    policy: Policy,
    *,
    actor: Actor,
    surveys: Surveys,
    links: Linking,
    peers: PeerWatcher,
    lag: LoopLag,
    journal: Journal,
    broadcast: Broadcast,
    checks: RepeatedChecks,
) -> Reconciler:
    """The loop, with what an earlier process left in the journal."""
    recovered = journal.load(Moment(now=CLOCK(), wall=WALL()), me=policy.me.instance_id)
    logger = structlog.get_logger()
    for problem in recovered.problems:
        logger.warning("journal.read_problem", detail=problem)
    if recovered.durable.takeover is not None:
        logger.warning("takeover.resumed", takeover_id=recovered.durable.takeover.takeover_id)
    durable = recovered.durable
    return Reconciler(
        policy=policy,
        state=State(started_at=CLOCK(), durable=by_ids(durable, policy)),
        version=__version__,
        actor=actor,
        surveys=surveys,
        links=links,
        peers=peers.peers,
        lag=lag,
        journal=journal,
        listener=broadcast,
        clock=CLOCK,
        wall=WALL,
        takeovers=recovered.history,
        slow_checks=lambda: (
            *checks.checks,
            *own_files.checks(
                journal=journal.problem, role_file=broadcast.role_problem, lines_lost=log.lines_lost()
            ),
        ),
    )


def by_ids(durable: Durable, policy: Policy) -> Durable:
    """A journal of before members were known by their instance ids has the last holder's name."""
    last_had = durable.last_had
    if last_had is None or is_like_an_id(last_had):
        return durable
    named = {str(member.name): member.instance_id for member in policy.members}
    return replace(durable, last_had=named.get(last_had, last_had))


def make_ec2(config: Config, region: str | None, metrics: Metrics | None = None) -> Ec2:
    """The EC2 adapter of this configuration."""

    def counted(report: RequestReport) -> None:
        if metrics is not None:
            metrics.ec2_request(report.operation, report.code, report.seconds)

    return Ec2(
        region=region,
        group=config.group,
        version=__version__,
        connect_timeout=config.aws.connect_timeout,
        read_timeout=config.aws.read_timeout,
        clock=CLOCK,
        on_request=counted,
    )


class Bell:
    """Stands between the parts that wake the loop and the loop, which is built after them."""

    def __init__(self) -> None:
        self._reconciler: Reconciler | None = None
        self._metrics: Metrics | None = None

    def connect(self, reconciler: Reconciler, metrics: Metrics) -> None:
        """From now on there is a loop to wake."""
        self._reconciler, self._metrics = reconciler, metrics

    def ring(self) -> None:
        """Asks for a pass."""
        if self._reconciler is not None:
            self._reconciler.wake()

    def attempt(self, attempt: Attempt, _late: float) -> None:
        """A probe has answered, `_late` seconds behind its schedule."""
        if self._reconciler is not None and self._metrics is not None:
            self._reconciler.take_attempt(attempt)
            self._metrics.probe_attempt(attempt)
