"""The shipped dashboard as a document: what Grafana and people's links rely on. Data: test_live.py."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry
from prometheus_monitor import dashboard, panels, selectors

from eni_failover.metrics import Metrics

# Links and alerts of users point at these: a title may change, an id may not, and none is used twice.
IDS = {
    1: "Holder",
    2: "Roles",
    3: "ENIs",
    4: "Ready",
    5: "Readiness checks",
    6: "Alerts",
    7: "Members",
    8: "Verdicts",
    9: "Slowest attempts and timeouts",
    10: "Attempts",
    11: "Under way",
    12: "Ended",
    13: "The last one, by phase",
    14: "How long, from the first sign to ready",
    15: "How long each phase",
    16: "Paused",
    17: "Pause ends in",
    18: "Decisions",
    19: "Calls",
    20: "Slowest calls",
    21: "Credentials end in",
    22: "Age of the last good pass",
    23: "Passes",
    24: "Slowest passes and loop lag",
    25: "Links",
    26: "Hooks",
    27: "Stalls",
    28: "Outage",
    29: "Next holder",
}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def test_the_dashboard_and_its_panels_keep_their_ids():
    """The uid, the panels' ids and what each shows are what they were."""
    assert dashboard()["uid"] == "eni-failover"
    assert {number: panel["title"] for number, panel in panels().items()} == IDS


def test_no_id_is_used_twice():
    """Rows count as well."""
    numbers = [panel["id"] for panel in dashboard()["panels"]]

    assert len(set(numbers)) == len(numbers)


def test_the_dashboard_is_nobodys_copy():
    """No id of a database, so that every Grafana can take it."""
    assert dashboard()["id"] is None


def test_group_and_data_source_are_variables():
    """Nothing is bound to one installation: the group is chosen, and so is the data source."""
    variables = {one["name"]: one for one in dashboard()["templating"]["list"]}

    assert list(variables) == ["datasource", "group"]
    assert variables["datasource"]["query"] == "prometheus"
    assert variables["group"]["query"]["query"] == "label_values(eni_failover_build_info, group)"
    assert variables["group"]["datasource"] == SOURCE


@pytest.mark.parametrize("number", IDS)
def test_each_panel_asks_for_the_chosen_group_at_the_chosen_source(number):
    """Every expression selects by $group, and every target has a name of its own."""
    panel = panels()[number]
    targets = panel["targets"]

    assert panel["datasource"] == SOURCE
    assert panel["description"]
    assert [target["refId"] for target in targets] == ["A", "B"][: len(targets)]
    for target in targets:
        assert target["datasource"] == SOURCE
        assert 'group="$group"' in target["expr"]


def test_panels_do_not_overlap():
    """Each cell of the 24 columns belongs to one panel."""
    taken = [
        (x, y)
        for panel in dashboard()["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) == 23


def test_the_dashboard_reads_only_series_that_exist():
    """Every name is a family of the daemon's, or Prometheus's own ALERTS: no recording rule is needed."""
    page = Metrics(registry=CollectorRegistry(), group="orders", version="1.2.3").page().decode()
    names = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")}
    histograms = {line.split()[2] for line in page.splitlines() if line.endswith(" histogram")}
    names |= {name + suffix for name in histograms for suffix in ("_bucket", "_sum", "_count")}
    read = {
        one.split("{")[0]
        for panel in panels().values()
        for target in panel["targets"]
        for one in selectors(target["expr"])
    }

    assert "eni_failover_holder" in read
    assert read - {"ALERTS"} <= names


def test_the_annotation_marks_takeovers_of_the_group():
    """At the time that the metric itself tells, in milliseconds as Grafana wants it."""
    (marks,) = dashboard()["annotations"]["list"]

    assert marks["useValueForTime"] == "on"
    assert selectors(marks["expr"]) == [
        'eni_failover_last_takeover_by_trigger_timestamp_seconds{group="$group"}'
    ]
    assert marks["expr"].endswith("* 1000")
