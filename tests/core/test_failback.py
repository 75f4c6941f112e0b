"""Row 11: the primary has recovered, and takes the group back where it is told to."""

from dataclasses import replace

import pytest

from eni_failover.core.model import PauseKind, PauseRequest, TypeLimits
from eni_failover.core.policy import FailbackMode, TakeoverMode
from eni_failover.core.state import Durable, RecentTakeover
from eni_failover.core.vocabulary import Reason, Trigger
from tests.core.bench import Bench
from tests.core.builders import (
    LOCAL,
    SELF,
    WEB,
    WITNESS,
    attached,
    attaching,
    attempt,
    detach,
    detaching,
    peer,
)

LOST = Durable(last_had="i-beta", last_up="att-1", lost_at=900.0, unfit_since_loss=True)
AUTOMATIC = {"failback": FailbackMode.AUTOMATIC, "failback_delay": 30.0}


def recovering(*shapes, durable=LOST, local="alpha", probes=(WEB, SELF), **changes) -> Bench:
    """Alpha, the primary, lost the group to beta while it was unfit, and has just been started."""
    bench = Bench(
        *(shapes or (attached("beta"),)),
        local=local,
        durable=durable,
        probes=probes,
        **{**AUTOMATIC, **changes},
        settle=False,
    )
    bench.peers = (peer("beta"),)
    return bench


def test_the_primary_takes_back_when_it_has_been_fit_for_the_delay():
    """failback_delay counts from its becoming fit."""
    bench = recovering()
    held_back = bench.idle(25)
    fit_at = bench.state.fit_since
    bench.act(within=10)

    assert held_back.reason is Reason.FAILBACK_DELAY
    assert bench.decision.calls == (detach(),)
    assert (bench.takeover.trigger, bench.takeover.reason) == (Trigger.FAILBACK, Reason.PRIMARY_RECOVERED)
    assert 30.0 <= bench.now - fit_at < 30.5


def test_every_break_of_fitness_starts_the_delay_over():
    """A self probe that flaps keeps the group where it is."""
    bench = recovering()
    bench.idle(20)
    bench.peek(attempts=tuple(attempt("disk", "down", about="alpha", at=bench.now) for _ in range(3)))
    bench.idle(2)
    again = bench.state.fit_since
    bench.act(within=40)

    assert bench.now - again >= 30.0


def test_a_change_of_holder_starts_the_delay_over():
    """The later of the two counts."""
    bench = recovering(members=3)
    bench.idle(20)
    bench.see(attached("gamma", "att-9"))
    bench.look()
    changed = bench.now
    bench.act(within=60)

    assert bench.now - changed >= 30.0
    assert bench.decision.calls == (detach(1, "att-9"),)


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("failback is manual", {"failback": FailbackMode.MANUAL}),
        ("beta is not the primary", {"local": "beta"}),
        ("it lost nothing", {"durable": Durable(last_had="i-beta")}),
        ("it was fit when it lost, and since", {"durable": replace(LOST, unfit_since_loss=False)}),
    ],
)
def test_without_a_cause_nothing_happens(why, changes):
    """Each of these alone is enough."""
    shapes = (attached("alpha"),) if changes.get("local") == "beta" else ()
    bench = recovering(*shapes, **changes)

    assert bench.idle(90).reason is Reason.HOLDER_UP


@pytest.mark.parametrize("trigger", ["probes", "ec2", ""])
def test_a_loss_while_the_daemon_was_down_is_forgiven_unless_an_operator_wanted_it(trigger):
    """The holder says how it came."""
    bench = recovering(durable=Durable(last_had="i-beta", lost_at=900.0, lost_unseen=True))
    bench.peers = (peer("beta", last_takeover_trigger=trigger),)

    assert bench.act(within=45).calls == (detach(),)


def test_an_operators_takeover_while_the_daemon_was_down_is_not_undone():
    """The holder says manual."""
    bench = recovering(durable=Durable(last_had="i-beta", lost_at=900.0, lost_unseen=True))
    bench.peers = (peer("beta", last_takeover_trigger="manual"),)

    assert bench.idle(120).reason is Reason.HOLDER_UP


