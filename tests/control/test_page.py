"""The status page as a browser without scripts gets it."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from eni_failover.control.page.fragment import fragment
from eni_failover.control.page.pages import Pages
from eni_failover.control.pulse import Pulse
from eni_failover.core.model import PauseKind, PauseRecord
from eni_failover.core.policy import EniId
from eni_failover.core.snapshot import EniLine, TakeoverLine
from eni_failover.core.vocabulary import Answer, Phase, Reason, Role, Trigger
from tests.control.page_reader import Outline
from tests.control.page_scenes import CALM, FAILED, SCENES, TAKEOVER, TROUBLED
from tests.control.support import READY, WALL, Client, FakeDesk, serve


def words(snapshot):
    """What the page says about this snapshot."""
    return Outline(fragment(snapshot).markup).words


def test_page_is_complete_without_scripts(tmp_path: Path) -> None:
    """The document that is sent has every fact in it; the script only keeps it up to date."""

    async def scenario(client: Client) -> None:
        async with client.tcp.get("/") as response:
            assert (response.status, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
            page = Outline(await response.text())

        assert page.unclosed == ()
        assert words(CALM) in page.words
        assert page.raw["title"] == "orders: alpha holds the group, and beta could take over (seen by beta)"
        # What the script looks for.
        assert {"page", "notice", "spoken", "mark", "seen"} <= set(page.values("id"))
        assert "| one moment: reload for a newer one |" in page.words

    serve(tmp_path, FakeDesk(CALM), scenario)


def test_ordinary_moment_is_told_in_words() -> None:
    """The page has the holder, roles, interfaces, addresses, probes, readiness and the last takeover."""
    told = words(CALM)

    for fact in (
        "Group orders | one moment: reload for a newer one |",
        "As seen by beta, 2026-11-18 11:06:40 UTC (just now)",
        "✓ alpha holds the group, and beta could take over |",
        "beta is standby and could take over now.",
        "Last decision wait, reason holder_up, 2026-11-18 11:00:28 UTC (6 min ago)",
        "alpha | ✓ holder ✓ active | version 0.1.0 |",
        "last takeover 2026-11-17 11:06:40 UTC (24 h ago), trigger manual",
        "eni-0ffffffffffffff01 attached |",
        "beta | · standby | this member, version 0.1.0 | has no interface of the group |",
        "Addresses that move with the group: 10.0.1.101 10.0.1.102 2001:db8::1:65 |",
        "web holder | alpha | ✓ up 4128 in a row status 200 |",
        "gateway witness | beta | · unknown no answer yet |",
        "Readiness | ✓ ready to take over | 8 checks pass |",
        "Takeovers | From alpha to beta | ✓ success 2026-11-18 09:06:45 UTC (1 h ago) |",
        "Trigger probes, reason holder_down, 7.13 s in all, 09:06:38.6 to 09:06:45.8 UTC |",
        "detect 1.50 s | observe 0.06 s | detach 3.04 s | attach 2.11 s | link 0.42 s |",
        "configuration c0ffee.",
    ):
        assert fact in told
    assert "Paused" not in told
    assert "under way" not in told


def test_trouble_is_told_in_words() -> None:
    """A takeover under way, a pause, failed checks with their remedies, and strays are all there."""
    told = words(TROUBLED)

    for fact in (
        "→ beta is taking over | beta is taking over. |",
        "Takeover under way | Trigger manual, reason operator, since 2026-11-18 11:06:37 UTC (3 s ago) |",
        "observe | detach | attach | link |",
        "! Paused | No automatic takeover until 2026-11-18 11:35:40 UTC (in 29 min). |",
        "kernel update of alpha",
        "By root@alpha, 2026-11-18 11:05:40 UTC (1 min ago). |",
        "Acknowledged by · beta · alpha |",
        "To end it: eni-failover resume |",
        "alpha | ✓ active ! paused ! other configuration |",
        "eni-0ffffffffffffff01 detaching |",
        "gamma | ! not reachable |",
        "Unattached | eni-0ffffffffffffff02 available since 2026-11-18 11:06:31 UTC (9 s ago) |",
        "web holder | alpha | ✕ down 3 in a row no answer in time |",
        "✕ not ready | ✕ fail self_probes self_probe_down app fix what this member's own probes report | |",
        "! warn paused paused eni-failover resume |",
    ):
        assert fact in told


def test_before_the_first_pass_the_page_says_so() -> None:
    """Without a snapshot the page says only that no pass has ended."""
    assert (
        words(None) == "eni-failover | one moment: reload for a newer one | starting: no pass has ended yet |"
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"role": Role.ACTIVE, "holder": "beta"}, "beta is active: it has every interface"),
        ({"role": Role.TAKING}, "beta is taking over."),
        ({"role": Role.FAULT, "holder": "beta"}, "beta is in fault: it holds the group, but is not ready"),
        ({"ready": False}, "beta is standby and could not take over now."),
        ({"role": Role.TAKING, "holder": "none", "enis": ()}, "→ The group is moving |"),
        ({"holder": "none", "enis": ()}, "✕ Nobody holds the group |"),
        ({"holder": "foreign"}, "✕ An instance outside the group has its interfaces |"),
        ({"holder": "unknown"}, "✕ It is not known who holds the group |"),
    ],
)
def test_top_of_the_page_says_how_it_stands(changes: dict[str, object], expected: str) -> None:
    """Each role, and each way of having no holder, has its sentence."""
    assert expected in words(replace(CALM, **changes))


def test_one_of_several_holder_probes_that_is_down_is_no_calm_page() -> None:
    """The sign beside the holder warns as soon as one is down, though the holder is not."""
    down = replace(CALM.probes[0], state=Answer.DOWN)

    assert "✓ alpha holds the group" in words(CALM)
    assert "! alpha holds the group" in words(replace(CALM, probes=(down,)))
    assert "! alpha holds the group" in words(replace(CALM, paused=True))


def test_holder_probes_of_the_holder_ask_nobody() -> None:
    """A holder's page says that its holder probes are not asked, not that they got no answer."""
    idle = replace(CALM.probes[0], member="none", state=Answer.UNKNOWN, consecutive=0, detail="")

    assert "web holder | nobody | · unknown not asked |" in words(replace(CALM, probes=(idle,)))


