"""The role of each pass, and the snapshot that everything outside the loop sees."""

from dataclasses import replace

import pytest

from eni_failover.core.model import PauseKind, PauseRequest
from eni_failover.core.snapshot import EniLine, ProbeLine
from eni_failover.core.words import Answer, CheckResult, Phase, Reason, Role, Scope, Trigger
from tests.core.bench import Bench
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
    takeover_request,
    unknown,
)

# Roles ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "role"),
    [
        ([attached("beta")], Role.ACTIVE),
        ([attached("alpha")], Role.STANDBY),
        ([attaching("beta")], Role.STANDBY),
        ([detaching("beta")], Role.STANDBY),
        ([free()], Role.STANDBY),
        ([attached("beta"), attached("alpha")], Role.STANDBY),
        ([attached("beta"), attached("beta")], Role.ACTIVE),
        ([attached("beta"), foreign()], Role.ACTIVE),
        ([foreign()], Role.STANDBY),
    ],
)
def test_the_holder_of_everything_is_active_and_all_others_stand_by(shapes, role):
    """Links are ready here; foreign ENIs are left out."""
    bench = Bench(*shapes, settle=False)
    bench.look()

    assert role is bench.role


def holding(**link) -> Bench:
    """Beta holds and serves; the kernel's link is watched."""
    bench = Bench(attached("beta"), settle=False)
    bench.link(present=True)
    bench.idle(5)
    bench.link(**{"present": True, **link})
    return bench


def lose_link(bench: Bench) -> None:
    """The kernel takes the link away, now."""
    bench.link(present=False, lost_at=bench.now)


def test_a_link_that_the_kernel_took_makes_a_standby_at_once():
    """Without any call to EC2: the last describe still says attached here."""
    bench = holding()
    lose_link(bench)
    bench.peek()

    assert bench.role is Role.STANDBY


def test_a_describe_begun_after_the_loss_is_asked_for_at_once():
    """Only it can tell a lost ENI from a broken link."""
    bench = holding()
    lose_link(bench)
    bench.peek()

    assert bench.decision.describe_at == bench.now


def test_a_describe_begun_before_the_loss_makes_no_fault():
    """It was under way when the kernel spoke."""
    bench = holding()
    bench.link(present=False, lost_at=bench.now + 0.02)
    bench.look()

    assert bench.role is Role.STANDBY


def test_a_describe_begun_after_the_loss_that_says_attached_makes_a_fault():
    """EC2 still sees the ENI here, and no packet gets through."""
    bench = holding()
    lose_link(bench)
    bench.look()

    assert bench.role is Role.FAULT


def test_a_describe_after_the_loss_that_says_gone_leaves_a_standby():
    """The ENI was taken: an ordinary end of holding."""
    bench = holding()
    lose_link(bench)
    bench.peek()
    bench.see(attached("alpha", "att-9"))
    bench.look()

    assert bench.role is Role.STANDBY


def test_a_link_that_comes_back_makes_active_again():
    """A flapping driver: fault, then active."""
    bench = holding()
    lose_link(bench)
    bench.look()
    bench.link(present=True)
    bench.look()

    assert bench.role is Role.ACTIVE


def test_during_an_outage_the_kernel_can_take_the_role_away():
    """No describe answers, the link is gone: standby."""
    bench = holding()
    bench.ec2_answers = False
    lose_link(bench)
    bench.look()

    assert bench.role is Role.STANDBY


@pytest.mark.parametrize("holder", ["alpha", "beta"])
def test_an_api_outage_alone_changes_no_role(holder):
    """Unknown is neither lost nor held."""
    bench = Bench(attached(holder))
    before = bench.role
    bench.ec2_answers = False
    bench.idle(60)

    assert bench.role is before


def test_a_fault_stays_a_fault_during_an_outage():
    """Fault and standby differ for the hooks: an outage does not turn one into the other."""
    bench = holding()
    lose_link(bench)
    bench.look()
    bench.ec2_answers = False
    bench.look()

    assert bench.role is Role.FAULT


def test_an_outage_gives_no_role():
    """A standby whose link is ready becomes active only by EC2's word."""
    bench = Bench(attached("alpha"))
    bench.link(present=True)
    bench.ec2_answers = False
    bench.look()

    assert bench.role is Role.STANDBY


def test_a_holder_that_was_active_stays_active_while_its_link_is_repaired():
    """A missing rule is put back in seconds: no hook runs for it."""
    bench = holding(missing=("rule",))
    bench.idle(50)

    assert bench.role is Role.ACTIVE


