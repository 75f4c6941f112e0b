"""The confirming describe is on its way while the deciding probe is still out."""

import pytest

from eni_failover.core.model import PauseKind, PauseRequest
from eni_failover.core.policy import TakeoverMode
from eni_failover.core.takeover import CONFIRM_LEAD
from eni_failover.core.vocabulary import Action, Reason, Scope
from tests.core.bench import Bench
from tests.core.builders import attached, detaching, probe, takeover_request

DOWNS = 2.2  # seconds until two of three downs are there


def failing(**changes) -> Bench:
    """Two of three downs; the third comes in less than a second."""
    bench = Bench(attached("alpha"), **changes)
    bench.says(web="down")
    bench.idle(DOWNS)
    assert bench.state.health[0].consecutive == 2
    bench.describes.clear()
    return bench


def test_a_takeover_begins_in_the_pass_that_judges_the_holder_down():
    """Its describe began a moment before the third down, and nothing more was asked for."""
    bench = failing()
    bench.act(within=1)
    verdict_at = bench.state.health[0].newest_at

    assert len(bench.describes) == 1
    assert verdict_at - CONFIRM_LEAD - 0.02 <= bench.describes[0] < verdict_at
    assert bench.takeover.matched_at == bench.now
    assert (Action.CONFIRM, Reason.HOLDER_DOWN) not in bench.seen


def test_a_holder_that_answers_after_all_costs_one_describe():
    """Nothing moves, and what was being confirmed is forgotten."""
    bench = failing()
    bench.idle(0.2)
    assert bench.state.confirm.early
    bench.says(web="up")
    bench.idle(3.0)

    assert len(bench.describes) == 1
    assert bench.state.confirm is None


def test_a_verdict_that_comes_late_asks_for_a_describe_of_its_own():
    """The early one is too old by then: it may show what has gone since."""
    bench = failing()
    bench.idle(0.2)
    bench.says(web="unknown")
    bench.idle(2.0)
    bench.says(web="down")
    bench.act(within=1.0)

    assert (Action.CONFIRM, Reason.HOLDER_DOWN) in bench.seen
    assert len(bench.describes) == 2


@pytest.mark.parametrize(
    ("shape", "calls"), [(attached("alpha", "att-2"), 0), (detaching("alpha"), 0), (attached("beta"), 0)]
)
def test_what_the_early_describe_shows_counts(shape, calls):
    """Another attachment, or a move under way: it is another cause, or none."""
    bench = failing()
    bench.see(shape)
    bench.idle(0.9)

    assert len(bench.describes) >= 1
    assert bench.takeover is None
    assert len(bench.decision.calls) == calls


def test_a_lost_early_describe_is_no_confirmation():
    """EC2 does not answer: unknown is not confirmed."""
    bench = failing()
    bench.ec2_answers = False

    assert bench.idle(5.0).calls == ()
    assert bench.takeover is None


def test_an_early_confirmation_serves_no_other_trigger():
    """An operator asks meanwhile: that is confirmed for itself, by a look that is newer."""
    bench = failing()
    bench.idle(0.2)
    asked_at = bench.now
    bench.look(requests=(takeover_request(deadline=1100.0),))

    assert not bench.state.confirm.early
    assert bench.state.confirm.since > asked_at


@pytest.mark.parametrize(
    "changes",
    [
        {"members": 3, "local": "gamma"},  # not the first in turn
        {"takeover": TakeoverMode.OBSERVE},
        {"probes": (probe(), probe("db"))},  # both must be down
        {"probes": (probe(), probe("net", Scope.WITNESS))},
        {"probes": (probe(fall=1),)},
        {"startup_grace": 60.0},
    ],
    ids=["second", "observe", "another", "witness", "fall-1", "grace"],
)
def test_nothing_is_asked_early_where_one_more_down_starts_nothing(changes):
    """Or where the member must see first what another did."""
    bench = Bench(attached("alpha"), **changes)
    if any(one.scope is Scope.WITNESS for one in bench.policy.probes):
        bench.says(net="down")
        bench.idle(5.0)
    bench.says(web="down")
    began = bench.now
    while bench.now < began + 2.45 and not bench.decision.calls:
        bench.peek()
        bench.run(0.05)
        assert bench.state.confirm is None or not bench.state.confirm.early


def test_nothing_is_asked_early_while_the_group_is_paused():
    """No verdict would start anything."""
    bench = Bench(attached("alpha"))
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE, by="op"),))
    bench.says(web="down")
    bench.idle(2.45)

    assert bench.state.confirm is None
