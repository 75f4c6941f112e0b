"""The shipped rules and dashboard as data, and a real Prometheus on loopback."""

from __future__ import annotations

import copy
import functools
import http.client
import json
import re
import shutil
import subprocess
import time
import urllib.parse
from pathlib import Path

import pytest
import yaml

from tests.ports import common_port

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
CONFIG = ROOT / "deploy" / "prometheus" / "prometheus.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "eni-failover.json"
RUNBOOKS = ROOT / "docs" / "runbooks.md"
CASES = Path(__file__).with_name("cases")

PERIOD = "250ms"  # between scrapes, and between evaluations
FOR = "500ms"
PATIENCE = 30.0
_SELECTOR = re.compile(r"(?<![\w:])((?:\w+:)?eni_failover_[\w:]+|up(?=\{)|ALERTS(?=\{))(\{[^}]*\})?")


def program(name):
    """The path of a program; without it the test is skipped, and says what is not tested then."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(
            f"NO {name.upper()}: rules and dashboard are not tested on the real thing; install prometheus"
        )
    return found


def promtool(*arguments, **options):
    """One finished run of promtool."""
    command = [program("promtool"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)


@functools.cache
def rules():
    """The document of the shipped rules."""
    return yaml.safe_load(RULES.read_text())


@functools.cache
def alerts():
    """The shipped alerts by name."""
    return {rule["alert"]: rule for group in rules()["groups"] for rule in group["rules"] if "alert" in rule}


def quickened(document):
    """The rules with every `for` cut to half a second, and nothing else changed."""
    quick = copy.deepcopy(document)
    for group in quick["groups"]:
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = FOR
    return quick


def selectors(expression):
    """The series that an expression reads: each name with its matchers."""
    return [name + matchers for name, matchers in _SELECTOR.findall(expression)]


@functools.cache
def dashboard():
    """The document of the shipped dashboard."""
    return json.loads(DASHBOARD.read_text())


def panels():
    """The panels that show something, by id."""
    return {panel["id"]: panel for panel in dashboard()["panels"] if panel["type"] != "row"}


def filled(expression, group="orders"):
    """A dashboard's expression with its variables filled in, as Grafana does."""
    values = {"$group": group, "$__rate_interval": "10s", "$__range": "5m"}
    for name, value in values.items():
        expression = expression.replace(name, value)
    return expression


class Prometheus:
    """Debian's Prometheus with the shipped configuration, quick, and with these targets."""

    def __init__(self, directory, targets):
        self._binary = program("prometheus")
        directory.mkdir()
        self._directory = directory
        self._log = directory / "log"
        self._process = None
        self._port = 0
        (directory / "rules.yml").write_text(yaml.safe_dump(quickened(rules())))
        document = yaml.safe_load(CONFIG.read_text())
        document["global"] = {
            "scrape_interval": PERIOD,
            "scrape_timeout": PERIOD,
            "evaluation_interval": PERIOD,
        }
        (job,) = document["scrape_configs"]
        job["static_configs"][0]["targets"] = targets
        del job["file_sd_configs"]
        (directory / "prometheus.yml").write_text(yaml.safe_dump(document))

    def __enter__(self):
        self._port = common_port()  # Prometheus cannot choose one itself
        command = [
            self._binary,
            f"--config.file={self._directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--log.level=warn",
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.until(self._is_ready, "Prometheus is ready")
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait(10)

    def _get(self, path):
        """(status, text) of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def _is_ready(self):
        try:
            return self._get("/-/ready")[0] == 200
        except OSError:
            return False

    def until(self, fact, what):
        """Polls until fact() is true and returns it; fails with what Prometheus last logged."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            value = fact()
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"not seen: {what}\n{self._log.read_text()[-3000:]}")

    def ask(self, path, **parameters):
        """The data of an answer of the API; an error of PromQL fails the test with its text."""
        status, text = self._get(f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        assert status == 200, f"{parameters}: {text}"
        return json.loads(text)["data"]

    def query(self, expression):
        """The samples of an expression now."""
        return self.ask("query", query=expression)["result"]

    def shows(self, expression):
        """Whether an expression has had a number within the last minutes; NaN is none."""
        now = time.time()
        series = self.ask("query_range", query=expression, start=now - 300, end=now, step=1)["result"]
        return any(value != "NaN" for one in series for _, value in one["values"])

    def rules(self):
        """Every rule with its health, once each has been evaluated."""

        def evaluated():
            all_rules = [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]
            return all_rules if all(rule["health"] != "unknown" for rule in all_rules) else None

        return self.until(evaluated, "every rule is evaluated")

    def alerts(self):
        """The alerts that fire or are pending."""
        return self.ask("alerts")["alerts"]

    def fired(self, name):
        """How many alerts of this name have fired so far, each label set once."""
        return len(self.query(f'count_over_time(ALERTS{{alertname="{name}",alertstate="firing"}}[10m])'))

    def fires(self, *names):
        """Waits until each of these alerts has fired, now or a moment ago."""
        for name in names:
            self.until(lambda name=name: self.fired(name), f"{name} fires")

    def resolves(self, *names):
        """Waits until none of these alerts fires or is pending."""
        for name in names:
            self.until(
                lambda name=name: all(one["labels"]["alertname"] != name for one in self.alerts()),
                f"{name} resolves",
            )
