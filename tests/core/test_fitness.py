"""Able and fit: every obstacle, and the device indexes planned for what is not here."""

from dataclasses import replace

import pytest

from eni_failover.core.fitness import is_impaired, obstacles, planned_indexes, why_not_able, why_not_fit
from eni_failover.core.health import Health
from eni_failover.core.model import TypeLimits
from eni_failover.core.state import EniObservation, Move, State, Takeover
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Answer, Reason, Trigger
from tests.core.bench import Bench
from tests.core.builders import (
    LOCAL,
    ME,
    MEMBERS,
    SELF,
    WEB,
    attached,
    attaching,
    detaching,
    foreign,
    free,
    instance,
    instances,
    missing,
    obs,
    policy,
    unknown,
)

NOW = 1000.0


def view(*shapes, mine=None, others=(), state=None, local=LOCAL, **changes) -> View:
    """Beta's view at 1000 s, EC2 having answered a second ago."""
    mine = mine or instance("beta")
    seen = obs(
        *(shapes or (attached("alpha"),)),
        now=NOW,
        local=local,
        instances=instances(mine, *others, at=NOW - 1.0),
    )
    state = state or State(started_at=0.0, last_answer_at=NOW - 1.0, me=mine)
    return View(state, seen, policy("beta", enis=len(shapes) or 1, **changes))


def test_a_running_member_with_room_is_able():
    """Nothing stands in the way of a member in the ENI's zone with a free slot and index."""
    assert why_not_able(view()) is None


@pytest.mark.parametrize(
    ("obstacle", "situation"),
    [
        ("ec2_silent", {"state": State(started_at=0.0)}),
        ("ec2_silent", {"state": State(started_at=0.0, me=ME)}),
        ("ec2_silent", {"state": State(started_at=0.0, last_answer_at=NOW)}),
        ("ec2_silent", {"state": State(started_at=0.0, last_answer_at=NOW - 30.1, me=ME)}),
        ("instance_not_running", {"mine": instance("beta", "stopping")}),
        ("instance_not_running", {"mine": instance("beta", "stopped")}),
        ("instance_not_running", {"mine": instance("beta", "shutting-down")}),
        ("instance_not_running", {"mine": instance("beta", "terminated")}),
        ("other_zone", {"mine": instance("beta", zone="eu-central-1b")}),
        ("other_zone", {"mine": instance("beta", zone=""), "local": replace(LOCAL, zone="elsewhere")}),
        ("no_slot", {"mine": instance("beta", interface_count=15)}),
        (
            "no_slot",
            {
                "mine": instance("beta", interface_count=2),
                "local": replace(LOCAL, limits=TypeLimits(interfaces=2)),
            },
        ),
        (
            "too_many_addresses",
            {
                "mine": instance("beta"),
                "local": replace(LOCAL, limits=TypeLimits(interfaces=15, ipv4_per_interface=1)),
                "shapes": (attached("alpha", addresses=("10.0.1.1", "10.0.1.2")),),
            },
        ),
        ("no_index", {"mine": instance("beta", used_indexes=(0, 3)), "device_index": 3}),
        (
            "no_index",
            {
                "mine": instance("beta", used_indexes=tuple(range(32))),
                "local": replace(LOCAL, limits=TypeLimits(interfaces=64)),
            },
        ),
        ("attach_denied", {"local": replace(LOCAL, attach_allowed=False)}),
        ("attach_refused", {"state": State(started_at=0.0, last_answer_at=NOW, me=ME, barred_at=NOW - 599)}),
    ],
)
def test_each_obstacle_alone_makes_a_member_unable(obstacle, situation):
    """Each is reported by its own word."""
    assert list(obstacles(view(*situation.pop("shapes", ()), **situation))) == [obstacle]


@pytest.mark.parametrize("state", ["pending", "running", "unknown"])
def test_only_ec2s_word_that_an_instance_ends_counts_against_it(state):
    """That it runs is known by running here; a word that this version does not know is none."""
    assert why_not_able(view(mine=instance("beta", state))) is None


