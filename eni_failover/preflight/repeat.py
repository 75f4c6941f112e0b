"""The checks of a running daemon, again and again, slowly.

Owns when: a round every few minutes, its EC2 calls one after another with a pause between them, and one
ENI's permissions in each round, in turn. So a round costs a handful of calls for any number of ENIs, never
more than three of them a minute. Decides nothing, and its failures are its own: what nobody expected of it
is logged once, and the next round is another try.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType

import structlog

from eni_failover.adapters.ec2 import Ec2
from eni_failover.adapters.ec2_inspection import Permission
from eni_failover.adapters.imds import Imds
from eni_failover.config import Config
from eni_failover.core.model import Peer
from eni_failover.core.policy import EniId, Member
from eni_failover.core.snapshot import Check
from eni_failover.preflight import cloud, host
from eni_failover.preflight.aside import Aside
from eni_failover.preflight.checks import repeated
from eni_failover.preflight.facts import Cloud, Disk, Facts, Identity
from eni_failover.preflight.verdicts import warned

FIRST_AFTER = 30.0
INTERVAL = 300.0
PAUSE = 20.0


class Pace:
    """A gate that lets one call through at a time, each `pause` seconds after the one before."""

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._lock = asyncio.Lock()
        self._not_before = 0.0

    async def __aenter__(self) -> None:
        await self._lock.acquire()
        try:
            await asyncio.sleep(self._not_before - asyncio.get_running_loop().time())
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
        self._gate = Pace(pause)
        self._looking: Aside[Disk] = Aside()
        self._checks: tuple[Check, ...] = ()
        self._last: Cloud | None = None
        self._round = 0
        self._crash = ""
        self._log = structlog.get_logger()

    @property
    def checks(self) -> tuple[Check, ...]:
        """The results of the newest round."""
        return self._checks

    async def run(self) -> None:
        """Rounds until cancelled."""
        await asyncio.sleep(self._first_after)
        while True:
            self._take(await self._checked())
            await asyncio.sleep(self._interval)

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
        turn = config.eni_ids[self._round % len(config.eni_ids)]
        self._round += 1
        asked = cloud.Asked(
            ec2=ec2.inspection(),
            imds=sources.imds,
            config=config,
            me=me,
            credentials_until=ec2.credentials_expiry,
            tried=(turn,),
            gate=self._gate,
        )
        seen = self._last = _with_earlier(await cloud.gather(asked), self._last, config.eni_ids)
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
    )
