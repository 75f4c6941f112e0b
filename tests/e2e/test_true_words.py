"""Real daemons on the worst day: what they say is what is, and says what to do."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from e2e_harness import PROBE, QUICK, running_group

pytestmark = pytest.mark.slow

SELF = """
[[probe]]
name = "me"
type = "tcp"
scope = "self"
host = "{{address}}"
port = {service}
interval = "100ms"
fall = 2
rise = 1
"""


@pytest.fixture
def group(tmp_path):
    """alpha holds, beta has a self probe; nothing starts by itself for a while after a takeover."""
    with running_group(tmp_path) as group:
        group.configure(PROBE + SELF)
        group.start()
        group.acquainted()
        yield group


def next_holder(status):
    return status["next_holder"]["member"], status["next_holder"]["reason"]


def test_a_standby_whose_own_service_is_dead_says_so_everywhere(group):
    """Not ready on its own page, nobody to follow on the holder's, and no drill begins."""
    assert next_holder(group.alpha.until(lambda one: one["next_holder"]["member"], "beta is next")) == (
        "beta",
        "ready",
    )

    group.beta.service.shut()
    there = group.beta.until(lambda one: not one["ready"], "beta is not ready")
    here = group.alpha.until(lambda one: not one["next_holder"]["member"], "alpha knows")
    drilled = group.beta.command("drill", "--yes")

    assert next_holder(there) == next_holder(here) == (None, "self_probe_down")
    assert (here["ready"], here["outage"], there["outage"]) == (True, None, None)
    (peer,) = here["peers"]
    assert (peer["ready"], peer["reasons"][0]) == (False, "self_probe_down")
    warned = [one["name"] for one in here["checks"] if one["result"] == "warn"]
    assert "next_holder" in warned
    assert group.alpha.metric("eni_failover_ready_check", check="next_holder") == 1  # a warning fails nothing
    assert (drilled.returncode, group.mutations()) == (4, [])
    assert "self_probe_down" in drilled.stderr


def test_a_drill_asks_the_service_where_no_probe_does(tmp_path):
    """The file has holder probes alone, the daemon says ready: the drill looks for itself."""
    with running_group(tmp_path) as group:
        group.start()
        group.acquainted()
        group.beta.service.shut()
        group.beta.until(lambda one: one["decision"]["reason"] == "holder_up" and one["ready"], "at rest")

        drilled = group.beta.command("drill", "--yes", "--json")

        assert (drilled.returncode, group.mutations()) == (4, [])
        assert json.loads(drilled.stdout)["problem"].startswith(
            "drill refused: beta's own service is down (web: "
        )


def test_a_pause_hides_no_outage(group):
    """Both members say since when, until when, why, and which command ends it."""
    assert group.beta.command("pause", "--for", "10m", "--reason", "work").returncode == 0
    group.alpha.service.shut()

    there = group.beta.until(lambda one: one["outage"], "beta sees the outage")
    here = group.alpha.until(lambda one: one["outage"], "alpha is told")

    assert there["outage"]["reason"] == here["outage"]["reason"] == "paused"
    assert there["outage"]["remedy"] == "eni-failover resume, or once: eni-failover takeover"
    assert here["outage"]["remedy"] == f"beta: {there['outage']['remedy']}"
    since, now, ends = (
        datetime.fromisoformat(one)
        for one in (there["outage"]["since"], there["now"], there["outage"]["ends_at"])
    )
    assert 0 <= (now - since).total_seconds() < 30
    assert 540 < (ends - now).total_seconds() < 610

    assert group.beta.command("resume").returncode == 0
    after = group.beta.until(lambda one: one["role"] == "active", "beta active")

    assert after["outage"] is None
    (ended,) = after["takeovers"]
    assert ended["duration_s"] == pytest.approx(sum(ended["phases"].values()))


def test_what_observe_mode_would_do_is_an_outage(tmp_path):
    with running_group(tmp_path) as group:
        group.configure(rest=QUICK.replace("[timing]", 'takeover = "observe"\n[timing]'))
        group.start()
        group.alpha.service.shut()

        outage = group.beta.until(lambda one: one["outage"], "an outage")["outage"]

        assert (outage["reason"], outage["ends_at"]) == ("observe", None)
        assert outage["remedy"] == "eni-failover takeover"


def test_an_attach_that_is_denied_is_seen_on_the_holder(group):
    """The one that looks at the holder's page learns that nobody could take over."""
    group.lab.world.deny("AttachNetworkInterface", "beta")
    group.beta.stop()
    group.beta.start()

    here = group.alpha.until(lambda one: one["next_holder"]["reason"] == "attach_denied", "alpha knows")

    assert next_holder(here) == (None, "attach_denied")


def test_a_dead_daemon_is_nobodys_next(group):
    group.beta.stop()

    here = group.alpha.until(lambda one: next_holder(one) == (None, "peer_silent"), "alpha knows")

    assert (here["peers"][0]["ready"], here["peers"][0]["reasons"]) == (False, ["peer_silent"])
