"""The runbooks and the alerts stay in step."""

from __future__ import annotations

import re

import pytest
from prometheus_monitor import RUNBOOKS, alerts

PARTS = ("**Means.**", "**Look at.**", "**Do.**")


def sections():
    """The runbooks by heading: their text."""
    found = re.split(r"^## (.+)$", RUNBOOKS.read_text(), flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def test_each_alert_has_a_runbook_and_each_runbook_an_alert():
    """In the order of the rules; the heading is the alert's name, so its anchor is that in lower case."""
    assert list(sections()) == list(alerts())


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
