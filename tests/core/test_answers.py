"""What probes answered, and what a stall of this process makes of it."""

from dataclasses import replace

import pytest

from eni_failover.core.model import Stall
from eni_failover.core.policy import ProbePolicy
from eni_failover.core.vocabulary import Answer, Reason
from tests.core.bench import Bench
from tests.core.builders import MEMBERS, SELF, WEB, WITNESS, attached, attempt, probe


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


def fallen(asked: ProbePolicy = WEB) -> Bench:
    """Alpha is down by this probe, and nothing may act on it yet."""
    bench = Bench(attached("alpha"), probes=(asked,), startup_grace=1e9)
    bench.peek(attempts=tuple(attempt(asked, "down", at=bench.now) for _ in range(3)))
    return bench


def other_settings(bench: Bench) -> ProbePolicy:
    return replace(bench.policy.probes[0], settings="another port")


@pytest.mark.parametrize(
    "changes",
    [{"settings": "another port"}, {"timeout": 0.5}, {"fall": 1}, {"interval": 2.0}, {"type": "tcp"}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_probe_that_a_reload_changed_is_another_question(changes):
    """A trial with a wrong port, corrected: its downs were no answers to what is asked now."""
    bench = fallen()
    bench.set_policy(probes=(replace(WEB, **changes),), startup_grace=0.0)
    bench.look()

    assert verdict(bench) is Answer.UNKNOWN
    assert bench.decision.reason is Reason.PROBE_UNKNOWN


def test_answers_to_the_question_from_before_a_reload_do_not_count():
    """They were waiting when it came, or were asked before it."""
    bench = fallen()
    bench.set_policy(probes=(other_settings(bench),), startup_grace=0.0)
    bench.peek(attempts=tuple(attempt(WEB, "down", at=bench.now) for _ in range(3)))

    assert verdict(bench) is Answer.UNKNOWN


def test_a_reload_that_leaves_a_probe_as_it_was_leaves_its_answers():
    """Its rollout is no reason to start over."""
    bench = fallen()
    bench.set_policy(probes=(replace(WEB), SELF), startup_grace=0.0)
    bench.look()

    assert verdict(bench) is Answer.DOWN


def test_a_probe_under_another_name_is_another_probe():
    """Two probes may swap their names, and ask what the other one asked."""
    web, port = replace(WEB, settings="80"), replace(probe("port"), settings="22")
    bench = Bench(attached("alpha"), probes=(web, port), startup_grace=1e9)
    bench.peek(attempts=tuple(attempt(web, "down", at=bench.now) for _ in range(3)))
    bench.set_policy(probes=(replace(web, settings="22"), replace(port, settings="80")))
    bench.peek()

    assert [one.verdict for one in bench.state.health] == [Answer.UNKNOWN] * 2


def test_a_member_that_a_reload_renamed_keeps_its_evidence():
    """Names are for people; the new one is shown."""
    bench = fallen()
    alpha = replace(MEMBERS["alpha"], name="gamma")
    bench.set_policy(members=(alpha, MEMBERS["beta"]), startup_grace=1e9)
    bench.peek()

    assert verdict(bench) is Answer.DOWN
    assert bench.snapshot().probes[0].member == "gamma"


def test_a_member_whose_address_a_reload_changed_is_asked_afresh():
    """Its answers were another address's."""
    bench = fallen()
    alpha = replace(MEMBERS["alpha"], address="10.0.9.9")
    bench.set_policy(members=(alpha, MEMBERS["beta"]), startup_grace=0.0)
    bench.peek(attempts=tuple(attempt(at=bench.now, answer="down") for _ in range(3)))
    before = verdict(bench)
    again = replace(attempt(answer="down", at=bench.now), member=alpha)
    bench.peek(attempts=(again, again, again))

    assert before is Answer.UNKNOWN
    assert verdict(bench) is Answer.DOWN
    assert bench.state.holder_record.instance_id == "i-alpha"


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


@pytest.mark.parametrize(
    ("settings", "seconds", "spoilt"),
    [
        ({}, 0.5, False),
        ({}, 0.6, True),
        ({"timeout": 0.2}, 0.09, False),
        ({"timeout": 0.2}, 0.12, True),
        ({"timeout": 5.0}, 1.0, False),
        ({"timeout": 5.0}, 1.1, True),
    ],
)
def test_a_stall_spoils_what_it_is_too_long_for(settings, seconds, spoilt):
    """Half the probe's timeout, or max_loop_lag, 1 s here: an answer may have come, and nobody was there."""
    asked = probe(**settings)
    bench = Bench(attached("alpha"), probes=(asked,))
    bench.peek(attempts=tuple(attempt(asked, "down", at=bench.now) for _ in range(2)))
    bench.now += seconds
    bench.peek(stalls=(stalled(bench, seconds),))
    bench.now += 0.5
    bench.peek(attempts=(attempt(asked, "down", at=bench.now),))

    assert spoilt is (verdict(bench) is Answer.UP)


def test_a_short_stall_spoils_the_short_probe_alone():
    """Each probe by its own timeout: 0.6 s is nothing to one that waits for five."""
    quick, slow = probe("quick", timeout=0.2), probe("slow", timeout=5.0)
    bench = Bench(attached("alpha"), probes=(quick, slow))
    for asked in (quick, slow):
        bench.peek(attempts=tuple(attempt(asked, "down", at=bench.now) for _ in range(3)))
    bench.peek(stalls=(stalled(bench, 0.6),))

    assert (verdict(bench, "quick"), verdict(bench, "slow")) == (Answer.UNKNOWN, Answer.DOWN)


def test_short_stalls_move_nothing():
    """Stalls of 0.6 s, probe timeout 200 ms: each attempt that they made fail counts for nothing."""
    asked = probe(timeout=0.2, interval=0.1, fast_interval=0.1)
    bench = Bench(attached("alpha"), probes=(asked,))
    for _ in range(20):
        late = replace(attempt(asked, "silent", at=bench.now + 0.6), started_at=bench.now + 0.05)
        bench.now += 0.6
        bench.look(after=0.0, stalls=(stalled(bench, 0.6),), attempts=(late,))
        bench.now += 0.1
        bench.peek()

    assert verdict(bench) is Answer.UNKNOWN
    assert {action for action, _ in bench.seen} == {"wait"}


def test_an_up_during_a_stall_counts():
    """It did come: a living holder is no victim of our own stall."""
    bench = Bench(attached("alpha"), probes=(probe(rise=1),))
    downs = tuple(attempt(bench.policy.probes[0], "down", at=bench.now) for _ in range(3))
    bench.peek(attempts=downs)
    up = attempt(bench.policy.probes[0], "up", at=bench.now - 0.5)
    bench.peek(stalls=(stalled(bench, 2.0),), attempts=(up,))

    assert verdict(bench) is Answer.UP


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
