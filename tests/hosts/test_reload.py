"""`systemctl reload` and the journal: what an operator sees."""

import json
import re

import hosts_stage

UNIT = hosts_stage.UNIT
PRIORITIES = {"debug": "7", "info": "6", "warning": "4", "error": "3", "critical": "2"}


def probe_names(pair, machine):
    """The names of the probes that the daemon runs."""
    return [probe["name"] for probe in pair.status(machine)["probes"]]


def test_a_changed_file_is_taken(pair):
    """After `systemctl reload` the same process runs what the file says now."""
    before = pair.pid(pair.beta)
    pair.edit(pair.beta, 'name = "web"', 'name = "site"')
    pair.beta.run(f"systemctl reload {UNIT}")

    assert probe_names(pair, pair.beta) == ["site", "own-web"]
    assert pair.pid(pair.beta) == before
    assert pair.beta.show(UNIT, "ActiveState") == {"ActiveState": "active"}


def test_a_refused_file_fails_the_reload(pair):
    """`systemctl reload` fails on a bad file and says why; the daemon goes on with the one before."""
    before = pair.pid(pair.beta)
    pair.edit(pair.beta, 'name = "web"', 'name = "site"\nurll = "x"')
    done = pair.beta.run(f"systemctl reload {UNIT}", check=False)
    shown = pair.beta.run(f"systemctl status --no-pager --full {UNIT}").stdout
    refusals = [entry for entry in pair.beta.journal(UNIT) if "config.refused" in entry["MESSAGE"]]

    assert done.returncode != 0
    assert "urll" in shown
    assert len(refusals) == 1
    assert refusals[0]["PRIORITY"] == PRIORITIES["error"]
    assert probe_names(pair, pair.beta) == ["web", "own-web"]
    assert pair.pid(pair.beta) == before
    assert pair.beta.show(UNIT, "ActiveState") == {"ActiveState": "active"}


def test_what_needs_a_restart_fails_the_reload(pair):
    """An address to listen on is refused by a reload, which says that it needs a restart."""
    pair.edit(pair.beta, '#listen = "{address}:10177"', 'listen = "{address}:10178"')
    done = pair.beta.run(f"systemctl reload {UNIT}", check=False)
    shown = pair.beta.run(f"systemctl status --no-pager --full {UNIT}").stdout

    assert done.returncode != 0
    assert re.search(r"listen.*restart", shown)
    assert pair.holder() is pair.alpha


def test_the_journal_has_priorities_and_fields(pair):
    """Each line is JSON with the documented keys, and has the priority of its level as journald's field."""
    pair.alpha.run("systemctl stop web.service")
    pair.active(pair.beta)
    ours = (one for one in pair.beta.journal(UNIT) if one["_TRANSPORT"] == "stdout")
    entries = [one for one in ours if one.get("_CMDLINE", "").endswith("run")]
    lines = [(json.loads(one["MESSAGE"]), one["PRIORITY"]) for one in entries]
    (taken,) = [line for line, _ in lines if line["event"] == "takeover.started"][-1:]

    assert {line["level"] for line, _ in lines} >= {"info", "warning"}
    assert [PRIORITIES[line["level"]] for line, _ in lines] == [priority for _, priority in lines]
    assert all({"timestamp", "level", "event", "group", "member"} <= line.keys() for line, _ in lines)
    assert (taken["group"], taken["member"], taken["role"]) == ("orders", "beta", "standby")
    assert taken["reason"] == "holder_down"
    assert taken["pass_id"] > 0
