"""From the start of the process to the end of its first pass, and where that time goes."""

from __future__ import annotations

import compileall
import statistics
import time
from pathlib import Path

import eni_failover
from benchmarks.daemons import READY_WITHIN, Daemon
from benchmarks.measured import Row, cpu_seconds, memory_mb
from benchmarks.places import HOLDER, STANDBY, place, serve, wait
from eni_failover.lab import Settings

TOP = 15
PACKAGE = Path(eni_failover.__file__).parent


def rows(runs: int) -> list[Row]:
    """Starts of a standby, one after the other, on loopback; the bytecode is there, as in an installation."""
    compileall.compile_dir(PACKAGE, quiet=1)
    took, used, memory = [], [], []
    for _ in range(runs):
        with place(Settings(latency=0.04), loopback=True) as pair:
            serve(pair, HOLDER)
            began = time.monotonic()
            daemon = Daemon(pair, STANDBY).start()
            wait(daemon.status, "a first pass", READY_WITHIN)
            took.append(time.monotonic() - began)
            used.append(cpu_seconds(daemon.process.pid))
            memory.append(memory_mb(daemon.process.pid))
    wall = statistics.median(took)
    return [
        Row(
            what="start to first pass",
            target="<= 1.0 s",
            found=f"{wall:.2f}, max {max(took):.2f} s",
            met=wall <= 1.0,
        ),
        Row(what="  of that: CPU", target="", found=f"{statistics.median(used):.2f} s"),
        Row(what="  resident then", target="", found=f"{statistics.median(memory):.1f} MB"),
    ]


def imports() -> list[str]:
    """The dearest imports of a daemon's start, with all that they import: -X importtime."""
    with place(Settings(latency=0.04), loopback=True) as pair:
        serve(pair, HOLDER)
        daemon = Daemon(pair, STANDBY).start("-X", "importtime")
        wait(daemon.status, "a first pass", READY_WITHIN)
        lines = daemon.log.read_text().splitlines()
    words = [
        line.removeprefix("import time:").split("|") for line in lines if line.startswith("import time:")
    ]
    found = [(int(total), name.rstrip()) for _, total, name in words[1:]]
    # Two blanks for each level: what has more is part of one that is shown already.
    shallow = [(total, name) for total, name in found if len(name) - len(name.lstrip()) <= 9]
    shallow.sort(reverse=True)
    return [f"{total / 1000:8.0f} ms {name}" for total, name in shallow[:TOP]]
