"""The terms: had, moving, the first ENI, turn, unowned, witnesses, paused."""

from dataclasses import replace

import pytest

from eni_failover.core.health import Health
from eni_failover.core.model import PauseKind, PauseRecord
from eni_failover.core.state import Durable, EniObservation, State
from eni_failover.core.view import View
from eni_failover.core.vocabulary import Answer
from tests.core.builders import (
    EPOCH,
    MEMBERS,
    WEB,
    WITNESS,
    attached,
    attaching,
    detaching,
    foreign,
    free,
    missing,
    obs,
    policy,
    unknown,
)

NOW = 1000.0


def view(*shapes, local="beta", members=2, state=None, **changes) -> View:
    """What one pass at 1000 s sees of these ENIs; each has been so since 999 s."""
    seen = obs(*shapes, now=NOW, members=members)
    observed = tuple(
        EniObservation(
            eni_id=eni.eni_id,
            status=eni.presence if eni.attachment is None else eni.attachment.status,
            attachment_id=eni.attachment.attachment_id if eni.attachment else None,
            since=NOW - 1.0,
            seen_at=NOW - 1.0,
        )
        for eni in seen.enis.enis
    )
    state = replace(state or State(started_at=0.0), observed=observed)
    return View(state, seen, policy(local, members=members, enis=len(shapes), **changes))


def since(one: View, seconds: float) -> View:
    """The same, seen so for so many seconds."""
    observed = tuple(
        replace(seen_eni, since=NOW - seconds, seen_at=NOW - seconds) for seen_eni in one.state.observed
    )
    return View(replace(one.state, observed=observed), one.obs, one.policy)


def remembering(**durable) -> State:
    return State(started_at=0.0, durable=Durable(**durable))


# Had -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "holder"),
    [
        (attached("alpha"), "alpha"),
        (attaching("alpha"), "alpha"),
        (detaching("alpha"), None),
        (free(), None),
        (foreign(), None),
        (unknown(), None),
    ],
)
def test_a_member_has_an_eni_while_it_is_attaching_or_attached(shape, holder):
    """One that is detaching is no longer had, nor is one on a stranger."""
    found = view(shape).holder

    assert holder == (found.name if found else None)


@pytest.mark.parametrize(
    ("shapes", "all_here"),
    [
        ([attached("beta")], True),
        ([attaching("beta")], False),
        ([detaching("beta")], False),
        ([attached("beta"), attached("beta")], True),
        ([attached("beta"), attached("alpha")], False),
        ([attached("beta"), free()], False),
        ([foreign()], False),
        ([attached("beta"), foreign()], True),
    ],
)
def test_the_group_is_whole_here_when_every_usable_eni_is_attached_here(shapes, all_here):
    """Foreign ENIs are left out; nothing usable is not everything."""
    assert all_here is view(*shapes).all_here


# Row 1 and 2 ---------------------------------------------------------------------------------------


def test_an_eni_absent_from_one_answer_is_unknown():
    """One empty stale read is no proof that the ENI does not exist."""
    one = view(missing())

    assert [eni.eni_id for eni in one.unknown] == ["eni-1"]
    assert one.missing == ()


def test_a_view_of_another_state_works_everything_out_anew():
    """An absence that the old state had not confirmed is confirmed in the new one."""
    one = view(missing())
    then = one.obs.enis.began_at - 10.0
    gone = EniObservation(eni_id="eni-1", status="missing", attachment_id=None, since=then, seen_at=then)

    assert one.missing == ()
    assert one.with_state(one.state) is one
    assert one.with_state(replace(one.state, observed=(gone,))).missing == one.obs.enis.enis


def test_an_eni_absent_from_answers_two_seconds_apart_is_missing():
    """Two answers, two seconds apart, are believed."""
    one = since(view(missing()), 2.1)

    assert one.unknown == ()
    assert [eni.eni_id for eni in one.missing] == ["eni-1"]


def test_an_eni_that_a_stranger_is_losing_is_still_foreign():
    """Nothing of a stranger's is anybody's to take, until it is free."""
    one = view(detaching("stranger"), attached("alpha"))

    assert [eni.eni_id for eni in one.foreign] == ["eni-1"]


def test_an_attachment_without_an_instance_is_foreign():
    """A service-owned attachment shows no instance id."""
    one = view(attached("alpha", on=None))

    assert one.holder is None
    assert len(one.foreign) == 1


