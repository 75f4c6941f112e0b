"""The decision table, row by row: numbered situations, the action and the one word for why."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from eni_failover.core.decide import RULES
from eni_failover.core.model import PauseKind, PauseRequest, Stall
from eni_failover.core.policy import FailbackMode, TakeoverMode
from eni_failover.core.state import Durable, RecentTakeover
from eni_failover.core.vocabulary import Action, Reason, Trigger
from tests.core.bench import Bench
from tests.core.builders import (
    SELF,
    WEB,
    WITNESS,
    attached,
    attaching,
    attempt,
    detaching,
    foreign,
    free,
    missing,
    peer,
    probe,
    takeover_request,
    unknown,
)

Situation = Callable[[], Bench]


def seen(*shapes, **changes) -> Bench:
    """The first look of a daemon that has just been started."""
    bench = Bench(*shapes, settle=False, **changes)
    bench.look()
    return bench


def settled(*shapes, **changes) -> Bench:
    """The same after five quiet seconds."""
    return Bench(*shapes, **changes)


def down(*shapes, local="beta", pause=False, **changes) -> Bench:
    """Settled, then three downs in one pass."""
    bench = Bench(*shapes, local=local, **changes)
    if pause:
        bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE),))
    holder = (
        bench.state.holder_record.instance_id.removeprefix("i-") if bench.state.holder_record else "alpha"
    )
    downs = tuple(attempt("web", "down", about=holder, at=bench.now) for _ in range(3))
    bench.peek(attempts=downs)
    return bench


def asked(*shapes, **changes) -> Bench:
    bench = Bench(*shapes, **changes)
    bench.peek(requests=(takeover_request(deadline=bench.now + 60),))
    return bench


def stopped(*shapes, **changes) -> Bench:
    bench = Bench(*shapes, **changes)
    bench.machine("alpha", "stopped")
    bench.look()
    return bench


def moving(*shapes, after=(), answer: str = "accepted", **changes) -> Bench:
    """Beta's takeover by probes: the first detach answered so, then EC2 shows `after`."""
    bench = down(*shapes, **changes)
    bench.look()
    bench.see(*after or shapes)
    bench.answered(answer)
    bench.look()
    return bench


def again(bench: Bench) -> Bench:
    """A second later EC2 says the same."""
    bench.now += 1
    bench.look()
    return bench


def silent(bench: Bench) -> Bench:
    bench.ec2_answers = False
    bench.look()
    return bench


FULL = {"interface_count": 15}
RECENT = Durable(last_had="i-alpha", past=(RecentTakeover(trigger=Trigger.PROBES, ended_at=999.0),))
THREE = Durable(
    past=tuple(RecentTakeover(trigger=Trigger.PROBES, ended_at=at) for at in (700.0, 800.0, 900.0))
)
OBSERVE = {"takeover": TakeoverMode.OBSERVE}
RECOVERED = {
    "local": "alpha",
    "failback": FailbackMode.AUTOMATIC,
    "failback_delay": 2.0,
    "durable": Durable(last_had="i-beta", lost_at=900.0, unfit_since_loss=True),
    "probes": (WEB, SELF),
}
A, B = attached("alpha"), attached("beta")

WAIT, R = Action.WAIT, Reason

