"""A real Prometheus beside two real daemons: every expression has data, alerts fire and resolve."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil

import pytest
from e2e_harness import ADDRESSES, running_group
from prometheus_monitor import (
    RUNBOOKS,
    Prometheus,
    alerts,
    dashboard,
    filled,
    panels,
    program,
    promtool,
    selectors,
)

from eni_failover.lab import Durations, Settings, World
from eni_failover.lab.credentials import OPERATOR_KEY

# Empty until something happens: an alert, a takeover, a pause with an end, a change of decision.
EMPTY_AT_REST = {6, 13, 14, 15, 17, 18}
# What this play cannot show, because the expression itself looks back over minutes, or the lab's daemons have
# no links: the cases of promtool do.
NOT_PLAYED = {
    "EniFailoverFault",
    "EniFailoverFlapping",
    "EniFailoverLinkRepairs",
    "EniFailoverNotWritable",
    "EniFailoverProbeNearTimeout",
    "EniFailoverSplit",
    "EniFailoverTakeoverFailed",
    "EniFailoverThrottled",
    "EniFailoverVersionsDiffer",
    "EniFailoverWouldTakeOver",
}
# They fail no readiness: the status has what to do, the runbook of EniFailoverNotReady is not about them.
WARNINGS = {"paused", "takeover_limit", "journal", "role_file", "log", "next_holder"}
# Their expressions look back 10 or 15 minutes, so they do not resolve here.
LASTING = {"EniFailoverTakeover", "EniFailoverEc2Errors", "EniFailoverHookFailed"}


@pytest.fixture
def pair(tmp_path):
    """Two members, slow enough to be watched; beta has a hook that fails."""
    program("prometheus")
    program("promtool")
    settings = Settings(latency=0.005, durations=Durations(attach=1.0, detach=2.0, force_detach=0.2))
    world = World.pair(addresses=ADDRESSES[:2], settings=settings)
    with running_group(tmp_path, world=world) as group:
        hooks = f'[hooks]\non_active = ["{shutil.which("false")}"]\n'
        group.beta.write(group.beta.config.read_text() + hooks)
        yield group.start()


@pytest.fixture
def prometheus(tmp_path, pair):
    """Prometheus, which has seen both members; before it did, it said that it sees none."""
    pair.acquainted()
    targets = [f"{member.address}:{pair.listen_port}" for member in pair.members]
    with Prometheus(tmp_path / "prometheus", targets) as server:
        server.until(lambda: len(server.query("eni_failover_ready == 1")) == 2, "both are scraped")
        server.fires("EniFailoverAbsent")
        server.resolves("EniFailoverAbsent")
        yield server


def empty_panels(server):
    """The ids of the panels of which an expression shows nothing."""
    return {
        number
        for number, panel in panels().items()
        for target in panel["targets"]
        if not server.shows(filled(target["expr"]))
    }


def told_of_checks():
    """The readiness checks that the runbook of EniFailoverNotReady tells of."""
    text = RUNBOOKS.read_text().split("## EniFailoverNotReady")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", text, flags=re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def firing(server):
    """The names of the alerts that fire or are pending."""
    return {one["labels"]["alertname"] for one in server.alerts()}


def move_as_planned(pair, server):
    """An operator brings the group to beta and back to alpha: nobody's incident."""
    for member in (pair.beta, pair.alpha):
        assert member.command("takeover", "--yes", "--reason", "planned").returncode == 0
    name = "eni_failover_last_takeover_by_trigger_timestamp_seconds"
    server.until(lambda: len(server.query(f'{name}{{trigger="manual"}}')) == 2, "both moves are scraped")
    assert server.query(alerts()["EniFailoverTakeover"]["expr"]) == []
    assert not server.fired("EniFailoverTakeover")


def take_over(pair, server):
    """A pause holds the group while the holder is dead; at its end beta takes over."""
    pair.alpha.command("pause", "--for", "10m", "--reason", "work")
    server.fires("EniFailoverPausedTooLong")
    pair.alpha.service.shut()
    server.fires("EniFailoverHolderDown", "EniFailoverOutage")
    assert pair.holder() == "alpha"
    pair.alpha.command("resume")
    server.fires("EniFailoverEniUnowned", "EniFailoverTakeover", "EniFailoverHookFailed")
    pair.beta.until(lambda one: one["role"] == "active", "active")
    server.resolves("EniFailoverPausedTooLong", "EniFailoverHolderDown", "EniFailoverEniUnowned")
    server.resolves("EniFailoverOutage")


def break_and_mend_files(pair, server):
    """A refused file, then one with a member more, then the right one again."""
    good = pair.alpha.config.read_text()
    pair.alpha.write(good.replace("fall = 3", "fall = 0"))
    assert pair.alpha.command("reload").returncode == 2
    server.fires("EniFailoverReloadFailed")
    third = '[[member]]\nname = "gamma"\ninstance_id = "i-0ccccccccccccccc3"\naddress = "127.0.1.13"\n'
    pair.alpha.write(good.replace("[[probe]]", third + "[[probe]]"))
    assert pair.alpha.command("reload").returncode == 0
    server.resolves("EniFailoverReloadFailed")
    server.fires("EniFailoverConfigsDiffer")
    pair.alpha.write(good)
    assert pair.alpha.command("reload").returncode == 0
    server.resolves("EniFailoverConfigsDiffer")