def test_while_the_holder_cannot_be_asked_an_unseen_loss_is_not_forgiven():
    """In doubt the group stays."""
    bench = recovering(durable=Durable(last_had="i-beta", lost_at=900.0, lost_unseen=True))
    bench.peers = (peer("beta", reachable=False),)

    assert bench.idle(120).reason is Reason.HOLDER_UP


def test_an_operators_takeover_is_not_undone():
    """Alpha was fit when it lost, and has been since."""
    bench = Bench(attached("alpha"), local="alpha", probes=(WEB, SELF), **AUTOMATIC)
    bench.peers = (peer("beta", takeover_trigger="manual"),)
    bench.see(detaching("alpha"))
    bench.idle(3)
    bench.see(attaching("beta", "att-9"))
    bench.idle(2)
    bench.see(attached("beta", "att-9"))

    assert bench.idle(200).reason is Reason.HOLDER_UP


def test_a_full_primary_that_lost_to_an_operator_does_not_take_back():
    """The slot and the index of the ENI that has just left were never missing."""
    bench = Bench(
        attached("alpha"), local="alpha", probes=(WEB, SELF), device_index=1, settle=False, **AUTOMATIC
    )
    bench.local = replace(LOCAL, limits=TypeLimits(interfaces=2))
    bench.machine("alpha", eni_indexes=(("eni-0", 0), ("eni-1", 1)))
    bench.idle(5)
    bench.see(detaching("alpha"))
    bench.idle(3)
    bench.machine("alpha")
    bench.see(attached("beta", "att-9"))

    assert bench.idle(200).reason is Reason.HOLDER_UP


@pytest.mark.parametrize("silent", ["enis", "instances"])
@pytest.mark.parametrize("when", ["before the loss", "after the loss"])
def test_ec2s_silence_does_not_excuse(silent, when):
    """Forty seconds without an answer are no being unfit: an operator's takeover stays."""
    bench = Bench(attached("alpha"), local="alpha", probes=(WEB, SELF), **AUTOMATIC)
    bench.peers = (peer("beta", takeover_trigger="manual"),)

    def outage() -> None:
        bench.ec2_answers, bench.instances_answer = silent != "enis", silent != "instances"
        bench.idle(40)
        bench.ec2_answers = bench.instances_answer = True

    if when == "before the loss":
        outage()
    bench.see(attached("beta", "att-9"))
    bench.idle(20)
    if when == "after the loss":
        outage()

    assert bench.idle(200).reason is Reason.HOLDER_UP
    assert bench.state.durable.unfit_since_loss is False


def test_a_primary_that_could_not_attach_it_is_excused():
    """EC2 refused it in earnest: it was no choice of an operator's."""
    bench = recovering(durable=replace(LOST, unfit_since_loss=False))
    bench.idle(5)
    bench.state = replace(bench.state, barred_at=bench.now)
    bench.peek()

    assert bench.state.durable.unfit_since_loss is True
    assert bench.idle(60).reason is Reason.ATTACH_REFUSED


def test_a_full_host_since_the_loss_excuses_too():
    """It could not have held it."""
    bench = recovering(durable=replace(LOST, unfit_since_loss=False))
    bench.machine("alpha", interface_count=15)
    bench.idle(25)
    full = bench.decision.reason
    bench.machine("alpha")

    assert full is Reason.NO_SLOT
    assert bench.act(within=80).calls == (detach(),)


# What holds it back --------------------------------------------------------------------------------


def test_it_needs_a_fit_primary():
    """Its self probe is down."""
    bench = recovering()
    bench.says(disk="down")

    assert bench.idle(90).reason is Reason.SELF_PROBE_DOWN


def test_it_needs_a_witness_up():
    """As for row 10."""
    bench = recovering(probes=(WEB, SELF, WITNESS))
    bench.says(gateway="down")

    assert bench.idle(90).reason is Reason.WITNESSES_DOWN


