"""docs/monitoring.md lists the metrics, as the page itself explains them."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

from tests.docs.markdown import ROOT
from tests.test_metrics import CONTRACT, P, started

PAGE = ROOT / "docs" / "monitoring.md"


def rows():
    """The table of metrics: name, type, labels, text."""
    return re.findall(
        r"^\| `eni_failover_(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", PAGE.read_text(), re.MULTILINE
    )


def test_every_metric_is_documented_with_its_type_and_labels():
    """No family is missing and none is too many."""
    listed = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _ in rows()}

    assert listed == CONTRACT
    assert len(rows()) == len(CONTRACT)


def test_the_manual_says_what_the_page_says():
    """One text for both: whoever reads `# HELP` and whoever reads the manual learn the same."""
    families = text_string_to_metric_families(started().page().decode())
    helped = {
        family.name.removeprefix(P) + ("_total" if family.type == "counter" else ""): family.documentation
        for family in families
        if family.name.startswith(P)
    }

    assert {name: text for name, _, _, text in rows()} == helped
