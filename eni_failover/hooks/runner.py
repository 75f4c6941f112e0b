"""The queue of changes, and who is told each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Never, Protocol

import structlog

from eni_failover import programs
from eni_failover.core.vocabulary import Role
from eni_failover.hooks.process import Run
from eni_failover.hooks.words import Hook, HookResult

MAX_WAITING = 100

# `taking` is not told: to keepalived's scripts that member is still a backup.
_HOOK_OF = {Role.ACTIVE: Hook.ON_ACTIVE, Role.STANDBY: Hook.ON_STANDBY, Role.FAULT: Hook.ON_FAULT}
_KEEPALIVED = {Role.ACTIVE: "MASTER", Role.STANDBY: "BACKUP", Role.FAULT: "FAULT"}


class Commands(Protocol):
    """The [hooks] table: an argv for each hook, () for none, and a run's time-out in seconds."""

    @property
    def on_active(self) -> tuple[str, ...]: ...  # noqa: D102 - as the class says
    @property
    def on_standby(self) -> tuple[str, ...]: ...  # noqa: D102 - as the class says
    @property
    def on_fault(self) -> tuple[str, ...]: ...  # noqa: D102 - as the class says
    @property
    def notify(self) -> tuple[str, ...]: ...  # noqa: D102 - as the class says
    @property
    def timeout(self) -> float: ...  # noqa: D102 - as the class says


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """One change of role that is still to be told."""

    role: Role
    reason: str
    trigger: str
    eni_ids: tuple[str, ...]
    addresses: tuple[str, ...]


class HookRunner:
    """Tells changes of role to the user's programs.

    `commands`, `member` and `priority` may be set anew at any time (a reload); the next program to start sees
    them. `priority` is what keepalived's scripts get as their fourth argument. `environment` is where
    the few inherited variables come from; nothing else of it reaches a program, AWS_* least of all.
    """

    def __init__(
        self,
        *,
        commands: Commands,
        group: str,
        member: str,
        priority: int,
        environment: Mapping[str, str],
        on_run: Callable[[str, str], None],
    ) -> None:
        self.commands = commands
        self.priority = priority
        self._group = group
        self.member = member
        self._base = programs.environment(environment)
        self._on_run = on_run
        self._waiting: deque[_Change] = deque()
        self._arrived = asyncio.Event()
        self._log = structlog.get_logger("eni_failover.hooks")

    def enqueue(
        self,
        *,
        role: Role,
        reason: str,
        trigger: str | None,
        eni_ids: tuple[str, ...],
        addresses: tuple[str, ...],
    ) -> None:
        """This member's role is now this. Returns at once; the programs run after those before them.

        `trigger` is what started the takeover that led here, None when there was none.
        """
        if role not in _HOOK_OF:
            return
        if len(self._waiting) >= MAX_WAITING:
            self._drop(self._waiting.popleft())
        self._waiting.append(
            _Change(role=role, reason=reason, trigger=trigger or "", eni_ids=eni_ids, addresses=addresses)
        )
        self._arrived.set()

    async def run(self) -> Never:
        """Run the programs of each change, until cancelled."""
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                while self._waiting:
                    await self._tell(self._waiting.popleft())
        finally:
            if self._waiting:
                self._log.warning("hook.discarded", waiting=len(self._waiting))

    async def _tell(self, change: _Change) -> None:
        hook = _HOOK_OF[change.role]
        for one in (hook, Hook.NOTIFY):
            argv = self._argv(one, change)
            if argv:
                await self._run(one, argv, change)

    def _argv(self, hook: Hook, change: _Change) -> tuple[str, ...]:
        """The program and its arguments, () when there is none."""
        match hook:
            case Hook.ON_ACTIVE:
                return self.commands.on_active
            case Hook.ON_STANDBY:
                return self.commands.on_standby
            case Hook.ON_FAULT:
                return self.commands.on_fault
            case Hook.NOTIFY:
                state = _KEEPALIVED[change.role]
                argv = self.commands.notify
                return (*argv, "GROUP", self._group, state, str(self.priority)) if argv else ()

    async def _run(self, hook: Hook, argv: tuple[str, ...], change: _Change) -> None:
        run = Run()
        try:
            await run.execute(argv, self._environment(change), self.commands.timeout)
        finally:
            level = self._log.info if run.result is HookResult.SUCCESS else self._log.error
            level(
                "hook.ended",
                hook=hook.value,
                role=change.role.value,
                result=run.result.value,
                detail=run.detail,
                output=run.output,
            )
            self._on_run(hook, run.result)

    def _environment(self, change: _Change) -> dict[str, str]:
        return {
            **self._base,
            "ENI_FAILOVER_GROUP": self._group,
            "ENI_FAILOVER_MEMBER": self.member,
            "ENI_FAILOVER_ROLE": change.role,
            "ENI_FAILOVER_REASON": change.reason,
            "ENI_FAILOVER_TRIGGER": change.trigger,
            "ENI_FAILOVER_ENI_IDS": " ".join(change.eni_ids),
            "ENI_FAILOVER_ADDRESSES": " ".join(change.addresses),
        }

    def _drop(self, change: _Change) -> None:
        self._log.error("hook.dropped", role=change.role.value, waiting=MAX_WAITING)
        for hook in (_HOOK_OF[change.role], Hook.NOTIFY):
            if self._argv(hook, change):
                self._on_run(hook, HookResult.DROPPED)


def priority_of(position: int) -> int:
    """What keepalived calls priority, of the member at this place: 100 for the primary, then lower."""
    return max(1, 100 - position)
