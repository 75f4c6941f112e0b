"""Daemons of the image on real links: they hold, take, manage and stop, as a user who is not root."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from e2e_net_harness import floating, net_group, wait
from image_container import NET_ADMIN, UID
from image_group import group_of

pytestmark = [pytest.mark.root, pytest.mark.image]

FLOATING = "10.0.1.101"


@pytest.fixture
def group(image):
    """Two hosts, each with a container of the image; the first holds the ENI."""
    with net_group(kind=group_of(image, capabilities=NET_ADMIN)) as group:
        yield group.start()


def child_of(pid):
    """The one child of this process."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def daemon_of(member):
    """The daemon's pid here: the child of the container's process 1, which is the child of crun."""
    return child_of(child_of(member.process.pid))


def identities(member):
    """Uids, gids and capabilities of the daemon."""
    lines = Path(f"/proc/{daemon_of(member)}/status").read_text().splitlines()
    return {line.split(":")[0]: line.split()[1:] for line in lines if line.startswith(("Uid", "Gid", "Cap"))}


def test_a_container_takes_the_eni_and_sets_its_link_up(group):
    """The holder's service dies: the other container detaches, attaches, addresses and routes the link."""
    group.ask(FLOATING)
    group.alpha.shut()
    status = group.moved_to("beta")
    seen = identities(group.beta)

    assert status["last_takeover"]["result"] == "success"
    assert floating(group.net).mac in group.beta.links()
    assert group.beta.sources() == {f"{FLOATING}/32"}
    # A program with a file capability may read less of its own /proc.
    assert "\nprocess_open_fds " in group.beta.ask("GET", "/metrics")[1]
    assert seen["Uid"] == seen["Gid"] == [str(UID)] * 4
    assert {name: int(sets[0], 16) for name, sets in seen.items() if name.startswith("Cap")} == {
        "CapInh": 0,
        "CapPrm": 1 << 12,
        "CapEff": 1 << 12,
        "CapBnd": 1 << 12,
        "CapAmb": 0,
    }


def test_the_health_check_tells_a_stopped_daemon_from_a_running_one(group):
    """The image's own command, run in the container: healthy, not while the daemon stands still, healthy."""
    before = group.alpha.is_healthy()
    daemon = daemon_of(group.alpha)
    os.kill(daemon, signal.SIGSTOP)
    during = group.alpha.is_healthy()
    os.kill(daemon, signal.SIGCONT)

    assert (before, during) == (True, False)
    wait(group.alpha.is_healthy, "healthy again")


def test_a_container_that_is_stopped_leaves_the_eni(group):
    """SIGTERM to PID 1: exit status 0, the ENI stays with its link, and the next container holds it."""
    status = group.alpha.stop()
    sources = group.alpha.sources()
    group.alpha.start()
    group.alpha.until(lambda one: one["role"] == "active", "alpha active again")

    assert status == 0
    assert sources == {f"{FLOATING}/32"}
    assert group.mutations() == []


def test_without_links_to_manage_no_right_is_needed(image):
    """All dropped, no-new-privileges: an operator's takeover by `docker exec` moves the ENI."""
    kind = group_of(image, capabilities=(), no_new_privileges=True)
    with net_group(kind=kind, network='[network]\nmode = "off"\n') as group:
        group.start()
        done = group.beta.container.execute("eni-failover", "takeover", "--yes", "--reason", "drill")
        active = group.beta.container.execute("eni-failover", "status", "--is-active")

        assert (done.returncode, done.stderr) == (0, "")
        assert active.returncode == 0
        assert group.holder() == "beta"
