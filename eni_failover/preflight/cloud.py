"""Asking EC2 and IMDS: which calls, in which order, and how many side by side.

Owns the gathering of `Cloud`. Judges nothing. Whatever is not answered is a `Missed`; nothing raises, and
nothing waits longer than the adapters' own deadlines, times the calls that queue at the gate. When no
describe is answered nothing else is asked: the rest would only wait as long again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from eni_failover.adapters.ec2_details import EniDetail, InstanceDetail, find_instance
from eni_failover.adapters.ec2_errors import CONNECTION, TIMEOUT
from eni_failover.adapters.ec2_inspection import Ec2Inspection, Permission
from eni_failover.adapters.imds import Imds, ImdsInterface
from eni_failover.config import Config
from eni_failover.core.model import TypeLimits
from eni_failover.core.policy import AttachmentId, EniId, FenceMode, Member, MemberName
from eni_failover.errors import NO_CLIENT, AdapterError, DeniedError, ThrottledError
from eni_failover.preflight.api_path import source_to
from eni_failover.preflight.facts import Api, Cloud, Maybe, Missed

# The client has twelve threads, and a call that finds none free within a second is not made.
SIDE_BY_SIDE = 6

Gate = AbstractAsyncContextManager[object]
"""Entered around each EC2 call: it says how many there may be at a time, and how soon one after another."""

# Codes of ours, for what has none of EC2's.
_NOT_EC2S = frozenset({"", TIMEOUT, CONNECTION, NO_CLIENT})

_BY_PASSES = Missed(why="a daemon's passes know it")

_T = TypeVar("_T")
_K = TypeVar("_K", EniId, MemberName)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whom to ask about what. `tried` are the ENIs, `stopped` the members of which DryRuns are made.

    `by_passes`: whether to ask also what a daemon's passes find out by themselves.
    """

    ec2: Ec2Inspection
    imds: Imds
    config: Config
    me: Member | None
    credentials_until: Maybe[float | None]
    tried: Sequence[EniId]
    gate: Gate
    stopped: Sequence[Member]
    by_passes: bool = True


async def gather(asked: Asked) -> Cloud:
    """Everything that EC2 and IMDS tell."""
    ec2, config = asked.ec2, asked.config
    async with asyncio.TaskGroup() as group:
        asking_enis = group.create_task(_answer(asked, lambda: ec2.enis(config.eni_ids)))
        ids = [one.instance_id for one in config.members]
        asking_instances = group.create_task(_answer(asked, lambda: ec2.instances(ids)))
        listing = group.create_task(interfaces(asked.imds))
    enis, instances, listed = asking_enis.result(), asking_instances.result(), listing.result()
    if isinstance(enis, Missed) and _is_silent(enis) and _is_silent(instances):
        silent = nothing(enis, credentials_until=asked.credentials_until, listed=listed)
        return replace(silent, clock_skew=ec2.clock_skew)
    return await _closer(asked, enis, instances, listed)


def nothing(
    why: Missed, *, credentials_until: Maybe[float | None], listed: Maybe[tuple[ImdsInterface, ...]]
) -> Cloud:
    """What is known when EC2 says nothing: what the rest has said."""
    silence = Missed(why="EC2 did not answer")
    return Cloud(
        credentials_until=credentials_until,
        clock_skew=None,
        api=why,
        enis=silence,
        instances=silence,
        limits=silence,
        subnets=silence,
        listed=listed,
    )


async def _closer(
    asked: Asked,
    enis: Maybe[tuple[EniDetail, ...]],
    instances: Maybe[tuple[InstanceDetail, ...]],
    listed: Maybe[tuple[ImdsInterface, ...]],
) -> Cloud:
    """What needs to know the ENIs and the instances first."""
    shown = () if isinstance(enis, Missed) else enis
    tried = [one for one in shown if one.eni.eni_id in asked.tried]
    # Before the DryRuns, which would be the newest answers.
    latency = asked.ec2.latency
    async with asyncio.TaskGroup() as group:
        api = group.create_task(_api(asked.ec2, latency))
        limits = group.create_task(_limits(asked, instances))
        subnets = group.create_task(_subnets(asked, shown))
        attach = group.create_task(_may_attach(asked))
        detach = group.create_task(_may_detach(asked, tried))
        keep = group.create_task(_may_keep(asked, tried))
        stop = group.create_task(_may_stop(asked))
        unstoppable = group.create_task(_unstoppable(asked, instances))
    return Cloud(
        credentials_until=asked.credentials_until,
        clock_skew=asked.ec2.clock_skew,
        api=api.result(),
        enis=enis,
        instances=instances,
        limits=limits.result(),
        subnets=subnets.result(),
        listed=listed,
        attach=attach.result(),
        detach=detach.result(),
        keep=keep.result(),
        stop=stop.result(),
        unstoppable=unstoppable.result(),
    )


def to_stop(config: Config, me: Member | None) -> tuple[Member, ...]:
    """The members whose instance a takeover by this one may have to stop first."""
    if config.fence is FenceMode.NONE:
        return ()
    return tuple(member for member in config.members if member != me)


def missed(error: AdapterError) -> Missed:
    """What an adapter's error says about a fact, with EC2's own code where there is one."""
    throttled = isinstance(error, ThrottledError)
    why = f"EC2 throttles this account's calls: {error}" if throttled else str(error)
    if error.code not in _NOT_EC2S and error.code not in why:
        why = f"{why} ({error.code})"
    return Missed(why=why, code=error.code, denied=isinstance(error, DeniedError), throttled=throttled)


