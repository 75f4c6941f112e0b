"""Who am I: this instance's id from IMDS, or the member named by the operator where there is none.

Owns the waiting at the start. Read once: no IMDS in the takeover path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from eni_failover.config import Config
from eni_failover.core.policy import Member, MemberName
from eni_failover.errors import AdapterError, ConfigError, TerminalError

RETRY_FIRST = 0.5
RETRY_CAP = 5.0


class Facts(Protocol):
    """What IMDS says about this instance."""

    @property
    def instance_id(self) -> str:
        """The instance's id."""
        ...

    @property
    def region(self) -> str:
        """The region it runs in."""
        ...

    @property
    def zone(self) -> str:
        """The availability zone it runs in."""
        ...


class Imds(Protocol):
    """The instance metadata service."""

    async def identity(self) -> Facts:
        """Who this instance is. Raises AdapterError; TerminalError where there is no IMDS at all."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Self:
    """This member, and where it runs; region and zone are None and empty where IMDS is silent."""

    member: Member
    region: str | None
    zone: str


async def identify(
    config: Config, *, imds: Imds, named: MemberName | None, waiting: Callable[[str], None]
) -> Self:
    """Finds out which member this is. Without a name it waits for IMDS, and says so by `waiting`.

    Raises ConfigError when this instance is not a member, or is not the one named.
    """
    if named is None:
        facts = await locate(imds, otherwise="name this member with --member", waiting=waiting)
    else:
        try:
            facts = await imds.identity()
        except AdapterError:
            return Self(member=_named(config, named), region=None, zone="")
    return Self(member=_matching(config, facts, named), region=facts.region, zone=facts.zone)


async def locate(imds: Imds, *, otherwise: str, waiting: Callable[[str], None]) -> Facts:
    """What IMDS says, as soon as it does. Raises ConfigError where there is none: then `otherwise`."""
    delay = RETRY_FIRST
    while True:
        try:
            return await imds.identity()
        except TerminalError as error:
            raise ConfigError(f"no instance metadata ({error}): {otherwise}") from error
        except AdapterError as error:
            waiting(f"waiting for the instance metadata service: {error}")
            structlog.get_logger().warning("imds.waiting", error=str(error), code=error.code)
            await asyncio.sleep(delay)
            delay = min(RETRY_CAP, delay * 2)


def _named(config: Config, named: MemberName) -> Member:
    member = next((one for one in config.members if one.name == named), None)
    if member is None:
        known = ", ".join(one.name for one in config.members)
        raise ConfigError(f"--member {named}: {config.path} has no such member, only {known}")
    return member


def _matching(config: Config, facts: Facts, named: MemberName | None) -> Member:
    member = next((one for one in config.members if one.instance_id == facts.instance_id), None)
    if named is not None and _named(config, named).instance_id != facts.instance_id:
        here = f"is {member.name}" if member else "is not a member"
        raise ConfigError(f"--member {named}: this instance, {facts.instance_id}, {here} of {config.group}")
    if member is None:
        known = ", ".join(f"{one.name} ({one.instance_id})" for one in config.members)
        raise ConfigError(f"this instance, {facts.instance_id}, is not a member of {config.group}: {known}")
    return member
