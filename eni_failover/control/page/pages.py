"""The handler of `/`, and the fragment that is made once for each snapshot, however many look."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from eni_failover.control.desk import Desk
from eni_failover.control.page.fragment import fragment
from eni_failover.control.page.markup import Html
from eni_failover.control.page.shell import HEADERS, document
from eni_failover.control.page.wording import title
from eni_failover.control.pulse import Pulse
from eni_failover.core.snapshot import Snapshot


class Pages:
    """The status page. Nothing is made while nobody looks."""

    def __init__(self, *, desk: Desk, pulse: Pulse) -> None:
        self._desk = desk
        self._pulse = pulse
        self._made: tuple[Snapshot | None, Html] | None = None

    def routes(self) -> Iterator[web.RouteDef]:
        """The page's path with its handler."""
        yield web.get("/", self.page)

    async def page(self, _request: web.Request) -> web.Response:
        """The whole document, complete without its script."""
        snapshot = self._desk.snapshot()
        pulse = self._pulse.document()
        late = None if pulse["alive"] else pulse["last_pass_ended_s"]
        name = "eni-failover" if snapshot is None else title(snapshot)
        text = document(self._fragment(snapshot), title=name, late=late)
        return web.Response(text=text, content_type="text/html", charset="utf-8", headers=HEADERS)

    def fragment(self, snapshot: Snapshot) -> str:
        """What changes of the page, on one line."""
        return self._fragment(snapshot).markup

    def _fragment(self, snapshot: Snapshot | None) -> Html:
        if self._made is None or self._made[0] is not snapshot:
            self._made = (snapshot, fragment(snapshot))
        return self._made[1]
