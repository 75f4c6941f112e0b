"""The kill matrix: a standby is ended, or stopped, at every point of a takeover, and must still finish it.

    python -m tests.kill.matrix [--jobs 4] [--manner kill|stop|both]

A reference run without any end writes down every point: before and after each EC2 call and each journal
write from the takeover's intent to its end. Then each point is played with real processes on the lab, and
the same is asked of all: the standby, started again, holds every ENI; only the attachments of the old holder
were detached, none by force, and each ENI was attached once.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.harness import PROBE, QUICK, running_group

ENIS = 2
WITHIN = 30.0
REACHED_WITHIN = 15.0
STANDS_FOR = 4.0  # longer than the time-outs of a call (connect and read), a write and a probe
# Shorter than that too, and longer than a detach takes on a busy machine: a force is a mistake.
PATIENT = QUICK.replace('force_detach_after = "2s"', 'force_detach_after = "3s"')
DYING = Path(__file__).with_name("dying_daemon.py")
AWS = '[aws]\nconnect_timeout = "300ms"\nread_timeout = "500ms"\n'
MANNERS = ("kill", "stop", "both")


@dataclass(frozen=True, kw_only=True)
class Played:
    """How one point went; `problem` is empty when the takeover was finished as it should be."""

    point: str
    manner: str
    reached: bool
    seconds: float
    problem: str


def points() -> list[str]:
    """Every point of an undisturbed takeover, in order."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        trace = Path(name, "trace")
        played = play("none", "kill", trace)
        if played.problem:
            raise AssertionError(f"the reference run failed: {played.problem}")
        return trace.read_text().split()


def play(point: str, manner: str, trace: Path | None = None) -> Played:
    """One takeover by beta from alpha, whose service has died, disturbed at this point."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        directory = Path(name)
        trace = trace or directory / "trace"
        with running_group(directory, enis=ENIS) as group:
            began = time.monotonic()
            try:
                _play(group, point, manner, trace)
                problem = ""
            except AssertionError as error:
                problem = str(error)
            reached = point in trace.read_text().split() if trace.exists() else False
            seconds = time.monotonic() - began
    return Played(point=point, manner=manner, reached=reached, seconds=seconds, problem=problem)


def _play(group, point, manner, trace):
    group.configure(PROBE, PATIENT + AWS)
    number = "SIGSTOP" if manner == "stop" else "SIGKILL"
    if manner == "both":
        group.alpha.start()
        group.alpha.until(lambda status: status["role"] == "active", "alpha active")
    command = [sys.executable, str(DYING), str(trace), point, number]
    with group.beta.log.open("ab") as log:
        group.beta.process = subprocess.Popen(
            [*command, "run", "--config", str(group.beta.config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=group.beta.env(),
        )
    group.beta.until(lambda status: status["ready"], "beta ready")
    before = {group.lab.world.eni(f"floating-{number}").attachment.id for number in range(1, ENIS + 1)}

    group.alpha.service.shut()
    if point != "none":
        _disturb(group, manner)
    group.beta.until(lambda status: status["role"] == "active" and _is_over(status), "beta active", WITHIN)

    where = [group.holder(number) for number in range(1, ENIS + 1)]
    assert where == ["beta"] * ENIS, where
    calls = [call for call in group.lab.world.calls if call.accepted and not call.dry_run]
    detached = [call.parameters for call in calls if call.action == "DetachNetworkInterface"]
    attached = [call.parameters for call in calls if call.action == "AttachNetworkInterface"]
    assert {one["AttachmentId"] for one in detached} == before, detached
    assert not any(one["Force"] for one in detached), detached
    assert len(attached) == ENIS, attached


def _is_over(status):
    return status["takeover"] is None


def _disturb(group, manner):
    process = group.beta.process
    if manner == "stop":
        if _comes(lambda: _is_stopped(process.pid)):
            time.sleep(STANDS_FOR)  # that long it stands still: this is the disturbance
            process.send_signal(signal.SIGCONT)
        return
    if not _comes(lambda: process.poll() is not None):
        return
    if manner == "both":
        group.alpha.kill()
        group.alpha.start()
    group.beta.start()


def _comes(fact) -> bool:
    """Whether the point is reached in good time: a look more or less is nobody's promise."""
    deadline = time.monotonic() + REACHED_WITHIN
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _is_stopped(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state in {"T", "t"}


def matrix(manners, *, jobs: int, first: int = 0, step: int = 1) -> Iterator[Played]:
    """Every point, or each so many from the first one on, in every manner; several at a time."""
    every = points()[first::step]
    chosen = [(point, manner) for manner in manners for point in every]
    with ThreadPoolExecutor(max_workers=jobs) as lanes:
        yield from lanes.map(lambda one: play(*one), chosen)


def main() -> int:
    """Prints each failure and the figures; 1 when there was one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--manner", choices=MANNERS, action="append")
    asked = parser.parse_args()
    began = time.monotonic()
    played = []
    for one in matrix(asked.manner or MANNERS, jobs=asked.jobs):
        played.append(one)
        if one.problem or not one.reached:
            word = "FAILED" if one.problem else "not reached"
            print(f"{one.manner} {one.point}: {word} {one.problem[:3000]}", flush=True)
    failed = sum(bool(one.problem) for one in played)
    missed = sum(not one.reached for one in played)
    print(
        f"{len(played)} points played in {time.monotonic() - began:.0f} s: {failed} failed, "
        f"{missed} not reached, longest {max(one.seconds for one in played):.1f} s"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
