"""Every type of probe that can be configured can be made."""

from __future__ import annotations

import pytest

from eni_failover.adapters.probes import registry
from eni_failover.adapters.probes.exec import ExecProbe
from eni_failover.adapters.probes.http import HttpProbe
from eni_failover.adapters.probes.peer import PeerProbe
from eni_failover.adapters.probes.spec import (
    ExecSettings,
    HttpSettings,
    PeerSettings,
    ProbeSpec,
    TcpSettings,
)
from eni_failover.adapters.probes.tcp import TcpProbe
from eni_failover.core.policy import ProbePolicy
from eni_failover.core.words import ProbeType, Scope


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
    policy = ProbePolicy(
        name="web",
        type=kind,
        scope=Scope.HOLDER,
        interval=1.0,
        fast_interval=1.0,
        timeout=1.0,
        fall=3,
        rise=2,
    )

    assert isinstance(registry.make(ProbeSpec(policy=policy, settings=settings)), made)
