"""The role of each pass, and the snapshot that everything outside the loop sees."""

from dataclasses import replace

import pytest

from eni_failover.core.model import PauseKind, PauseRequest
from eni_failover.core.publish import snapshot
from eni_failover.core.snapshot import DecisionLine, EniLine, ProbeLine
from eni_failover.core.takeover import end_takeover
from eni_failover.core.vocabulary import Action, Answer, CheckResult, Phase, Reason, Result, Scope, Trigger
from tests.core.bench import Bench, taking
from tests.core.builders import (
    EPOCH,
    SELF,
    WEB,
    attached,
    attaching,
    detaching,
    foreign,
    free,
    missing,
    peer,
    takeover_request,
    unknown,
)

# The snapshot --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "holder"),
    [
        ([attached("alpha")], "alpha"),
        ([attaching("beta")], "beta"),
        ([detaching("alpha")], "none"),
        ([free()], "none"),
        ([foreign()], "foreign"),
        ([unknown()], "unknown"),
        ([foreign(), attached("alpha")], "alpha"),
        ([attached("alpha"), unknown()], "alpha"),
        ([unknown(), attached("alpha")], "unknown"),
        ([free(), unknown()], "none"),
        ([foreign(), free()], "none"),
    ],
)
def test_the_holder_is_whoever_has_the_first_eni(shapes, holder):
    """One word: a member, none, foreign, or unknown when the lock is not known."""
    bench = Bench(*shapes, settle=False)
    bench.look()

    assert holder == bench.snapshot().holder


@pytest.mark.parametrize(
    ("shape", "status", "member"),
    [
        (attached("alpha"), "attached", "alpha"),
        (attaching("beta"), "attaching", "beta"),
        (detaching("alpha"), "detaching", "none"),
        (foreign(), "attached", "foreign"),
        (free(), "available", "none"),
    ],
)
def test_an_eni_line_shows_ec2s_word_and_who_has_it(shape, status, member):
    """With the attachment by which it is had."""
    bench = Bench(shape, settle=False)
    bench.look()
    line = bench.snapshot().enis[0]

    assert (line.status, line.member) == (status, member)
    assert line.attachment_id == ("att-1" if shape.attachment else None)


def test_an_eni_on_nobody_is_dated():
    """`eni_unowned_since_timestamp_seconds` counts from the first describe that showed it so."""
    bench = Bench(attached("alpha"))
    bench.see(free())
    bench.look()
    seen = EPOCH + bench.view.obs.enis.began_at
    bench.now += 1
    bench.look()

    assert bench.snapshot().enis[0].unowned_since_wall == pytest.approx(seen, rel=0, abs=0.001)


def test_an_eni_on_somebody_has_no_such_date():
    """0 when owned."""
    assert Bench(attached("alpha")).snapshot().enis[0].unowned_since_wall is None


def test_what_is_not_known_or_not_there_is_said_so():
    """The first answer without the ENI is unknown; the second, 2 s later, makes it missing."""
    bench = Bench(attached("alpha"), missing(), settle=False)
    bench.look()
    first = bench.snapshot().enis[1]
    bench.idle(3)

    second = bench.snapshot().enis[1]

    assert first == EniLine(eni_id="eni-2", status="unknown", member="unknown")
    assert replace(second, unowned_since_wall=None) == EniLine(
        eni_id="eni-2", status="missing", member="none"
    )
    assert second.unowned_since_wall is not None


def test_the_probe_lines_show_the_verdicts():
    """After rise and fall, with the count behind them."""
    bench = Bench(attached("alpha"), probes=(WEB, SELF))
    bench.says(web="down")
    bench.idle(2)

    assert bench.snapshot().probes == (
        ProbeLine(
            name="web", scope=Scope.HOLDER, member="alpha", state=Answer.UP, consecutive=2, detail="down"
        ),
        ProbeLine(name="disk", scope=Scope.SELF, member="beta", state=Answer.UP, consecutive=7, detail="up"),
    )


def test_a_probe_without_a_target_is_about_none():
    """The holder does not probe itself as the holder."""
    bench = Bench(attached("beta"))

    assert [(one.member, one.state) for one in bench.snapshot().probes] == [("none", Answer.UNKNOWN)]


def test_the_snapshot_says_who_it_is_and_what_was_decided():
    """Version, group, member, instance, configuration, decision."""
    bench = Bench(attached("alpha"))
    shown = bench.snapshot()

    assert (shown.version, shown.group, shown.member, shown.instance_id) == (
        "1.2.3",
        "orders",
        "beta",
        "i-beta",
    )
    assert (shown.config_hash, shown.role, shown.decision.reason) == ("same", "standby", Reason.HOLDER_UP)
    assert shown.at_wall == EPOCH + bench.view.now


def test_the_addresses_are_those_of_all_enis():
    """Hooks get them, IPv4 and IPv6."""
    bench = Bench(
        attached("alpha", addresses=("10.0.0.9", "10.0.0.10"), ipv6_addresses=("fd00::9",)),
        attached("alpha", addresses=("10.0.0.11",)),
    )

    assert bench.snapshot().addresses == ("10.0.0.9", "10.0.0.10", "fd00::9", "10.0.0.11")