def test_an_interface_is_shown_where_it_is() -> None:
    """Interfaces on nobody, on a foreign instance and of unknown place have a card of their own."""
    enis = tuple(
        EniLine(eni_id=EniId(f"eni-{member}"), status="attached", member=member)
        for member in ("none", "foreign", "unknown")
    )
    told = words(replace(CALM, enis=enis))

    assert "Unattached | eni-none attached |" in told
    assert "On an instance outside the group | eni-foreign attached |" in told
    assert "Not known on whom | eni-unknown attached |" in told


def test_a_pause_of_this_member_alone_says_so() -> None:
    """A local pause without an end names its own remedy and nobody else."""
    local = PauseRecord(kind=PauseKind.PAUSE, at=WALL, local=True)
    told = words(replace(CALM, local_pause=local, paused=True))

    assert "! Paused for this member only | No automatic takeover until resumed. | By unknown," in told
    assert "Acknowledged by · beta | To end it: eni-failover resume --local |" in told


def test_fencing_is_a_step_only_when_it_happens() -> None:
    """The steps of a takeover name the fence while it is at work, and mark the one under way."""
    line = TakeoverLine(
        takeover_id="1", trigger=Trigger.PROBES, phase=Phase.FENCE, since_wall=WALL, reason=Reason.HOLDER_DOWN
    )
    page = Outline(fragment(replace(CALM, takeover=line)).markup)

    assert "observe | fence | detach | attach | link |" in page.words
    assert page.values("aria-current") == ["step"]


def test_takeovers_of_the_whole_group_are_shown_newest_first_and_five_at_most() -> None:
    """This member's and the others' in one row: who made which does not matter at 3 a.m."""
    lines = [
        replace(FAILED, from_member=f"m{number}", ended_wall=WALL - 1000 + number) for number in range(7)
    ]
    peer = replace(CALM.peers[0], takeovers=tuple(lines[1::2]))
    told = words(replace(CALM, takeovers=tuple(lines[::2]), peers=(peer,)))

    assert [part.split(" to ")[0] for part in told.split("From ")[1:]] == ["m6", "m5", "m4", "m3", "m2"]


@pytest.mark.parametrize("name", SCENES)
def test_each_situation_has_its_sentence_colour_time_and_command(name: str) -> None:
    """What is, what happens next by itself and when, and what to do."""
    scene = SCENES[name]
    page = Outline(fragment(scene.snapshot).markup)

    assert scene.headline in page.words
    assert f"hero {scene.tone}" in page.values("class")
    for sentence in scene.says:
        assert sentence in page.words


def test_bars_are_as_long_as_the_phases_were() -> None:
    """The widths add up to the whole, go with the seconds, and a phase of nothing is still to be seen."""
    line = replace(TAKEOVER, phases=((Phase.DETACH, 3.0), (Phase.LINK, 0.0), (Phase.DETACH, 3.0)))
    page = Outline(fragment(replace(CALM, takeovers=(line,))).markup)
    widths = [float(width[:-1]) for width in page.values("width") if width != "100%"]

    assert widths == [pytest.approx(100 * 100 / 100.8, abs=0.01), pytest.approx(100 * 0.8 / 100.8, abs=0.01)]
    assert "detach 6.00 s | link 0.00 s |" in page.words
    assert "Phases of 6.00 s in all; the longest is detach with 6.00 s" in page.values("aria-label")


def test_takeover_without_phases_has_no_bar() -> None:
    """A history line that knows no phase is shown without a bar, and one from nobody says so."""
    told = words(
        replace(CALM, takeovers=(replace(TAKEOVER, from_member="none", phases=(), detail="denied"),))
    )

    assert "From nobody to beta |" in told
    assert "5.80 s in all, 09:06:40.0 to 09:06:45.8 UTC | denied |" in told


def test_page_is_light(tmp_path: Path) -> None:
    """With three members, two interfaces, trouble and a history the whole page is below 40 kB."""

    async def scenario(client: Client) -> None:
        async with client.tcp.get("/") as response:
            assert len(await response.read()) < 40_000

    serve(tmp_path, FakeDesk(TROUBLED), scenario)


@pytest.mark.parametrize(("now", "hidden"), [(130.0, True), (145.0, False)])
def test_page_says_when_passes_have_stopped(tmp_path: Path, now: float, hidden: bool) -> None:
    """A daemon that answers and whose loop stands says that what is shown is old."""

    async def scenario(client: Client) -> None:
        async with client.tcp.get("/") as response:
            page = Outline(await response.text())

        assert ("No pass has ended for 45 s: what follows is old." in page.words) is not hidden
        assert (("p", "hidden", None) in page.attributes) is hidden

    serve(tmp_path, FakeDesk(CALM), scenario, now=now)


def test_page_is_made_once_for_each_snapshot() -> None:
    """However many look at one snapshot, its part of the page is made once."""
    desk = FakeDesk(CALM)
    pulse = Pulse(desk=desk, interval=lambda: 10.0, clock=time.monotonic)
    pages = Pages(desk=desk, pulse=pulse)

    first = pages.fragment(CALM)

    assert pages.fragment(CALM) is first
    assert pages.fragment(READY) != first
