"""Could this member take the group over now? One line for each thing that must hold."""

from dataclasses import replace

import pytest

from eni_failover.core.model import PauseKind, PauseRequest, Stall, TypeLimits
from eni_failover.core.readiness import merged
from eni_failover.core.snapshot import Check
from eni_failover.core.state import Durable, RecentTakeover
from eni_failover.core.vocabulary import CheckResult, Reason, Trigger
from tests.core.bench import Bench
from tests.core.builders import (
    LOCAL,
    SELF,
    WEB,
    WITNESS,
    attached,
    foreign,
    free,
    missing,
    peer,
    probe,
    unknown,
)

NAMES = [
    "ec2_api",
    "instance",
    "eni_movable",
    "zone",
    "slot",
    "device_index",
    "addresses_per_interface",
    "attach_permission",
    "attach_refused",
    "enis",
    "holder_probes",
    "self_probes",
    "witnesses",
    "loop_lag",
    "links",
    "subnets",
    "takeover_limit",
    "paused",
]


def test_of_two_checks_with_one_name_the_worse_stands():
    """The passes try one ENI's permission, the slow checks all; whatever only one has stands as it is."""
    good, bad = (Check(name="slot", result=one) for one in (CheckResult.PASS, CheckResult.FAIL))
    other = Check(name="disk", result=CheckResult.WARN)

    assert merged((good,), (bad, other)) == (bad, other)
    assert merged((bad,), (good,)) == (bad,)


def lines(bench: Bench) -> dict[str, tuple[CheckResult, str]]:
    return {one.name: (one.result, one.detail) for one in bench.snapshot().checks}


def troubles(bench: Bench) -> dict[str, str]:
    return {name: detail for name, (result, detail) in lines(bench).items() if result is not CheckResult.PASS}


def test_every_check_has_its_line_in_the_order_an_operator_would_look():
    """`ready_check{check}` has a series for each."""
    bench = Bench(attached("alpha"), probes=(WEB, SELF, WITNESS))

    assert list(lines(bench)) == NAMES
    assert troubles(bench) == {}


def test_a_check_that_passes_needs_no_remedy():
    """And one that fails has one."""
    bench = Bench(attached("alpha"))
    bench.machine("beta", interface_count=15)
    bench.look()
    remedies = {one.name: one.remedy for one in bench.snapshot().checks}

    assert remedies["zone"] == ""
    assert remedies["slot"] == "free an interface slot, or use a larger instance type"


def unable(**changes) -> Bench:
    bench = Bench(attached("alpha"))
    bench.local = replace(LOCAL, **changes.pop("local", {}))
    bench.machine("beta", **changes)
    bench.look()
    return bench


ROOMY = {"limits": TypeLimits(interfaces=64)}


def crowded() -> Bench:
    bench = Bench(attached("alpha", addresses=("10.0.1.1", "10.0.1.2")))
    bench.local = replace(LOCAL, limits=TypeLimits(interfaces=15, ipv4_per_interface=1))
    bench.look()
    return bench


def refused() -> Bench:
    """EC2 has refused the attach of an unattached ENI, whose holder does not run."""
    bench = Bench(attached("alpha"))
    bench.see(free())
    bench.act(within=15)
    bench.answered("limit")
    return bench