def test_it_waits_for_the_cooldown():
    """60 s after the last automatic takeover of mine."""
    bench = recovering(durable=replace(LOST, past=(RecentTakeover(trigger=Trigger.PROBES, ended_at=995.0),)))
    held_back = bench.idle(54)

    assert held_back.reason is Reason.COOLDOWN
    assert bench.act(within=5).calls == (detach(),)


def test_it_counts_towards_the_limit():
    """Three failbacks within the hour."""
    past = tuple(RecentTakeover(trigger=Trigger.FAILBACK, ended_at=at) for at in (500.0, 600.0, 700.0))
    bench = recovering(durable=replace(LOST, past=past))

    assert bench.idle(120).reason is Reason.LIMIT_REACHED


def test_a_failback_that_failed_soon_blocks_the_next():
    """Until a manual takeover or a resume."""
    bench = recovering(durable=replace(LOST, failback_blocked=True))
    held_back = bench.idle(120)
    bench.peek(requests=(PauseRequest(kind=PauseKind.RESUME),))

    assert held_back.reason is Reason.LIMIT_REACHED
    assert bench.act(within=5).calls == (detach(),)


def test_peers_with_another_configuration_stop_it():
    """As for row 8."""
    bench = recovering()
    bench.peers = (peer("beta", config_hash="other"),)

    assert bench.idle(90).reason is Reason.PEERS_DIFFER


def test_nothing_starts_while_something_moves():
    """Beta's second ENI is on its way."""
    bench = recovering(attached("beta"), attaching("beta"), force_detach_after=None)
    bench.idle(3)

    assert bench.idle(50).reason is Reason.MOVING


def test_a_pause_stops_it():
    """Row 7 comes first."""
    bench = recovering()
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE),))

    assert bench.idle(90).reason is Reason.PAUSED


def test_observe_reports_it_once():
    """And leaves the group where it is."""
    bench = recovering(takeover=TakeoverMode.OBSERVE)
    bench.idle(120)

    assert bench.would == [Trigger.FAILBACK]


def test_it_takes_from_a_holder_that_is_up():
    """That is its purpose: the holder's probes have no say."""
    bench = recovering()
    bench.says(web="up")

    assert bench.act(within=45).calls == (detach(),)


def test_it_is_not_needed_when_the_primary_holds():
    """Nothing to take back."""
    bench = Bench(attached("alpha"), local="alpha", durable=LOST, probes=(WEB, SELF), **AUTOMATIC)

    assert bench.idle(90).reason is Reason.HELD


def test_it_waits_for_a_holder():
    """An ENI on nobody is row 6's."""
    bench = recovering(detaching("beta"), failback_delay=0.0)

    assert bench.idle(10).reason is Reason.MOVING


def test_a_row_10_cause_comes_first():
    """The holder is down: that is the reason, not the failback."""
    bench = recovering()
    bench.says(web="down")
    bench.act(within=10)

    assert bench.takeover.trigger is Trigger.PROBES


def test_when_both_are_due_in_one_pass_it_is_row_10():
    """A cooldown has held both back."""
    just_taken = replace(LOST, past=(RecentTakeover(trigger=Trigger.PROBES, ended_at=990.0),))
    bench = recovering(durable=just_taken, failback_delay=1.0)
    bench.says(web="down")
    bench.act(within=60)

    assert bench.takeover.trigger is Trigger.PROBES


def test_a_restart_before_the_types_limits_are_known_undoes_no_operators_takeover():
    """Two ENIs; DescribeInstanceTypes answers after DescribeInstances, or never."""
    lost = Durable(last_had="i-beta", lost_at=900.0)
    bench = Bench(
        attached("beta"),
        attached("beta"),
        local="alpha",
        probes=(WEB, SELF),
        failback=FailbackMode.AUTOMATIC,
        durable=lost,
        settle=False,
    )
    bench.local = replace(LOCAL, limits=TypeLimits())
    bench.run(1)
    bench.local = LOCAL

    assert bench.idle(400).calls == ()
    assert not bench.state.durable.unfit_since_loss