def test_a_link_not_ready_for_a_minute_is_a_fault():
    """60 s is the bound of every link."""
    bench = holding(missing=("rule",))
    bench.idle(62)

    assert bench.role is Role.FAULT


def test_a_restarted_holder_whose_link_is_not_ready_is_no_active():
    """Attached is not ready."""
    bench = Bench(attached("beta"), settle=False)
    bench.link(present=True, missing=("address",))
    bench.idle(5)

    assert bench.role is Role.STANDBY


def test_a_group_that_comes_back_gets_its_minute_for_the_link():
    """What was not ready long ago, before the ENI went, does not count."""
    bench = holding(missing=("rule",))
    bench.idle(30)
    bench.see(attached("alpha", "att-8"))
    bench.look()
    bench.idle(40)
    bench.see(attached("beta", "att-9"))
    bench.look()

    assert bench.role is Role.STANDBY


def taking() -> Bench:
    """Beta's takeover by probes is past its first detach."""
    bench = Bench(attached("alpha"))
    bench.link(present=False)
    bench.says(web="down")
    bench.act(within=10)
    bench.see(detaching("alpha"))
    bench.accepted()
    return bench


def test_a_takeover_under_way_is_taking():
    """From its intent to its end."""
    bench = taking()

    assert bench.role is Role.TAKING


def test_a_takeover_is_taking_until_the_link_is_ready():
    """`attached` is not `active`."""
    bench = taking()
    bench.see(attached("beta", "att-9"))
    bench.look()
    waiting = bench.role
    bench.link(present=True)
    bench.peek()

    assert waiting is Role.TAKING
    assert bench.role is Role.ACTIVE


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
    ],
)
def test_an_eni_line_shows_ec2s_word_and_who_has_it(shape, status, member):
    """With the attachment by which it is had."""
    bench = Bench(shape, settle=False)
    bench.look()
    line = bench.snapshot().enis[0]

    assert (line.status, line.member, line.attachment_id) == (status, member, "att-1")


def test_an_eni_on_nobody_is_dated():
    """`eni_unowned_since_timestamp_seconds` counts from the first describe that showed it so."""
    bench = Bench(attached("alpha"))
    bench.see(free())
    bench.look()
    seen = EPOCH + bench.view.obs.enis.began_at
    bench.now += 1
    bench.look()

    assert bench.snapshot().enis[0].unowned_since_wall == pytest.approx(seen)


def test_an_eni_on_somebody_has_no_such_date():
    """0 when owned."""
    assert Bench(attached("alpha")).snapshot().enis[0].unowned_since_wall is None


def test_what_is_not_known_or_not_there_is_said_so():
    """The first answer without the ENI is unknown; the second, 2 s later, makes it missing."""
    bench = Bench(attached("alpha"), missing(), settle=False)
    bench.look()
    first = bench.snapshot().enis[1]
    bench.idle(3)

    assert first == EniLine(eni_id="eni-2", status="unknown", member="unknown")
    assert bench.snapshot().enis[1] == EniLine(eni_id="eni-2", status="missing", member="none")


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


def test_a_takeover_is_shown_with_its_trigger_and_phase():
    """`null` in /status while there is none."""
    quiet = Bench(attached("alpha")).snapshot().takeover
    bench = taking()
    line = bench.snapshot().takeover

    assert quiet is None
    assert (line.trigger, line.phase, line.reason) == (Trigger.PROBES, Phase.DETACH, Reason.HOLDER_DOWN)
    assert line.takeover_id == bench.takeover.takeover_id


def test_a_pause_is_shown_with_its_record():
    """The group's record is what peers adopt, the local one is this member's own."""
    bench = Bench(attached("alpha"))
    bench.peek(requests=(PauseRequest(kind=PauseKind.PAUSE, local=True),))
    shown = bench.snapshot()

    assert shown.paused is True
    assert shown.pause is None
    assert shown.local_pause == bench.state.durable.local_pause


def test_a_request_alone_shows_no_takeover():
    """It is confirmed by one more describe first."""
    bench = Bench(attached("alpha"))
    bench.peek(requests=(takeover_request(deadline=bench.now + 60),))

    assert bench.snapshot().takeover is None


def test_probes_that_a_reload_removed_are_not_shown():
    """Between the reload and the next pass nothing else is shown either."""
    bench = Bench(attached("alpha"), probes=(WEB, SELF))
    bench.view = replace(bench.view, policy=replace(bench.policy, probes=(WEB,)))

    assert [one.name for one in bench.snapshot().probes] == ["web"]
