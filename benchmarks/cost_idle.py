"""A standby at rest: memory, CPU, EC2 calls; three http probes each second, scraped every 15 s."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request

from benchmarks.daemons import LISTEN_PORT, start_pair
from benchmarks.measured import Row, cpu_seconds, memory_mb
from benchmarks.places import HOLDER, STANDBY, place
from eni_failover.lab import Settings

HTTP_PORT = 8081
SCRAPED_EVERY = 15.0
RESTS = 5.0
MEANINGFUL = 120.0
"""Seconds: EC2 is asked each two minutes, and more often at the start."""
PROBES = "\n".join(
    f"""
[[probe]]
name = "web-{number}"
type = "http"
url = "http://{{address}}:{HTTP_PORT}/"
"""
    for number in range(3)
)


def rows(seconds: float) -> list[Row]:
    """Of the standby, after it has come to rest, on loopback."""
    with place(Settings(latency=0.04), loopback=True) as pair:
        for host in (HOLDER, STANDBY):
            command = [sys.executable, "-m", "http.server", str(HTTP_PORT), "--bind", pair.addresses[host]]
            pair.spawn(
                host, command, cwd=pair.directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        daemons = start_pair(pair, PROBES + '\n[policy]\ndown_when = "all"\n')
        time.sleep(RESTS)
        pid = daemons[STANDBY].process.pid
        before, began = cpu_seconds(pid), time.monotonic()
        calls_before = _calls(pair)
        url = f"http://{pair.addresses[STANDBY]}:{LISTEN_PORT}/metrics"
        while (left := seconds - (time.monotonic() - began)) > 0:
            with urllib.request.urlopen(url, timeout=5) as answer:
                answer.read()
            time.sleep(max(0.0, min(SCRAPED_EVERY, left)))
        took = time.monotonic() - began
        share, memory = (cpu_seconds(pid) - before) / took, memory_mb(pid)
        calls = (_calls(pair) - calls_before) * 60 / took
        holder = memory_mb(daemons[HOLDER].process.pid)
    return [
        Row(
            what="idle standby, 3 http probes/s: CPU of a core",
            target="<= 1 %",
            found=f"{share:.2%}",
            met=share <= 0.01,
        ),
        Row(
            what="idle standby: resident memory",
            target="<= 80 MB",
            found=f"{memory:.1f} MB",
            met=memory <= 80,
        ),
        Row(
            what="idle holder: resident memory", target="<= 80 MB", found=f"{holder:.1f} MB", met=holder <= 80
        ),
        Row(
            what=f"idle standby: EC2 calls a minute (of {took:.0f} s)",
            target="<= 1",
            found=f"{calls:.1f}",
            met=calls <= 1 if took >= MEANINGFUL else None,
        ),
    ]


def _calls(pair) -> int:
    beta = pair.instance(STANDBY)
    return sum(call.caller == beta for call in pair.world.calls)