# The first ENI -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "first"),
    [
        ([attached("alpha"), attached("alpha")], "eni-1"),
        ([free(), attached("alpha")], "eni-1"),
        ([foreign(), attached("alpha")], "eni-2"),
        ([foreign(), foreign()], None),
        ([unknown(), attached("alpha")], None),
        ([attached("alpha"), unknown()], "eni-1"),
        ([foreign(), unknown(), attached("alpha")], None),
    ],
)
def test_the_lock_is_the_first_eni_that_exists_and_is_not_foreign(shapes, first):
    """An unknown ENI before it hides it: the lock is then not known either."""
    found = view(*shapes).first

    assert first == (found.eni_id if found else None)


def test_a_missing_eni_is_skipped_as_the_lock():
    """The second ENI is the lock once the first is known not to exist."""
    one = since(view(missing(), attached("alpha")), 3.0)

    assert one.first.eni_id == "eni-2"
    assert one.holder.name == "alpha"


# Moving --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "seconds", "moving"),
    [
        ([attached("alpha")], 1.0, False),
        ([free()], 1.0, False),
        ([attaching("alpha")], 1.0, True),
        ([detaching("alpha")], 1.0, True),
        ([attached("alpha"), detaching("alpha")], 1.0, True),
        ([detaching("stranger")], 1.0, False),
        ([detaching("alpha")], 14.9, True),
        ([detaching("alpha")], 15.1, False),
        ([attaching("alpha")], 15.1, False),
    ],
)
def test_the_group_is_moving_no_longer_than_the_force_bound(shapes, seconds, moving):
    """Attaching or detaching counts for force_detach_after, 15 s here."""
    assert moving is since(view(*shapes), seconds).is_moving


@pytest.mark.parametrize(("seconds", "moving"), [(59.0, True), (61.0, False)])
def test_without_force_moving_lasts_sixty_seconds(seconds, moving):
    """`force_detach_after = "never"` makes the bound 60 s."""
    one = since(view(detaching("alpha"), force_detach_after=None), seconds)

    assert moving is one.is_moving


# Unowned -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "seconds", "unowned"),
    [
        ([free()], 0.0, True),
        ([attached("alpha")], 99.0, False),
        ([attaching("alpha")], 99.0, False),
        ([detaching("alpha")], 14.0, False),
        ([detaching("alpha")], 16.0, True),
        ([foreign()], 99.0, False),
        ([unknown()], 99.0, False),
        ([attached("alpha"), free()], 99.0, False),
        ([foreign(), free()], 0.0, True),
    ],
)
def test_the_group_is_unowned_when_its_lock_is_on_nobody_or_stuck_detaching(shapes, seconds, unowned):
    """Only the first ENI counts: the others are brought by whoever has it."""
    assert unowned is since(view(*shapes), seconds).is_unowned


def test_without_force_a_detaching_eni_is_never_unowned():
    """`never` leaves a stuck detach to EC2 and to the operator."""
    one = since(view(detaching("alpha"), force_detach_after=None), 3600.0)

    assert one.is_unowned is False


# Turn ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("local", "turn"), [("alpha", None), ("beta", 0), ("gamma", 1), ("delta", 2)], ids=str
)
def test_the_turn_leaves_out_the_holder(local, turn):
    """The others count from 0 in file order."""
    assert turn == view(attached("alpha"), local=local, members=4).turn


@pytest.mark.parametrize(("local", "turn"), [("alpha", 0), ("beta", None), ("gamma", 1), ("delta", 2)])
def test_the_turn_leaves_out_a_holder_in_the_middle(local, turn):
    """The primary is the first of the others when it does not hold."""
    assert turn == view(attached("beta"), local=local, members=4).turn


@pytest.mark.parametrize("shape", [free(), detaching("alpha")], ids=["free", "detaching"])
@pytest.mark.parametrize(("local", "turn"), [("alpha", None), ("beta", 0), ("gamma", 1)])
def test_the_turn_leaves_out_the_last_holder_of_an_eni_on_nobody(shape, local, turn):
    """Else a living daemon on a holder with a dead service takes the ENI back each time."""
    state = remembering(last_had="i-alpha")

    assert turn == view(shape, local=local, members=3, state=state).turn


def test_the_present_holder_is_left_out_whoever_had_it_last():
    """EC2's word is newer than the journal's."""
    state = remembering(last_had="i-beta")

    assert view(attached("alpha"), state=state).turn == 0


