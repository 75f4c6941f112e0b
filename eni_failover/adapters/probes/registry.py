"""The probes there are: a type's name, and what makes one.

Adding a probe is one file, one line here, its settings in `spec` and its tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from eni_failover.adapters.probes import credentials
from eni_failover.adapters.probes.exec import ExecProbe
from eni_failover.adapters.probes.files import UnusableFileError
from eni_failover.adapters.probes.http import HttpProbe
from eni_failover.adapters.probes.icmp import IcmpProbe
from eni_failover.adapters.probes.peer import PeerProbe
from eni_failover.adapters.probes.probe import Probe
from eni_failover.adapters.probes.spec import HttpSettings, ProbeSpec
from eni_failover.adapters.probes.tcp import TcpProbe
from eni_failover.core.vocabulary import ProbeType
from eni_failover.errors import ConfigError

# Each takes the settings class of its own type, which the configuration has paired with it.
FACTORIES: Mapping[ProbeType, Callable[[Any], Probe]] = MappingProxyType(
    {
        ProbeType.TCP: TcpProbe,
        ProbeType.HTTP: HttpProbe,
        ProbeType.ICMP: IcmpProbe,
        ProbeType.EXEC: ExecProbe,
        ProbeType.PEER: PeerProbe,
    }
)


def make(spec: ProbeSpec) -> Probe:
    """The probe that `spec` asks for. Raises ConfigError when this host cannot run such a probe."""
    return FACTORIES[spec.policy.type](spec.settings)


def problems_of(spec: ProbeSpec) -> tuple[str, ...]:
    """Why this process could not ask by this probe now; empty when it could.

    Tries what making the probe would try, and reads its files: blocks on the disk. Leaves nothing open.
    """
    try:
        make(spec)
        if isinstance(spec.settings, HttpSettings):
            credentials.load(spec.settings)
    except ConfigError as error:
        return error.problems
    except UnusableFileError as error:
        return (str(error),)
    return ()