def test_an_attach_refused_in_earnest_counts_for_ten_minutes():
    """To the second."""
    state = State(started_at=0.0, last_answer_at=NOW, me=ME, barred_at=NOW - 600)

    assert why_not_able(view(state=state)) is None


@pytest.mark.parametrize("why", [Reason.ENI_PRIMARY, Reason.REQUESTER_MANAGED, Reason.SERVICE_MANAGED])
def test_an_eni_that_ec2_never_moves_makes_a_member_unable(why):
    """A primary or managed ENI elsewhere cannot be brought here."""
    assert why_not_able(view(attached("alpha", unmovable=why))) is why


def test_a_limit_that_ec2_has_not_said_refuses_nothing():
    """DescribeInstanceTypes may be denied or throttled alone: `check` warns, and a takeover is tried."""
    unknown = replace(LOCAL, limits=TypeLimits(interfaces=None))
    shapes = [attached("alpha")] * 3

    assert why_not_able(view(*shapes, mine=instance("beta", interface_count=2), local=unknown)) is None


def test_what_is_here_needs_no_slot_no_index_and_no_zone():
    """Able asks about ENIs that are not here; a full instance may keep what it has."""
    full = instance("beta", zone="eu-central-1b", used_indexes=tuple(range(14)))

    assert why_not_able(view(attached("beta"), mine=full)) is None


def test_every_eni_not_here_needs_a_slot():
    """Two slots are free, three ENIs are wanted: none may be detached."""
    room_for_two = replace(LOCAL, limits=TypeLimits(interfaces=3))

    assert why_not_able(view(*[attached("alpha")] * 2, local=room_for_two)) is None
    assert why_not_able(view(*[attached("alpha")] * 3, local=room_for_two)) is Reason.NO_SLOT


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"addresses": ("10.0.1.1",) * 4}, None),
        ({"addresses": ("10.0.1.1",) * 5}, Reason.TOO_MANY_ADDRESSES),
        ({"addresses": ("10.0.1.1",) * 4, "prefixes": ("10.0.2.0/28",)}, Reason.TOO_MANY_ADDRESSES),
        ({"ipv6_addresses": ("2001:db8::1",) * 2}, None),
        ({"ipv6_addresses": ("2001:db8::1",) * 3}, Reason.TOO_MANY_ADDRESSES),
        ({"ipv6_prefixes": ("2001:db8::/80",) * 3}, Reason.TOO_MANY_ADDRESSES),
    ],
)
def test_an_eni_with_more_addresses_than_the_type_takes_cannot_come_here(changes, expected):
    """EC2 refuses such an attach: detaching the ENI would leave it without a holder."""
    small = replace(LOCAL, limits=TypeLimits(interfaces=15, ipv4_per_interface=4, ipv6_per_interface=2))

    assert why_not_able(view(attached("alpha", **changes), local=small)) is expected
    assert why_not_able(view(attached("alpha", **changes), local=LOCAL)) is None
    assert why_not_able(view(attached("beta", **changes), local=small)) is None


@pytest.mark.parametrize("allowed", [True, None])
def test_only_a_denial_of_attach_counts(allowed):
    """A DryRun that has not answered yet is no denial."""
    assert why_not_able(view(local=replace(LOCAL, attach_allowed=allowed))) is None


@pytest.mark.parametrize(
    ("changes", "longest"),
    [
        ({}, 30.0),
        ({"observe_interval": 60.0}, 180.0),
        ({"observe_interval": 0.1}, 10.0),
        ({"observe_interval": 0.1, "call_timeout": 1.0}, 2.0),
    ],
)
def test_ec2_may_be_silent_for_three_observe_intervals_or_two_calls(changes, longest):
    """A short interval with a slow API is no outage."""
    state = State(started_at=0.0, last_answer_at=NOW - longest, me=ME)
    older = replace(state, last_answer_at=NOW - longest - 0.1)

    assert why_not_able(view(state=state, **changes)) is None
    assert why_not_able(view(state=older, **changes)) is Reason.EC2_SILENT