def test_nobody_is_left_out_when_no_holder_is_known():
    """A group that nobody has ever had is anybody's, in file order."""
    assert view(free(), local="alpha").turn == 0
    assert view(free(), local="beta").turn == 1


@pytest.mark.parametrize(
    ("local", "stagger", "wait"),
    [
        ("beta", 2.0, 2.0),
        ("gamma", 2.0, 4.0),
        ("delta", 2.0, 6.0),
        ("beta", 0.5, 2.0),
        ("gamma", 0.5, 2.0),
        ("delta", 0.5, 2.0),
        ("beta", 5.0, 5.0),
        ("alpha", 2.0, 10.0),
        ("alpha", 0.5, 10.0),
        ("alpha", 5.0, 20.0),
    ],
)
def test_row_6_waits_one_stagger_more_and_at_least_two_seconds(local, stagger, wait):
    """(n + 1) * stagger, at least 2 s; the last holder after all others and not before 10 s."""
    state = remembering(last_had="i-alpha")
    one = view(free(), local=local, members=4, stagger=stagger, state=state)

    assert wait == one.unowned_wait


def test_the_last_holders_wait_is_after_the_last_of_the_others():
    """With four members and 5 s of stagger the third of the others acts at 15 s, the last holder at 20 s."""
    state = remembering(last_had="i-alpha")
    waits = [
        view(free(), local=name, members=4, stagger=5.0, state=state).unowned_wait
        for name in ("beta", "gamma", "delta", "alpha")
    ]

    assert waits == [5.0, 10.0, 15.0, 20.0]


# Witnesses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdicts", "up"),
    [
        ([], True),
        (["up"], True),
        (["down"], False),
        (["unknown"], False),
        (["down", "up"], True),
        (["unknown", "down"], False),
    ],
)
def test_the_witnesses_are_up_when_there_are_none_or_one_is(verdicts, up):
    """A witness without a verdict is no witness."""
    probes = tuple(replace(WITNESS, name=f"w{number}") for number in range(len(verdicts)))
    health = tuple(
        Health(probe=one, member=MEMBERS["beta"], verdict=Answer(verdict))
        for one, verdict in zip(probes, verdicts, strict=True)
    )
    state = State(started_at=0.0, health=health)

    assert up is view(attached("alpha"), probes=(WEB, *probes), state=state).witnesses_up


# Pause and grace -----------------------------------------------------------------------------------

WALL = EPOCH + NOW


def pause_record(kind: str, ends_at: float | None, *, local: bool = False) -> PauseRecord:
    return PauseRecord(kind=PauseKind(kind), at=WALL - 60.0, ends_at=ends_at, local=local)


@pytest.mark.parametrize(
    ("group", "own", "paused"),
    [
        (None, None, False),
        (pause_record("pause", None), None, True),
        (pause_record("pause", NOW + 1.0), None, True),
        (pause_record("pause", NOW), None, False),
        (pause_record("pause", NOW - 1.0), None, False),
        (pause_record("resume", None), None, False),
        (None, pause_record("pause", None, local=True), True),
        (pause_record("resume", None), pause_record("pause", None, local=True), True),
        (pause_record("pause", None), pause_record("resume", None, local=True), True),
        (pause_record("pause", NOW - 1.0), pause_record("pause", NOW + 1.0, local=True), True),
    ],
)
def test_paused_is_the_groups_pause_or_this_members_own(group, own, paused):
    """Either is enough; each ends with its time or with its own resume."""
    state = remembering(pause=group, local_pause=own)

    assert paused is view(attached("alpha"), state=state).is_paused


def test_the_pause_lasts_as_long_as_the_longer_of_the_two():
    """A member's own pause may outlast the group's."""
    state = remembering(
        pause=pause_record("pause", NOW + 10.0), local_pause=pause_record("pause", NOW + 20.0, local=True)
    )

    assert view(attached("alpha"), state=state).paused_until == NOW + 20.0


@pytest.mark.parametrize(
    ("grace", "age", "in_grace"), [(0.0, 0.0, False), (30.0, 29.0, True), (30.0, 30.0, False)]
)
def test_the_startup_grace_counts_from_the_daemons_start(grace, age, in_grace):
    """It is over when so many seconds of this process have passed."""
    state = State(started_at=NOW - age)

    assert in_grace is view(attached("alpha"), startup_grace=grace, state=state).in_grace
