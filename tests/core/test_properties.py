"""The invariants over generated passes, and over random walks of whole groups."""

import pytest
from hypothesis import HealthCheck, event, given, settings

from eni_failover.core.decide import step
from tests.core.invariants import ALL, Pass
from tests.core.random_walk import Walk
from tests.core.strategies import cases, later

SEEDS = range(8)
STEPS = 40
PAUSES = (0.1, 3.0, 0.1, 0.1)  # a confirming describe, a turn


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(cases())
def test_every_invariant_holds_for_any_state_and_any_observation(case):
    """step raises for none of them, and no decision of the next four passes breaks a promise."""
    state, obs = case.state, case.obs
    for seconds in PAUSES:
        after, decision = step(state, obs, case.policy)
        event(f"{decision.action} {bool(decision.calls)}")
        one = Pass(before=state, obs=obs, policy=case.policy, after=after, decision=decision)
        for invariant in ALL:
            invariant(one)
        state, obs = after, later(obs, seconds)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_walk_harms_nobody_and_ends_with_one_holder(seed):
    """Faults and operators at random: no up holder is taken from, and when they stop the group gets whole."""
    walk = Walk(seed)
    walk.go(STEPS)
    walk.heal()
    wrongs = list(walk.wrongs())
    where = walk.world.where

    assert wrongs == [], f"seed {seed}{walk.world.story()}"
    assert walk.world.whole, f"seed {seed}: {where}{walk.world.story()}"


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_every_invariant_holds_for_the_passes_of_a_random_walk(seed):
    """The states that a group really gets into, one in a few of them."""
    walk = Walk(seed)
    passes: list[Pass] = []
    walk.world.on_pass = passes.append
    walk.go(STEPS)
    walk.heal()

    assert len(passes) > 100
    for one in passes[::7]:
        for invariant in ALL:
            invariant(one)


def test_the_same_seed_tells_the_same_story():
    """A failure can be played again."""
    stories = []
    for _ in range(2):
        walk = Walk(3)
        walk.go(STEPS)
        stories.append(walk.world.trace)

    assert stories[0] == stories[1]
