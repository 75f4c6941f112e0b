"""A small table of real instance types with the limits that decide whether an attach fits.

Owns: figures copied by hand from AWS's DescribeInstanceTypes answers. Must not know: state. Does not
guarantee: completeness; an unknown type is an error, not a guess.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceType:
    """Limits of one type. `enis_per_card` has one number for each network card."""

    name: str
    enis: int
    ips_per_eni: int
    vcpus: int
    memory_mib: int
    performance: str
    enis_per_card: tuple[int, ...]
    architecture: str = "x86_64"
    efa: bool = False


_Row = tuple[str, int, int, int, int, str]
"""Name, ENIs, addresses per ENI, vCPUs, MiB of memory, network performance."""

_UP_TO_5: Final = "Up to 5 Gigabit"
_UP_TO_10: Final = "Up to 10 Gigabit"
_UP_TO_12: Final = "Up to 12.5 Gigabit"

_ROWS: Final[tuple[_Row, ...]] = (
    ("t3.nano", 2, 2, 2, 512, _UP_TO_5),
    ("t3.micro", 2, 2, 2, 1024, _UP_TO_5),
    ("t3.small", 3, 4, 2, 2048, _UP_TO_5),
    ("t3.medium", 3, 6, 2, 4096, _UP_TO_5),
    ("t4g.micro", 2, 2, 2, 1024, _UP_TO_5),
    ("t4g.small", 3, 4, 2, 2048, _UP_TO_5),
    ("m5.large", 3, 10, 2, 8192, _UP_TO_10),
    ("m5.xlarge", 4, 15, 4, 16384, _UP_TO_10),
    ("m5.2xlarge", 4, 15, 8, 32768, _UP_TO_10),
    ("m5.4xlarge", 8, 30, 16, 65536, _UP_TO_10),
    ("m6i.large", 3, 10, 2, 8192, _UP_TO_12),
    ("m7g.large", 3, 10, 2, 8192, _UP_TO_12),
    ("c5.large", 3, 10, 2, 4096, _UP_TO_10),
    ("c5.xlarge", 4, 15, 4, 8192, _UP_TO_10),
    ("c5n.large", 3, 10, 2, 5376, "Up to 25 Gigabit"),
    ("c5n.18xlarge", 15, 50, 72, 196608, "100 Gigabit"),
    ("c6i.large", 3, 10, 2, 4096, _UP_TO_12),
    ("c6in.32xlarge", 16, 50, 128, 262144, "200 Gigabit"),
    ("r5.large", 3, 10, 2, 16384, _UP_TO_10),
    ("p4d.24xlarge", 60, 50, 96, 1179648, "4x 100 Gigabit"),
)
_CARDS: Final = {"c6in.32xlarge": (8, 8), "p4d.24xlarge": (15, 15, 15, 15)}
_ARM: Final = frozenset({"t4g.micro", "t4g.small", "m7g.large"})
_EFA: Final = frozenset({"c5n.18xlarge", "c6in.32xlarge", "p4d.24xlarge"})

INSTANCE_TYPES: Final = {
    name: InstanceType(
        name=name,
        enis=enis,
        ips_per_eni=ips_per_eni,
        vcpus=vcpus,
        memory_mib=memory_mib,
        performance=performance,
        enis_per_card=_CARDS.get(name, (enis,)),
        architecture="arm64" if name in _ARM else "x86_64",
        efa=name in _EFA,
    )
    for name, enis, ips_per_eni, vcpus, memory_mib, performance in _ROWS
}
"""By name."""
