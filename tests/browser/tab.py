"""Tabs of one browser that note what they ask for, what they say aloud, and what goes wrong in them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

WAIT_MS = 20_000.0
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"

# A screen reader's view of the one live region: every text that it ever had, in order.
_LISTEN = """
window.said = [];
window.opened = performance.timeOrigin;
new MutationObserver(() => {
  const text = document.getElementById("spoken")?.textContent;
  if (text && text !== window.said.at(-1)) window.said.push(text);
}).observe(document, {childList: true, characterData: true, subtree: true});
document.addEventListener("securitypolicyviolation", (event) => {
  console.error("policy", event.violatedDirective);
});
"""


class Tabs:
    """The tabs of one test."""

    def __init__(self, browser):
        self._browser = browser
        self._contexts = []
        self.complaints = []
        self.requests = []
        self.hosts = set()

    def open(self, url, *, width=1100, height=900, live=True, **options):
        """A tab in a context of its own, showing this page; live when its script has been told so."""
        context = self._browser.new_context(viewport={"width": width, "height": height}, **options)
        self._contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        context.add_init_script(_LISTEN)
        tab = context.new_page()
        tab.on("console", self._heard)
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))
        tab.on("request", lambda request: self.requests.append(request.url))
        self.hosts.add(urlsplit(url).netloc)
        tab.goto(url)
        if live:
            tab.get_by_text("✓ live", exact=True).wait_for()
        return tab

    def _heard(self, message):
        if "net::ERR_" not in message.text:  # a daemon that was stopped on purpose
            self.complaints.append(message.text)

    def foreign_requests(self):
        return [
            url
            for url in self.requests
            if not url.startswith("data:") and urlsplit(url).netloc not in self.hosts
        ]

    def close(self):
        for context in self._contexts:
            context.close()


def keep_picture(tab, name):
    """A picture of the whole page, kept under build/."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
