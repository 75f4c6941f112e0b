"""Every probe, asked once, on loopback."""

from __future__ import annotations

import asyncio
import socket

import pytest

from eni_failover.adapters.probes import registry
from eni_failover.adapters.probes.spec import ExecSettings, HttpSettings, ProbeSpec, TcpSettings
from eni_failover.core.policy import Member, ProbePolicy
from eni_failover.core.vocabulary import Answer, ProbeType, Scope
from eni_failover.errors import ConfigError
from eni_failover.preflight.probing import ask_all
from tests.preflight.builders import ALPHA, BETA

ME = Member(name="beta", instance_id=BETA, address="127.0.0.1")
HOLDER = Member(name="alpha", instance_id=ALPHA, address="127.0.0.1")


def policy(name: str, kind: ProbeType, scope: Scope, timeout: float = 5.0) -> ProbePolicy:
    return ProbePolicy(
        name=name, type=kind, scope=scope, interval=1.0, fast_interval=1.0, timeout=timeout, fall=3, rise=2
    )


def tcp(port: int, scope: Scope = Scope.HOLDER) -> ProbeSpec:
    return ProbeSpec(
        policy=policy("web", ProbeType.TCP, scope), settings=TcpSettings(host="{address}", port=port)
    )


def command(*words: str, name: str = "program", timeout: float = 5.0) -> ProbeSpec:
    return ProbeSpec(
        policy=policy(name, ProbeType.EXEC, Scope.SELF, timeout), settings=ExecSettings(command=words)
    )


def asked(*specs, me=ME, holder=HOLDER):
    return [(one.name, one.about, one.answer) for one in asyncio.run(ask_all(specs, me=me, holder=holder))]


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_each_scope_asks_whom_it_is_about(listening):
    """Holder probes ask the holder, the others this member; in the order of the file."""
    specs = (tcp(listening), tcp(listening, Scope.SELF), tcp(listening, Scope.WITNESS))

    assert asked(*specs) == [
        ("web", "alpha", Answer.UP),
        ("web", "beta", Answer.UP),
        ("web", "beta", Answer.UP),
    ]


@pytest.mark.parametrize("holder", [ME, None])
def test_a_holder_probe_without_another_holder_asks_nobody(listening, holder):
    """This member is the holder, or nobody is."""
    assert asked(tcp(listening), holder=holder) == [("web", None, Answer.UNKNOWN)]


def test_a_probe_that_could_not_be_asked_is_found_out_before_there_is_a_holder(tmp_path, monkeypatch):
    """The files of an http probe, and the right to ping: a takeover by them would never begin."""
    settings = HttpSettings(url="https://{address}/", ca_file=tmp_path / "none.pem")
    https = ProbeSpec(policy=policy("web", ProbeType.HTTP, Scope.HOLDER), settings=settings)

    def found(*specs):
        facts = asyncio.run(ask_all(specs, me=ME, holder=None))
        return [(one.about, one.answer, one.is_runnable, one.detail) for one in facts]

    problem = "ca_file is not readable, or holds no certificate"
    assert found(https, tcp(9)) == [
        (None, Answer.UNKNOWN, False, problem),
        (None, Answer.UNKNOWN, True, "nobody to ask"),
    ]

    def refuse(_):
        raise ConfigError("icmp probes need CAP_NET_RAW")

    monkeypatch.setattr(registry, "make", refuse)
    assert found(tcp(9)) == [(None, Answer.UNKNOWN, False, "icmp probes need CAP_NET_RAW")]


def test_a_refusal_is_down():
    """Nobody listens there."""
    assert asked(tcp(9)) == [("web", "alpha", Answer.DOWN)]


def test_probes_of_every_fate_do_not_hinder_each_other():
    """One answers, one hangs beyond its timeout, one cannot be started."""
    specs = (
        command("/bin/true", name="good"),
        command("/bin/sleep", "60", name="slow", timeout=0.2),
        command("/nonexistent", name="absent"),
    )

    assert asked(*specs) == [
        ("good", "beta", Answer.UP),
        ("slow", "beta", Answer.DOWN),
        ("absent", "beta", Answer.UNKNOWN),
    ]


def test_a_probe_that_this_host_cannot_run_is_unknown(monkeypatch):
    """As icmp without the privilege: the daemon would not start with it."""

    def refuse(_):
        raise ConfigError("icmp probes need CAP_NET_RAW")

    monkeypatch.setattr(registry, "make", refuse)
    (fact,) = asyncio.run(ask_all((tcp(9),), me=ME, holder=HOLDER))

    assert (fact.answer, fact.detail) == (Answer.UNKNOWN, "icmp probes need CAP_NET_RAW")


def test_a_bug_in_a_probe_is_unknown_and_shows_no_text(monkeypatch):
    """The error's text may hold a secret."""

    class Broken:
        unsent = ""

        async def __call__(self, _):
            raise RuntimeError("token=never-to-be-seen")

        async def close(self):
            pass

    monkeypatch.setattr(registry, "make", lambda _: Broken())
    (fact,) = asyncio.run(ask_all((tcp(9),), me=ME, holder=HOLDER))

    assert (fact.answer, fact.detail) == (Answer.UNKNOWN, "bug in the probe: RuntimeError")
