"""Moments of their own: what only the passing of time can change gets its pass, and its describe."""

from dataclasses import replace
from itertools import pairwise

import pytest

from eni_failover.core import schedule
from eni_failover.core.model import PauseKind, PauseRequest, Stall
from eni_failover.core.policy import FailbackMode
from eni_failover.core.state import Durable, RecentTakeover, Rest, Sent
from eni_failover.core.vocabulary import Reason, Trigger
from tests.core.bench import Bench, taking
from tests.core.builders import (
    SELF,
    WEB,
    attached,
    attaching,
    attempt,
    detaching,
    foreign,
    free,
    missing,
    probe,
    takeover_request,
)


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


# Moments of their own ------------------------------------------------------------------------------


def first_down(bench: Bench) -> float:
    bench.peek(attempts=(attempt(bench.policy.probes[0], "down", at=bench.now),))
    return bench.decision.instances_at


def test_the_first_down_brings_a_look_at_the_instances_at_once():
    """Row 9 may be true already."""
    bench = Bench(attached("alpha"), probes=(probe(fall=9),))
    bench.idle(5)

    assert first_down(bench) == bench.now


def test_but_not_twice_within_a_second():
    """A probe that flaps asks at most once a second."""
    bench = Bench(attached("alpha"), probes=(probe(fall=9),))
    bench.look()

    assert first_down(bench) == pytest.approx(bench.instance_describes[-1] + 1.0, abs=0.01)


def test_downs_of_other_scopes_bring_none():
    """A self probe says nothing of the holder's instance."""
    bench = Bench(attached("alpha"), probes=(WEB, replace(SELF, fall=9)))
    bench.idle(5)
    bench.peek(attempts=(attempt("disk", "down", about="beta", at=bench.now),))

    assert bench.decision.instances_at > bench.now + 1


def test_an_absent_holder_is_looked_for_again_two_seconds_later():
    """The second answer decides, 2 s after the first was taken."""
    bench = Bench(attached("alpha"))
    bench.idle(5)
    bench.forget("alpha")
    bench.look()

    assert bench.decision.instances_at == pytest.approx(bench.now + 2.0, abs=0.01)


def test_an_absent_eni_is_looked_for_again_two_seconds_later():
    """Likewise."""
    bench = Bench(attached("alpha"))
    bench.see(missing())
    bench.look()

    assert bench.decision.describe_at == pytest.approx(bench.now + 2.0, abs=0.01)


def test_an_eni_on_nobody_is_looked_at_every_second():
    """Whoever attaches it is seen soon."""
    bench = Bench(attached("alpha"), local="alpha", members=4)
    bench.see(free())
    bench.look()
    bench.describes.clear()
    bench.idle(8)

    assert gaps(bench.describes) == pytest.approx([1.0] * (len(bench.describes) - 1), abs=0.1)


def test_an_operators_request_is_waited_for_at_the_move_interval():
    """The link is not ready yet, the operator is waiting."""
    bench = Bench(attached("beta"))
    bench.link(present=True, missing=("address",))
    bench.peek(requests=(takeover_request(deadline=bench.now + 60),))
    bench.describes.clear()
    bench.idle(3)

    assert gaps(bench.describes) == pytest.approx([0.25] * (len(bench.describes) - 1), abs=0.05)


PAST = Durable(last_had="i-alpha", past=(RecentTakeover(trigger=Trigger.PROBES, ended_at=1000.0),))


def due(**changes) -> Bench:
    return Bench(attached("alpha"), probes=(), **changes)


def recovering() -> Bench:
    return Bench(
        attached("beta"),
        local="alpha",
        probes=(),
        failback=FailbackMode.AUTOMATIC,
        failback_delay=9.0,
        durable=Durable(last_had="i-beta", lost_at=900.0, unfit_since_loss=True),
    )


@pytest.mark.parametrize(
    ("what", "make", "moment"),
    [
        ("the end of the cooldown", lambda: due(durable=PAST, cooldown=9.0), 1009.0),
        (
            "the end of the window",
            lambda: due(durable=PAST, max_takeovers=1, max_takeovers_window=9.0, cooldown=0.0),
            1009.0,
        ),
        ("the end of the start-up grace", lambda: due(startup_grace=9.0), 1009.0),
        ("the failback delay", recovering, 1009.0),
    ],
)
def test_a_pass_is_due_at(what, make, moment):
    """What only the passing of time can change has its moment."""
    bench = make()
    passes = []
    for _ in range(60):
        passes.append(bench.decision.pass_at)
        bench.run(0.1)

    assert min(abs(at - moment) for at in passes) < 0.06


def test_a_pass_is_due_at_the_end_of_a_pause():
    """Wall-clock time, turned into this process's."""
    bench = Bench(attached("alpha"))
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE, duration=4.0),))

    assert bench.decision.pass_at == pytest.approx(bench.now + 4.0)


