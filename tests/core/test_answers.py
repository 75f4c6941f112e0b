"""What probes answered, and what a stall of this process makes of it."""

from dataclasses import replace

from eni_failover.core.model import Stall
from eni_failover.core.words import Answer
from tests.core.bench import Bench
from tests.core.builders import SELF, WEB, WITNESS, attached, attempt, probe


def verdict(bench: Bench, name: str = "web") -> Answer:
    return next(one.verdict for one in bench.state.health if one.probe.name == name)


# Probes --------------------------------------------------------------------------------------------


def test_three_downs_in_one_pass_decide():
    """Answers that come together count one by one."""
    bench = Bench(attached("alpha"))
    bench.peek(attempts=tuple(attempt(answer="down", at=bench.now + number / 10) for number in range(3)))

    assert verdict(bench) is Answer.DOWN


def test_answers_about_another_member_do_not_count():
    """An attempt that was under way when the holder changed is about the old holder."""
    bench = Bench(attached("alpha"))
    bench.peek(attempts=tuple(attempt(answer="down", about="gamma", at=bench.now) for _ in range(3)))

    assert verdict(bench) is Answer.UP


def test_a_new_holder_is_probed_afresh():
    """Nothing that was seen of the old holder is known of the new one."""
    bench = Bench(attached("alpha"), members=3, local="gamma")
    bench.see(attached("beta", "att-9"))
    bench.look()

    assert verdict(bench) is Answer.UNKNOWN


def test_the_holder_probes_no_holder():
    """Alpha holds: its holder probes have no target."""
    bench = Bench(attached("alpha"), local="alpha")

    assert [one.member for one in bench.state.health] == [None]
    assert verdict(bench) is Answer.UNKNOWN


def test_self_and_witness_probes_are_about_this_member():
    """They go on whoever holds."""
    bench = Bench(attached("alpha"), probes=(WEB, SELF, WITNESS))

    assert [one.member.name for one in bench.state.health] == ["alpha", "beta", "beta"]
    assert [one.verdict for one in bench.state.health] == ["up", "up", "up"]


def test_a_probe_that_a_reload_added_begins_with_nothing():
    """And one that it removed is forgotten."""
    bench = Bench(attached("alpha"))
    bench.set_policy(probes=(probe("ssh"),))
    bench.peek()

    assert [(one.probe.name, one.verdict) for one in bench.state.health] == [("ssh", "unknown")]


# Stalls --------------------------------------------------------------------------------------------


def stalled(bench: Bench, seconds: float) -> Stall:
    return Stall(from_at=bench.now - seconds, to_at=bench.now)


def test_a_long_stall_clears_the_downs_seen_so_far():
    """down down STALL down is not down."""
    bench = Bench(attached("alpha"))
    for second in range(2):
        bench.peek(attempts=(attempt(answer="down", at=bench.now + second),))
    bench.peek(stalls=(stalled(bench, 2.0),))
    bench.now += 3
    bench.peek(attempts=(attempt(answer="down", at=bench.now),))

    assert verdict(bench) is Answer.UP


def test_a_stall_within_bounds_clears_nothing():
    """max_loop_lag is 1 s here."""
    bench = Bench(attached("alpha"))
    bench.says(web="down")
    bench.peek(attempts=tuple(attempt(answer="down", at=bench.now) for _ in range(2)))
    bench.peek(stalls=(stalled(bench, 1.0),))
    bench.now += 1
    bench.peek(attempts=(attempt(answer="down", at=bench.now),))

    assert verdict(bench) is Answer.DOWN


def test_a_failure_during_the_stall_does_not_count():
    """It is told together with the stall."""
    bench = Bench(attached("alpha"), probes=(probe(fall=1),))
    bench.peek(stalls=(stalled(bench, 2.0),), attempts=(attempt(answer="down", at=bench.now - 1),))

    assert verdict(bench) is Answer.UP


def test_a_failure_begun_during_the_stall_and_told_later_does_not_count():
    """The attempt's timeout was already running while this process stood still."""
    bench = Bench(attached("alpha"), probes=(probe(fall=1),))
    bench.peek(stalls=(stalled(bench, 2.0),))
    late = replace(attempt(answer="down", at=bench.now + 0.5), started_at=bench.now - 0.4)
    bench.now += 0.6
    bench.peek(attempts=(late,))

    assert verdict(bench) is Answer.UP


def test_a_stall_drops_what_was_to_be_confirmed_and_the_turns():
    """Everything that holds one back begins afresh."""
    bench = Bench(attached("alpha"))
    bench.peek(attempts=tuple(attempt(answer="down", at=bench.now) for _ in range(3)))
    confirming = bench.state.confirm
    bench.peek(stalls=(stalled(bench, 2.0),))

    assert confirming is not None
    assert bench.state.confirm is None
    assert bench.state.turn_probes is None
