"""Who would take over if the holder died now, by what the members say of themselves."""

import pytest

from eni_failover.core.model import NextHolder, PauseKind, PauseRequest
from eni_failover.core.outage import reasons
from eni_failover.core.policy import TakeoverMode
from eni_failover.core.snapshot import Check
from eni_failover.core.vocabulary import CheckResult
from tests.core.bench import Bench
from tests.core.builders import SELF, WEB, attached, free, peer


def shown(bench: Bench) -> tuple[str | None, str]:
    bench.peek()
    found: NextHolder = bench.snapshot().next_holder
    return found.member, found.reason


def test_a_standby_that_could_take_over_is_next():
    assert shown(Bench(attached("alpha"))) == ("beta", "ready")


def test_a_standby_whose_own_service_is_dead_is_not():
    bench = Bench(attached("alpha"), probes=(WEB, SELF))
    bench.says(disk="down")
    bench.idle(10)

    assert shown(bench) == (None, "self_probe_down")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ready": True}, ("alpha", "ready")),
        ({"ready": False}, (None, "not_ready")),
        ({"ready": False, "reasons": ("attach_denied", "paused")}, (None, "attach_denied")),
        ({"ready": True, "paused": True}, (None, "paused")),
        ({"ready": True, "reasons": ("limit_reached",)}, (None, "limit_reached")),
        ({"ready": True, "reasons": ("subnet_unknown",)}, ("alpha", "ready")),
        ({"ready": True, "reachable": False}, (None, "peer_silent")),
    ],
)
def test_a_holder_asks_the_others(changes, expected):
    """What a member says of itself; one that says nothing could not."""
    bench = Bench(attached("beta"))
    bench.peers = (peer("alpha", **changes),)

    assert shown(bench) == expected


def test_the_first_in_turn_that_could_is_next():
    """With nobody able, the first one's reason is shown."""
    bench = Bench(attached("beta"), members=3)
    bench.peers = (peer("alpha", ready=False, reasons=("no_slot",)), peer("gamma", ready=True))
    assert shown(bench) == ("gamma", "ready")

    bench.peers = (peer("alpha", ready=False, reasons=("no_slot",)), peer("gamma", reachable=False))
    assert shown(bench) == (None, "no_slot")


def test_a_pause_and_observe_mode_leave_nobody():
    bench = Bench(attached("alpha"))
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE),))
    assert shown(bench) == (None, "paused")

    assert shown(Bench(attached("alpha"), takeover=TakeoverMode.OBSERVE)) == (None, "observe")


def test_a_group_of_one_has_nobody():
    assert shown(Bench(attached("alpha"), local="alpha", members=1)) == (None, "no_other_member")


def test_without_a_holder_the_one_that_last_had_it_comes_last():
    bench = Bench(attached("alpha"))
    bench.peers = (peer("alpha", ready=True),)
    bench.idle(2)
    bench.see(free())
    bench.look()

    assert shown(bench) == ("beta", "ready")


def test_reasons_are_one_word_each_and_failures_come_first():
    lines = (
        Check(name="paused", result=CheckResult.WARN, detail="paused"),
        Check(name="slot", result=CheckResult.PASS, detail=""),
        Check(name="self_probes", result=CheckResult.FAIL, detail="self_probe_down app"),
        Check(name="odd", result=CheckResult.FAIL),
    )

    assert reasons(lines) == ("self_probe_down", "odd", "paused")
