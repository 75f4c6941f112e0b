"""Row 5: an operator asked."""

from dataclasses import replace

import pytest

from eni_failover.core.decision import RequestAnswer, RequestFate
from eni_failover.core.model import PauseKind, PauseRequest, TypeLimits
from eni_failover.core.policy import TakeoverMode
from eni_failover.core.state import Durable, RecentTakeover
from eni_failover.core.vocabulary import Action, Reason, Trigger
from tests.core.bench import Bench
from tests.core.builders import (
    LOCAL,
    SELF,
    WEB,
    WITNESS,
    attach,
    attached,
    attaching,
    detach,
    detaching,
    foreign,
    free,
    missing,
    takeover_request,
)


def ask(bench: Bench, *, timeout: float = 120.0) -> Bench:
    bench.peek(requests=(takeover_request(deadline=bench.now + timeout),))
    return bench


def answer(fate: str, reason: str) -> RequestAnswer:
    return RequestAnswer(request_id="r-1", fate=RequestFate(fate), reason=Reason(reason))


def test_a_request_starts_a_takeover_from_a_healthy_holder():
    """One more describe, then the detach, and the operator is told."""
    bench = ask(Bench(attached("alpha")))
    first = (bench.decision.action, bench.decision.reason, bench.replies[:])
    bench.act(within=1.5)

    assert first == (Action.CONFIRM, Reason.OPERATOR, [])
    assert bench.decision.calls == (detach(),)
    assert bench.takeover.trigger is Trigger.MANUAL
    bench.accepted()

    assert bench.replies == [answer("started", "operator")]


def test_the_takeover_remembers_its_request():
    """Its deadline is the operator's timeout."""
    bench = Bench(attached("alpha"))
    asked_at = bench.now
    ask(bench, timeout=30.0)
    bench.act(within=1.5)

    assert bench.takeover.request_id == "r-1"
    assert bench.takeover.deadline_at == asked_at + 30.0


def test_the_operators_words_are_kept():
    """Why an operator asked stays with the takeover, to its line in the history."""
    bench = Bench(attached("alpha"))
    asked = replace(takeover_request(deadline=bench.now + 30.0), reason="kernel update on alpha")
    bench.peek(requests=(asked,))
    bench.act(within=1.5)
    words = bench.takeover.detail
    bench.see(attached("gamma", "att-9"))
    bench.idle(1)

    assert words == "kernel update on alpha"
    assert [one.detail for one in bench.ended] == ["kernel update on alpha"]


@pytest.mark.parametrize(
    "situation",
    [
        {"takeover": TakeoverMode.OBSERVE},
        {"startup_grace": 600.0},
        {
            "durable": Durable(
                past=tuple(
                    RecentTakeover(trigger=Trigger.PROBES, ended_at=at) for at in (997.0, 998.0, 999.0)
                )
            )
        },
        {"local": "gamma", "members": 3},
    ],
    ids=["observe", "grace", "cooldown and limit", "turn"],
)
def test_nothing_that_is_for_automatic_takeovers_holds_an_operator_back(situation):
    """The operator decides."""
    bench = ask(Bench(attached("alpha"), **situation))

    assert bench.act(within=1.5).calls == (detach(),)


def test_a_pause_does_not_hold_an_operator_back():
    """Manual takeovers still work."""
    bench = Bench(attached("alpha"))
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE),))

    assert ask(bench).act(within=1.5).calls == (detach(),)


def test_neither_self_probes_nor_witnesses_hold_an_operator_back():
    """Able is asked, fit is not."""
    bench = Bench(attached("alpha"), probes=(WEB, SELF, WITNESS))
    bench.says(disk="down", gateway="down")
    bench.idle(5)

    assert ask(bench).act(within=1.5).calls == (detach(),)


def test_an_eni_on_nobody_is_attached_at_once():
    """No turn, no two seconds."""
    bench = Bench(attached("alpha"))
    bench.see(free())
    bench.look()

    assert ask(bench).act(within=1.5).calls == (attach(),)


def test_a_request_goes_before_a_rescue_that_is_due():
    """Both would attach it: the operator's is what is told, and what ends with its timeout."""
    bench = Bench(free(), settle=False)
    bench.look()
    bench.state = replace(bench.state, turn_unowned=bench.now - 60)
    ask(bench)

    assert (bench.decision.action, bench.decision.reason) == (Action.CONFIRM, Reason.OPERATOR)


