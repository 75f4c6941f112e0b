"""All checks together: their order, their names, and that each has its say in every situation."""

from __future__ import annotations

import pytest

from eni_failover.adapters.ec2_inspection import Permission
from eni_failover.adapters.firewalld_conf import Zones
from eni_failover.adapters.imds import ImdsInterface
from eni_failover.adapters.link import DetectedMode, LinkMode
from eni_failover.core.model import InstanceState
from eni_failover.core.policy import FenceMode
from eni_failover.core.snapshot import Check
from eni_failover.core.vocabulary import Answer, CheckResult, Reason, Scope
from eni_failover.preflight.checks import ALL, REPEATED, judge, repeated, worst
from eni_failover.preflight.facts import Api, Missed, Place, PortState, ProgramFact
from tests.preflight.builders import (
    DENIED,
    ENI,
    SILENCE,
    attachment,
    beta,
    config,
    disk,
    eni,
    facts,
    kernel_link,
    limits,
    links,
    peer,
    probe,
)

NAMES = [one.__name__ for one in ALL]


def test_a_group_in_health_passes_every_check():
    """With nothing wrong every check passes, and none has a remedy."""
    checks = judge(facts())

    assert [(one.name, CheckResult.PASS, "") for one in checks] == [
        (one.name, one.result, one.remedy) for one in checks
    ]
    assert worst(checks) is CheckResult.PASS


def test_a_check_has_the_name_of_its_function():
    """Names are unique, and the same in the code, in `check` and in the metric's label."""
    checks = judge(facts())

    assert [one.name for one in checks] == NAMES
    assert len(NAMES) == len(set(NAMES))


def test_a_daemon_repeats_what_its_passes_do_not_know():
    """What needs a command of its own, and what passes see better, is not repeated."""
    repeated = [one.__name__ for one in REPEATED]

    assert repeated == [
        "imds",
        "credentials",
        "api_path",
        "clock",
        "members",
        "cni_marks",
        "vpc",
        "delete_on_termination",
        "poisoned_index",
        "detach_permission",
        "modify_permission",
        "stop_permission",
        "fence",
        "network_manager",
        "source_routing",
        "mac_shared",
        "firewall",
        "address_families",
        "rule_order",
        "own_traffic",
        "peers",
        "programs",
        "disk",
    ]


@pytest.mark.parametrize("name", ["members", "peers", "disk", "programs"])
def test_what_stops_no_takeover_keeps_no_daemon_from_being_ready(name):
    """Others' trouble, a bad disk, a hook that is missing: what fails in `check` is a warning then."""
    asked = {one.name: one.result for one in judge(WRONG[name])}
    shown = {one.name: one.result for one in repeated(WRONG[name])}

    assert (asked[name], shown[name]) == (CheckResult.FAIL, CheckResult.WARN)


def everything_missed(why: Missed):
    return {
        "credentials_until": why,
        "clock_skew": None,
        "api": why,
        "enis": why,
        "instances": why,
        "limits": why,
        "subnets": why,
        "listed": why,
        "attach": {},
        "detach": {},
        "keep": {},
    }


@pytest.mark.parametrize("why", [SILENCE, DENIED])
def test_an_outage_of_ec2_fails_its_own_check_and_leaves_the_rest_unknown(why):
    """An API outage is one failed thing: what depends on it is a warning that says unknown."""
    checks = judge(facts(of_cloud=everything_missed(why), of_host={"link_mode": why}))
    by_name = {one.name: one for one in checks}

    assert {"imds", "credentials", "ec2_api"} == {
        one.name for one in checks if one.result is CheckResult.FAIL
    }
    assert all(
        one.detail.startswith("unknown: ") and one.remedy for one in checks if one.result is CheckResult.WARN
    )
    assert "eni-failover policy" in by_name["enis"].remedy if why.denied else True
    assert by_name["peers"].result is CheckResult.PASS


def test_a_host_that_is_no_member_gets_a_verdict_from_every_check():
    """Nothing needs to know which member this is: the checks that do say so."""
    checks = judge(facts(identity=Missed(why="no IMDS"), of_host={"listen": None, "probes": ()}))

    assert [one.name for one in checks] == NAMES
    assert [one.result for one in checks if one.name == "identity"] == [CheckResult.FAIL]


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (["pass", "warn", "fail"], CheckResult.FAIL),
        (["pass", "warn"], CheckResult.WARN),
        (["pass"], CheckResult.PASS),
        ([], CheckResult.PASS),
    ],
)
def test_the_worst_result_counts(results, expected):
    """One fail outweighs every warning, one warning every pass."""
    checks = [Check(name="x", result=CheckResult(one)) for one in results]

    assert expected is worst(checks)