def lag_behind(pair, server):
    """EC2 shows alpha the ENI as it was before the takeover, and then the truth."""
    pair.lab.world.fault("stale", "DescribeNetworkInterfaces", caller="alpha", count=None, seconds=300)
    server.fires("EniFailoverMembersDisagree")
    pair.lab.world.clear_faults()
    server.resolves("EniFailoverMembersDisagree")


def lose_the_standby(pair, server):
    """Alpha's daemon dies, comes back without EC2, and recovers."""
    pair.alpha.kill()
    server.fires("EniFailoverMemberDown", "EniFailoverNoStandby")
    pair.lab.world.unreachable("alpha")
    pair.alpha.start()
    server.fires("EniFailoverNotReady", "EniFailoverDaemonStale", "EniFailoverEc2Errors")
    server.resolves("EniFailoverMemberDown")
    pair.lab.world.reachable("alpha")
    server.resolves("EniFailoverNotReady", "EniFailoverNoStandby", "EniFailoverDaemonStale")


def run_out_of_credentials(pair, server):
    """Alpha's daemon gets credentials for ten minutes from a program, and then its instance's own again."""
    end = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=10)
    names = {"AccessKeyId": OPERATOR_KEY, "SecretAccessKey": "x", "SessionToken": "x"}
    answer = pair.directory / "credentials.json"
    answer.write_text(json.dumps({"Version": 1, **names, "Expiration": end.isoformat()}))
    settings = pair.directory / "aws"
    settings.write_text(f"[default]\ncredential_process = {shutil.which('cat')} {answer}\n")
    pair.alpha.stop()
    pair.alpha.environment = {"AWS_CONFIG_FILE": str(settings)}
    pair.alpha.start()
    server.fires("EniFailoverCredentialsExpiring")
    pair.alpha.stop()
    pair.alpha.environment = {}
    pair.alpha.start()
    pair.alpha.until(lambda one: one["ready"], "ready")
    server.resolves("EniFailoverCredentialsExpiring", "EniFailoverNoStandby", "EniFailoverNotReady")


def lose_all_daemons(pair, server):
    """Every daemon dies: that alone pages, and their start ends it. The ENI has not moved."""
    before = pair.holder()
    for member in pair.members:
        member.kill()
    server.fires("EniFailoverGroupSilent")
    (silent,) = [one for one in server.alerts() if one["labels"]["alertname"] == "EniFailoverGroupSilent"]
    for member in pair.members:
        member.start()
    server.resolves("EniFailoverGroupSilent", "EniFailoverMemberDown", "EniFailoverNotReady")
    assert silent["labels"]["severity"] == "critical"
    assert silent["annotations"]["description"].startswith("Last seen: alpha beta. The ENI stays")
    assert pair.holder() == before


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_alerts_and_panels_tell_the_story_of_a_takeover(pair, prometheus):
    """At rest all is quiet; each trouble is told by its alert, and told off; no panel stays empty."""
    assert {(rule["name"], rule["health"]) for rule in prometheus.rules() if rule["health"] != "ok"} == set()
    prometheus.until(lambda: firing(prometheus) == set(), "no alert fires")
    prometheus.until(lambda: empty_panels(prometheus) <= EMPTY_AT_REST, "all other panels have data")

    move_as_planned(pair, prometheus)
    take_over(pair, prometheus)
    break_and_mend_files(pair, prometheus)
    lag_behind(pair, prometheus)
    lose_the_standby(pair, prometheus)
    run_out_of_credentials(pair, prometheus)
    of_several = {name for name in alerts() if prometheus.fired(name) > 1}
    lose_all_daemons(pair, prometheus)

    prometheus.until(lambda: firing(prometheus) == LASTING, f"only {sorted(LASTING)} are left")
    told = {name for name in alerts() if prometheus.fired(name)}
    texts = [text for one in prometheus.alerts() for text in one["annotations"].values()]
    assert told == alerts().keys() - NOT_PLAYED
    assert of_several <= {"EniFailoverEc2Errors"}
    assert [text for text in texts if "error expanding" in text] == []
    assert [text for text in texts if text.startswith("The holder is beta; takeover by: beta (probes)")] != []
    assert [text for text in texts if text.startswith("beta at 127.")] != []
    prometheus.until(lambda: empty_panels(prometheus) == set(), "every panel has data")
    assert prometheus.shows(filled(dashboard()["annotations"]["list"][0]["expr"]))
    assert [rule["lastError"] for rule in prometheus.rules() if rule.get("lastError")] == []
    read = {one for rule in alerts().values() for one in selectors(rule["expr"])}
    assert {one for one in read if not prometheus.shows(one)} == set()
    checks = {one["metric"]["check"] for one in prometheus.query("eni_failover_ready_check")}
    assert checks - told_of_checks() == WARNINGS
    for member in pair.members:
        checked = promtool("check", "metrics", input=member.ask("GET", "/metrics")[1])
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
