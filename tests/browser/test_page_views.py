"""How the page looks, reads and moves in a real browser, on snapshots of every kind."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest

from eni_failover.control.page.moments import age
from eni_failover.core.snapshot import DecisionLine
from eni_failover.core.vocabulary import Action, Reason
from tests.browser.stage import staged
from tests.browser.tab import keep_picture
from tests.control.page_scenes import CALM, HOSTILE, SCENES, TROUBLED, filled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PHONE, WIDE = 320, 1100
# Every visible text with the contrast of its colours, by the formula of WCAG 2.1.
CONTRASTS = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const ratio = (a, b) => {
    const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !node.checkVisibility()) continue;
    found.push([walk.currentNode.data, ratio(parse(getComputedStyle(node).color), ground(node))]);
  }
  for (const node of document.querySelectorAll(".phase")) {
    found.push([node.getAttribute("class"), 1.5 * ratio(parse(getComputedStyle(node).fill), ground(node))]);
  }
  return found;
}"""


def bare(now):
    """The calm scene with times that a test can count from."""
    decision = DecisionLine(action=Action.WAIT, reason=Reason.HOLDER_UP, at_wall=now - 90)
    return replace(CALM, decision=decision)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("scene", SCENES)
def test_colours_can_be_told_apart_and_nothing_sticks_out(tabs, scheme, scene):
    """WCAG AA in light and dark (text 4.5, bars 3), and no sideways scrolling on a phone of 320 px."""
    with staged(SCENES[scene].snapshot) as stage:
        for width, name in ((WIDE, "wide"), (PHONE, "phone")):
            tab = tabs.open(stage.url, width=width, color_scheme=scheme, reduced_motion="reduce")
            keep_picture(tab, f"{scene}-{name}-{scheme}")
            tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            contrasts = tab.evaluate(CONTRASTS)

            assert len(contrasts) > 50
            assert [one for one in contrasts if one[1] < 4.5] == []
            assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_long_names_do_not_stick_out_of_a_phone(tabs):
    """Names and details as long as they may be wrap on a phone."""
    with staged(filled(TROUBLED, "-" + "x" * 70)) as stage:
        tab = tabs.open(stage.url, width=PHONE)

        assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE


def test_landmarks_and_headings_are_there_for_a_screen_reader(tabs):
    """The accessibility tree has banner, main, navigation, content info and every section by name."""
    with staged(TROUBLED) as stage:
        tab = tabs.open(stage.url)
        tree = tab.locator("body").aria_snapshot()
    landmarks = re.findall(r"^- (banner|main|contentinfo|status)\b", tree, re.MULTILINE)
    headings = re.findall(r'heading "(.*?)" \[level=(\d)\]', tree)
    regions = re.findall(r'region "(.*?)"', tree)

    assert landmarks == ["status", "banner", "main", "contentinfo"]
    assert 'navigation "The same facts for programs"' in tree
    assert headings == [
        ("Group orders", "1"),
        ("beta is taking over", "2"),
        ("Takeover under way", "2"),
        ("Paused", "2"),
        ("Members", "2"),
        ("alpha", "3"),
        ("beta", "3"),
        ("gamma", "3"),
        ("Unattached", "3"),
        ("Probes", "2"),
        ("Readiness", "2"),
        ("Takeovers", "2"),
        ("From alpha to beta", "3"),
        ("From alpha to beta", "3"),
    ]
    assert regions == [name for name, level in headings if level == "2"]
    assert 'img "Phases of 7.13 s in all; the longest is detach with 3.04 s"' in tree
    assert 'table "Probes"' in tree
    assert 'rowheader "web holder"' in tree


def test_the_keyboard_reaches_everything_in_reading_order(tabs):
    """Tab goes from the skip link through what opens to the links, each visibly; Enter skips and opens."""
    with staged(CALM) as stage:
        tab = tabs.open(stage.url)
        reached = []
        for _ in range(9):
            tab.keyboard.press("Tab")
            focused = tab.locator(":focus")
            reached.append(focused.inner_text())
            assert focused.evaluate("(node) => getComputedStyle(node).outlineStyle") == "solid"
            assert focused.bounding_box()["width"] > 20

        assert reached == [
            "Skip to the facts",
            "8 checks pass",
            "What the phases are",
            "/status",
            "/events",
            "/readyz",
            "/active",
            "/livez",
            "/metrics",
        ]

        tab.locator(".skip").focus()
        tab.keyboard.press("Enter")
        tab.keyboard.press("Tab")
        assert tab.locator(":focus").inner_text() == "8 checks pass"
        tab.keyboard.press("Enter")
        assert tab.get_by_text("attach_permission").is_visible()