NO = Permission(allowed=False)
WRONG = {
    "file": facts(config(warnings=("orders.toml:3: odd",))),
    "identity": facts(identity=Missed(why="no IMDS")),
    "imds": facts(of_cloud={"listed": SILENCE}),
    "credentials": facts(of_cloud={"credentials_until": SILENCE}),
    "ec2_api": facts(of_cloud={"api": SILENCE}),
    "api_path": facts(of_cloud={"api": Api(latency=0.1, region="", asked="ec2", source="10.0.1.101")}),
    "clock": facts(of_cloud={"clock_skew": 400.0}),
    "members": facts(of_cloud={"instances": (beta(),)}),
    "instance": facts(of_cloud={"instances": (beta(of_instance={"state": InstanceState.STOPPED}),)}),
    "enis": facts(of_cloud={"enis": ()}),
    "eni_movable": facts(of_cloud={"enis": (eni(of_eni={"unmovable": Reason.ENI_PRIMARY}),)}),
    "cni_marks": facts(of_cloud={"enis": (eni(tags={"eks:eni:owner": "x"}),)}),
    "zone": facts(of_cloud={"enis": (eni(of_eni={"zone": "eu-central-1b"}),)}),
    "vpc": facts(of_cloud={"enis": (eni(vpc_id="vpc-1"),)}),
    "holder": facts(of_cloud={"enis": (eni(of_eni={"attachment": attachment("i-1")}),)}),
    "delete_on_termination": facts(
        of_cloud={"enis": (eni(of_eni={"attachment": attachment(delete_on_termination=True)}),)}
    ),
    "slot": facts(of_cloud={"limits": limits(interfaces=1)}),
    "device_index": facts(config(device_index=0)),
    "addresses_per_interface": facts(of_cloud={"limits": limits(ipv4_per_interface=0)}),
    "poisoned_index": facts(of_cloud={"listed": (ImdsInterface(mac="0a:ff", device_index=1),)}),
    "attach_permission": facts(of_cloud={"attach": {ENI: NO}}),
    "detach_permission": facts(of_cloud={"detach": {ENI: NO}}),
    "modify_permission": facts(of_cloud={"keep": {ENI: NO}}),
    "stop_permission": facts(config(fence=FenceMode.STOP), of_cloud={"stop": {"alpha": NO}}),
    "fence": facts(config(fence=FenceMode.STOP), of_cloud={"unstoppable": {"alpha": "is protected"}}),
    "subnets": facts(of_cloud={"subnets": DENIED}),
    "network_manager": facts(of_host={"link_mode": SILENCE}),
    "source_routing": facts(of_host={"link_mode": DetectedMode(mode=LinkMode.OFF, reason="")}),
    "mac_shared": facts(of_host={"alike": {ENI: (kernel_link("br0", kind="bridge"),)}}),
    "firewall": facts(of_host={"zones": Zones(default="drop", links={"public": ("ens5",)})}),
    "address_families": facts(of_host={"links": links(routed=frozenset({6}))}),
    "rule_order": facts(of_host={"links": links(catching=("100: from all lookup main (IPv4)",))}),
    "own_traffic": facts(of_host={"links": links(own_ways={ENI: ("default",)})}),
    "holder_probes": facts(of_host={"probes": ()}),
    "self_probes": facts(of_host={"probes": (probe(scope=Scope.SELF, answer=Answer.DOWN),)}),
    "witnesses": facts(of_host={"probes": (probe(scope=Scope.WITNESS, answer=Answer.DOWN),)}),
    "peers": facts(of_host={"peers": (peer(config_hash="x"),)}),
    "programs": facts(of_host={"programs": (ProgramFact(what="on_active", program="/x", problem="is odd"),)}),
    "disk": facts(of_host={"disk": disk(free_bytes=0)}),
    "ports": facts(of_host={"listen": Place(what="", state=PortState.TAKEN)}),
    "control_socket": facts(of_host={"control": Place(what="", state=PortState.TAKEN)}),
}


def test_every_check_can_find_something_wrong():
    """There is a situation below for each check, and for nothing else."""
    assert list(WRONG) == NAMES


@pytest.mark.parametrize("name", WRONG)
def test_a_check_that_does_not_pass_says_why_and_what_to_do(name):
    """A detail and a remedy, one line each."""
    (check,) = (one for one in judge(WRONG[name]) if one.name == name)

    assert check.result is not CheckResult.PASS
    assert (check.detail != "", check.remedy != "") == (True, True)
    assert "\n" not in check.detail + check.remedy