def test_what_is_partly_here_is_completed():
    """The lock is here, the second ENI is not."""
    bench = Bench(attached("beta"), attached("alpha"), settle=False)
    bench.look()

    assert ask(bench).act(within=1.5).calls == (detach(2),)


# Refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [detaching("alpha"), attaching("gamma", "att-9")], ids=["detach", "attach"])
def test_a_move_of_another_member_refuses_it(shape):
    """Another's takeover is under way."""
    bench = Bench(attached("alpha"), members=3)
    bench.see(shape)
    bench.look()
    ask(bench)

    assert bench.decision.action is Action.REFUSE
    assert bench.replies == [answer("refused", "other_takeover")]


@pytest.mark.parametrize(
    ("reason", "shapes"),
    [
        ("foreign_holder", (attached("alpha"), foreign())),
        ("foreign_holder", (foreign(), attached("alpha"))),
        ("foreign_holder", (foreign(), missing())),
        ("eni_missing", (missing(),)),
        ("eni_missing", (missing(), missing())),
    ],
)
def test_a_foreign_eni_and_one_that_does_not_exist_at_all_refuse_it(reason, shapes):
    """Row 2: the rest waits, or there is none, and an operator hears why at once."""
    bench = ask(Bench(*shapes))

    assert bench.replies == [answer("refused", reason)]


@pytest.mark.parametrize("shapes", [(attached("alpha"), missing()), (missing(), attached("alpha"))])
def test_a_missing_eni_is_no_part_of_the_group(shapes):
    """An operator's takeover brings what is left of it."""
    bench = ask(Bench(*shapes))
    number = 1 + shapes.index(attached("alpha"))

    assert bench.act(within=1.5).calls == (detach(number),)


@pytest.mark.parametrize("shapes", [(attached("alpha"), foreign()), (foreign(), attached("alpha"))])
def test_an_eni_that_has_been_foreign_for_a_minute_is_left_where_it_is(shapes):
    """What is left of the group is brought here."""
    bench = Bench(*shapes)
    bench.idle(60)
    number = 1 + shapes.index(attached("alpha"))

    assert ask(bench).act(within=1.5).calls == (detach(number),)


@pytest.mark.parametrize(
    ("reason", "machine", "local"),
    [
        ("no_slot", {"interface_count": 15}, {}),
        ("instance_not_running", {"state": "stopping"}, {}),
        ("other_zone", {"zone": "elsewhere"}, {}),
        ("attach_denied", {}, {"attach_allowed": False}),
        ("no_index", {"used_indexes": tuple(range(32))}, {"limits": TypeLimits(interfaces=64)}),
    ],
)
def test_an_unable_member_refuses_it(reason, machine, local):
    """With what stands in the way."""
    bench = Bench(attached("alpha"))
    bench.machine("beta", **machine)
    bench.local = replace(LOCAL, **local)
    bench.look()
    ask(bench)

    assert bench.replies == [answer("refused", reason)]


def test_a_refused_request_is_over():
    """The obstacle goes, and nothing starts."""
    bench = Bench(attached("alpha"))
    bench.local = replace(LOCAL, attach_allowed=False)
    ask(bench)
    bench.local = LOCAL

    assert bench.idle(60).reason is Reason.HOLDER_UP
    assert len(bench.replies) == 1


def test_a_request_during_silence_waits_and_expires():
    """EC2 does not answer: nothing is known, nothing is refused yet."""
    bench = Bench(attached("alpha"))
    bench.ec2_answers = False
    bench.look()
    ask(bench, timeout=20.0)
    bench.idle(19)
    before = bench.replies[:]
    bench.idle(2)

    assert before == []
    assert bench.replies == [answer("refused", "request_expired")]


def test_a_request_during_silence_starts_when_ec2_answers():
    """Within its time."""
    bench = Bench(attached("alpha"))
    bench.ec2_answers = False
    bench.look()
    ask(bench)
    bench.idle(15)
    bench.ec2_answers = True

    assert bench.act(within=6).calls == (detach(),)


# Held and joined -----------------------------------------------------------------------------------


def test_a_request_to_the_holder_is_held():
    """Everything is here and ready."""
    bench = ask(Bench(attached("beta")))

    assert bench.replies == [answer("held", "held")]


def test_a_request_to_a_holder_whose_link_is_not_ready_waits():
    """Held means ready."""
    bench = Bench(attached("beta"))
    bench.link(present=True, missing=("address",))
    ask(bench)
    bench.idle(5)
    before = bench.replies[:]
    bench.link(present=True)
    bench.idle(5)

    assert before == []
    assert bench.replies == [answer("held", "held")]


