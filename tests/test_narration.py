"""What has changed is in the log once, with its words."""

from __future__ import annotations

from structlog.testing import capture_logs

from eni_failover.narration import Narration
from tests.core.bench import Bench
from tests.core.builders import attached


def told(narration: Narration, bench: Bench) -> list[dict[str, object]]:
    """The lines of this pass."""
    with capture_logs() as lines:
        narration.published(bench.snapshot(), bench.state)
    return lines


def test_a_verdict_is_told_when_it_changes_and_not_again():
    """With the probed member, what it was, and the probe's own words."""
    bench = Bench(attached("alpha"))
    narration = Narration()
    first, again = told(narration, bench), told(narration, bench)
    bench.says(web="down")
    bench.run(5)
    down = told(narration, bench)

    assert first == [
        {
            "log_level": "info",
            "event": "probe.changed",
            "probe": "web",
            "about": "alpha",
            "detail": "up",
            "was": "unknown",
            "to": "up",
        }
    ]
    assert again == []
    assert [(line["log_level"], line["was"], line["to"]) for line in down] == [("warning", "up", "down")]


def test_another_holder_is_no_change_of_the_verdict_about_the_last_one():
    """A probe that has been turned to a new holder has no verdict yet: nothing to tell."""
    bench = Bench(attached("alpha"), members=3)
    narration = Narration()
    told(narration, bench)
    bench.see(attached("gamma", "att-9"))
    bench.look()
    turned = told(narration, bench)
    bench.idle(5)
    settled = told(narration, bench)

    assert turned == []
    assert [(line["about"], line["was"], line["to"]) for line in settled] == [("gamma", "unknown", "up")]