def test_a_zone_that_nobody_knows_is_no_obstacle():
    """Unknown is not wrong: EC2 itself refuses an attach across zones."""
    nowhere = replace(LOCAL, zone="")

    assert why_not_able(view(mine=instance("beta", zone=""), local=nowhere)) is None


def test_all_obstacles_are_reported_together():
    """An operator sees everything that stands in the way at once."""
    mine = instance("beta", "stopped", interface_count=15)
    situation = view(
        local=replace(LOCAL, attach_allowed=False), state=State(started_at=0.0, me=mine, barred_at=NOW)
    )

    assert list(obstacles(situation)) == [
        "ec2_silent",
        "instance_not_running",
        "no_slot",
        "attach_denied",
        "attach_refused",
    ]


# Indexes -------------------------------------------------------------------------------------------


def takeover(*moves: Move) -> Takeover:
    return Takeover(
        takeover_id="t-1",
        trigger=Trigger.PROBES,
        reason=Reason.HOLDER_DOWN,
        from_member="alpha",
        started_at=NOW,
        started_wall=0.0,
        cause_at=NOW,
        matched_at=NOW,
        moves=moves,
    )


def indexes(one: View, of: Takeover | None = None) -> list[int | None]:
    return list(planned_indexes(one, of).values())


@pytest.mark.parametrize(
    ("used", "count", "planned"),
    [
        ((0,), 1, [1]),
        ((0, 1), 1, [2]),
        ((0, 2), 2, [1, 3]),
        ((0, 1, 3), 3, [2, 4, 5]),
        ((), 1, [1]),
        (tuple(range(30)), 3, [30, 31, None]),
    ],
)
def test_auto_plans_the_lowest_free_indexes_each_once(used, count, planned):
    """Every ENI gets an index of its own."""
    one = view(*[attached("alpha")] * count, mine=instance("beta", used_indexes=used))

    assert planned == indexes(one)


def test_a_written_index_is_the_first_enis_and_the_others_follow():
    """`device_index = 3` with two ENIs: 3 and 4."""
    one = view(attached("alpha"), attached("alpha"), device_index=3)

    assert indexes(one) == [3, 4]


def test_the_index_of_an_eni_that_is_already_here_is_taken():
    """Also when the look at the instances is older than the attach."""
    one = view(attaching("beta", index=1), attached("alpha"))

    assert indexes(one) == [2]


def test_an_index_that_ec2_refused_is_skipped():
    """In this takeover no ENI is tried there again."""
    refused = takeover(Move(eni_id="eni-1", recorded="att-1", refused_indexes=(1, 2)))

    assert indexes(view(free()), refused) == [3]


def test_when_every_free_index_was_refused_the_first_is_tried_again():
    """Rolling forward never ends for want of an untried index."""
    refused = takeover(Move(eni_id="eni-1", recorded="att-1", refused_indexes=tuple(range(1, 32))))

    assert indexes(view(free()), refused) == [1]


def test_without_an_answer_about_the_instance_only_index_zero_is_taken():
    """Past the point of no return a plan is needed all the same."""
    assert indexes(view(free(), state=State(started_at=0.0, last_answer_at=NOW))) == [1]


# Fit -----------------------------------------------------------------------------------------------


def with_self(verdict: str) -> State:
    health = (Health(probe=SELF, member=MEMBERS["beta"], verdict=Answer(verdict)),)
    return State(started_at=0.0, last_answer_at=NOW - 1.0, me=ME, health=health)


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [("up", None), ("down", Reason.SELF_PROBE_DOWN), ("unknown", Reason.SELF_PROBE_DOWN)],
)
def test_fit_needs_every_self_probe_up(verdict, reason):
    """No verdict is not up."""
    assert why_not_fit(view(state=with_self(verdict), probes=(WEB, SELF))) is reason


