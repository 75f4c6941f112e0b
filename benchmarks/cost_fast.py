"""Probes each 100 ms: from a death to the accepted detach, and what such probing costs."""

from __future__ import annotations

import statistics
import time

from benchmarks.daemons import start_pair, tcp_probe
from benchmarks.measured import Row, cpu_share
from benchmarks.places import HOLDER, STANDBY, Place, place, serve, wait, why_no_net
from benchmarks.results import p95
from eni_failover.lab import Durations, Settings

SETTINGS = Settings(latency=0.04, durations=Durations(detach=0.5, attach=0.5))
PROBES = tcp_probe("100ms", "200ms")
RESTS = 3.0


def rows(runs: int, seconds: float) -> list[Row]:
    """Deaths of the service and of the host, so many each; CPU over so many seconds at rest."""
    found = [_deaths("service", 0.35, runs), _deaths("host", 0.75, runs)]
    with place(SETTINGS) as pair:
        for host in (HOLDER, STANDBY):
            serve(pair, host)
        daemons = start_pair(pair, PROBES)
        time.sleep(RESTS)
        share = cpu_share(daemons[STANDBY].process.pid, seconds)
    found.append(
        Row(what="100 ms probe: CPU of a core", target="<= 2 %", found=f"{share:.1%}", met=share <= 0.02)
    )
    return found


def _deaths(what: str, target: float, runs: int) -> Row:
    head = f"100 ms probe, fall 3: death of the {what} to detach accepted"
    if what == "host" and why_no_net():
        return Row(what=head, target=f"<= {target} s", found=f"not run: {why_no_net()}")
    took = [_death(what, number / runs) for number in range(runs)]
    found = f"{statistics.median(took):.2f}, p95 {p95(took):.2f} s"
    return Row(what=head, target=f"<= {target} s", found=found, met=p95(took) <= target)


def _death(what: str, share: float) -> float:
    """Seconds, of a death at this share of an interval."""
    with place(SETTINGS) as pair:
        service = serve(pair, HOLDER)
        serve(pair, STANDBY)
        start_pair(pair, PROBES)
        time.sleep(1 + share * 0.1)
        died = time.monotonic()
        if what == "service":
            service.kill()
        else:
            pair.die(HOLDER)
        wait(lambda: _detached_at(pair), "a detach", 30)
        return _detached_at(pair)[0] - died


def _detached_at(pair: Place) -> list[float]:
    return [
        call.decided_at
        for call in pair.world.calls
        if call.action == "DetachNetworkInterface" and call.accepted and not call.dry_run
    ]
