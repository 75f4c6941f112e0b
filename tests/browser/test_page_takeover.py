"""The page of a real standby, in a real browser, through a takeover and through its daemon's death."""

from __future__ import annotations

import pytest

from tests.browser.tab import keep_picture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def address(group, name):
    return f"http://{group.by_name[name].address}:{group.listen_port}/"


def test_a_takeover_is_seen_live_without_a_reload(pair, tabs):
    """The holder's service dies: the standby's page changes by itself, says it aloud, shows the phases."""
    pair.acquainted()
    tab = tabs.open(address(pair, "beta"))
    tab.get_by_role("heading", name="alpha holds the group").wait_for()
    tab.get_by_text("beta is standby and could take over now.").wait_for()
    keep_picture(tab, "takeover-1-before")
    opened = tab.evaluate("window.opened")

    pair.alpha.service.shut()
    tab.get_by_role("heading", name="Takeover under way").wait_for()
    keep_picture(tab, "takeover-2-under-way")
    tab.get_by_role("heading", name="beta holds the group").wait_for()
    tab.get_by_text("beta is active: it has every interface, and its links are ready.").wait_for()
    tab.get_by_role("heading", name="From alpha to beta").wait_for()
    tab.get_by_role("img", name="the longest is").wait_for()
    tab.get_by_text("and alpha could take over. beta is active.").wait_for(state="attached")
    keep_picture(tab, "takeover-3-after")

    said = tab.evaluate("window.said")
    card = tab.get_by_role("listitem").filter(has=tab.get_by_role("heading", name="beta", exact=True))

    assert opened == tab.evaluate("performance.timeOrigin")
    assert tabs.requests.count(address(pair, "beta")) == 1
    assert said[-1] == "beta holds the group, and alpha could take over. beta is active."
    assert "beta is taking over." in said
    assert "attached" in card.inner_text()
    assert tab.title() == "orders: beta holds the group, and alpha could take over (seen by beta)"
    assert tab.locator("#notice").is_hidden()


def test_a_page_whose_daemon_is_gone_says_so_and_comes_back(pair, tabs):
    """A killed daemon makes the page say that it is old; the next daemon makes it live again by itself."""
    tab = tabs.open(address(pair, "beta"))
    notice = tab.locator("#notice")

    pair.beta.kill()
    tab.get_by_text("✕ not live", exact=True).wait_for()
    keep_picture(tab, "daemon-gone")
    said = tab.evaluate("window.said")

    assert notice.inner_text().startswith("Not live: nothing heard from the daemon for ")
    assert len(said) == 1
    assert said[0].startswith("Not live")
    assert tab.get_by_role("heading", name="alpha holds the group").is_visible()

    pair.beta.start()
    tab.get_by_text("✓ live", exact=True).wait_for()

    assert notice.is_hidden()
    assert "Live again." in tab.evaluate("window.said")
