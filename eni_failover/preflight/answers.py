"""Checks of who answers now: every probe's target, and the other members' daemons."""

from __future__ import annotations

from eni_failover.core.snapshot import Check
from eni_failover.core.vocabulary import Answer, Scope
from eni_failover.preflight.facts import Facts, ProbeFact
from eni_failover.preflight.missing import WITHOUT
from eni_failover.preflight.verdicts import failed, passed, warned


def holder_probes(facts: Facts) -> Check:
    """Each can be sent, and finds the holder up."""
    name, asked = "holder_probes", _of(facts, Scope.HOLDER)
    if not asked:
        return _none(name, Scope.HOLDER)
    nobody = all(one.about is None for one in asked)
    unsent = [
        _said(one) for one in asked if not one.is_runnable or (one.answer is Answer.UNKNOWN and not nobody)
    ]
    if nobody and not unsent:
        return passed(name, "not asked: no other member holds")
    if unsent:
        return failed(name, ", ".join(unsent), "a probe that this host cannot send decides nothing")
    down = [_said(one) for one in asked if one.answer is Answer.DOWN]
    if down:
        return warned(name, ", ".join(down), "is the holder well? If so: the target, or its security group")
    return passed(name, ", ".join(_said(one) for one in asked))


def _none(name: str, scope: Scope) -> Check:
    why, line = WITHOUT[scope]
    return warned(name, f"no probe of scope {scope}: {why}", f"add a [[probe]] with {line}")


def self_probes(facts: Facts) -> Check:
    """Each finds this member fit."""
    asked = _of(facts, Scope.SELF)
    if not asked:
        return _none("self_probes", Scope.SELF)
    unfit = [_said(one) for one in asked if one.answer is not Answer.UP]
    if unfit:
        return failed("self_probes", ", ".join(unfit), "fix what this member's own probes report")
    return passed("self_probes", ", ".join(_said(one) for one in asked))


def witnesses(facts: Facts) -> Check:
    """One answers at least."""
    asked = _of(facts, Scope.WITNESS)
    if not asked:
        return _none("witnesses", Scope.WITNESS)
    silent = [_said(one) for one in asked if one.answer is not Answer.UP]
    if asked and len(silent) == len(asked):
        return failed("witnesses", ", ".join(silent), "no witness answers: fix this host's network first")
    if silent:
        return warned("witnesses", ", ".join(silent), "one witness of several does not answer")
    return passed("witnesses", ", ".join(_said(one) for one in asked))


def peers(facts: Facts) -> Check:
    """The other members' daemons answer, with the same configuration and version."""
    known = facts.host.peers
    mine = facts.config.config_hash
    other = [
        f"{one.member} has {one.config_hash or 'none'}"
        for one in known
        if one.reachable and one.config_hash != mine
    ]
    if other:
        detail = f"[eni] or [[member]] differ: {', '.join(other)}, this file {mine}"
        return failed("peers", detail, "put the same file on every member and reload")
    silent = [one.member for one in known if not one.reachable]
    if silent:
        remedy = "is the daemon running there, and its port open to this member's primary ENI?"
        return warned("peers", f"no answer from {', '.join(silent)}", remedy)
    versions = {one.version for one in known}
    if len(versions) > 1:
        return warned("peers", f"versions differ: {', '.join(sorted(versions))}", "finish the upgrade")
    return passed("peers", ", ".join(one.member for one in known))


def _of(facts: Facts, scope: Scope) -> list[ProbeFact]:
    return [one for one in facts.host.probes or () if one.scope is scope]


def _said(probe: ProbeFact) -> str:
    about = f" {probe.about}" if probe.scope is Scope.HOLDER and probe.about else ""
    return f"{probe.name}{about} {probe.answer}" + (f" ({probe.detail})" if probe.detail else "")