def test_a_pause_without_an_end_has_no_moment():
    """The next pass is the steady one."""
    bench = Bench(attached("alpha"))
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE),))

    assert bench.decision.pass_at <= bench.now + 10.0


def test_a_pass_is_due_when_a_stall_is_forgotten():
    """A second after its end."""
    bench = Bench(attached("alpha"))
    bench.peek(stalls=(Stall(from_at=bench.now - 3, to_at=bench.now),))

    assert bench.decision.pass_at == bench.now + 1.0


def test_a_pass_is_due_when_a_request_expires():
    """The operator is told in time."""
    bench = Bench(attached("alpha"))
    bench.ec2_answers = False
    bench.look()
    bench.peek(requests=(takeover_request(deadline=bench.now + 3),))

    assert bench.decision.pass_at == bench.now + 3.0


def test_a_pass_is_due_when_the_turn_comes():
    """Not at the next steady pass."""
    bench = Bench(attached("alpha"), local="gamma", members=3)
    bench.peek(attempts=tuple(attempt("web", "down", at=bench.now) for _ in range(3)))

    assert bench.decision.pass_at == bench.now + 2.0


def test_a_pass_is_due_when_the_refused_call_may_be_made_again():
    """The backoff ends with a pass, not with the next poll."""
    bench = Bench(attached("alpha"))
    bench.says(web="down")
    bench.act(within=10)
    bench.jitter = 1.0
    bench.answered("denied")

    assert bench.decision.pass_at == pytest.approx(bench.now + 0.5)


def test_the_end_of_a_takeover_is_followed_by_a_describe_at_once():
    """The next pass looks at the world as it then is."""
    bench = taking()
    bench.see(attached("alpha", "att-9"))
    bench.look()
    bench.now += 1
    bench.look()

    assert bench.decision.reason is Reason.LOST_TO_ANOTHER
    assert bench.decision.describe_at == bench.now


def test_a_takeover_has_moments_of_its_own():
    """Each wait of it that time alone ends; the operator's deadline only before the point of no return."""
    bench = Bench(attached("alpha"))
    bench.says(web="down")
    bench.act(within=10)
    (move,) = bench.takeover.moves
    move = replace(move, detach=Sent.NO, retry_at=1.0, attaching_since=100.0, detach_began_at=200.0)
    takeover = replace(
        bench.takeover, moves=(move,), deadline_at=2.0, fence_retry_at=3.0, link_since=300.0, committed=False
    )
    past = replace(takeover, committed=True)

    assert set(schedule._takeover_moments(bench.view, takeover)) == {1.0, 2.0, 3.0, 160.0, 215.0, 360.0}
    assert set(schedule._takeover_moments(bench.view, past)) == {1.0, 3.0, 160.0, 215.0, 360.0}


def test_what_waits_has_moments_of_its_own():
    """Each bound of the state that time alone ends."""
    bench = Bench(attached("alpha"))
    waits = {
        "unowned_since": 100.0,
        "rests": tuple(zip(Rest, (201.0, 212.0, 302.0, 706.0), strict=True)),
        "moved_at": 403.0,
        "not_ready_since": 504.0,
        "stalled_at": 605.0,
        "barred_at": 807.0,
    }
    found = set(schedule._moments(bench.view.with_state(replace(bench.state, **waits))))
    without = set(schedule._moments(bench.view))

    assert found - without == {160.0, 201.0, 212.0, 302.0, 405.0, 564.0, 606.0, 706.0, 1407.0}


def moments(bench: Bench, seconds: float) -> list[float]:
    """When passes were due in the next seconds."""
    passes, end = [], bench.now + seconds
    while bench.now < end:
        passes.append(bench.decision.pass_at)
        bench.run(0.1)
    return passes


@pytest.mark.parametrize(
    ("shapes", "after"),
    [([attached("alpha"), foreign()], 60.0), ([attaching("alpha")], 180.0), ([detaching("alpha")], 15.0)],
    ids=["a foreign ENI", "an attach that hangs", "a detach that hangs"],
)
def test_a_pass_is_due_when_waiting_for_it_ends(shapes, after):
    """Not at the next steady one."""
    bench = Bench(*shapes, probes=(), settle=False)
    bench.look()
    moment = bench.state.observed[-1].seen_at + after
    bench.idle(after - 5.0)

    assert min(abs(at - moment) for at in moments(bench, 5.5)) < 0.001


def test_a_pass_is_due_when_a_refused_attach_counts_no_more():
    """Ten minutes later this member is able again, and says so then."""
    bench = Bench(attached("alpha"), probes=())
    bench.state = replace(bench.state, barred_at=bench.now)
    bench.peek()
    moment = bench.now + 600.0
    bench.idle(595.0)

    assert min(abs(at - moment) for at in moments(bench, 5.5)) < 0.001