@pytest.mark.parametrize(
    ("bench", "name", "detail"),
    [
        (lambda: unable(state="stopping"), "instance", "instance_not_running"),
        (lambda: unable(zone="elsewhere"), "zone", "other_zone"),
        (lambda: unable(interface_count=15), "slot", "no_slot"),
        (lambda: unable(used_indexes=tuple(range(32)), local=ROOMY), "device_index", "no_index"),
        (crowded, "addresses_per_interface", "too_many_addresses"),
        (lambda: unable(local={"attach_allowed": False}), "attach_permission", "attach_denied"),
        (refused, "attach_refused", "attach_refused"),
        (lambda: Bench(attached("alpha", unmovable=Reason.ENI_PRIMARY)), "eni_movable", "eni_primary"),
        (lambda: Bench(attached("alpha"), unknown()), "enis", "eni_unknown eni-2"),
        (lambda: Bench(attached("alpha"), foreign()), "enis", "foreign_holder eni-2"),
        (lambda: Bench(attached("alpha"), missing()), "enis", "eni_missing eni-2"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_trouble_is_reported_on_its_own_line(bench, name, detail):
    """In the words of the reasons, with the ENI where there is one."""
    assert {name: detail} == troubles(bench())


def test_all_troubles_of_one_check_stand_on_its_line():
    """What is not known first, then what is foreign or missing."""
    bench = Bench(attached("alpha"), missing(), foreign(), unknown())

    assert troubles(bench) == {"enis": "eni_unknown eni-4 foreign_holder eni-3 eni_missing eni-2"}


@pytest.mark.parametrize(
    ("others", "seconds", "result"),
    [
        ([missing()], 5, CheckResult.WARN),
        ([foreign()], 5, CheckResult.FAIL),
        ([foreign()], 65, CheckResult.WARN),
        ([missing(), foreign()], 5, CheckResult.FAIL),
        ([missing(), unknown()], 65, CheckResult.FAIL),
    ],
    ids=["missing", "foreign", "foreign for a minute", "both", "and one is unknown"],
)
def test_a_part_of_the_group_that_is_missing_is_a_warning_once_the_rest_goes_on(others, seconds, result):
    """A takeover of the rest would work: ready, with a word to the operator."""
    bench = Bench(attached("alpha"), *others, settle=False)
    bench.idle(seconds)

    assert lines(bench)["enis"][0] is result
    assert bench.snapshot().ready is (result is CheckResult.WARN)


@pytest.mark.parametrize("shape", [missing(), foreign()], ids=["missing", "foreign"])
def test_a_group_of_which_nothing_is_left_is_not_ready(shape):
    """There is nothing to take over."""
    bench = Bench(shape, settle=False)
    bench.idle(70)

    assert lines(bench)["enis"][0] is CheckResult.FAIL


def test_a_look_at_the_instances_that_fails_for_ten_minutes_leaves_a_member_ready():
    """The facts about its own instance stay known: it would take over now."""
    bench = Bench(attached("alpha"))
    bench.instances_answer = False
    bench.idle(600)

    assert troubles(bench) == {}


def test_an_api_outage_is_not_ready_after_three_intervals():
    """It cannot take over now: no describe answers. What is not known otherwise is no finding of its own."""
    bench = Bench(attached("alpha"))
    bench.ec2_answers = False
    bench.idle(60)

    assert set(troubles(bench)) == {"ec2_api", "enis"}
    assert bench.snapshot().ready is False


# Probes --------------------------------------------------------------------------------------------


def test_a_holder_probe_without_a_verdict_for_three_intervals_is_not_ready():
    """What this host cannot send decides nothing."""
    bench = Bench(attached("alpha"), settle=False)
    bench.says(web="unknown")
    bench.idle(2)
    since = bench.state.health[0].undecided_since
    bench.now = since + 2.9
    bench.peek()
    early = troubles(bench)
    bench.now = since + 3.0
    bench.peek()

    assert early == {}
    assert troubles(bench) == {"holder_probes": "probe_unknown web"}


def test_the_three_intervals_are_the_probes_own():
    """A slow probe gets its time."""
    bench = Bench(attached("alpha"), probes=(probe(interval=10.0),), settle=False)
    bench.says(web="unknown")
    bench.idle(25)

    assert troubles(bench) == {}


def test_a_holder_that_is_down_does_not_make_the_standby_unready():
    """Down is a verdict: now it is needed."""
    bench = Bench(attached("alpha"), durable=None, startup_grace=600.0)
    bench.says(web="down")
    bench.idle(10)

    assert troubles(bench) == {}


def test_the_holder_is_not_asked_for_verdicts_about_itself():
    """Its holder probes have no target."""
    bench = Bench(attached("beta"))
    bench.peers = (peer("alpha", ready=True),)
    bench.idle(30)

    assert troubles(bench) == {}


@pytest.mark.parametrize("answer", ["down", "unknown"])
def test_a_self_probe_that_is_not_up_is_not_ready(answer):
    """It says which."""
    bench = Bench(attached("alpha"), probes=(WEB, SELF))
    bench.says(disk=answer)
    bench.idle(5)

    assert troubles(bench) == {"self_probes": "self_probe_down disk"}


def test_no_witness_up_is_not_ready():
    """This host may be the one that is cut off."""
    bench = Bench(attached("alpha"), probes=(WEB, WITNESS))
    bench.says(gateway="down")
    bench.idle(5)

    assert troubles(bench) == {"witnesses": "witnesses_down"}


# This host -----------------------------------------------------------------------------------------


def test_a_stall_is_not_ready_for_a_second():
    """Then it is forgotten."""
    bench = Bench(attached("alpha"))
    bench.peek(stalls=(Stall(from_at=bench.now - 2, to_at=bench.now),))
    stalled = troubles(bench)
    bench.now += 1.0
    bench.peek()

    assert stalled == {"loop_lag": "loop_lag"}
    assert troubles(bench) == {}


def test_a_link_that_is_not_ready_says_what_is_missing():
    """One word each, and the ENI."""
    bench = Bench(attached("beta"))
    bench.peers = (peer("alpha", ready=True),)
    bench.link(present=True, missing=("address", "rule"))
    bench.look()

    assert troubles(bench) == {"links": "link_not_ready eni-1 address rule"}


def test_a_pause_is_a_warning():
    """Manual takeovers still work: ready, with a word to the operator."""
    bench = Bench(attached("alpha"))
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE),))

    assert lines(bench)["paused"] == (CheckResult.WARN, "paused")
    assert bench.snapshot().ready is True