TABLE: list[tuple[str, Situation, Action, Reason]] = [
    # Row 1
    ("#1 nothing has answered yet", lambda: silent(Bench(A, settle=False)), WAIT, R.ENI_UNKNOWN),
    ("#2 describes fail", lambda: silent(settled(A)), WAIT, R.ENI_UNKNOWN),
    ("#3 describes fail while I hold", lambda: silent(settled(B)), WAIT, R.ENI_UNKNOWN),
    ("#4 one of two is unknown", lambda: seen(A, unknown()), WAIT, R.ENI_UNKNOWN),
    ("#5 one of two is absent for the first time", lambda: seen(B, missing()), WAIT, R.ENI_UNKNOWN),
    # Row 2
    ("#6 the only ENI is foreign", lambda: settled(foreign()), WAIT, R.FOREIGN_HOLDER),
    ("#7 the only ENI is missing", lambda: settled(missing()), WAIT, R.ENI_MISSING),
    ("#8 one is foreign, the holder is down", lambda: down(foreign(), A), WAIT, R.FOREIGN_HOLDER),
    (
        "#9 one is missing, the holder is down",
        lambda: down(A, missing()),
        Action.CONFIRM,
        R.HOLDER_DOWN,
    ),
    ("#10 foreign comes before missing", lambda: settled(foreign(), missing()), WAIT, R.FOREIGN_HOLDER),
    # Row 3
    ("#11 all here, links ready", lambda: settled(B, B), Action.HOLD, R.HELD),
    ("#12 all usable here, one foreign", lambda: settled(B, foreign()), Action.HOLD, R.HELD),
    ("#13 all usable here, one missing", lambda: settled(B, missing()), Action.HOLD, R.HELD),
    # Row 4
    ("#14 past the first detach", lambda: moving(A, after=(detaching("alpha"),)), Action.MOVE, R.DETACHING),
    ("#15 past it, available", lambda: moving(A, after=(free(),)), Action.MOVE, R.ATTACHING),
    (
        "#16 past it, another member has it",
        lambda: again(moving(A, after=(attached("alpha", "att-9"),))),
        Action.END,
        R.LOST_TO_ANOTHER,
    ),
    (
        "#17 past it, one describe says that another has it",
        lambda: moving(A, after=(attached("alpha", "att-9"),)),
        Action.MOVE,
        R.ATTACHMENT_GONE,
    ),
    (
        "#18 past it, EC2 is silent",
        lambda: silent(moving(A, after=(detaching("alpha"),))),
        Action.MOVE,
        R.ENI_UNKNOWN,
    ),
    ("#19 past it, foreign", lambda: moving(A, after=(foreign("att-9"),)), Action.END, R.FOREIGN_HOLDER),
    ("#20 unanswered", lambda: moving(A, answer="unanswered"), Action.MOVE, R.ANSWER_PENDING),
    ("#21 refused", lambda: moving(A, answer="denied"), Action.MOVE, R.EC2_REFUSED),
    (
        "#22 refused, and another has it",
        lambda: moving(A, after=(attached("alpha", "att-9"),), answer="busy"),
        Action.END,
        R.CAUSE_GONE,
    ),
    ("#23 refused, and EC2 is silent", lambda: silent(moving(A, answer="busy")), WAIT, R.ENI_UNKNOWN),
    # Row 5
    ("#24 an operator asked", lambda: asked(A), Action.CONFIRM, R.OPERATOR),
    ("#25 asked while another moves", lambda: asked(detaching("alpha")), Action.REFUSE, R.OTHER_TAKEOVER),
    ("#26 asked, one is foreign", lambda: asked(A, foreign()), Action.REFUSE, R.FOREIGN_HOLDER),
    ("#27 asked, one is missing", lambda: asked(A, missing()), Action.CONFIRM, R.OPERATOR),
    ("#28 asked in observe mode", lambda: asked(A, **OBSERVE), Action.CONFIRM, R.OPERATOR),
    # Row 6
    ("#29 on nobody, not yet my turn", lambda: seen(free()), WAIT, R.NOT_MY_TURN),
    ("#30 stuck detaching for 15 s", lambda: waited(seen(detaching("alpha")), 15.5), WAIT, R.NOT_MY_TURN),
    (
        "#31 on nobody, observe mode, in my turn",
        lambda: waited(seen(free(), local="alpha", **OBSERVE), 2.1),
        Action.WOULD_TAKE_OVER,
        R.ENI_UNOWNED,
    ),
    ("#32 on nobody, no slot", lambda: waited(full(free()), 3), WAIT, R.NO_SLOT),
    # Row 7
    ("#33 paused, holder down", lambda: down(A, pause=True), WAIT, R.PAUSED),
    ("#34 in start-up grace, holder down", lambda: down(A, startup_grace=60.0), WAIT, R.STARTUP_GRACE),
    ("#35 a pause comes before the grace", lambda: down(A, pause=True, startup_grace=60.0), WAIT, R.PAUSED),
    # Row 8
    ("#36 split, just seen", lambda: seen(B, A), WAIT, R.MOVING),
    ("#37 split, observe mode", lambda: settled(B, A, **OBSERVE), Action.WOULD_TAKE_OVER, R.GROUP_SPLIT),
    ("#38 split, no slot", lambda: waited(full(B, A), 3), WAIT, R.NO_SLOT),
    # Row 9
    ("#39 EC2 says stopped", lambda: stopped(A), Action.CONFIRM, R.HOLDER_STOPPED),
    ("#40 stopped while it moves", lambda: stopped(detaching("alpha")), WAIT, R.MOVING),
    ("#41 stopped, observe mode", lambda: stopped(A, **OBSERVE), Action.WOULD_TAKE_OVER, R.HOLDER_STOPPED),
    ("#42 stopped, not my turn", lambda: stopped(A, local="gamma", members=3), WAIT, R.NOT_MY_TURN),
    # Row 10
    ("#43 judged down", lambda: down(A), Action.CONFIRM, R.HOLDER_DOWN),
    ("#44 judged down, observe mode", lambda: down(A, **OBSERVE), Action.WOULD_TAKE_OVER, R.HOLDER_DOWN),
    ("#45 judged down, not my turn", lambda: down(A, local="gamma", members=3), WAIT, R.NOT_MY_TURN),
    ("#46 judged down, cooldown", lambda: down(A, durable=RECENT), WAIT, R.COOLDOWN),
    ("#47 judged down, limit", lambda: down(A, durable=THREE), WAIT, R.LIMIT_REACHED),
    (
        "#48 judged down, no witness",
        lambda: down(A, probes=(WEB, replace(WITNESS, rise=99))),
        WAIT,
        R.WITNESSES_DOWN,
    ),
    (
        "#49 judged down, self probe without a verdict",
        lambda: down(A, probes=(WEB, replace(SELF, rise=99))),
        WAIT,
        R.SELF_PROBE_DOWN,
    ),
    ("#50 judged down, just stalled", lambda: stalled(down(A, probes=(probe(fall=1),))), WAIT, R.LOOP_LAG),
    (
        "#51 judged down, another ENI moves",
        lambda: down(A, attaching("alpha"), force_detach_after=None),
        WAIT,
        R.MOVING,
    ),
    ("#52 one of two holder probes down", lambda: down(A, probes=(WEB, probe("ssh"))), WAIT, R.HOLDER_UP),
    # Row 11
    (
        "#53 the primary has recovered, in the delay",
        lambda: settled(B, **{**RECOVERED, "failback_delay": 60.0}),
        WAIT,
        R.FAILBACK_DELAY,
    ),
    (
        "#54 recovered, observe mode",
        lambda: settled(B, **RECOVERED, **OBSERVE),
        Action.WOULD_TAKE_OVER,
        R.PRIMARY_RECOVERED,
    ),
    # Row 12
    ("#55 the holder is up", lambda: settled(A), WAIT, R.HOLDER_UP),
    ("#56 the holder has no verdict yet", lambda: seen(A), WAIT, R.PROBE_UNKNOWN),
    ("#57 there is no holder probe", lambda: settled(A, probes=(SELF,)), WAIT, R.NO_HOLDER_PROBE),
    ("#58 another member moves", lambda: seen(detaching("alpha")), WAIT, R.MOVING),
    ("#59 I am getting it without a takeover of mine", lambda: seen(attaching("beta")), WAIT, R.MOVING),
    (
        "#60 I have the first, and it hangs attaching",
        lambda: waited(seen(attaching("beta")), 20),
        WAIT,
        R.HOLDER_UP,
    ),
    # What is there no more
    ("#61 one is missing, the holder is up", lambda: settled(A, missing()), WAIT, R.ENI_MISSING),
    ("#62 one is foreign, the holder is up", lambda: settled(A, foreign()), WAIT, R.FOREIGN_HOLDER),
    (
        "#63 one has been foreign for a minute, the holder is up",
        lambda: waited(settled(A, foreign()), 60),
        WAIT,
        R.FOREIGN_HOLDER,
    ),
    (
        "#64 one has been foreign for a minute, the holder is down",
        lambda: judged(waited(settled(A, foreign()), 60)),
        Action.CONFIRM,
        R.HOLDER_DOWN,
    ),
    (
        "#65 asked, one has been foreign for a minute",
        lambda: wished(waited(settled(A, foreign()), 60)),
        Action.CONFIRM,
        R.OPERATOR,
    ),
    ("#66 asked, all are missing", lambda: asked(missing()), Action.REFUSE, R.ENI_MISSING),
    (
        "#67 asked, all have been foreign for a minute",
        lambda: wished(waited(settled(foreign()), 60)),
        Action.REFUSE,
        R.FOREIGN_HOLDER,
    ),
    # Evidence
    ("#68 judged down by old downs", lambda: aged(down(A, pause=True)), Action.CONFIRM, R.HOLDER_DOWN),
    # What EC2 refused
    ("#69 judged down, an attach was refused", lambda: barred(down(A)), WAIT, R.ATTACH_REFUSED),
    ("#70 unattached, another is taking", lambda: taking(seen(free())), WAIT, R.OTHER_TAKEOVER),
    (
        "#71 attaching on another for three minutes",
        lambda: waited(seen(attaching("alpha"), probes=()), 181),
        WAIT,
        R.NOT_MY_TURN,
    ),
]


