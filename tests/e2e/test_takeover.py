"""Two real daemons on the lab's EC2: the takeovers an operator expects, end to end."""

from __future__ import annotations

import json
import signal

import pytest
from e2e_harness import PROBE, QUICK, running_group, wait


def identity(group):
    eni = group.lab.world.eni("floating-1")
    return eni.id, eni.mac, eni.addresses, eni.groups


def test_a_dead_service_moves_the_eni_with_its_identity(pair):
    """The holder's service dies: the standby holds the same ENI, and says why everywhere."""
    before = identity(pair)

    pair.alpha.service.shut()
    status = pair.beta.until(lambda one: one["role"] == "active", "beta active")

    assert pair.holder() == "beta"
    assert identity(pair) == before
    assert pair.mutations() == [("detach", "beta"), ("attach", "beta")]
    assert status["holder"] == "beta"
    assert status["last_takeover"]["trigger"] == "probes"
    assert status["last_takeover"]["reason"] == "holder_down"
    assert status["last_takeover"]["result"] == "success"
    assert {"detect_s", "observe_s", "detach_s", "attach_s", "link_s"} == set(
        status["last_takeover"]["phases"]
    )
    assert pair.beta.role_file.read_text() == "active\n"
    assert pair.beta.metric("eni_failover_takeovers_total", trigger="probes", result="success") == 1
    assert pair.beta.metric("eni_failover_holder", member="beta") == 1
    assert pair.beta.events("takeover.ended")[0]["reason"] == "holder_down"
    pair.alpha.until(lambda one: one["role"] == "standby" and one["holder"] == "beta", "alpha follows")
    assert pair.alpha.role_file.read_text() == "standby\n"


@pytest.mark.slow
def test_a_dead_host_moves_the_eni(pair):
    """Daemon and service of the holder are gone at once: a kill -9 of everything on it."""
    pair.alpha.kill()
    pair.alpha.service.shut()

    pair.beta.until(lambda one: one["role"] == "active", "beta active")

    assert pair.holder() == "beta"


@pytest.mark.slow
def test_a_stopped_instance_moves_the_eni_without_waiting_for_the_probes(idle_pair):
    """EC2's own word is enough, even when the probe says up."""
    idle_pair.start()

    idle_pair.lab.world.set_state("alpha", "stopped")
    status = idle_pair.beta.until(lambda one: one["role"] == "active", "beta active")

    assert status["last_takeover"]["trigger"] == "ec2"
    assert status["last_takeover"]["reason"] == "holder_stopped"


def test_an_eni_on_nobody_is_attached_by_some_member(pair):
    """An operator's slip in the console leaves the ENI on the floor for seconds only."""
    pair.lab.world.place("floating-1", None)

    status = pair.beta.until(lambda one: one["role"] == "active", "beta active")

    assert status["last_takeover"]["trigger"] == "unowned"
    assert pair.mutations() == [("attach", "beta")]


@pytest.mark.slow
def test_several_enis_move_together_under_the_lock_of_the_first(tmp_path):
    """Eight ENIs: the first is detached and attached first, all end on one member."""
    with running_group(tmp_path, members=3, enis=8) as group:
        group.start()

        group.alpha.service.shut()
        group.beta.until(lambda one: one["role"] == "active", "beta active")

        assert [group.holder(number) for number in range(1, 9)] == ["beta"] * 8
        assert group.mutations() == [("detach", "beta")] * 8 + [("attach", "beta")] * 8
        assert group.gamma.status()["role"] == "standby"


@pytest.mark.slow
def test_the_second_standby_takes_over_when_the_first_dies_too(tmp_path):
    """Turns: gamma comes after beta, and acts when beta does not."""
    with running_group(tmp_path, members=3) as group:
        group.start()

        group.beta.kill()
        group.beta.service.shut()
        group.alpha.service.shut()
        group.gamma.until(lambda one: one["role"] == "active", "gamma active")

        assert group.mutations() == [("detach", "gamma"), ("attach", "gamma")]


@pytest.mark.slow
def test_a_returning_primary_stays_standby(pair):
    """Failback is manual: a recovered holder takes nothing back."""
    pair.alpha.kill()
    pair.alpha.service.shut()
    pair.beta.until(lambda one: one["role"] == "active", "beta active")

    pair.alpha.service.open()
    pair.alpha.start()
    pair.alpha.until(lambda one: one["role"] == "standby" and one["ready"], "alpha ready")
    wait(lambda: pair.alpha.metric("eni_failover_reconcile_total", result="success") > 10, "ten passes")

    assert pair.holder() == "beta"
    assert pair.mutations() == [("detach", "beta"), ("attach", "beta")]


@pytest.mark.slow
def test_automatic_failback_brings_the_group_home_after_its_delay(tmp_path):
    """The primary was unfit when it lost the ENI; once fit for the delay, it takes back."""
    probe = PROBE + (
        '[[probe]]\nname = "me"\ntype = "tcp"\nscope = "self"\nhost = "{{address}}"\nport = {service}\n'
        'interval = "100ms"\nfall = 2\nrise = 1\n'
    )
    policy = 'failback = "automatic"\nfailback_delay = "500ms"\n[timing]'
    with running_group(tmp_path) as group:
        group.configure(probe, QUICK.replace("[timing]", policy))
        group.start()
        group.alpha.service.shut()
        group.beta.until(lambda one: one["role"] == "active", "beta active")
        group.alpha.until(lambda one: one["role"] == "standby", "alpha has seen its loss")

        group.alpha.service.open()
        status = group.alpha.until(lambda one: one["role"] == "active", "alpha active")

        assert status["last_takeover"]["trigger"] == "failback"


