"""Reloads of running daemons: what is taken can be run, names are for show, evidence has a question."""

import os
import time

import pytest
from e2e_harness import PROBE, QUICK, running_group, wait

pytestmark = pytest.mark.slow

ICMP = """
[[probe]]
name = "web"
type = "icmp"
scope = "holder"
host = "{{address}}"
"""


def reload(member, text):
    """The new file, and how `eni-failover reload` ends."""
    member.write(text)
    return member.command("reload")


def stays(group, holder, seconds):
    """For so long nothing is moved."""
    end = time.monotonic() + seconds

    def over():
        assert group.holder() == holder
        return time.monotonic() >= end

    wait(over, "time")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a daemon that may not send pings")
def test_a_probe_that_this_daemon_may_not_run_is_refused_and_the_old_file_stays(tmp_path):
    """Else it would end in a pass and could not start again: one roll-out would end the group."""
    with running_group(tmp_path) as group:
        for path in (tmp_path, *tmp_path.rglob("*")):
            os.chown(path, 65534, 65534)
        for parent in tmp_path.parents:
            if parent.stat().st_uid == 0 and not parent.stat().st_mode & 1:
                parent.chmod(parent.stat().st_mode | 0o011)
        group.alpha.start()
        beta = group.beta
        beta.prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]
        beta.start()
        beta.until(lambda status: status["ready"], "ready")
        found = reload(beta, group.text(beta, probe=ICMP))

        assert (found.returncode, "icmp" in found.stderr) == (2, True)
        assert beta.process.poll() is None
        assert beta.status()["probes"][0]["state"] == "up"


UNRUNNABLE = """
[[probe]]
name = "web"
type = "http"
scope = "holder"
url = "https://{{address}}:1/"
ca_file = "/nonexistent/ca.pem"
[[probe]]
name = "disk"
type = "exec"
scope = "self"
command = ["/nonexistent/program"]
[hooks]
on_active = ["/nonexistent/hook"]
"""


def test_what_the_new_file_names_and_is_not_there_is_refused(pair):
    """Certificates, programs of probes and hooks, the role file's directory: all at once, one line each."""
    text = pair.text(pair.beta, probe=UNRUNNABLE)
    found = reload(pair.beta, text.replace(str(pair.beta.role_file), "/nonexistent/beta.role"))
    problems = found.stderr.splitlines()

    assert found.returncode == 2
    for word in ("ca_file", "/nonexistent/program", "/nonexistent/hook", "control.role_file: /nonexistent"):
        assert sum(word in problem for problem in problems) == 1
    assert pair.beta.status()["probes"][0]["state"] == "up"


def test_a_holder_that_is_renamed_is_still_probed(pair):
    """A member is its instance id; its name is for people."""
    pair.acquainted()
    for member in pair.members:
        taken = reload(member, member.config.read_text().replace('name = "alpha"', 'name = "able"'))
        assert (taken.returncode, taken.stderr) == (0, "")
    pair.beta.until(lambda status: status["holder"] == "able", "the new name")
    pair.beta.until(lambda status: status["probes"][0]["state"] == "up", "probed")
    pair.alpha.until(lambda status: status["member"] == "able", "its own new name")
    pair.alpha.service.shut()
    pair.beta.until(lambda status: status["role"] == "active", "active")

    assert pair.holder() == "beta"


def test_a_trial_with_a_wrong_port_is_no_evidence_for_the_right_one(tmp_path):
    """Observed for a while with a mistake in the file, then corrected and made automatic by one reload."""
    with running_group(tmp_path) as group:
        trial = PROBE.replace("port = {service}", "port = 1")
        group.configure(probe=trial, rest=QUICK.replace("[policy]", '[policy]\ntakeover = "observe"'))
        group.start()
        group.beta.until(lambda status: status["probes"][0]["state"] == "down", "down in the trial")
        corrected = reload(group.beta, group.text(group.beta))
        group.beta.until(lambda status: status["probes"][0]["state"] == "up", "up")
        stays(group, "alpha", 1.0)

        assert corrected.returncode == 0
        assert group.mutations() == []


def test_a_takeover_that_ec2_denies_does_not_keep_the_file_that_ends_it_waiting(pair):
    """The detach is refused for as long as the old file is in force: the new members come at once."""
    pair.lab.world.deny("DetachNetworkInterface", "beta")
    pair.alpha.service.shut()
    pair.beta.until(lambda status: status["takeover"] is not None, "a takeover")
    taken = reload(pair.beta, _observing(pair))
    pair.beta.until(lambda status: status["takeover"] is None, "no takeover")
    renamed = reload(pair.beta, _observing(pair).replace('name = "alpha"', 'name = "able"'))
    pair.beta.until(lambda status: status["holder"] == "able", "the newest file")

    assert (taken.returncode, renamed.returncode) == (0, 0)
    assert pair.mutations() == []


def _observing(group):
    return group.text(group.beta, rest=QUICK.replace("[policy]", '[policy]\ntakeover = "observe"'))