def test_an_unable_member_is_not_fit():
    """Fit is able and more."""
    assert why_not_fit(view(mine=instance("beta", "stopped"))) is Reason.INSTANCE_NOT_RUNNING


@pytest.mark.parametrize(("age", "reason"), [(0.5, Reason.LOOP_LAG), (1.0, None)])
def test_a_stall_leaves_a_member_unfit_for_a_second(age, reason):
    """What was seen right after a stall is doubtful."""
    state = State(started_at=0.0, last_answer_at=NOW - 1.0, me=ME, stalled_at=NOW - age)

    assert why_not_fit(view(state=state)) is reason


# Impaired (row 11) ---------------------------------------------------------------------------------


def test_a_member_whose_self_probe_is_down_is_impaired():
    """Row 11 forgives what was lost meanwhile."""
    assert is_impaired(view(state=with_self("down"), probes=(WEB, SELF))) is True


def test_a_member_that_is_not_able_is_impaired():
    """EC2 says that it is not running."""
    assert is_impaired(view(mine=instance("beta", "stopping"))) is True


@pytest.mark.parametrize(
    "situation",
    [
        {"state": with_self("unknown"), "probes": (WEB, SELF)},
        {"state": State(started_at=0.0)},
        {"state": State(started_at=0.0, last_answer_at=NOW)},
        {"state": State(started_at=0.0, last_answer_at=NOW - 999.0, me=ME)},
        {"state": State(started_at=0.0, last_answer_at=NOW - 1.0, me=ME, stalled_at=NOW)},
    ],
    ids=["self probes without a verdict", "no answer yet", "nothing of itself", "EC2 is silent", "stalled"],
)
def test_what_a_daemon_does_not_know_is_no_impairment(situation):
    """A restart, a stall or an outage may not undo an operator's takeover by a failback."""
    assert is_impaired(view(**situation)) is False


# Over time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [0, 24])
def test_looks_at_the_instances_that_fail_leave_a_member_able(hours):
    """One, or all for a day: what is known about this instance stays known."""
    bench = Bench(attached("alpha"))
    bench.instances_answer = False
    bench.look()
    bench.now += hours * 3600
    bench.look()

    assert why_not_able(bench.view) is None


def test_a_member_that_ec2_has_never_told_about_itself_is_not_able():
    """Slots and indexes are not known; row 6's last resort asks for none of that."""
    bench = Bench(attached("alpha"), settle=False)
    bench.instances_answer = False
    bench.idle(100)

    assert why_not_able(bench.view) is Reason.EC2_SILENT


def test_a_describe_of_the_enis_that_fails_for_three_intervals_makes_a_member_unable():
    """Where the ENIs are must be known of late; and it is able again with the next answer."""
    bench = Bench(attached("alpha"))
    bench.look()
    bench.ec2_answers = False
    bench.idle(29)
    soon = why_not_able(bench.view)
    bench.idle(8)
    late = why_not_able(bench.view)
    bench.ec2_answers = True
    bench.idle(6)

    assert (soon, late) == (None, Reason.EC2_SILENT)
    assert why_not_able(bench.view) is None


def test_a_quick_interval_and_a_slow_api_leave_a_member_able():
    """observe_interval 100 ms, and each call takes 350 ms."""
    bench = Bench(attached("alpha"), observe_interval=0.1, settle=False)
    found = []
    for _ in range(10):
        bench.look(after=0.35)
        found.append(why_not_able(bench.view))

    assert set(found) == {None}


def test_an_answer_without_this_member_takes_nothing_back():
    """It runs here: an empty or stale answer of EC2 is no word against that."""
    bench = Bench(attached("alpha"))
    bench.forget("beta")
    bench.look()

    assert why_not_able(bench.view) is None


