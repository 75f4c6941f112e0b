"""A hundred storms without a violation, the same story for the same seed, and defects that are found."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import nullcontext
from unittest.mock import patch

import pytest

from eni_failover.core import moves, triggers
from eni_failover.history import Journal
from eni_failover.hooks import HookRunner
from eni_failover.lag import LoopLag
from tests.other_process import told
from tests.sim import sim_world, simulation
from tests.sim.scenario_file import FOLDER, parse
from tests.sim.scenario_stage import ScenarioError, perform
from tests.sim.sim_audit import KNOWN
from tests.sim.simulation_run import Result, simulate

SEEDS = 100


def result(seed: int = 7, **changes: object) -> Result:
    """What a seed came to."""
    values = {
        "seed": seed,
        "seconds": 8640.0,
        "moves": 3,
        "takeovers": Counter({("probes", "success"): 2}),
        "faults": Counter(service_down=2),
        "violations": (),
        "tolerated": Counter(),
        "digest": "",
        "story": "one\ntwo",
    }
    return Result(**{**values, **changes})


@pytest.mark.timeout(300)  # of processor time it takes a tenth, but it may have to share
@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS // 4))
def test_a_hundred_storms_break_no_invariant(first):
    """Whatever goes wrong, nothing happens that must not, and in the end one member holds everything."""
    lived = map(simulate, range(first, first + SEEDS // 4))
    wrong = [simulation.failure(one, days=None) for one in lived if one.violations]

    assert "\n".join(wrong) == ""


def test_calm_life_breaks_no_invariant():
    """Some hours of one group, with a fault about every ten minutes."""
    one = simulate(1, days=0.1)

    assert one.violations == ()
    assert one.seconds >= 0.1 * 86_400


def test_the_same_seed_tells_the_same_story():
    """Byte for byte, also in another process with other hashes of strings."""
    program = "from tests.sim.simulation_run import simulate; print(simulate(4).digest)"
    digests = [simulate(4).digest, simulate(4).digest]

    assert digests == [told(program)] * 2


def test_another_seed_tells_another_story():
    """Else the digest would say nothing."""
    assert simulate(4).digest != simulate(5).digest


def test_an_answer_that_is_remembered_is_the_one_that_would_be_made():
    """The story is the same when each answer of EC2 is made anew."""
    remembered = simulate(4).digest
    with patch.object(sim_world, "remembering", nullcontext):
        assert simulate(4).digest == remembered


def found(*, invariant: str, seeds: range) -> bool:
    """Whether one of these seeds finds that this invariant is broken."""
    return any(line.startswith(invariant) for seed in seeds for line in simulate(seed).violations)


def test_a_member_that_does_not_wait_for_the_lock_is_found():
    """Defect: other ENIs are taken before the first."""
    with patch.object(moves, "_lock_here", lambda *_: True):
        assert found(invariant="the_lock_goes_first", seeds=range(30))


def test_a_member_that_gives_no_grace_is_found():
    """Defect: a holder that nobody has seen up yet is judged down at once."""
    with patch.object(triggers, "unproven_until", lambda _: 0.0):
        assert found(invariant="an_unproven_holder_has_its_grace", seeds=range(13, 60))


def test_a_member_that_writes_nothing_down_is_found():
    """Defect: the first call is made before the takeover is in the journal."""

    async def forget(*_: object) -> None:
        """Nothing is written, and no problem is told."""

    with patch.object(Journal, "remember", forget):
        assert found(invariant="the_intent_is_on_disk", seeds=range(10))


@pytest.mark.parametrize(
    ("rule", "invariant", "first"),
    [
        ("limit_until", "the_limit_holds", 42),
        ("cooldown_until", "a_takeover_is_followed_by_rest", 554),
        ("why_not_fit", "who_is_unfit_takes_nothing", 44),
    ],
)
def test_a_member_that_nothing_holds_back_is_found(rule, invariant, first):
    """Defect: what keeps a member from taking over never does. `first` is the seed where it shows."""
    with patch.object(triggers, rule, lambda _: None if rule == "why_not_fit" else 0.0):
        assert found(invariant=invariant, seeds=range(first, first + 100))


def test_a_member_that_trusts_what_it_saw_while_it_stalled_is_found():
    """Defect: stalls of the watcher are not told. After a long one the downs are too old to act on anyway."""
    text = (FOLDER / "watcher_stalls.txt").read_text(encoding="utf-8")
    scenario = parse(text.replace("freeze beta 10", "freeze beta 1.2"))

    with patch.object(LoopLag, "stalls", lambda _: ()), pytest.raises(ScenarioError):
        perform(scenario)


def test_an_exception_in_a_daemon_is_found():
    """Defect: a part of the daemon fails."""
    with patch.object(Journal, "record", side_effect=ZeroDivisionError):
        assert found(invariant="nothing_escapes_a_daemon", seeds=range(10))


def test_a_loop_that_spins_is_found():
    """Defect: a wait that ends at once, again and again."""

    async def spin(_: object) -> None:
        while True:  # noqa: ASYNC110 - the defect
            await asyncio.sleep(0)

    with patch.object(HookRunner, "run", spin):
        assert found(invariant="time_goes_on", seeds=range(1))


# The command line ----------------------------------------------------------------------------------


def test_a_failing_seed_prints_how_to_see_it_again():
    """The invariant, the command and the story."""
    text = simulation.failure(result(violations=("a: b",)), days=0.5)

    assert "  a: b\n" in text
    assert "replay: python -m tests.sim.simulation --first 7 --seeds 1 --days 0.5 --trace\n" in text
    assert text.endswith("one\ntwo\n")


def test_a_violation_is_an_exit_status(capsys, monkeypatch):
    """1, and 0 without one; what is known and tolerated is printed loudly."""
    monkeypatch.setitem(KNOWN, "it_rains", "as it does")
    tolerated = Counter(it_rains=2)
    monkeypatch.setattr(simulation, "simulate", lambda seed, **_: result(seed, tolerated=tolerated))
    good = simulation.main(["--seeds", "2"])
    printed = capsys.readouterr().out
    monkeypatch.setattr(simulation, "simulate", lambda seed, **_: result(seed, violations=("a: b",)))
    bad = simulation.main(["--seeds", "1"])

    assert (good, bad) == (0, 1)
    assert "simulated: 0.200 days in 2 seeds" in printed
    assert "takeovers: 4, ENIs attached: 6\n  probes success: 4\n" in printed
    assert printed.endswith("KNOWN AND TOLERATED, it_rains: 4 (as it does)\nviolations: 0\n")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_no_seed_begins_after_the_time_that_was_given(capsys, jobs):
    """The figures are those of the seeds that were run."""
    simulation.main(["--seeds", "200", "--seconds", "0", "--jobs", jobs])

    assert " days in 1 seeds, " in capsys.readouterr().out


def test_the_whole_story_is_printed_when_asked_for(capsys):
    """Line by line, from the start."""
    simulation.main(["--seeds", "1", "--first", "3", "--trace"])

    assert capsys.readouterr().out.startswith("     0.000 alpha  starts\n")