def unowned_since(bench: Bench) -> float | None:
    wall = bench.snapshot().enis[0].unowned_since_wall
    return None if wall is None else wall - EPOCH


def test_an_eni_is_on_nobody_from_its_detach_to_its_attach():
    """One outage, one beginning: detaching, then free, then attaching elsewhere."""
    bench = Bench(attached("alpha"), members=4, local="gamma")
    owned = unowned_since(bench)
    bench.see(detaching("alpha"))
    bench.look()
    began_at = bench.view.obs.enis.began_at
    detached = unowned_since(bench)
    bench.see(free())
    bench.idle(1)
    still = unowned_since(bench)
    bench.see(attaching("beta", "att-9"))
    bench.look()

    assert (owned, unowned_since(bench)) == (None, None)
    assert detached == pytest.approx(began_at)
    assert still == pytest.approx(began_at)


def test_an_eni_that_does_not_exist_is_on_nobody():
    """The alert for that is the same."""
    bench = Bench(attached("alpha"))
    bench.see(missing())
    bench.look()
    began_at = bench.view.obs.enis.began_at
    bench.idle(5)

    assert bench.snapshot().enis[0].status == "missing"
    assert unowned_since(bench) == pytest.approx(began_at)


def test_a_standby_that_could_take_over_is_ready():
    """No check fails."""
    assert Bench(attached("alpha")).snapshot().ready is True


def test_a_standby_that_could_not_is_not_ready():
    """Its instance has no room."""
    bench = Bench(attached("alpha"))
    bench.machine("beta", interface_count=15)
    bench.look()

    assert bench.snapshot().ready is False


def test_the_active_member_is_ready_whatever_its_checks_say():
    """It serves: /readyz is 200."""
    bench = Bench(attached("beta"), probes=(SELF,))
    bench.says(disk="down")
    bench.idle(5)
    shown = bench.snapshot()

    assert shown.ready is True
    assert [one.name for one in shown.checks if one.result is CheckResult.FAIL] == ["self_probes"]


def test_an_active_member_whose_link_is_not_ready_does_not_serve():
    """Its role has a minute, so that no hook runs for a repair; who asks meanwhile is told the truth."""
    bench = Bench(attached("beta"), settle=False)
    bench.link(present=True)
    bench.idle(5)
    before = bench.snapshot()
    bench.link(present=True, missing=("answer",))
    bench.idle(2)
    shown = bench.snapshot()

    assert (before.role, before.serves, before.ready) == ("active", True, True)
    assert (shown.role, shown.serves, shown.ready) == ("active", False, False)
    assert [one.name for one in shown.checks if one.result is CheckResult.FAIL] == ["links"]


def test_an_outage_of_ec2_does_not_end_serving():
    """The link is what counts: an ENI whose state is unknown is left alone."""
    bench = Bench(attached("beta"), settle=False)
    bench.idle(5)
    bench.see(unknown())
    bench.look()

    assert bench.snapshot().serves is True


def test_a_takeover_is_shown_with_its_trigger_and_phase():
    """`null` in /status while there is none."""
    quiet = Bench(attached("alpha")).snapshot().takeover
    bench = taking()
    line = bench.snapshot().takeover

    assert quiet is None
    assert (line.trigger, line.phase, line.reason) == (Trigger.PROBES, Phase.DETACH, Reason.HOLDER_DOWN)
    assert line.takeover_id == bench.takeover.takeover_id


def test_an_operators_words_are_shown_with_the_takeover():
    """Why it was asked for, as it was written."""
    bench = Bench(attached("alpha"))
    asked = replace(takeover_request(deadline=bench.now + 60), reason="kernel update")
    bench.look(requests=(asked,))
    bench.look()

    assert bench.snapshot().takeover.detail == "kernel update"


def test_a_pause_is_shown_with_its_record():
    """The group's record is what peers adopt, the local one is this member's own."""
    bench = Bench(attached("alpha"))
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE, local=True),))
    shown = bench.snapshot()

    assert shown.paused is True
    assert shown.pause is None
    assert shown.local_pause == bench.state.durable.local_pause


def test_the_groups_pause_is_shown_for_the_peers_to_adopt():
    """In force or not: a resume travels the same way."""
    bench = Bench(attached("alpha"))
    bench.peek(requests=(PauseRequest(kind=PauseKind.RESUME),))
    shown = bench.snapshot()

    assert shown.paused is False
    assert shown.pause == bench.state.durable.pause
    assert shown.pause is not None


def test_the_peers_and_the_last_takeover_are_shown():
    """What the loop and the peers' /status have said."""
    bench = Bench(attached("alpha"))
    bench.peers = (peer("alpha"),)
    bench.peek()
    over = taking().view
    ended = end_takeover(over, over.takeover, Result.LOST, Reason.LOST_TO_ANOTHER)[1].ended
    line = DecisionLine(action=Action.WAIT, reason=Reason.HOLDER_UP, at_wall=0.0)

    assert bench.snapshot().peers == (peer("alpha"),)
    assert snapshot(bench.view, version="1", last=line, takeovers=(ended,)).last_takeover is ended


def test_a_request_alone_shows_no_takeover():
    """It is confirmed by one more describe first."""
    bench = Bench(attached("alpha"))
    bench.peek(requests=(takeover_request(deadline=bench.now + 60),))

    assert bench.snapshot().takeover is None