def waited(bench: Bench, seconds: float) -> Bench:
    bench.idle(seconds)
    return bench


def full(*shapes, **changes) -> Bench:
    """Beta's instance has no slot left."""
    bench = Bench(*shapes, settle=False, **changes)
    bench.machine("beta", **FULL)
    return bench


def stalled(bench: Bench) -> Bench:
    """A stall told half a second ago, then a fresh down."""
    bench.peek(stalls=(Stall(from_at=bench.now - 2, to_at=bench.now),))
    bench.now += 0.5
    bench.peek(attempts=(attempt(bench.policy.probes[0], "down", at=bench.now),))
    return bench


def judged(bench: Bench) -> Bench:
    """Three downs in one pass."""
    bench.peek(attempts=tuple(attempt("web", "down", at=bench.now) for _ in range(3)))
    return bench


def wished(bench: Bench) -> Bench:
    """An operator asks now."""
    bench.peek(requests=(takeover_request(deadline=bench.now + 60),))
    return bench


def aged(bench: Bench) -> Bench:
    """Paused until now, and the newest down is three seconds old: none is counted anew."""
    bench.state = replace(bench.state, durable=Durable(last_had="i-alpha"), was_paused=False)
    bench.now += 2.5
    bench.peek()
    bench.look()
    return bench


def barred(bench: Bench) -> Bench:
    """EC2 has refused this member an attach a minute ago."""
    bench.state = replace(bench.state, barred_at=bench.now - 60)
    bench.peek()
    return bench


def taking(bench: Bench) -> Bench:
    """Alpha says that it is at it; by now it would be beta's turn."""
    bench.peers = (peer("alpha", role="taking"),)
    bench.idle(3)
    return bench


@pytest.mark.parametrize(
    ("situation", "action", "reason"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_the_first_matching_row_decides(situation, action, reason):
    """One action and one reason for each situation."""
    decision = situation().decision

    assert (action, reason) == (decision.action, decision.reason)


def test_the_table_is_numbered_without_gaps():
    """A situation can be named by its number."""
    assert [row[0].split()[0] for row in TABLE] == [f"#{number}" for number in range(1, len(TABLE) + 1)]


def test_the_last_rule_always_matches():
    """Row 12: else wait. There is no situation without a decision."""
    bench = settled(A)

    assert RULES[-1](bench.view) is not None
