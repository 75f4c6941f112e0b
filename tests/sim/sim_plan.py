"""What one seed's world is like: members and ENIs, the configuration, how fast and how honest EC2 is.

Owns the choice and the file that says it to the daemons. Must not know what happens in that world.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from eni_failover.lab import Durations
from eni_failover.lab.world import floating_eni_id, instance_id_of, member_name

Table = dict[str, str | int]

Probe = dict[str, str | int]

WEB: Probe = {"name": "web", "type": "http", "url": "http://{address}:8080/healthz"}
PORT: Probe = {"name": "port", "type": "tcp", "host": "{address}", "port": 8080}
PEER: Probe = {"name": "daemon", "type": "peer"}
SELF: Probe = {"name": "fit", "type": "tcp", "scope": "self", "host": "127.0.0.1", "port": 8080}
WITNESS: Probe = {"name": "gateway", "type": "icmp", "scope": "witness", "host": "10.0.1.1"}

PROBES: tuple[tuple[Probe, ...], ...] = (
    (WEB,),
    (WEB,),
    (WEB, SELF),
    (WEB, SELF, WITNESS),
    (WEB, WITNESS),
    (WEB, PORT),
    (WEB, PEER),
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One world. Seconds throughout; a `calm` one looks and probes less often at rest."""

    members: int = 2
    enis: int = 1
    probes: tuple[Probe, ...] = (WEB,)
    probe_timing: Table = field(default_factory=dict)
    policy: Table = field(default_factory=dict)
    timing: Table = field(default_factory=dict)
    durations: Durations = field(default_factory=Durations)
    api_latency: float = 0.04
    api_jitter: float = 0.0
    lag: float = 0.0
    link_delay: float = 0.3
    hook_seconds: float = 0.2
    round_trip: float = 0.002
    calm: bool = False
    true_lag: bool = True
    called: tuple[str, ...] = ()
    """What the file calls the members, where that is not their name."""
    newcomer: bool = False
    """Whether the file has one member more, before all others, that does not exist."""
    aws: Table = field(default_factory=dict)
    wrong_port: bool = False
    """Whether the first holder probe asks for a port where nothing listens."""

    @property
    def names(self) -> tuple[str, ...]:
        """The members, in file order."""
        return tuple(member_name(number) for number in range(1, self.members + 1))

    @property
    def eni_ids(self) -> tuple[str, ...]:
        """The group's ENIs, in file order."""
        return tuple(floating_eni_id(number) for number in range(1, self.enis + 1))

    def toml(self, directory: Path, **changes: str | int) -> str:
        """The configuration file of the member whose things are in this directory, with policy changes."""
        parts = ['group = "orders"', "[eni]", f"ids = {list(self.eni_ids)}".replace("'", '"')]
        if self.newcomer:
            other = {"name": "newcomer", "instance_id": "i-0ffffffffffffffff", "address": "10.0.1.99"}
            parts += _table("[[member]]", other)
        for number, name in enumerate(self.called or self.names, start=1):
            parts += _table(
                "[[member]]",
                {"name": name, "instance_id": instance_id_of(number), "address": f"10.0.1.{10 + number}"},
            )
        for probe in (_off_by_one(self.probes[0]), *self.probes[1:]) if self.wrong_port else self.probes:
            parts += _table("[[probe]]", {**probe, **self.probe_timing})
        parts += _table("[policy]", {**self.policy, **changes})
        parts += _table("[timing]", self.timing)
        parts += _table("[aws]", self.aws)
        parts += ["[hooks]", *(f'{hook} = ["/hook"]' for hook in ("on_active", "on_standby", "on_fault"))]
        parts += _table("[control]", {"role_file": str(directory / "role")})
        parts += _table("[state]", {"directory": str(directory / "state")})
        return "\n".join(parts) + "\n"


WRONG_PORT = 8081
QUICK_TIMEOUT = 0.2


def _off_by_one(probe: Probe) -> Probe:
    return {**probe, "url": f"http://{{address}}:{WRONG_PORT}/healthz"}


def _table(head: str, values: Table) -> list[str]:
    return [head, *(f"{key} = {_written(value)}" for key, value in values.items())]


def _written(value: str | int) -> str:
    return str(value) if isinstance(value, int) else f'"{value}"'


def draw(rng: random.Random, *, calm: bool) -> Plan:
    """A plan by chance."""
    probes = rng.choice(PROBES)
    holder_probes = sum("scope" not in one for one in probes)
    policy: Table = {
        "cooldown": rng.choice(("5s", "20s", "60s", "60s")),
        "max_takeovers": rng.choice((1, 3, 3, 10)),
        "max_takeovers_window": rng.choice(("10m", "30m", "1h")),
        "stagger": rng.choice(("500ms", "2s", "2s", "5s")),
        "unproven_grace": rng.choice(("20s", "2m", "5m")),
        "force_detach_after": rng.choice(("5s", "15s", "15s", "never")),
        "startup_grace": rng.choice(("0s", "0s", "0s", "20s")),
        "fence": rng.choice(("none", "none", "none", "stop")),
    }
    if holder_probes > 1:
        policy["down_when"] = "all" if PEER in probes else rng.choice(("all", "any"))
    if SELF in probes and rng.random() < 0.6:
        policy |= {"failback": "automatic", "failback_delay": rng.choice(("5s", "60s"))}
    interval = rng.choice((5, 10, 20)) if calm else rng.choice((1, 2, 2, 5))
    round_trip = rng.choice((0.002, 0.05, 0.4))
    is_quick = round_trip < QUICK_TIMEOUT / 2 and rng.random() < 0.2
    return Plan(
        members=rng.choice((2, 2, 2, 3, 4)),
        enis=rng.choice((1, 1, 2, 3, 4)),
        probes=probes,
        probe_timing={
            "interval": f"{interval}s",
            "fast_interval": f"{min(interval, rng.choice((1, 1, 2)))}s",
            "fall": rng.choice((1, 2, 3, 3)),
            "rise": rng.choice((1, 2, 2)),
            **({"timeout": f"{QUICK_TIMEOUT * 1000:.0f}ms"} if is_quick else {}),
        },
        policy=policy,
        timing={"observe_interval": rng.choice(("30s", "60s") if calm else ("5s", "10s", "30s", "30s"))},
        durations=Durations(
            attach=rng.uniform(0.2, 5.0),
            detach=rng.uniform(0.2, 8.0),
            force_detach=rng.uniform(0.2, 3.0),
            start=rng.uniform(1.0, 20.0),
            stop=rng.uniform(1.0, 30.0),
            terminate=rng.uniform(1.0, 30.0),
            vanish=rng.choice((10.0, 3600.0)),
        ),
        api_latency=rng.choice((0.02, 0.04, 0.3)),
        api_jitter=1.0,
        lag=rng.choice((0.0, 0.0, 0.5, 1.5, 4.0)),
        link_delay=rng.uniform(0.05, 2.0),
        hook_seconds=rng.choice((0.05, 1.0, 40.0)),
        round_trip=round_trip,
        calm=calm,
        true_lag=not calm and rng.random() < 0.1,
    )
