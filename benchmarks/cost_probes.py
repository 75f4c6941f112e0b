"""Many tcp probes in one process, each once a second: CPU of a whole daemon, and how late probes begin.

Lateness is that of the daemon's own prober in a process of its own, for no daemon shows it:

    python -m benchmarks.cost_probes ADDRESS PORT NUMBER SECONDS    prints the p99 of the lateness, seconds
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time

from benchmarks.daemons import start_pair
from benchmarks.measured import Row, cpu_share
from benchmarks.places import HOLDER, STANDBY, place, serve
from eni_failover.adapters.probes.spec import ProbeSpec, TcpSettings
from eni_failover.core.policy import Member, ProbePolicy
from eni_failover.core.vocabulary import ProbeType, Scope
from eni_failover.lab import Settings
from eni_failover.lab.net.clients import SERVICE_PORT
from eni_failover.prober import Prober

INTERVAL = 1.0
SETTLES = 3.0
LIMITS = {1: None, 100: None, 500: 0.15}


def rows(seconds: float, numbers: tuple[int, ...] = tuple(LIMITS)) -> list[Row]:
    """Two rows for each number of probes."""
    return [row for number in numbers for row in _rows(number, seconds)]


def _rows(number: int, seconds: float) -> list[Row]:
    with place(Settings(latency=0.04), loopback=True) as pair:
        for host in (HOLDER, STANDBY):
            serve(pair, host)
        command = [sys.executable, "-m", "benchmarks.cost_probes"]
        command += [pair.addresses[HOLDER], str(SERVICE_PORT), str(number), str(seconds)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        late = float(done.stdout)
        daemons = start_pair(pair, _config(number))
        time.sleep(SETTLES)
        share = cpu_share(daemons[STANDBY].process.pid, seconds)
    limit = LIMITS.get(number)
    return [
        Row(
            what=f"{number} tcp probes a second: CPU of a core",
            target="" if limit is None else f"<= {limit:.0%}",
            found=f"{share:.1%}",
            met=None if limit is None else share <= limit,
        ),
        Row(
            what=f"{number} tcp probes a second: lateness p99, of the interval",
            target="<= 10 %",
            found=f"{late / INTERVAL:.2%}",
            met=late <= 0.1 * INTERVAL,
        ),
    ]


def _config(number: int) -> str:
    probes = "".join(
        f'[[probe]]\nname = "p{place}"\ntype = "tcp"\nhost = "{{address}}"\nport = {SERVICE_PORT}\n'
        for place in range(number)
    )
    return probes + '[policy]\ndown_when = "all"\n'


async def _lateness(address: str, number: int, port: int, seconds: float) -> float:
    """The p99 of how late attempts begin, once it has come to rest."""
    holder = Member(name="alpha", instance_id="i-0aaaaaaaaaaaaaaa1", address=address)
    specs = tuple(
        ProbeSpec(
            policy=ProbePolicy(
                name=f"p{place}",
                type=ProbeType.TCP,
                scope=Scope.HOLDER,
                interval=INTERVAL,
                fast_interval=INTERVAL,
                timeout=1.0,
                fall=3,
                rise=2,
            ),
            settings=TcpSettings(host="{address}", port=port),
        )
        for place in range(number)
    )
    counts_from = time.monotonic() + SETTLES
    late: list[float] = []
    prober = Prober(
        specs,
        me=Member(name="beta", instance_id="i-0bbbbbbbbbbbbbbb2", address="127.0.0.1"),
        clock=time.monotonic,
        on_attempt=lambda attempt, by: late.append(by) if attempt.started_at >= counts_from else None,
        wake=lambda: None,
    )
    prober.target(holder)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLES + seconds):
            await prober.run()
    return sorted(late)[int(0.99 * len(late))]


if __name__ == "__main__":
    print(asyncio.run(_lateness(sys.argv[1], int(sys.argv[3]), int(sys.argv[2]), float(sys.argv[4]))))
