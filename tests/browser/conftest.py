"""Fixtures of the browser tests: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

from pathlib import Path

import pytest

from eni_failover.lab import Durations, Settings
from tests.browser.tab import Tabs
from tests.e2e import harness

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium. Its absence is said, not passed over."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="THE PAGE WAS NOT TRIED IN A BROWSER: playwright is not installed"
    )
    if not CHROMIUM.exists():
        pytest.skip(
            f"THE PAGE WAS NOT TRIED IN A BROWSER: there is no {CHROMIUM} (Debian's package chromium)"
        )
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS, headless=True)
        yield browser
        browser.close()


@pytest.fixture
def tabs(chromium):
    """Opens tabs; at the end none of them may have complained or asked another host."""
    opened = Tabs(chromium)
    yield opened
    opened.close()
    assert opened.complaints == []
    assert opened.foreign_requests() == []


@pytest.fixture
def pair(tmp_path):
    """Two members, one ENI on alpha, beta ready; EC2 takes its time, so that the way there is seen too."""
    slow = Settings(latency=0.005, durations=Durations(attach=1.5, detach=1.5, force_detach=0.2))
    with harness.running_group(tmp_path, settings=slow) as group:
        yield group.start()
