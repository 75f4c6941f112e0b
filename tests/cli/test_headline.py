"""The first words of `status`, in each situation, from documents as the daemons write them."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from eni_failover.cli.headline import Tone, headline
from eni_failover.cli.status_view import view
from tests.cli.paper import on_paper

ATTACHMENT = "eni-attach-0123456789abcdef0"
WELL = {
    "schema": 1,
    "version": "0.1.0",
    "group": "orders",
    "member": "beta",
    "instance_id": "i-0bbbbbbbbbbbbbbb2",
    "role": "standby",
    "holder": "alpha",
    "enis": [
        {
            "id": "eni-0ffffffffffffff01",
            "status": "attached",
            "member": "alpha",
            "attachment_id": ATTACHMENT,
            "addresses": ["10.0.1.101"],
        }
    ],
    "probes": [
        {
            "name": "web",
            "scope": "holder",
            "member": "alpha",
            "state": "up",
            "consecutive": 7,
            "detail": "200",
        }
    ],
    "ready": True,
    "checks": [{"name": "ec2_api", "result": "pass", "detail": "", "remedy": ""}],
    "decision": {"action": "wait", "reason": "holder_up", "at": "2027-01-15T02:00:00Z"},
    "paused": None,
    "takeover": None,
    "last_takeover": None,
    "takeovers": [],
    "outage": None,
    "next_holder": {"member": "beta", "reason": "ready"},
    "peers": [
        {
            "member": "alpha",
            "instance_id": "i-0aaaaaaaaaaaaaaa1",
            "reachable": True,
            "ready": True,
            "reasons": [],
            "role": "active",
            "paused": False,
            "version": "0.1.0",
            "config_hash": "c0ffee123456",
        }
    ],
    "config_hash": "c0ffee123456",
    "now": "2027-01-15T03:12:00.250000Z",
}
SINCE = "2027-01-15T03:11:30Z"
PAUSED = {"until": "2027-01-15T03:42:00Z", "reason": "upgrade", "by": "uid 0", "at": SINCE, "local": False}


def outage(reason, ends_at, remedy, **changes):
    """alpha is down, and beta waits for that reason."""
    down = {**WELL["probes"][0], "state": "down", "detail": "refused"}
    told = {"since": SINCE, "reason": reason, "ends_at": ends_at, "remedy": remedy}
    return {
        **WELL,
        "outage": told,
        "probes": [down],
        "next_holder": {"member": None, "reason": reason},
        **changes,
    }


def alone(reason, **changes):
    return {**WELL, "next_holder": {"member": None, "reason": reason}, **changes}


def failing(name, detail, remedy):
    return {"ready": False, "checks": [{"name": name, "result": "fail", "detail": detail, "remedy": remedy}]}


def holding(**peer):
    """What alpha, which holds, shows of beta."""
    beta = {**WELL["peers"][0], "member": "beta", "role": "standby", **peer}
    return {"member": "alpha", "role": "active", "probes": [], "peers": [beta]}


OUTAGE = "OUTAGE since 03:11:30 UTC (30 s ago): alpha holds the group, and is down."
NOBODY = "alpha holds the group, and nobody could take over."
STAYS = "If alpha died now, its addresses would stay there: "
SITUATIONS = {
    "well": (WELL, Tone.WELL, "All well: alpha holds the group, and beta could take over.", ()),
    "standby-dead": (
        alone("self_probe_down", **failing("self_probes", "self_probe_down app", "fix what app says")),
        Tone.WARN,
        NOBODY,
        (
            f"{STAYS}its own service does not answer (self_probe_down).",
            "What to do: fix what app says",
        ),
    ),
    "paused": (
        outage(
            "paused", PAUSED["until"], "eni-failover resume, or once: eni-failover takeover", paused=PAUSED
        ),
        Tone.OUTAGE,
        OUTAGE,
        (
            "beta takes over by itself at 03:42:00 UTC (in 30 min 00 s): the group is paused (paused).",
            "What to do: eni-failover resume, or once: eni-failover takeover",
        ),
    ),
    "unproven": (
        outage("unproven_holder", "2027-01-15T03:13:30Z", "to move it sooner: eni-failover takeover"),
        Tone.OUTAGE,
        OUTAGE,
        (
            (
                "beta takes over by itself at 03:13:30 UTC (in 1 min 30 s): this holder was never seen up"
                " from here (unproven_holder)."
            ),
            "What to do: to move it sooner: eni-failover takeover",
        ),
    ),
    "limit": (
        outage(
            "limit_reached", "2027-01-16T03:13:30Z", "fix what moves the group, then: eni-failover resume"
        ),
        Tone.OUTAGE,
        OUTAGE,
        (
            (
                "beta takes over by itself at 2027-01-16 03:13:30 UTC (in 1 d 0 h): the group has moved too"
                " often (limit_reached)."
            ),
            "What to do: fix what moves the group, then: eni-failover resume",
        ),
    ),
    "observe": (
        outage("observe", None, "eni-failover takeover"),
        Tone.OUTAGE,
        OUTAGE,
        (
            'beta does not take over by itself: the file says takeover = "observe" (observe).',
            "What to do: eni-failover takeover",
        ),
    ),
    "holder-itself": (
        outage("paused", None, "beta: eni-failover resume", **holding()),
        Tone.OUTAGE,
        OUTAGE,
        (
            "beta does not take over by itself: the group is paused (paused).",
            "What to do, on beta: eni-failover resume",
        ),
    ),
    "holder-that-knows-itself": (
        outage("link_not_ready", None, "bring the link up", **holding()),
        Tone.OUTAGE,
        "OUTAGE since 03:11:30 UTC (30 s ago): alpha holds the group, and its link does not serve it.",
        (
            "The group does not move by itself: a link of the holder does not serve it (link_not_ready).",
            "What to do: bring the link up",
        ),
    ),
    "denied": (
        alone("attach_denied", **holding(ready=False, reasons=["attach_denied"])),
        Tone.WARN,
        NOBODY,
        (f"{STAYS}IAM denies the attach (attach_denied).", "What to do, on beta: eni-failover check"),
    ),
    "peer-dead": (
        alone("peer_silent", **holding(reachable=False, ready=False, reasons=["peer_silent"])),
        Tone.WARN,
        NOBODY,
        (
            f"{STAYS}its daemon does not answer (peer_silent).",
            "What to do, on beta: see whether its daemon runs: systemctl status 'eni-failover*'",
        ),
    ),
    "holders-daemon-dead": (
        {**WELL, "peers": [{**WELL["peers"][0], "reachable": False, "ready": False}]},
        Tone.WARN,
        "alpha holds the group, and beta could take over. But the daemon of alpha does not answer.",
        ("What to do, on alpha: see whether its daemon runs: systemctl status 'eni-failover*'",),
    ),
    "unattached": (
        outage(
            "not_my_turn",
            "2027-01-15T03:12:03Z",
            "to move it sooner: eni-failover takeover",
            holder="none",
            enis=[{"id": "eni-0ffffffffffffff01", "status": "available", "member": "none"}],
        ),
        Tone.OUTAGE,
        "OUTAGE since 03:11:30 UTC (30 s ago): nobody holds the group.",
        (
            "beta takes over by itself at 03:12:03 UTC (in 3 s): another member comes first (not_my_turn).",
            "What to do: to move it sooner: eni-failover takeover",
        ),
    ),
    "under-way": (
        {**WELL, "role": "taking", "takeover": {"trigger": "probes", "phase": "detach", "since": SINCE}},
        Tone.BUSY,
        "Takeover under way: beta is taking over, phase detach, since 03:11:30 UTC (30 s ago).",
        ("It goes on by itself. To follow it: eni-failover status --watch",),
    ),
    "others-under-way": (
        {**WELL, **holding(role="taking")},
        Tone.BUSY,
        "Takeover under way: beta is taking over.",
        ("It goes on by itself. To follow it: eni-failover status --watch",),
    ),
    "fault": (
        {
            **WELL,
            "holder": "beta",
            "role": "fault",
            **failing("links", "link_not_ready", "bring the link up"),
        },
        Tone.OUTAGE,
        "FAULT: beta holds the group, and is not ready to serve it.",
        ("What to do: bring the link up",),
    ),
    "paused-in-health": (
        alone("paused", paused=PAUSED),
        Tone.WARN,
        NOBODY,
        (
            f"{STAYS}the group is paused (paused).",
            "The pause ends by itself at 03:42:00 UTC (in 30 min 00 s).",
            "What to do: eni-failover resume",
        ),
    ),
    "probe-down": (
        {**WELL, "probes": [{**WELL["probes"][0], "state": "down", "detail": "refused"}]},
        Tone.WARN,
        "alpha holds the group, and beta could take over. But its probe web is down: refused.",
        ("To follow it: eni-failover status --watch",),
    ),
}
OLD = {name: value for name, value in WELL.items() if name not in {"outage", "next_holder", "takeovers"}}


def joined(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("name", SITUATIONS)
def test_the_headline(name, columns):
    """What is, since when, what happens next by itself and when, and the command, before everything else."""
    document, tone, sentence, more = SITUATIONS[name]
    shown = on_paper(view(document), columns)
    top = shown.partition("\n\n")[0]

    assert headline(document).tone is tone
    assert joined(top) == joined(" ".join((sentence, *more)))
    assert max(map(len, shown.splitlines())) <= columns
    assert {one for one in ("eni-0ffffffffffffff01", "c0ffee123456") if one not in shown} == set()
    assert (ATTACHMENT in shown) == ("attachment_id" in document["enis"][0])


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("name", SITUATIONS)
def test_a_command_is_on_one_line(name, columns):
    """It is copied whole."""
    document, _, _, more = SITUATIONS[name]
    commands = {f"eni-failover {word}" for word in ("resume", "takeover", "check", "status --watch")}
    lines = on_paper(view(document), columns).splitlines()

    for command in (one for one in commands if one in " ".join(more)):
        assert any(command in line for line in lines), command


def test_problems_come_before_the_rest():
    """Failed checks with their remedies, then warnings, then the facts."""
    checks = [
        {"name": "paused", "result": "warn", "detail": "paused", "remedy": "eni-failover resume"},
        {"name": "ec2_api", "result": "pass"},
        {"name": "slot", "result": "fail", "detail": "no_slot", "remedy": "free an interface slot"},
    ]
    lines = on_paper(view({**WELL, "ready": False, "checks": checks}), 60).splitlines()
    at = lines.index("Problems")

    assert joined(" ".join(lines)).startswith(
        "alpha holds the group, and beta could take over. But beta could not take over now: slot, no_slot."
    )
    assert lines[at + 1 : at + 6] == [
        "fail  slot: no_slot",
        "      to do: free an interface slot",
        "warn  paused: paused",
        "      to do: eni-failover resume",
        "",
    ]
    assert at < lines.index("Group") < lines.index("Interfaces") < lines.index("Other members")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "alpha holds the group; beta is standby."),
        ({"ready": False}, "alpha holds the group. But beta could not take over now."),
        (
            {"paused": PAUSED},
            "alpha holds the group. Paused: nobody takes over by itself until 03:42:00 UTC (in",
        ),
        ({"holder": "none"}, "Nobody holds the group."),
        ({"holder": "unknown"}, "It is not known who holds the group."),
        ({"peers": []}, "alpha holds the group; beta is standby."),
    ],
)
def test_an_older_daemon(changes, sentence):
    """What it does not say is not claimed: neither that all is well, nor an outage, nor who comes next."""
    shown = on_paper(view({**OLD, **changes}), 80)

    assert joined(shown).startswith(sentence)
    assert not any(word in shown for word in ("OUTAGE", "All well", "and beta could", "nobody could"))


@pytest.mark.parametrize("wrong", [None, 3, "text", [], {}, [3, None]])
@pytest.mark.parametrize("name", WELL)
def test_no_document_is_a_traceback(name, wrong):
    """A daemon of another version may spell any field otherwise."""
    assert on_paper(view({**outage("paused", SINCE, "x"), name: wrong}), 60)
    assert on_paper(view({**WELL, name: wrong}), 60)


def test_an_empty_document():
    assert on_paper(view({}), 60)


def test_long_names_are_folded_and_none_is_lost():
    """Names as long as they may be, on a narrow terminal."""
    peer = {**WELL["peers"][0], "member": "x" * 70}
    shown = on_paper(view({**WELL, "peers": [peer]}), 60)

    assert shown.count("x") - on_paper(view({**WELL, "peers": []}), 60).count("x") == 70


@pytest.mark.parametrize(
    ("name", "colour"), [("paused", "1;31"), ("denied", "1;33"), ("under-way", "1;33"), ("well", "1;32")]
)
def test_the_colour(name, colour):
    """Red in an outage, amber where nobody could take over, green when all is well."""
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=80)
    console.print(view(SITUATIONS[name][0]))

    assert console.file.getvalue().startswith(f"\x1b[{colour}m")