def test_an_update_leaves_the_reader_where_they_are(tabs):
    """What is open stays open, focus and selection stay, and unchanged elements are the same ones."""
    with staged(CALM) as stage:
        tab = tabs.open(stage.url)
        tab.get_by_text("8 checks pass").click()
        tab.get_by_role("link", name="/readyz").focus()
        tab.evaluate("getSelection().selectAllChildren(document.querySelector('.card h3'))")
        tab.evaluate("document.querySelectorAll('h3').forEach((node) => { node.kept = true; })")

        stage.show(replace(TROUBLED, holder="gamma"))
        tab.get_by_role("heading", name="beta is taking over").wait_for()

        assert tab.locator("details").first.get_attribute("open") == ""
        assert tab.locator(":focus").inner_text() == "/readyz"
        assert tab.evaluate("getSelection().toString()") == "alpha"
        assert tab.evaluate("document.querySelector('.card h3').kept") is True
        assert tab.evaluate("window.said") == ["beta is taking over."]


def test_only_holder_and_role_are_said_aloud(tabs):
    """Probes, pauses and checks change silently; the live region is polite and speaks of the holder."""
    with staged(CALM) as stage:
        tab = tabs.open(stage.url)
        stage.show(replace(CALM, probes=TROUBLED.probes, pause=TROUBLED.pause, paused=True, ready=False))
        tab.get_by_role("heading", name="Paused").wait_for()

        assert tab.evaluate("window.said") == []
        assert tab.get_by_role("status").count() == 1
        assert tab.locator("[aria-live=assertive], [role=alert]").count() == 0


def test_hostile_text_stays_text_in_a_browser(tabs):
    """Markup in every text of the snapshot makes no element and runs nothing, at first and by the stream."""
    with staged(filled(TROUBLED, HOSTILE)) as stage:
        tab = tabs.open(stage.url)
        stage.show(filled(CALM, HOSTILE))
        tab.get_by_role("heading", name='alpha"><script>').first.wait_for()

        assert tab.locator("img:not([role]), script").count() == 1
        assert tab.get_by_text("<img src=x onerror=alert(1)>").count() > 20


def test_the_facts_are_there_without_scripts(tabs):
    """A browser with scripts off has every fact, and is told to reload."""
    with staged(CALM) as stage:
        tab = tabs.open(stage.url, java_script_enabled=False, live=False)
        keep_picture(tab, "no-script")

        assert tab.get_by_role("heading", name="alpha holds the group").is_visible()
        assert tab.get_by_text("one moment: reload for a newer one").is_visible()
        assert tab.get_by_text("detach 3.04 s").first.is_visible()


def test_nothing_moves_for_those_who_asked_for_it(tabs):
    """With reduced motion there is no transition; without that wish there are some."""
    with staged(CALM) as stage:
        durations = {
            wish: tabs.open(stage.url, reduced_motion=wish)
            .locator(".card")
            .first.evaluate("(node) => getComputedStyle(node).transitionDuration")
            for wish in ("reduce", "no-preference")
        }

    assert durations["reduce"] == "0s"
    assert durations["no-preference"] != "0s"


def test_ages_go_on_by_the_daemons_clock(tabs):
    """Ages are counted by the script in the page's own words, whatever this machine's clock says."""
    now = time.time()
    with staged(bare(now)) as stage:
        tab = tabs.open(stage.url)
        shown = tab.locator(".decision .age")

        assert shown.inner_text() == f"({age(now - 90, now)})"

        tab.clock.install(time=now + 500_000)
        tab.reload()
        tab.get_by_text("✓ live", exact=True).wait_for()
        assert shown.inner_text() == "(1 min ago)"
        tab.clock.fast_forward(8_000)
        tab.clock.run_for(2_000)
        assert tab.locator("#notice").is_hidden()
        tab.clock.fast_forward(3600_000)
        assert shown.inner_text() in {"(1 h ago)", "(60 min ago)"}


def test_silence_and_a_standing_loop_are_told(tabs):
    """No heartbeat for twelve seconds makes the page old; so does a daemon whose passes do not end."""
    with staged(CALM) as stage:
        tab = tabs.open(stage.url)
        notice = tab.locator("#notice")
        tab.clock.install()
        tab.reload()
        tab.get_by_text("✓ live", exact=True).wait_for()

        tab.clock.fast_forward(13_500)
        assert notice.inner_text().startswith("Not live: nothing heard from the daemon for 1")

        stage.now += 45
        tab.get_by_text("No pass has ended for 45 s: what follows is old.").first.wait_for()
        stage.now = 100.0
        tab.get_by_text("✓ live", exact=True).wait_for()
        assert notice.is_hidden()


def test_a_lost_connection_is_told_sooner_than_silence(tabs):
    """A connection that ended and did not come back in three seconds makes the page old."""
    with staged(CALM) as stage:
        tab = tabs.open(stage.url)
        tab.clock.install()
        tab.reload()
        tab.get_by_text("✓ live", exact=True).wait_for()

        with tab.expect_request("**/events?view=page"):
            stage.end()
        assert tab.locator("#notice").is_hidden()
        tab.clock.fast_forward(4_000)

        assert tab.locator("#notice").inner_text().startswith("Not live: nothing heard from the daemon for ")
        assert tab.locator("body.stale").count() == 1
