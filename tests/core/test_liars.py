"""Whatever answers at a member's address says of itself: nobody's ENI stays without a holder for it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eni_failover.core.model import PauseKind, PauseRecord, PauseRequest, PeerEni
from eni_failover.core.state import Durable
from eni_failover.core.view import RESCUE_AFTER
from eni_failover.core.vocabulary import Role, Trigger
from tests.core.bench import Bench
from tests.core.builders import EPOCH, attach, attached, detach, free, peer

words = st.sampled_from([*Role, "", "boss"])
triggers = st.sampled_from([*Trigger, "", "fate"])


def lies(name: str):
    """Everything but a pause, which members obey."""
    return st.builds(
        peer,
        st.just(name),
        reachable=st.booleans(),
        role=words,
        version=st.sampled_from(["", "99"]),
        config_hash=st.sampled_from(["", "same", "another"]),
        enis=st.sampled_from([(), (PeerEni(eni_id="eni-1", attachment_id="eni-attach-9"),)]),
        paused=st.booleans(),
        takeover_trigger=triggers,
        last_takeover_trigger=triggers,
        last_takeover_ended_wall=st.sampled_from([None, 0.0, EPOCH + 1e9]),
    )


@pytest.mark.parametrize("role", [*Role, "boss"])
def test_a_liar_in_whatever_role_keeps_the_eni_without_a_holder_for_a_minute_at_most(role):
    """For ever `taking`, above all."""
    bench = Bench(attached("alpha"), durable=Durable(last_had="i-alpha"))
    bench.peers = (peer("alpha", role=role),)
    bench.see(free())
    bench.look()
    began = bench.now
    bench.act(within=RESCUE_AFTER + 5.0)

    assert bench.decision.calls == (attach(),)
    assert bench.now - began <= (RESCUE_AFTER + 0.5 if role == Role.TAKING else 2.5)


@settings(max_examples=25, deadline=None)
@given(lies("alpha"), lies("gamma"))
def test_no_lie_delays_the_takeover_from_a_dead_holder(holder, other):
    """It rests on this member's own probes and on EC2."""
    honest, deceived = (Bench(attached("alpha"), members=3) for _ in range(2))
    deceived.peers = (holder, other)
    for bench in (honest, deceived):
        bench.says(web="down")
        bench.act(within=30)

    assert deceived.decision.calls == honest.decision.calls == (detach(),)
    assert deceived.now == pytest.approx(honest.now, abs=0.01)


@settings(max_examples=25, deadline=None)
@given(lies("alpha"), lies("gamma"))
def test_no_lie_takes_from_a_healthy_holder(holder, other):
    """Nor brings anything here."""
    bench = Bench(attached("alpha"), members=3)
    bench.peers = (holder, other)
    bench.idle(90)

    assert bench.decision.calls == ()
    assert bench.takeover is None


def test_a_pause_that_a_liar_gives_ends_with_the_operators_resume():
    """However often it is said again; a new one is a new one, and is told with its author."""
    bench = Bench(attached("alpha"))
    wall = EPOCH + bench.now
    forged = PauseRecord(kind=PauseKind.PAUSE, at=wall + 3_500.0, ends_at=bench.now + 600.0, by="root")
    bench.peers = (peer("alpha", pause=forged),)
    bench.peek()
    held = bench.view.is_paused
    bench.peek(requests=(PauseRequest(kind=PauseKind.RESUME, by="op"),))
    for _ in range(20):
        bench.peers = (peer("alpha", pause=replace(forged, ends_at=bench.now + 600.0)),)
        bench.idle(2.0)

    assert held
    assert not bench.view.is_paused
