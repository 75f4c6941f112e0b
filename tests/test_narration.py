"""What has changed is in the log once, with its words."""

from __future__ import annotations

from dataclasses import replace

from structlog.testing import capture_logs

from eni_failover.core.model import PauseKind, PauseRecord, PauseRequest
from eni_failover.narration import Narration
from tests.core.bench import Bench
from tests.core.builders import EPOCH, attached, peer


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


def test_a_pause_from_the_far_future_is_refused_in_one_line():
    """Not at each pass: one of two clocks is wrong, and stays so. When it is asked anew that is another."""
    bench = Bench(attached("alpha"))
    narration = Narration()
    at = EPOCH + bench.now + 7_200.0
    heard = PauseRecord(kind=PauseKind.PAUSE, at=at, by="root@alpha")
    told(narration, bench)
    bench.peers = (peer("alpha", pause=heard),)
    bench.peek()
    first, again = told(narration, bench), told(narration, bench)
    bench.peers = (peer("alpha", pause=replace(heard, at=at + 1.0)),)
    bench.peek()
    anew = told(narration, bench)

    assert [line["event"] for line in (*first, *again, *anew)] == ["pause.refused"] * 2
    assert first[0]["peer"] == "alpha"
    assert first[0]["log_level"] == "warning"
    assert "7200 s ahead" in first[0]["detail"]


def test_a_pause_is_told_once_though_its_end_is_shown_anew():
    """The host's clock was set: the record is the same."""
    bench = Bench(attached("alpha"))
    narration = Narration()
    told(narration, bench)
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE, duration=60.0, by="op"),))
    first = told(narration, bench)
    moved = replace(bench.state.durable.pause, until=1.0)
    with capture_logs() as lines:
        narration.published(replace(bench.snapshot(), pause=moved), bench.state)

    assert [line["event"] for line in first] == ["pause.changed"]
    assert lines == []
