"""What a daemon cannot write is seen: a check that warns, and a metric, until it can."""

import contextlib
import logging
import os
from dataclasses import replace

import pytest
import structlog

from eni_failover import log
from eni_failover.log import configure
from eni_failover.metrics.vocabulary import OWN_FILES
from eni_failover.own_files import checks
from tests.test_metrics import samples, snapshot, started

FINE = {"journal": "", "role_file": "", "log": ""}


def seen(**problems):
    said = {**FINE, **problems}
    return checks(journal=said["journal"], role_file=said["role_file"], lines_lost=said["log"] or 0)


@pytest.mark.parametrize(
    ("name", "problem", "detail"),
    [
        ("journal", "No space left on device", "No space left on device"),
        ("role_file", "/run/x.role: Read-only file system", "/run/x.role: Read-only file system"),
        ("log", 3, "3 lines lost since the last one that was written"),
    ],
)
def test_each_is_a_warning_of_its_own(name, problem, detail):
    """It stops no takeover, so it fails nothing; every name has a remedy."""
    shown = {one.name: one for one in seen(**{name: problem})}

    assert {one.name: one.result for one in seen()} == dict.fromkeys(OWN_FILES, "pass")
    assert (shown[name].result, shown[name].detail) == ("warn", detail)
    assert shown[name].remedy
    assert [one.result for one in shown.values() if one.name != name] == ["pass", "pass"]


def writable(metrics):
    """The gauge of each file, in order."""
    shown = samples(metrics)
    return [shown["writable", frozenset({("file", name)})] for name in OWN_FILES]


def test_the_metric_says_the_same_from_the_start():
    """1 before anything was tried: an alert on 0 does not fire at each start."""
    metrics = started()
    before = writable(metrics)
    metrics.publish(replace(snapshot(), checks=seen(journal="full")))
    failing, ready = writable(metrics), samples(metrics)["ready_check", frozenset({("check", "journal")})]
    metrics.publish(replace(snapshot(), checks=seen()))
    after = writable(metrics)

    assert (before, failing, after) == ([1, 1, 1], [0, 1, 1], [1, 1, 1])
    assert ready == 1


def fill(writer):
    """Writes until nothing fits any more."""
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)


def test_a_log_that_nobody_reads_is_counted_until_a_line_is_written():
    """A pipe that is full."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    fill(writer)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with os.fdopen(writer, "w") as stream:
        configure("json", "info", stream=stream, environment={})
        say = structlog.get_logger().info
        for _ in range(3):
            say("event")
        lost = log.lines_lost()
        os.read(reader, 1 << 20)
        say("event")
        left = log.lines_lost()
    os.close(reader)
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()

    assert (lost, left) == (3, 0)