def _is_silent(answer: Maybe[object]) -> bool:
    """Whether EC2 gave no answer at all, which a refusal by IAM is."""
    return isinstance(answer, Missed) and not answer.denied


async def _answer(asked: Asked, ask: Callable[[], Awaitable[_T]]) -> Maybe[_T]:
    async with asked.gate:
        try:
            return await ask()
        except AdapterError as error:
            return missed(error)


async def interfaces(imds: Imds) -> Maybe[tuple[ImdsInterface, ...]]:
    """What IMDS lists."""
    try:
        return await imds.interfaces()
    except AdapterError as error:
        return missed(error)


async def _api(ec2: Ec2Inspection, latency: float | None) -> Api:
    endpoint = ec2.endpoint
    asked, source = await source_to(endpoint.url)
    return Api(
        latency=latency,
        region=endpoint.region,
        asked=asked,
        source=source,
    )


async def _limits(asked: Asked, instances: Maybe[tuple[InstanceDetail, ...]]) -> Maybe[TypeLimits]:
    if not asked.by_passes:
        return _BY_PASSES
    if isinstance(instances, Missed):
        return instances
    own = None if asked.me is None else find_instance(instances, asked.me.instance_id)
    if own is None:
        return Missed(why="this member's instance type is not known")
    return await _answer(asked, lambda: asked.ec2.type_limits(own.instance.instance_type))


async def _subnets(asked: Asked, enis: Sequence[EniDetail]) -> Maybe[frozenset[str]]:
    if not asked.by_passes:
        return _BY_PASSES
    ids = sorted({one.eni.subnet_id for one in enis if one.eni.subnet_id})
    if not ids:
        return Missed(why="the subnets of the ENIs are not known")
    return await _answer(asked, lambda: asked.ec2.subnets(ids))


async def _may_attach(asked: Asked) -> Mapping[EniId, Permission]:
    me = asked.me
    if me is None or not asked.by_passes:
        return {}
    return await _each(
        asked,
        {
            eni_id: partial(asked.ec2.may_attach, eni_id=eni_id, instance_id=me.instance_id)
            for eni_id in asked.tried
        },
    )


async def _may_detach(asked: Asked, enis: Sequence[EniDetail]) -> Mapping[EniId, Permission]:
    return await _of_attachments(asked, enis, lambda _, held: asked.ec2.may_detach(held))


async def _may_keep(asked: Asked, enis: Sequence[EniDetail]) -> Mapping[EniId, Permission]:
    return await _of_attachments(
        asked, enis, lambda eni_id, held: asked.ec2.may_keep(eni_id=eni_id, attachment_id=held)
    )


async def _of_attachments(
    asked: Asked, enis: Sequence[EniDetail], ask: Callable[[EniId, AttachmentId], Awaitable[Permission]]
) -> Mapping[EniId, Permission]:
    """The answer about each ENI's attachment, if it has one.

    An ENI that has moved since it was described is described anew and asked about once more; one that
    has moved again, or is nowhere now, is left out: nothing was said of the permission.
    """

    def questions(found: Sequence[EniDetail]) -> Mapping[EniId, Callable[[], Awaitable[Permission]]]:
        return {
            one.eni.eni_id: partial(ask, one.eni.eni_id, held.attachment_id)
            for one in found
            if (held := one.eni.attachment) is not None
        }

    said = dict(await _each(asked, questions(enis)))
    if moved := [eni_id for eni_id, one in said.items() if one.gone]:
        found = await _answer(asked, lambda: asked.ec2.enis(moved))
        if not isinstance(found, Missed):
            said |= await _each(asked, questions(found))
    return {eni_id: one for eni_id, one in said.items() if not one.gone}


async def _may_stop(asked: Asked) -> Mapping[MemberName, Permission]:
    return await _each(
        asked, {member.name: partial(asked.ec2.may_stop, member.instance_id) for member in asked.stopped}
    )


async def _unstoppable(
    asked: Asked, instances: Maybe[tuple[InstanceDetail, ...]]
) -> Mapping[MemberName, Maybe[str]]:
    """Why EC2 would refuse to stop each of the members that a fence may have to stop."""
    if isinstance(instances, Missed):
        return {member.name: instances for member in asked.stopped}
    return {
        member.name: await _why_unstoppable(asked, find_instance(instances, member.instance_id))
        for member in asked.stopped
    }


async def _why_unstoppable(asked: Asked, instance: InstanceDetail | None) -> Maybe[str]:
    if instance is None:
        return Missed(why="EC2 does not show its instance")
    if instance.has_store_root:
        return "has an instance store as its root device"
    instance_id = instance.instance.instance_id
    if instance.is_spot:
        one_time = await _answer(asked, lambda: asked.ec2.is_one_time_spot(instance_id))
        if isinstance(one_time, Missed):
            return one_time
        if one_time:
            return "is a Spot Instance of a one-time request"
    protected = await _answer(asked, lambda: asked.ec2.is_stop_protected(instance_id))
    if isinstance(protected, Missed):
        return protected
    return "is protected from being stopped (DisableApiStop)" if protected else ""


async def _each(
    asked: Asked, questions: Mapping[_K, Callable[[], Awaitable[Permission]]]
) -> Mapping[_K, Permission]:
    """The answer to each question, side by side as far as the gate lets them."""

    async def one(question: Callable[[], Awaitable[Permission]]) -> Permission:
        async with asked.gate:
            return await question()

    async with asyncio.TaskGroup() as group:
        asking = {key: group.create_task(one(question)) for key, question in questions.items()}
    return {key: task.result() for key, task in asking.items()}
