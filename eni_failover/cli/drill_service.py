"""This member's own service, asked before a drill brings the group here.

The daemon's readiness has the self probes only. Without them it says "ready" beside a dead service, and the
drill would make an outage of its own. So each http and tcp probe of the holder is asked about this member.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from eni_failover.adapters.probes.spec import HttpSettings, ProbeSpec, TcpSettings
from eni_failover.core.policy import Member
from eni_failover.core.vocabulary import Answer, Scope
from eni_failover.preflight.facts import ProbeFact
from eni_failover.preflight.probing import ask_all

_ADDRESS = "{address}"


async def why_not_served(probes: Sequence[ProbeSpec], me: Member) -> str:
    """Why this member's own service would not answer, by its first probe that is down; empty when none is."""
    facts = await ask_all([_of_oneself(one) for one in probes if _asks_the_member(one)], me=me, holder=None)
    return next((_why(me, fact) for fact in facts if fact.answer is Answer.DOWN), "")


def _asks_the_member(spec: ProbeSpec) -> bool:
    match spec.settings:
        case HttpSettings(url=target) | TcpSettings(host=target):
            return spec.policy.scope is Scope.HOLDER and _ADDRESS in target
        case _:
            return False


def _of_oneself(spec: ProbeSpec) -> ProbeSpec:
    return replace(spec, policy=replace(spec.policy, scope=Scope.SELF))


def _why(me: Member, fact: ProbeFact) -> str:
    return (
        f"{me.name}'s own service is down ({fact.name}: {fact.detail}), and would be with the group here:"
        " start it; where it runs on the active member only, give --service active-only"
    )
