"""Carrying a takeover on: which call each ENI needs next."""

from tests.core.bench import Bench
from tests.core.builders import attached, detach, detaching


def detaching_bench(*shapes, **changes) -> Bench:
    """Beta has just sent its first detach, by probes."""
    bench = Bench(*shapes, **changes)
    bench.says(**{one.name: "down" for one in bench.policy.probes if one.scope == "holder"})
    bench.act(within=10)
    return bench


def test_an_unanswered_detach_is_not_sent_again_on_an_old_describe():
    """Only a describe begun when the call can no longer take effect may bring a second detach."""
    bench = detaching_bench(attached("alpha"))
    before = bench.decision.calls
    after = bench.answered("unanswered", after=5.0)

    assert before == (detach(),)
    assert after.calls == ()


def test_force_counts_from_the_detach_that_ec2_took_not_from_one_it_never_saw():
    """A detach lost on the way is no detach: the next one gets its full time before force."""
    bench = detaching_bench(attached("alpha"))
    bench.answered("unanswered", after=5.0)
    again = bench.act(within=20)
    bench.see(detaching("alpha"))
    bench.accepted()

    assert again.calls == (detach(),)
    assert bench.idle(14).reason == "detaching"
    assert bench.act(within=2).calls == (detach(force=True),)


def test_force_does_not_count_throttled_attempts():
    """A throttled detach did nothing, however often it was tried."""
    bench = detaching_bench(attached("alpha"))
    for _ in range(8):
        bench.answered("busy")
        bench.act(within=10)
    bench.see(detaching("alpha"))
    bench.accepted()

    assert bench.idle(14).reason == "detaching"
    assert bench.act(within=2).calls == (detach(force=True),)