def test_a_request_joins_a_takeover_of_mine_under_way():
    """And is told which one."""
    bench = Bench(attached("alpha"))
    bench.says(web="down")
    bench.act(within=10)
    bench.see(detaching("alpha"))
    bench.accepted()
    ask(bench)

    assert bench.replies == [answer("joined", "holder_down")]
    assert bench.takeover.trigger is Trigger.PROBES


def test_a_second_request_while_one_is_unanswered_changes_nothing():
    """The desk asks once; a second one in the inbox is the same wish."""
    bench = Bench(attached("alpha"))
    bench.ec2_answers = False
    bench.look()
    ask(bench)
    bench.peek(requests=(takeover_request("r-2", deadline=bench.now + 500),))

    assert bench.state.request.request_id == "r-1"


# Before its point of no return ---------------------------------------------------------------------


def refused_detach(**changes) -> Bench:
    bench = ask(Bench(attached("alpha"), **changes), timeout=20.0)
    bench.act(within=1.5)
    bench.answered("busy")
    return bench


def ending(bench: Bench) -> list[tuple[str, str]]:
    return [(one.result, one.reason) for one in bench.ended]


def test_it_ends_with_its_timeout():
    """EC2 refuses until then; nothing has moved, and nothing will."""
    bench = refused_detach()
    for _ in range(20):
        if bench.run(3.0).calls:
            bench.answered("busy")

    assert ending(bench) == [("failed", "request_expired")]
    assert bench.idle(60).reason is Reason.HOLDER_UP


def test_it_ends_when_this_member_is_not_able_any_more():
    """Nothing is detached that could not be attached."""
    bench = refused_detach()
    bench.local = replace(LOCAL, attach_allowed=False)
    bench.peek()

    assert ending(bench) == [("failed", "attach_denied")]


def test_it_ends_when_another_member_took_it_meanwhile():
    """The holder is not the one that it was meant to be taken from."""
    bench = refused_detach(members=3)
    bench.see(attached("gamma", "att-9"))
    bench.look()

    assert ending(bench) == [("failed", "other_takeover")]


@pytest.mark.parametrize("word", [PauseKind.PAUSE, PauseKind.RESUME])
def test_a_pause_does_not_end_it(word):
    """Manual takeovers still work."""
    bench = refused_detach()
    bench.peek(requests=(PauseRequest(kind=word),))

    assert ending(bench) == []


def test_a_holder_that_let_go_does_not_end_it():
    """The ENI is on nobody: it is attached."""
    bench = refused_detach()
    bench.see(free())

    assert bench.act(within=2).calls == (attach(),)


def test_past_its_point_of_no_return_the_timeout_means_nothing():
    """It is carried on."""
    bench = ask(Bench(attached("alpha")), timeout=5.0)
    bench.act(within=1.5)
    bench.see(detaching("alpha"))
    bench.accepted()
    bench.idle(10)
    bench.see(free())

    assert ending(bench) == []
    assert bench.act(within=1.5).calls == (attach(),)


def test_it_never_lives_over_a_restart():
    """A request that has started nothing is memory, not journal."""
    bench = Bench(attached("alpha"))
    bench.ec2_answers = False
    bench.look()
    ask(bench)
    after = Bench(attached("alpha"), durable=bench.state.durable)

    assert after.idle(30).reason is Reason.HOLDER_UP


def test_an_operator_is_refused_at_once_when_ec2_has_been_silent_for_long():
    """Three observe intervals without an answer: not able, also where the ENI's state is unknown by now."""
    bench = Bench(attached("alpha"))
    bench.ec2_answers = False
    bench.idle(40)
    bench.peek(requests=(takeover_request(deadline=bench.now + 120.0),))

    assert bench.view.unknown
    assert [(one.fate, one.reason) for one in bench.replies] == [(RequestFate.REFUSED, Reason.EC2_SILENT)]


def test_an_operator_is_heard_when_one_answer_of_ec2_is_missing():
    """The next one may come in time: the request waits for it."""
    bench = Bench(attached("alpha"))
    bench.ec2_answers = False
    bench.look(requests=(takeover_request(deadline=bench.now + 120.0),))
    waiting = list(bench.replies)
    bench.ec2_answers = True
    bench.act(within=5)

    assert waiting == []
    assert [one.fate for one in bench.replies] == [RequestFate.STARTED]
