"""The tables and the chart of the benchmarks, from made-up runs."""

from __future__ import annotations

import shutil
from xml.etree import ElementTree as ET

import pytest

from benchmarks import chart, results
from benchmarks.results import Run

TITLES = {"eni-failover": "eni-failover", "boto3": "boto3 loop", "keepalived": "keepalived + CLI"}
ABSENT = {"keepalived": "VRRP needs hosts of its own: run as root"}


def run(contender, gap, problem=""):
    return Run(
        contender=contender,
        profile="3/2",
        gap=gap,
        detection=3.0,
        ec2=5.0,
        added=gap - 8,
        link=0.05,
        calls=8,
        problem=problem,
    )


RUNS = [
    *(run("eni-failover", gap) for gap in (8.1, 8.2, 8.3)),
    *(run("boto3", gap) for gap in (8.6, 8.8)),
    run("boto3", 0, "not seen within 90 s: answers of beta"),
]


def test_the_table_has_ratios_to_this_daemon():
    """Medians beside each other: 8.7 of 8.2 seconds, and 0.7 of 0.2 added."""
    boto3 = results.summary(RUNS, "3/2", "boto3")

    assert (round(boto3["gap_ratio"], 3), round(boto3["added_ratio"], 3)) == (1.061, 3.5)
    assert (boto3["runs"], boto3["failed"]) == (2, 1)


def test_who_did_not_run_is_in_the_table_with_the_reason():
    """Nobody is left out without a word; nor is a run that failed."""
    rows = results.table("3/2", TITLES, ABSENT, RUNS).splitlines()

    assert [row for row in rows if "keepalived" in row] == [
        "keepalived + CLI       - | NOT RUN: VRRP needs hosts of its own: run as root"
    ]
    assert [row[-8:] for row in rows if "boto3" in row] == ["1 FAILED"]


def test_the_p95_is_one_of_the_values():
    """Of twenty it is the nineteenth."""
    assert [results.p95(range(1, number + 1)) for number in (1, 2, 20, 40)] == [1, 2, 19, 38]


def test_the_chart_is_xml_with_a_row_for_each():
    """Whoever did not run is in it, too."""
    picture = ET.fromstring(chart.draw(["3/2"], TITLES, ABSENT, RUNS, "net"))  # noqa: S314 - ours
    words = {text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")}

    assert set(TITLES.values()) <= words
    assert f"not run: {ABSENT['keepalived']}" in words


def test_the_chart_is_a_png_where_there_is_a_browser(tmp_path, monkeypatch):
    """And where there is none, nothing but the SVG."""
    drawn = tmp_path / "bench.svg"
    drawn.write_text(chart.draw(["3/2"], TITLES, ABSENT, RUNS, "net"))
    monkeypatch.setenv("PATH", str(tmp_path))

    assert chart.to_png(drawn) is None


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium: no PNG of the chart was made")
def test_chromium_makes_the_png(tmp_path):
    """A picture of the chart's size."""
    drawn = tmp_path / "bench.svg"
    drawn.write_text(chart.draw(["3/2"], TITLES, ABSENT, RUNS, "net"))
    made = chart.to_png(drawn)

    head = made.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    assert int.from_bytes(head[16:20], "big") == chart.WIDTH
