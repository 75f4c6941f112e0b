"""Short builders: each returns one value of the core, so that a test reads as a situation.

ENIs are written without ids: `enis(attached("alpha"), free())` numbers them in file order, and an
attachment without an id is called after its ENI (`att-1` on `eni-1`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eni_failover.core.decision import Attach, Call, Detach, KeepOnTermination, StopInstance
from eni_failover.core.model import (
    Attachment,
    AttachmentStatus,
    Attempt,
    Eni,
    EniSurvey,
    Instance,
    InstanceState,
    InstanceSurvey,
    Local,
    Observation,
    Peer,
    Presence,
    TakeoverRequest,
    TypeLimits,
)
from eni_failover.core.policy import FailbackMode, FenceMode, Member, Policy, ProbePolicy, TakeoverMode
from eni_failover.core.state import Takeover
from eni_failover.core.vocabulary import Answer, ProbeType, Reason, Scope, Trigger

ZONE = "eu-central-1a"
EPOCH = 1_800_000_000.0  # the wall clock at monotonic zero
NAMES = ("alpha", "beta", "gamma", "delta")
MEMBERS = {
    name: Member(name=name, instance_id=f"i-{name}", address=f"10.0.1.{number}")
    for number, name in enumerate(NAMES, start=1)
}


def eni_ids(count: int) -> tuple[str, ...]:
    return tuple(f"eni-{number}" for number in range(1, count + 1))


# The policy ----------------------------------------------------------------------------------------


def probe(name: str = "web", scope: str = "holder", **changes: Any) -> ProbePolicy:
    values: dict[str, Any] = {
        "type": ProbeType.HTTP,
        "interval": 1.0,
        "fast_interval": 1.0,
        "timeout": 1.0,
        "fall": 3,
        "rise": 2,
    }
    return ProbePolicy(name=name, scope=Scope(scope), **{**values, **changes})


WEB = probe()
SELF = probe("disk", "self")
WITNESS = probe("gateway", "witness")


def named(name: str) -> ProbePolicy:
    """The usual probe of this name."""
    return next((known for known in (WEB, SELF, WITNESS) if known.name == name), probe(name))


def policy(
    local: str = "beta",
    *,
    members: int = 2,
    enis: int = 1,
    probes: tuple[ProbePolicy, ...] = (WEB,),
    **changes: Any,
) -> Policy:
    """Two members and one ENI, probed by one http probe, everything else as the manual's defaults."""
    values: dict[str, Any] = {
        "group": "orders",
        "device_index": None,
        "down_needed": max(1, sum(one.scope is Scope.HOLDER for one in probes)),
        "takeover": TakeoverMode.AUTOMATIC,
        "failback": FailbackMode.MANUAL,
        "failback_delay": 60.0,
        "cooldown": 60.0,
        "max_takeovers": 3,
        "max_takeovers_window": 3600.0,
        "stagger": 2.0,
        "unproven_grace": 300.0,
        "force_detach_after": 15.0,
        "startup_grace": 0.0,
        "fence": FenceMode.NONE,
        "observe_interval": 10.0,
        "idle_interval": 120.0,
        "move_interval": 0.25,
        "max_loop_lag": 1.0,
        "call_timeout": 5.0,
        "config_hash": "same",
    }
    return Policy(
        me=MEMBERS[local],
        members=tuple(MEMBERS[name] for name in NAMES[:members]),
        eni_ids=eni_ids(enis),
        probes=probes,
        **{**values, **changes},
    )


# ENIs ----------------------------------------------------------------------------------------------


def _held(status: AttachmentStatus, holder: str, attachment_id: str, index: int, changes: Any) -> Eni:
    on = changes.pop("on", f"i-{holder}")
    keep = changes.pop("delete_on_termination", False)
    attachment = Attachment(
        attachment_id=attachment_id,
        instance_id=on,
        status=status,
        device_index=index,
        delete_on_termination=keep,
    )
    return Eni(eni_id="", attachment=attachment, zone=ZONE, **changes)


def attached(holder: str, attachment_id: str = "", *, index: int = 0, **changes: Any) -> Eni:
    return _held(AttachmentStatus.ATTACHED, holder, attachment_id, index, changes)


def attaching(holder: str, attachment_id: str = "", *, index: int = 0, **changes: Any) -> Eni:
    return _held(AttachmentStatus.ATTACHING, holder, attachment_id, index, changes)


def detaching(holder: str, attachment_id: str = "", *, index: int = 0, **changes: Any) -> Eni:
    return _held(AttachmentStatus.DETACHING, holder, attachment_id, index, changes)


def foreign(attachment_id: str = "", *, index: int = 0) -> Eni:
    """On an instance that is no member."""
    return attached("stranger", attachment_id, index=index)


def free(**changes: Any) -> Eni:
    return Eni(eni_id="", zone=ZONE, **changes)


