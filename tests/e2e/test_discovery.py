"""Members by tag: they come, go and are replaced, with real daemons on the lab."""

from __future__ import annotations

import pytest
from e2e_harness import ADDRESSES, NAMES, PROBE, QUICK, running_group, wait

pytestmark = pytest.mark.slow

NEW = "i-0ccccccccccccccc3"


def discovered(group):
    """The same files, with [discovery] instead of [[member]]."""
    for member in group.members:
        text = group.text(member, PROBE, QUICK)
        head, rest = text.split("[[member]]", 1)
        member.write(f"{head}[discovery]\n[[probe]]{rest.split('[[probe]]', 1)[1]}")


def replacement(group, *, tags=True):
    """A new instance at gamma's address, as an Auto Scaling group starts it."""
    given = {"eni-failover-group": "orders", "eni-failover-rank": "3"} if tags else {}
    group.lab.world.add_instance(
        NEW, name="gamma", address=ADDRESSES[2], instance_type="c5n.18xlarge", tags=given
    )
    group.lab.sync()


def peers(status):
    return [peer["member"] for peer in status["peers"]]


def test_a_replaced_holder_is_followed_to_the_end(tmp_path):
    """The holder is terminated, beta takes over, gamma joins, alpha is forgotten, and gamma replaces beta."""
    with running_group(tmp_path, members=3) as group:
        discovered(group)
        world = group.lab.world
        world.remove_instance("gamma")
        world.remove_eni("eni-0ccccccccccccccc3")
        for name in ("alpha", "beta"):
            group.by_name[name].start()
        group.beta.until(lambda status: status["ready"] and peers(status) == ["alpha"], "beta ready")

        group.alpha.kill()
        world.terminate_instance("alpha")
        taken = group.beta.until(lambda status: status["role"] == "active", "beta active")
        replacement(group)
        group.gamma.start()
        joined = group.gamma.until(lambda status: status["ready"], "gamma ready")
        group.beta.until(lambda status: peers(status) == ["gamma"], "alpha is forgotten")
        group.gamma.until(lambda status: status["probes"][0]["state"] == "up", "gamma sees beta up")
        group.beta.service.shut()
        group.gamma.until(lambda status: status["role"] == "active", "gamma active")

        assert taken["last_takeover"]["trigger"] == "ec2"
        assert joined["role"] == "standby"
        assert group.mutations()[-2:] == [("detach", "gamma"), ("attach", "gamma")]


def test_a_joiner_without_its_tag_waits(tmp_path):
    """It says what it waits for, answers nobody, and is a standby when the tag is there."""
    with running_group(tmp_path, members=3) as group:
        discovered(group)
        world = group.lab.world
        world.remove_instance("gamma")
        world.remove_eni("eni-0ccccccccccccccc3")
        replacement(group, tags=False)
        group.gamma.start()
        wait(lambda: group.gamma.events("discovery.waiting"), "it waits", member=group.gamma)
        unanswered = group.gamma.status()
        world.change_instance("gamma", tags={"Name": "gamma", "eni-failover-group": "orders"})
        status = group.gamma.until(lambda one: one["ready"], "gamma ready")

        assert unanswered is None
        assert (status["member"], status["role"]) == ("gamma", "standby")


def test_a_member_that_loses_its_tag_ends_and_moves_nothing(tmp_path):
    """Exit 1 with one line; systemd starts it again, and it waits."""
    with running_group(tmp_path) as group:
        discovered(group)
        group.start()
        group.lab.world.change_instance("beta", tags={"Name": "beta"})

        assert group.beta.ended() == 1
        assert "is no member of orders any more" in group.beta.log.read_text()
        assert "Traceback" not in group.beta.log.read_text()
        assert group.mutations() == []


def test_an_unanswered_discovery_forgets_nobody(tmp_path):
    """EC2 is silent to beta: alpha stays a member, and is not down for it."""
    with running_group(tmp_path) as group:
        discovered(group)
        group.start()
        group.lab.world.unreachable("beta", "close")
        wait(lambda: group.beta.events("discovery.failed"), "it fails", member=group.beta)
        status = group.beta.status()

        assert peers(status) == ["alpha"]
        assert status["probes"][0]["state"] == "up"
        assert group.mutations() == []


def test_a_name_is_not_given_by_hand(tmp_path):
    """--member contradicts [discovery]: exit 2."""
    with running_group(tmp_path) as group:
        discovered(group)
        group.beta.start("--member", NAMES[1])

        assert group.beta.ended() == 2
        assert "a member is named by its tags" in group.beta.log.read_text()


def test_a_name_tag_with_another_members_id_makes_no_other_member(tmp_path):
    """Alpha is tagged with beta's id: one member is active before, and one after beta's takeover."""
    with running_group(tmp_path) as group:
        discovered(group)
        world = group.lab.world
        beta = world.instance("beta").id
        given = {"eni-failover-group": "orders", "eni-failover-rank": "1", "Name": beta}
        group.alpha.name = world.instance("alpha").id  # as the lab knows it from now on
        world.change_instance("alpha", tags=given)
        group.start().acquainted()
        before = [member.ask("GET", "/active")[0] for member in group.members]
        restarted(group.beta)
        moved = group.mutations()
        group.alpha.service.shut()
        group.beta.until(lambda status: status["role"] == "active", "beta active")
        group.alpha.until(lambda status: status["role"] == "standby", "alpha standby")
        after = [member.ask("GET", "/active")[0] for member in group.members]

        assert (before, after) == ([200, 503], [503, 200])
        assert moved == []
        assert group.mutations() == [("detach", "beta"), ("attach", "beta")]


def restarted(member):
    """A restart of its daemon, which reads its journal."""
    member.kill()
    member.start()
    member.until(lambda status: status["ready"] and status["peers"][0]["reachable"], "ready again")
