"""A stranger attacks a real daemon while a holder dies: the takeover comes all the same."""

from __future__ import annotations

import pytest

from benchmarks import attacks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.mark.parametrize("script", ["chunks", "silent"])
def test_an_attack_delays_no_takeover(script):
    """One takeover each, quiet and attacked; `make attacks` has the figures of a machine at rest."""
    attack = next(attack for attack in attacks.ATTACKS if attack.script == script)
    result = attacks.play(attack, 1)

    assert result.ratio < 2
    assert result.memory <= attacks.MOST_MEMORY
    assert result.peers_heard
    assert result.answered > 0.9
