"""The checks of a running daemon, again and again, slowly.

Owns when: a round every few minutes, its EC2 calls one after another with a pause between them, none during
a takeover or a move. A DryRun that is allowed is made once an hour, another one in the next round; one ENI's
in each round, in turn. So a round costs a handful of calls for any number of ENIs, never more than three of
them a minute. Decides nothing, and its failures are its own: what nobody expected of it is logged once, and
the next round is another try.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TypeVar

import structlog

from eni_failover.adapters.ec2 import Ec2
from eni_failover.adapters.ec2_inspection import Permission
from eni_failover.adapters.imds import Imds
from eni_failover.config import Config
from eni_failover.core.model import Peer
from eni_failover.core.policy import EniId, InstanceId, Member
from eni_failover.core.snapshot import Check
from eni_failover.preflight import cloud, host
from eni_failover.preflight.aside import Aside
from eni_failover.preflight.checks import repeated
from eni_failover.preflight.facts import Cloud, Disk, Facts, Identity
from eni_failover.preflight.verdicts import warned

_Name = TypeVar("_Name", EniId, InstanceId)

FIRST_AFTER = 30.0
INTERVAL = 300.0
PAUSE = 20.0
DRY_RUN_INTERVAL = 3600.0


class Pace:
    """A gate that lets one call through at a time, each `pause` seconds after the one before.

    And only when `calm` returns: while the group moves, EC2 is for the move.
    """

    def __init__(self, pause: float, calm: Callable[[], Awaitable[None]]) -> None:
        self._pause = pause
        self._calm = calm
        self._lock = asyncio.Lock()
        self._not_before = 0.0

    async def __aenter__(self) -> None:
        await self._lock.acquire()
        try:
            await asyncio.sleep(self._not_before - asyncio.get_running_loop().time())
            await self._calm()
        except asyncio.CancelledError:
            self._lock.release()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._not_before = asyncio.get_running_loop().time() + self._pause
        self._lock.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where a daemon's facts come from; each is asked anew in each round, as all may be replaced."""

    config: Callable[[], Config]
    ec2: Callable[[], Ec2]
    peers: Callable[[], tuple[Peer, ...]]
    imds: Imds
    calm: Callable[[], Awaitable[None]]
    may_manage: bool


class RepeatedChecks:
    """The newest results, in `checks`; none before the first round has ended.

    `on_change` is called in the event loop when a result differs from the round before; a detail that
    changes alone is no change. `first_after` is seconds from the start, when the passes are calm, to the
    first round, `interval` those from the end of a round to the next, `pause` those between two EC2 calls.
    """

    def __init__(
        self,
        sources: Sources,
        *,
        me: Member,
        on_change: Callable[[], None],
        first_after: float = FIRST_AFTER,
        interval: float = INTERVAL,
        pause: float = PAUSE,
    ) -> None:
        self._sources = sources
        self.me = me
        self._on_change = on_change
        self._first_after = first_after
        self._interval = interval
        self._gate = Pace(pause, sources.calm)
        self._looking: Aside[Disk] = Aside()
        self._checks: tuple[Check, ...] = ()
        self._last: Cloud | None = None
        self._due: dict[EniId | InstanceId, float] = {}
        self._crash = ""
        self._renewed = asyncio.Event()
        self._log = structlog.get_logger()

    @property
    def checks(self) -> tuple[Check, ...]:
        """The results of the newest round."""
        return self._checks

    async def run(self) -> None:
        """Rounds until cancelled."""
        self._renewed = asyncio.Event()  # of this loop
        wait = self._first_after
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._renewed.wait()
            self._renewed.clear()
            checks = await self._checked()
            if not self._renewed.is_set():
                self._take(checks)
            wait = 0.0 if self._renewed.is_set() else self._interval

    def renew(self, me: Member) -> None:
        """The file has changed: what was found of the old one is dropped, and a round begins at once."""
        self.me = me
        self._take(())
        self._renewed.set()

    def _take(self, checks: tuple[Check, ...]) -> None:
        before, after = ([(one.name, one.result) for one in each] for each in (self._checks, checks))
        self._checks = checks
        if before != after:
            self._on_change()

    async def _checked(self) -> tuple[Check, ...]:
        try:
            facts = await self._facts()
            checks = repeated(facts)
        except Exception as error:  # noqa: BLE001 - a bug here must not stop a daemon that could take over
            return self._crashed(error)
        self._crash = ""
        return checks

    def _crashed(self, error: Exception) -> tuple[Check, ...]:
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        name = type(error).__name__
        if name != self._crash:
            self._crash = name
            where = traceback.extract_tb(error.__traceback__)[-1]
            self._log.error("checks.crashed", error=name, where=f"{where.filename}:{where.lineno}")
        return (warned("repeated_checks", f"bug in a check: {name}", "see the log, and report it"),)

    async def _facts(self) -> Facts:
        sources, me = self._sources, self.me
        config, ec2 = sources.config(), sources.ec2()
        tried = sorted(self._now_due(config.eni_ids), key=self._due_at)[:1]
        stopped = [one for one in cloud.to_stop(config, me) if self._now_due([one.instance_id])]
        asked = cloud.Asked(
            ec2=ec2.inspection(),
            imds=sources.imds,
            config=config,
            me=me,
            credentials_until=ec2.credentials_expiry,
            tried=tried,
            stopped=stopped,
            by_passes=False,
            gate=self._gate,
        )
        found = await cloud.gather(asked)
        for eni_id in tried:
            self._note(eni_id, found.detach.get(eni_id), found.keep.get(eni_id))
        for member in stopped:
            can_stop = Permission(allowed=found.unstoppable.get(member.name) == "")
            self._note(member.instance_id, found.stop.get(member.name), can_stop)
        seen = self._last = _with_earlier(found, self._last, config.eni_ids)
        return Facts(
            config=config,
            # Who this is was settled at the start: IMDS out of reach is a warning now.
            identity=Identity(instance_id=me.instance_id, member=me, named=True),
            cloud=seen,
            host=await host.for_daemon(
                config,
                me,
                seen,
                may_manage=sources.may_manage,
                peers=sources.peers(),
                looking=self._looking,
            ),
            wall=time.time(),
        )

    def _due_at(self, name: EniId | InstanceId) -> float:
        return self._due.get(name, 0.0)

    def _now_due(self, names: Sequence[_Name]) -> list[_Name]:
        """Those whose DryRuns may be made now."""
        now = asyncio.get_running_loop().time()
        return [name for name in names if self._due_at(name) <= now]

    def _note(self, name: EniId | InstanceId, *said: Permission | None) -> None:
        """DryRuns were made: the next ones are due in an hour if all were allowed, else in the next round."""
        now = asyncio.get_running_loop().time()
        allowed = all(one is not None and one.allowed for one in said)
        self._due[name] = now + (DRY_RUN_INTERVAL if allowed else 0.0)


def _with_earlier(new: Cloud, last: Cloud | None, eni_ids: Sequence[EniId]) -> Cloud:
    """This round's answers, with those of earlier rounds about the permissions that were not tried in it."""
    if last is None:
        return new

    def both(earlier: Mapping[EniId, Permission], now: Mapping[EniId, Permission]) -> dict[EniId, Permission]:
        known = {**earlier, **now}
        return {eni_id: known[eni_id] for eni_id in eni_ids if eni_id in known}

    return replace(
        new,
        attach=both(last.attach, new.attach),
        detach=both(last.detach, new.detach),
        keep=both(last.keep, new.keep),
        stop={**last.stop, **new.stop},
        unstoppable={**last.unstoppable, **new.unstoppable},
    )
