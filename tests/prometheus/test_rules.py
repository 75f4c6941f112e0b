"""The shipped configuration and rules, by promtool: well-formed, and each alert fires when it should."""

from __future__ import annotations

import functools
import re
import shlex
import shutil
import subprocess

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_monitor import CASES, CONFIG, ROOT, RULES, alerts, promtool, rules, selectors

from eni_failover.metrics import Metrics

# Of no one: whoever uses the rules says once where the runbooks are (RFC 2606, section 2).
RUNBOOKS_BASE = "https://eni-failover.example/docs"
SEVERITIES = {"critical", "warning", "info"}
CONFIGS = sorted(CONFIG.parent.glob("prometheus*.yml"))


def page():
    """The metrics of a daemon that has just started."""
    return Metrics(registry=CollectorRegistry(), group="orders", version="1.2.3").page().decode()


def families(text):
    """The names of the series that these families can have."""
    typed = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    parts = {
        name + suffix
        for name, kind in typed.items()
        if kind == "histogram"
        for suffix in ("_bucket", "_sum", "_count")
    }
    return {*typed, *parts}


@functools.cache
def checked():
    """Each look of promtool at an alert in the cases: the alert, whether it must fire, the series given."""
    looks = []
    for path in CASES.glob("*.yml"):
        for case in yaml.safe_load(path.read_text())["tests"]:
            given = {one["series"].split("{")[0] for one in case["input_series"]}
            looks += [
                (look["alertname"], bool(look.get("exp_alerts")), given) for look in case["alert_rule_test"]
            ]
    return looks


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_the_example_configurations_are_valid(path):
    """promtool takes each example of a configuration, with the rules that it names."""
    done = promtool("check", "config", path)

    assert done.returncode == 0, done.stdout + done.stderr


def test_both_examples_scrape_the_job_that_the_alerts_know():
    """The name of the job, and that the group's label is the daemon's own, is the same in both."""
    jobs = [job for path in CONFIGS for job in yaml.safe_load(path.read_text())["scrape_configs"]]

    assert len(jobs) == 2
    assert {(job["job_name"], job["honor_labels"]) for job in jobs} == {("eni-failover", True)}
    assert 'up{job="eni-failover"}' in alerts()["EniFailoverMemberDown"]["expr"]


def test_the_rules_are_valid():
    """promtool takes the rules, and counts as many as there are."""
    done = promtool("check", "rules", RULES)
    count = sum(len(group["rules"]) for group in rules()["groups"])

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SUCCESS: {count} rules found" in done.stdout


def test_the_metrics_pass_promtools_check():
    """A page of metrics is free of everything that promtool's linter knows."""
    done = promtool("check", "metrics", input=page())

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yml")), ids=lambda path: path.stem)
def test_each_alert_fires_when_it_should_and_only_then(path):
    """The cases hold: labels, annotations, the moment before and the moment after."""
    done = promtool("test", "rules", path)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", alerts())
def test_each_alert_has_a_case_that_fires_and_one_that_does_not(name):
    """The one that does not fire has the series that the alert reads: it is silent for a reason."""
    read = {one.split("{")[0] for one in selectors(alerts()[name]["expr"])}
    looks = [(fires, read <= given) for alert, fires, given in checked() if alert == name]
    recorded = any(":" in one for one in read)

    assert any(fires for fires, _ in looks)
    assert any(not fires and (fed or recorded) for fires, fed in looks)


@pytest.mark.parametrize("name", alerts())
def test_each_alert_says_how_bad_it_is_what_it_is_and_where_to_read_on(name):
    """A known severity, the three annotations, and an anchor that is the alert's name in lower case."""
    rule = alerts()[name]

    assert rule["labels"]["severity"] in SEVERITIES
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"{RUNBOOKS_BASE}/runbooks.md#{name.lower()}"


@pytest.mark.parametrize("page", [RULES, ROOT / "docs" / "monitoring.md"], ids=lambda page: page.name)
def test_one_line_of_sed_says_where_the_runbooks_are(page, tmp_path):
    """As it is documented, in the rules and in the manual: each address begins anew, nothing else changes."""
    shutil.copy(RULES, tmp_path / "rules.yml")
    (line,) = re.findall(r"^(?:#   )?(sed -i .*)$", page.read_text(), re.MULTILINE)
    subprocess.run(shlex.split(line), cwd=tmp_path, check=True, timeout=60)
    moved = yaml.safe_load((tmp_path / "rules.yml").read_text())
    before, after = (
        [
            rule["annotations"]["runbook_url"]
            for group in one["groups"]
            for rule in group["rules"]
            if "alert" in rule
        ]
        for one in (rules(), moved)
    )

    assert after == [url.replace(RUNBOOKS_BASE, "https://wiki.example.com/eni-failover") for url in before]
    assert promtool("check", "rules", tmp_path / "rules.yml").returncode == 0


@pytest.mark.parametrize("name", alerts())
def test_each_alert_names_members(name):
    """By a label that is a member's name, or by asking who it is: nobody knows an address by heart."""
    texts = alerts()[name]["annotations"]

    assert 'label "member"' in str(texts) or ".Labels.member" in str(texts)


@pytest.mark.parametrize("name", alerts())
def test_each_alert_names_its_group(name):
    """The summary says it, so every expression keeps the label."""
    assert "$labels.group" in alerts()[name]["annotations"]["summary"]


def test_the_rules_read_only_series_that_exist():
    """Every name in an expression or a text is a family of the daemon's, a recorded one, or `up`."""
    every = [rule for group in rules()["groups"] for rule in group["rules"]]
    recorded = {rule["record"] for rule in every if "record" in rule}
    asked = [text for rule in every for text in (rule["expr"], *rule.get("annotations", {}).values())]
    read = {one.split("{")[0] for text in asked for one in selectors(text)}

    assert recorded < read
    assert read - recorded - {"up"} <= families(page())