@pytest.mark.parametrize("ended", ["stopping", "terminated"])
def test_ec2s_word_stays_until_it_says_otherwise(ended):
    """A look that fails does not take back that the instance is being stopped."""
    bench = Bench(attached("alpha"))
    bench.machine("beta", ended)
    bench.look()
    bench.instances_answer = False
    bench.look()
    silent = why_not_able(bench.view)
    bench.machine("beta")
    bench.instances_answer = True
    bench.look()

    assert silent is Reason.INSTANCE_NOT_RUNNING
    assert why_not_able(bench.view) is None


# Room ----------------------------------------------------------------------------------------------


LISTED = instance("beta", eni_indexes=(("eni-0", 0), ("eni-1", 1), ("eni-2", 2)))


@pytest.mark.parametrize(
    ("shapes", "reason", "planned"),
    [
        ((attached("alpha"), attached("alpha")), None, [1, 2]),
        ((free(), free()), None, [1, 2]),
        ((detaching("beta"), attached("alpha")), Reason.NO_SLOT, [2, 3]),
        ((attached("beta"), attached("alpha")), None, [2]),
        ((attached("beta"), attached("beta")), None, []),
        ((unknown(), attached("alpha")), None, [2]),
    ],
    ids=["gone", "free", "still detaching", "one has come", "both have come", "one is not known"],
)
def test_the_groups_own_enis_take_room_as_the_describe_shows_them(shapes, reason, planned):
    """A look at the instances is older than the move: what has just left has its slot and index to give."""
    seen = view(*shapes, mine=LISTED, local=replace(LOCAL, limits=TypeLimits(interfaces=3)))

    assert why_not_able(seen) is reason
    assert list(planned_indexes(seen, None).values()) == planned


def test_other_enis_take_room_as_last_known():
    """Also one whose index EC2 did not say: it takes a slot, and no index."""
    mine = instance("beta", eni_indexes=(("eni-0", 0), ("eni-other", 1), ("eni-odd", None)))
    room_for = {slots: replace(LOCAL, limits=TypeLimits(interfaces=slots)) for slots in (3, 4)}

    assert why_not_able(view(mine=mine, local=room_for[4])) is None
    assert why_not_able(view(mine=mine, local=room_for[3])) is Reason.NO_SLOT
    assert indexes(view(mine=mine, local=room_for[4])) == [2]


def test_a_missing_eni_takes_no_room_from_the_others():
    """It is no part of the group; a foreign one neither."""
    room_for_one = replace(LOCAL, limits=TypeLimits(interfaces=2))
    gone = State(
        started_at=0.0,
        last_answer_at=NOW,
        me=ME,
        observed=(
            EniObservation(eni_id="eni-2", status="missing", attachment_id=None, since=0.0, seen_at=0.0),
        ),
    )

    assert why_not_able(view(attached("alpha"), missing(), state=gone, local=room_for_one)) is None
    assert why_not_able(view(attached("alpha"), foreign(), local=room_for_one)) is None
    assert indexes(view(foreign(), attached("alpha"), device_index=3)) == [4]


def full_alpha(*shapes, **changes) -> Bench:
    """Alpha, whose type has room for the floating ENI and no more."""
    bench = Bench(*shapes, local="alpha", settle=False, **changes)
    bench.local = replace(LOCAL, limits=TypeLimits(interfaces=2))
    bench.machine("alpha", eni_indexes=(("eni-0", 0), ("eni-1", 1)))
    bench.idle(5)
    return bench


def test_the_slot_of_an_eni_just_lost_is_no_impairment():
    """The last look at the instances still counts the ENI that has left: row 11 must not forgive that."""
    bench = full_alpha(attached("alpha"))
    bench.see(attached("beta", "att-9"))
    bench.look(instances=bench.view.obs.instances)

    assert is_impaired(bench.view) is False
    assert bench.state.durable.unfit_since_loss is False


def test_a_member_that_has_just_lost_the_eni_is_able_at_once():
    """It waits for no look at the instances: the describe that shows the loss shows the room."""
    bench = full_alpha(attached("alpha"))
    bench.see(attached("beta", "att-9"))
    bench.instances_answer = False
    bench.look()

    assert why_not_able(bench.view) is None
