"""The runbooks and the alerts stay in step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_monitor import RUNBOOKS, alerts

from eni_failover.core import readiness
from eni_failover.preflight.checks import REPEATED
from tests.docs.markdown import anchors

# They fail no readiness, so /readyz never names them.
WARNINGS = {
    *("takeover_limit", "paused"),
    *("imds", "modify_permission", "network_manager", "source_routing", "mac_shared"),
    *("firewall", "rule_order", "own_traffic"),
    *("members", "peers", "programs", "disk"),
}
PARTS = ("**Means.**", "**Look at.**", "**Do.**")


def sections():
    """The runbooks by heading: their text."""
    found = re.split(r"^## (.+)$", RUNBOOKS.read_text(), flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def test_each_alert_has_a_runbook_and_each_runbook_an_alert():
    """In the order of the rules; the heading is the alert's name, so its anchor is that in lower case."""
    assert list(sections()) == list(alerts())


@pytest.mark.parametrize("name", alerts())
def test_each_runbook_url_is_a_heading_of_the_page(name):
    """The last parts of the address are the page and the anchor of a heading in it."""
    page, _, anchor = alerts()[name]["annotations"]["runbook_url"].rpartition("/")[2].partition("#")

    assert page == RUNBOOKS.name
    assert anchor in anchors(RUNBOOKS)


@pytest.mark.parametrize("name", alerts())
def test_each_runbook_tells_what_it_means_what_to_look_at_and_what_to_do(name):
    """Three parts, in this order, none of them empty."""
    text = sections()[name]
    places = [text.find(part) for part in PARTS]
    lengths = [len(part.strip()) for part in re.split("|".join(map(re.escape, PARTS)), text)[1:]]

    assert -1 not in places
    assert places == sorted(places)
    assert min(lengths) > 20


@pytest.mark.parametrize("name", alerts())
def test_each_runbook_says_the_severity_that_the_alert_has(name):
    """The first word of the section is the alert's severity, in italics."""
    assert sections()[name].strip().startswith(f"*{alerts()[name]['labels']['severity']}*")


def test_the_runbook_of_not_ready_has_a_line_for_each_check_that_can_fail():
    """Of the passes' checks, and of those that a daemon repeats beside them."""
    quick = set(re.findall(r'yield _check\(\s*"(\w+)"', Path(readiness.__file__).read_text()))
    quick |= {name for name, *_ in readiness._ABLE}
    slow = {check.__name__ for check in REPEATED}
    lines = re.findall(r"^\| (`.*?) \|", sections()["EniFailoverNotReady"], re.MULTILINE)
    listed = [name for line in lines for name in re.findall(r"`(\w+)`", line)]

    assert {"fence", "enis", "slot"} < quick
    assert sorted(listed) == sorted((quick | slow) - WARNINGS)
