"""The composition root: builds every part, runs them as named tasks, and takes them down.

Owns the process: configuration, signals, systemd, the exit status. Nothing is decided here.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from eni_failover import __version__, roster_file
from eni_failover.adapters.imds import Imds
from eni_failover.adapters.probes import threads
from eni_failover.assembly import Parts, build, configure_log, make_ec2, warm
from eni_failover.config import Config, DiscoverySettings, load
from eni_failover.core.policy import InstanceId, Member, MemberName
from eni_failover.discovery import Discovery, first_members
from eni_failover.errors import AdapterError, ConfigError, EniFailoverError, StartError
from eni_failover.history import Journal
from eni_failover.identity import Self, identify, locate
from eni_failover.linking import refuse_unprivileged
from eni_failover.reloading import Reloader
from eni_failover.sdnotify import Notifier
from eni_failover.status import to_document

STOPPED, CRASHED, MISCONFIGURED = 0, 1, 2
CREDENTIALS_INTERVAL = 300.0
WAITING_EXTENDS = 30.0
STARTING = "the daemon is still starting"


def run(config_path: Path, *, member: str | None, env: Mapping[str, str]) -> int:
    """Runs the daemon until it is stopped; returns the exit status. Errors are on standard error."""
    try:
        config = load(config_path, env)
    except ConfigError as error:
        return _complain(error, MISCONFIGURED)
    configure_log(config, env)
    daemon = Daemon(config, named=None if member is None else MemberName(member), env=env)
    try:
        return asyncio.run(daemon.serve())
    except ConfigError as error:
        return _complain(error, MISCONFIGURED)
    except EniFailoverError as error:
        return _complain(error, CRASHED)
    except Exception:  # noqa: BLE001 - the one place: what nobody expected ends the process, systemd restarts it
        structlog.get_logger().exception("daemon.crashed")
        return CRASHED


def _complain(error: EniFailoverError, status: int) -> int:
    for line in str(error).splitlines():
        print(f"eni-failover: {line}", file=sys.stderr)  # noqa: T201 - a user's mistake is no log line
    return status


class Daemon:
    """One process serving one group."""

    def __init__(self, config: Config, *, named: MemberName | None, env: Mapping[str, str]) -> None:
        self._config = config
        self._named = named
        self._env = env
        self._notifier = Notifier(env)
        self._stop = asyncio.Event()
        self._left: StartError | None = None
        self._parts: Parts | None = None
        self._reloader: Reloader | None = None
        self._reload_is_due = False
        self._log = structlog.get_logger()

    async def serve(self) -> int:
        """Serves until SIGTERM or SIGINT. Raises EniFailoverError when it cannot start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        # Here already: it may wait for long until there is a daemon to reload, and by default both kill.
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        loop.add_signal_handler(signal.SIGUSR1, self._dump)
        identified = await self._identified()
        if identified is None:
            return STOPPED
        configure_log(self._config, self._env, member=identified.member.name)
        refuse_unprivileged(self._config.network)
        journal = Journal(
            self._config.state_directory,
            group=self._config.group,
            instance_id=identified.member.instance_id,
        )
        journal.lock()
        try:
            return await self._serve(identified, journal)
        finally:
            journal.close()

    async def _identified(self) -> Self | None:
        """Who this is, or None when the daemon is stopped before that is known."""
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(self._identify(), name="identify")
            stopping = group.create_task(self._stop.wait(), name="stop")
            await asyncio.wait((asking, stopping), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            asking.cancel()
        if asking.cancelled():
            return None
        found = asking.result()
        if isinstance(found, ConfigError):
            raise found
        return found

    async def _identify(self) -> Self | ConfigError:
        """Who this is; a user's mistake is handed on as a value, a task group would wrap it."""
        imds = Imds(self._env)
        try:
            if self._config.discovery is not None:
                return await self._discover(imds, self._config.discovery)
            return await identify(self._config, imds=imds, named=self._named, waiting=self._waiting)
        except ConfigError as error:
            return error

    async def _discover(self, imds: Imds, settings: DiscoverySettings) -> Self:
        """Waits until EC2 shows this instance among the members, which are the configuration's then."""
        if self._named is not None:
            raise ConfigError("--member: with [discovery] a member is named by its tags")
        facts = await locate(imds, otherwise="[discovery] needs it", waiting=self._waiting)
        ec2 = make_ec2(self._config, facts.region)
        try:
            members = await first_members(
                ec2,
                tag=settings.tag,
                group=self._config.group,
                zone=facts.zone,
                eni_ids=self._config.eni_ids,
                me=InstanceId(facts.instance_id),
                waiting=self._waiting,
                remembered=roster_file.remembered(
                    self._config.state_directory, InstanceId(facts.instance_id)
                ),
            )
        finally:
            ec2.close()
        self._config = replace(self._config, members=members)
        me = next(one for one in members if one.instance_id == facts.instance_id)
        return Self(member=me, region=facts.region, zone=facts.zone)

    def _waiting(self, words: str) -> None:
        self._notifier.status(words)
        self._notifier.extend_timeout(WAITING_EXTENDS)

    async def _serve(self, identified: Self, journal: Journal) -> int:
        reloader = Reloader(self._config, identified, env=self._env, notifier=self._notifier)
        parts = build(
            self._config,
            identified,
            journal=journal,
            notifier=self._notifier,
            reload=reloader.reload,
            present=lambda: reloader.config,
            env=self._env,
        )
        reloader.connect(parts)
        self._parts, self._reloader = parts, reloader
        if self._reload_is_due:
            reloader.ask()
        try:
            # First who may ask why it takes so long: a credential helper may hang.
            await parts.servers.start()
            await warm(parts.ec2)
            self._notifier.ready()
            self._log.info(
                "daemon.started",
                version=__version__,
                instance_id=identified.member.instance_id,
                config=str(self._config.path),
                config_hash=self._config.config_hash,
                port=parts.servers.port,
            )
            for line in self._config.warnings:
                self._log.warning("config.warning", detail=line)
            await self._run_tasks(parts, reloader)
        finally:
            self._notifier.stopping()
            await _close(parts)
        if self._left is not None:
            raise self._left
        self._log.info("daemon.stopped")
        return STOPPED

    async def _run_tasks(self, parts: Parts, reloader: Reloader) -> None:
        """Runs every part until the stop; a part that ends by itself is an error."""
        eternal: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "reconciler": parts.reconciler.run,
            "probes": parts.prober.run,
            "surveys": parts.surveys.run,
            "peers": parts.peers.run,
            "links": parts.links.run,
            "hooks": parts.hooks.run,
            "loop lag": parts.lag.run,
            "reloads": reloader.run,
            "checks": parts.checks.run,
            "servers": parts.servers.run,
            "credentials": lambda: _refresh_credentials(parts),
        }
        if self._config.discovery is not None:
            eternal["discovery"] = self._discovery(parts, reloader, self._config.discovery).run
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_guard(name, run()), name=name) for name, run in eternal.items()]
            await self._stop.wait()
            for task in tasks:
                task.cancel()

    def _discovery(self, parts: Parts, reloader: Reloader, settings: DiscoverySettings) -> Discovery:
        directory, local = self._config.state_directory, parts.me.instance_id

        def remember(members: tuple[Member, ...]) -> None:
            threads.start(lambda: roster_file.remember(directory, local, members), "members")

        def changed(members: tuple[Member, ...]) -> None:
            remember(members)
            reloader.take_members(members)

        remember(self._config.members)
        return Discovery(
            lambda: parts.ec2,
            tag=settings.tag,
            group=self._config.group,
            zone=parts.surveys.local.zone,
            me=parts.me.instance_id,
            members=self._config.members,
            enis=lambda: parts.surveys.enis,
            interval=lambda: parts.reconciler.roster_interval,
            on_members=changed,
            on_left=self._leave,
        )

    def _leave(self, words: str) -> None:
        """This instance is no member any more: systemd starts the daemon again, and it waits to be one."""
        self._left = StartError(words)
        self._stop.set()

    def _reload(self) -> None:
        """SIGHUP: soon, or as soon as the start is over."""
        if self._reloader is None:
            self._reload_is_due = True
            self._log.info("reload.waiting", detail=STARTING)
        else:
            self._reloader.ask()

    def _dump(self) -> None:
        """SIGUSR1."""
        parts = self._parts
        if parts is None:
            self._log.info("status.dump", status=None, detail=STARTING)
            return
        snapshot = parts.reconciler.snapshot
        document = None if snapshot is None else to_document(snapshot)
        self._log.info("status.dump", status=document, durable=repr(parts.reconciler.state.durable))


async def _guard(name: str, work: Coroutine[Any, Any, None]) -> None:
    await work
    raise EniFailoverError(f"the {name} task ended, which it never should")


async def _refresh_credentials(parts: Parts) -> None:
    """Renews the credentials ahead of need; a failure is tried again, the ones in hand stay."""
    failing = False
    while True:
        await asyncio.sleep(CREDENTIALS_INTERVAL if not failing else CREDENTIALS_INTERVAL / 10)
        try:
            await parts.ec2.refresh_credentials()
        except AdapterError as error:
            if not failing:
                structlog.get_logger().warning(
                    "credentials.refresh_failed", error=str(error), code=error.code
                )
            failing = True
        else:
            failing = False


async def _close(parts: Parts) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(10):
            await parts.servers.close()
    parts.ec2.close()
