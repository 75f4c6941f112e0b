"""Every type of probe that can be configured can be made."""

from __future__ import annotations

from pathlib import Path

import pytest

from eni_failover.adapters.probes import registry
from eni_failover.adapters.probes.exec import ExecProbe
from eni_failover.adapters.probes.http import HttpProbe
from eni_failover.adapters.probes.peer import PeerProbe
from eni_failover.adapters.probes.spec import (
    ExecSettings,
    HttpSettings,
    IcmpSettings,
    PeerSettings,
    ProbeSpec,
    TcpSettings,
)
from eni_failover.adapters.probes.tcp import TcpProbe
from eni_failover.core.policy import ProbePolicy
from eni_failover.core.vocabulary import ProbeType, Scope
from eni_failover.errors import ConfigError


def policy_of(name, kind):
    return ProbePolicy(
        name=name,
        type=kind,
        scope=Scope.HOLDER,
        interval=1.0,
        fast_interval=1.0,
        timeout=1.0,
        fall=3,
        rise=2,
    )


def test_there_is_a_factory_for_each_type():
    """A new word in ProbeType without a factory would fail at a user's start."""
    assert set(ProbeType) == set(registry.FACTORIES)


@pytest.mark.parametrize(
    ("kind", "settings", "made"),
    [
        (ProbeType.TCP, TcpSettings(host="{address}", port=80), TcpProbe),
        (ProbeType.HTTP, HttpSettings(url="http://{address}/"), HttpProbe),
        (ProbeType.EXEC, ExecSettings(command=("/bin/true",)), ExecProbe),
        (ProbeType.PEER, PeerSettings(url="http://{address}/status", group="orders"), PeerProbe),
    ],
)
def test_a_spec_makes_the_probe_of_its_type(kind, settings, made):
    """The type in the policy chooses. Making one opens nothing: there is no loop yet."""
    assert isinstance(registry.make(ProbeSpec(policy=policy_of("web", kind), settings=settings)), made)


def test_what_a_probe_needs_is_asked_for_before_it_is_made():
    """Its files, too: one that is missing now would make every attempt unknown."""
    missing = HttpSettings(url="https://{address}/", ca_file=Path("/nonexistent/ca.pem"))
    web = ProbeSpec(policy=policy_of("web", ProbeType.HTTP), settings=missing)
    port = ProbeSpec(policy=policy_of("port", ProbeType.TCP), settings=TcpSettings(host="{address}", port=80))

    assert registry.problems_of(web) == ("ca_file is not readable, or holds no certificate",)
    assert registry.problems_of(port) == ()


def test_each_problem_of_a_probe_is_one_line(monkeypatch):
    """As mistakes of a file are."""

    def refuse(_):
        raise ConfigError("no socket", "no luck")

    monkeypatch.setattr(registry, "FACTORIES", {ProbeType.ICMP: refuse})
    ping = ProbeSpec(policy=policy_of("ping", ProbeType.ICMP), settings=IcmpSettings(host="{address}"))

    assert registry.problems_of(ping) == ("no socket", "no luck")