def missing() -> Eni:
    return Eni(eni_id="", presence=Presence.MISSING)


def unknown() -> Eni:
    return Eni(eni_id="", presence=Presence.UNKNOWN)


def enis(*shapes: Eni) -> tuple[Eni, ...]:
    """The ENIs numbered in file order; ids and indexes left out are filled in from the number."""
    return tuple(_numbered(shape, number) for number, shape in enumerate(shapes, start=1))


def _numbered(shape: Eni, number: int) -> Eni:
    attachment = shape.attachment
    if attachment is not None:
        attachment = replace(
            attachment,
            attachment_id=attachment.attachment_id or f"att-{number}",
            device_index=attachment.device_index or number,
        )
    return replace(shape, eni_id=f"eni-{number}", attachment=attachment)


# Surveys and the observation -----------------------------------------------------------------------


def survey(*shapes: Eni, at: float, answered: bool = True) -> EniSurvey:
    return EniSurvey(began_at=at, answered=answered, enis=enis(*shapes))


def silence(count: int, *, at: float) -> EniSurvey:
    """A describe that failed."""
    return survey(*(unknown() for _ in range(count)), at=at, answered=False)


def instance(name: str, state: str = "running", **changes: Any) -> Instance:
    """`used_indexes` are those of ENIs that are no part of the group, `interface_count` all of them."""
    used = changes.pop("used_indexes", (0,))
    others = (None,) * (changes.pop("interface_count", len(used)) - len(used))
    indexes = tuple((f"eni-other-{place}", index) for place, index in enumerate((*used, *others)))
    values: dict[str, Any] = {"zone": ZONE, "eni_indexes": indexes}
    return Instance(instance_id=f"i-{name}", state=InstanceState(state), **{**values, **changes})


ME = instance("beta")  # what beta knows of its own instance


def instances(*found: Instance, at: float, answered: bool = True) -> InstanceSurvey:
    return InstanceSurvey(began_at=at, answered=answered, instances=found)


LOCAL = Local(zone=ZONE, limits=TypeLimits(interfaces=15), attach_allowed=True)


def obs(*shapes: Eni, now: float = 1000.0, members: int = 2, **changes: Any) -> Observation:
    """One observation at `now`: these ENIs, seen a moment ago, and all members running."""
    values: dict[str, Any] = {
        "enis": survey(*shapes, at=now - 0.04),
        "instances": instances(*(instance(name) for name in NAMES[:members]), at=now - 0.04),
        "local": LOCAL,
        "wall": EPOCH + now,
    }
    return Observation(now=now, **{**values, **changes})


def attempt(
    asked: str | ProbePolicy = "web", answer: str = "up", *, about: str = "alpha", at: float
) -> Attempt:
    """A finished attempt; `silent` is a timeout: down without any sign of life."""
    silent = answer == "silent"
    return Attempt(
        probe=named(asked) if isinstance(asked, str) else asked,
        member=MEMBERS[about],
        answer=Answer.DOWN if silent else Answer(answer),
        answered=not silent and answer != "unknown",
        started_at=at - 0.01,
        ended_at=at,
        detail=answer,
    )


def peer(name: str, *, reachable: bool = True, config_hash: str = "same", **changes: Any) -> Peer:
    return Peer(member=name, instance_id=f"i-{name}", reachable=reachable, config_hash=config_hash, **changes)


def takeover_request(request_id: str = "r-1", *, deadline: float) -> TakeoverRequest:
    return TakeoverRequest(request_id=request_id, deadline=deadline)


def intent(*, began_at: float) -> Takeover:
    """A takeover by probes that has asked for nothing yet: matched 2 s before, its cause 2 s older."""
    return Takeover(
        takeover_id="t-1",
        trigger=Trigger.PROBES,
        reason=Reason.HOLDER_DOWN,
        from_member="alpha",
        started_at=began_at,
        started_wall=0.0,
        cause_at=began_at - 4,
        matched_at=began_at - 2,
        moves=(),
    )


# Calls ---------------------------------------------------------------------------------------------


def detach(number: int = 1, attachment_id: str = "", *, force: bool = False) -> Detach:
    return Detach(eni_id=f"eni-{number}", attachment_id=attachment_id or f"att-{number}", force=force)


def attach(number: int = 1, *, index: int | None = None) -> Attach:
    return Attach(eni_id=f"eni-{number}", device_index=number if index is None else index)


def stop(name: str) -> StopInstance:
    return StopInstance(instance_id=f"i-{name}")


def keep(number: int = 1, attachment_id: str = "") -> KeepOnTermination:
    return KeepOnTermination(eni_id=f"eni-{number}", attachment_id=attachment_id or f"att-{number}")


def target(call: Call) -> str:
    """What an outcome of this call names."""
    return call.instance_id if isinstance(call, StopInstance) else call.eni_id