@pytest.mark.slow
def test_stuck_detaching_is_forced_with_the_same_attachment(pair):
    """The ladder: plain detach, wait, then force, and never another attachment."""
    recorded = pair.lab.world.eni("floating-1").attachment.id
    pair.lab.world.stick_detach("floating-1")

    pair.alpha.service.shut()
    pair.beta.until(lambda one: one["role"] == "active", "beta active")

    detaches = [
        (call.parameters["AttachmentId"], call.parameters.get("Force", False))
        for call in pair.lab.world.calls
        if call.action == "DetachNetworkInterface" and call.accepted and not call.dry_run
    ]
    assert detaches == [(recorded, False), (recorded, True)]


@pytest.mark.slow
def test_fence_stops_the_instance_before_the_first_detach(tmp_path):
    """fence = "stop": EC2 shows the holder stopped, only then is anything detached."""
    with running_group(tmp_path) as group:
        group.lab.world.set_durations(None, force_stop=0.5, stop=0.5)
        group.configure(rest=QUICK.replace("[timing]", 'fence = "stop"\n[timing]'))
        group.start()

        group.alpha.service.shut()
        status = group.beta.until(lambda one: one["role"] == "active", "beta active")

        order = [
            call.action
            for call in group.lab.world.calls
            if call.accepted and not call.dry_run and call.action.startswith(("Stop", "Detach", "Attach"))
        ]
        assert order == ["StopInstances", "DetachNetworkInterface", "AttachNetworkInterface"]
        assert "fence_s" in status["last_takeover"]["phases"]


@pytest.mark.slow
def test_a_refused_fence_moves_nothing(tmp_path):
    """Without the permission to stop, the ENI stays where it is, and the reason is shown."""
    with running_group(tmp_path) as group:
        group.lab.world.deny("StopInstances")
        group.configure(rest=QUICK.replace("[timing]", 'fence = "stop"\n[timing]'))
        group.start()

        group.alpha.service.shut()
        group.beta.until(
            lambda one: one["last_takeover"] and one["last_takeover"]["reason"] == "fence_refused", "refused"
        )

        assert group.holder() == "alpha"
        assert group.mutations() == []


@pytest.mark.slow
def test_observe_mode_reports_once_and_moves_nothing(tmp_path):
    """takeover = "observe": one count for one cause; an operator may still move it."""
    with running_group(tmp_path) as group:
        group.configure(rest=QUICK.replace("[timing]", 'takeover = "observe"\n[timing]'))
        group.start()

        group.alpha.service.shut()
        group.beta.until(lambda one: one["decision"]["action"] == "would_take_over", "would")
        passes = group.beta.metric("eni_failover_reconcile_total", result="success")
        wait(
            lambda: group.beta.metric("eni_failover_reconcile_total", result="success") > passes + 5,
            "more passes",
        )

        assert group.beta.metric("eni_failover_would_take_over_total", trigger="probes") == 1
        assert group.mutations() == []
        assert group.beta.command("takeover", "--yes").returncode == 0
        assert group.holder() == "beta"


@pytest.mark.slow
def test_delete_on_termination_is_set_false_by_the_holder(idle_pair):
    """Terminating the holder must not destroy the ENI."""
    idle_pair.lab.world.place("floating-1", "alpha", index=1, delete_on_termination=True)

    idle_pair.start()
    wait(lambda: not idle_pair.lab.world.eni("floating-1").attachment.delete_on_termination, "repaired")

    assert idle_pair.mutations() == []


@pytest.mark.slow
def test_the_history_command_tells_what_happened(pair):
    """One JSON line for a takeover, with its phases."""
    pair.alpha.service.shut()
    pair.beta.until(lambda one: one["role"] == "active", "beta active")

    done = pair.beta.command("history", "--json")

    line = json.loads(done.stdout)
    assert done.returncode == 0
    assert (line["trigger"], line["from"], line["to"], line["result"]) == (
        "probes",
        "alpha",
        "beta",
        "success",
    )


@pytest.mark.slow
def test_a_probe_that_this_host_cannot_send_never_moves_anything(tmp_path):
    """exec exit 3 is unknown: not ready, said why, and no move."""
    probe = (
        '[[probe]]\nname = "web"\ntype = "exec"\nscope = "holder"\n'
        'command = ["/bin/sh", "-c", "exit 3"]\ninterval = "100ms"\nfall = 1\n'
    )
    with running_group(tmp_path) as group:
        group.configure(probe)
        for member in group.members:
            member.start()

        status = group.beta.until(
            lambda one: any("probe_unknown" in check["detail"] for check in one["checks"]), "probe_unknown"
        )

        assert status["ready"] is False
        assert group.beta.ask("GET", "/readyz")[0] == 503
        assert group.mutations() == []


@pytest.mark.slow
def test_sigusr1_writes_the_whole_status_to_the_log(pair):
    """An operator's look without any tool."""
    pair.beta.signal(signal.SIGUSR1)

    wait(lambda: pair.beta.events("status.dump"), "dump", member=pair.beta)

    assert pair.beta.events("status.dump")[0]["status"]["member"] == "beta"