def test_a_limit_that_is_reached_warns_until_the_oldest_has_left_the_window():
    """This member takes over for EC2's word and for operators, and is ready; not for its probes."""
    past = tuple(RecentTakeover(trigger=Trigger.PROBES, ended_at=at) for at in (700.0, 800.0, 900.0))
    bench = Bench(attached("alpha"), durable=Durable(past=past), max_takeovers_window=400.0)
    check = next(one for one in bench.snapshot().checks if one.name == "takeover_limit")
    bench.idle(1100.0 - bench.now)

    assert (check.result, check.detail) == (CheckResult.WARN, "limit_reached")
    assert check.remedy == "fix what moves the group, then eni-failover resume"
    assert bench.snapshot().ready
    assert troubles(bench) == {}


@pytest.mark.parametrize(
    ("pauses", "remedy"),
    [
        ([{}], "eni-failover resume"),
        ([{"local": True}], "eni-failover resume --local"),
        ([{"local": True}, {}], "eni-failover resume"),
        ([{"local": True}, {"duration": 1.0}], "eni-failover resume --local"),
    ],
    ids=["group", "own", "both", "own, and the group's has ended"],
)
def test_the_remedy_for_a_pause_ends_it(pauses, remedy):
    """A pause of this member's own is not ended by the group's resume."""
    bench = Bench(attached("alpha"))
    for pause in pauses:
        bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE, **pause),))
    bench.idle(2.0)
    check = next(one for one in bench.snapshot().checks if one.name == "paused")

    assert (check.result, check.remedy) == (CheckResult.WARN, remedy)


def test_a_pause_of_the_group_ends_at_its_moment():
    """From then on this member's own is what is left."""
    bench = Bench(attached("alpha"))
    for pause in ({"local": True}, {"duration": 5.0}):
        bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE, **pause),))
    bench.now += 5.0
    bench.peek()
    check = next(one for one in bench.snapshot().checks if one.name == "paused")

    assert check.remedy == "eni-failover resume --local"


def test_before_the_first_pass_of_a_probe_there_is_nothing_to_say():
    """A reload adds a probe: its line comes with the next pass."""
    bench = Bench(attached("alpha"))
    bench.view = replace(bench.view, policy=replace(bench.policy, probes=(WEB, probe("ssh"), SELF)))

    assert troubles(bench) == {}


def test_a_holder_that_nobody_could_follow_is_warned():
    """It serves on: no failure. The first in turn says why not."""
    bench = Bench(attached("beta"))
    bench.peers = (peer("alpha", ready=False, reasons=("self_probe_down",)),)
    bench.idle(1)

    assert lines(bench)["next_holder"] == (CheckResult.WARN, "self_probe_down")
    assert bench.snapshot().ready


def test_what_each_line_advises():
    """An operator acts on these words."""
    bench = Bench(attached("beta"), missing(), probes=(WEB, SELF, WITNESS), settle=False)
    bench.says(web="down", disk="down", gateway="down")
    bench.local = replace(LOCAL, subnets_known=False)
    bench.link(present=True, missing=("rule",))
    bench.idle(6)
    bench.peek(stalls=(Stall(from_at=bench.now - 2, to_at=bench.now),))
    advice = {one.name: one.remedy for one in bench.snapshot().checks if one.remedy}

    assert advice == {
        "enis": "every ENI of the group must exist, and be unattached or on a member",
        "self_probes": "fix what this member's own probes report",
        "witnesses": "no witness answers: this host may be the one that is cut off",
        "loop_lag": "the host is short of CPU: the daemon runs late",
        "links": "bring the link up with its addresses and source rules",
        "subnets": "allow ec2:DescribeSubnets to this role, or let another program set up links",
        "next_holder": "see 'eni-failover status' on the members that are to take over",
    }


def test_what_an_undecided_holder_probe_advises():
    """It is about this host, not the holder."""
    bench = Bench(attached("alpha"), settle=False)
    bench.says(web="unknown")
    bench.idle(6)
    advice = {one.name: one.remedy for one in bench.snapshot().checks if one.remedy}

    assert advice == {"holder_probes": "a probe that this host cannot send decides nothing"}


def test_of_two_equal_checks_the_quick_one_stands():
    """It is the newer of the two."""
    quick, slow = (
        Check(name="slot", result=CheckResult.FAIL, detail=one, remedy="") for one in ("quick", "slow")
    )

    assert merged((quick,), (slow,)) == (quick,)
