"""Reloading the configuration: a file that cannot be run as it is is refused whole, and the old one stays.

Owns what may change while the daemon runs. The group, the listening address, the socket and the state
directory need a restart; other ENIs or members wait while EC2 moves something or a takeover is past its
point of no return (the reconciler's part). The newest file wins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import structlog

from eni_failover.adapters.probes.spec import ProbeSpec
from eni_failover.assembly import WALL, Parts, configure_log, make_ec2, warm
from eni_failover.config import Config, load
from eni_failover.core.policy import Member, Policy
from eni_failover.errors import ConfigError, StartError
from eni_failover.hooks import priority_of
from eni_failover.identity import Self
from eni_failover.linking import refuse_unprivileged
from eni_failover.preflight.runnable import why_not_runnable
from eni_failover.rolefile import RoleFile
from eni_failover.sdnotify import Notifier


class Reloader:
    """Takes a changed file over, one reload at a time."""

    def __init__(
        self, config: Config, identified: Self, *, env: Mapping[str, str], notifier: Notifier
    ) -> None:
        self._config = config
        self._identified = identified
        self._env = env
        self._notifier = notifier
        self._parts: Parts | None = None
        self._asked = asyncio.Event()
        self._busy = asyncio.Lock()
        self._log = structlog.get_logger()

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self._config

    def connect(self, parts: Parts) -> None:
        """From now on there is a daemon to change."""
        self._parts = parts

    def ask(self) -> None:
        """SIGHUP: reload soon."""
        self._asked.set()

    async def run(self) -> None:
        """Serves SIGHUP until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self.reload()

    async def reload(self) -> tuple[str, ...]:
        """Reads the file again. Returns the problems, one line each; none when it was taken."""
        parts = self._parts
        if parts is None:
            return ("the daemon is still starting",)
        async with self._busy:
            self._notifier.reloading()
            try:
                config = await asyncio.to_thread(load, self._config.path, self._env)
                if config.discovery is not None:
                    config = replace(config, members=self._config.members)
                self._check(config, parts, await why_not_runnable(config))
                await self._apply(config, parts)
            except ConfigError as error:
                parts.metrics.config_reload(WALL(), ok=False)
                self._log.error("config.refused", problems=list(error.problems))
                return error.problems
            finally:
                self._notifier.ready()
            parts.metrics.config_reload(WALL(), ok=True)
            self._log.info("config.accepted", config_hash=config.config_hash, file_hash=config.file_hash)
            return ()

    def take_members(self, members: tuple[Member, ...]) -> None:
        """[discovery] has found other members: taken when nothing is moving."""
        parts = self._parts
        if parts is None:
            return
        self._config = replace(self._config, members=members)
        self._hand_over()

    def _hand_over(self) -> None:
        """Give the loop what is in force now; it takes the newest of these as soon as it may."""
        parts, config = self._parts, self._config
        if parts is not None:
            policy = config.policy_for(parts.me.instance_id)
            parts.reconciler.take_policy(policy, lambda taken: _apply(parts, taken, config.probes))

    def _check(self, new: Config, parts: Parts, unrunnable: tuple[str, ...]) -> None:
        old, problems = self._config, []
        fixed = (
            ("discovery", _members_by(old), _members_by(new)),
            ("group", old.group, new.group),
            ("server.listen", old.listen, new.listen),
            ("control.socket", old.socket, new.socket),
            ("state.directory", old.state_directory, new.state_directory),
        )
        problems += [
            f"{new.path}: {name}: changing it needs a restart ({before} to {after})"
            for name, before, after in fixed
            if before != after
        ]
        mine = next((one for one in new.members if one.instance_id == parts.me.instance_id), None)
        if mine is None:
            problems.append(f"{new.path}: this instance, {parts.me.instance_id}, would be no member any more")
        elif mine.address != parts.me.address:
            problems.append(f"{new.path}: another address of this member needs a restart")
        try:
            refuse_unprivileged(new.network)
        except StartError as error:
            problems.append(f"{new.path}: {error}")
        problems += [f"{new.path}: {problem}" for problem in unrunnable]
        if problems:
            raise ConfigError(*problems)

    async def _apply(self, new: Config, parts: Parts) -> None:
        old = self._config
        if new.aws != old.aws:
            await self._replace_ec2(new, parts)
        if new.discovery is not None:  # they may have changed while the file was looked at
            new = replace(new, members=self._config.members)
        policy = new.policy_for(parts.me.instance_id)
        configure_log(new, self._env, member=policy.me.name)
        parts.hooks.commands = new.hooks
        if new.role_file != old.role_file:
            parts.broadcast.role_file = RoleFile(new.role_file)
        parts.links.set_network(new.network)
        parts.servers.interval = new.observe_interval
        self._config = new
        self._hand_over()

    async def _replace_ec2(self, new: Config, parts: Parts) -> None:
        """A client's time-outs are fixed at its birth. Until the new one is warm the old one is asked."""
        ec2 = make_ec2(new, self._identified.region, parts.metrics)
        try:
            await warm(ec2)
        except StartError as error:
            ec2.close()
            raise ConfigError(f"{new.path}: aws: {error}") from error
        parts.use_ec2(ec2)


def _members_by(config: Config) -> str:
    return "[[member]]" if config.discovery is None else f"the tag {config.discovery.tag}"


def _apply(parts: Parts, policy: Policy, probes: tuple[ProbeSpec, ...]) -> None:
    """Tell those beside the loop of a policy that it has just taken."""
    parts.me = policy.me
    parts.broadcast.policy = policy
    parts.metrics.configured(policy)
    parts.hooks.member = policy.me.name
    parts.hooks.priority = priority_of(policy.members.index(policy.me))
    parts.peers.replace(policy.members)
    parts.checks.renew(policy.me)
    parts.prober.replace(probes, me=policy.me)
