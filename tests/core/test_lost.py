"""Losing the group: when, by whom, and whether it is forgiven (row 11)."""

from eni_failover.core.state import Durable
from tests.core.bench import Bench
from tests.core.builders import SELF, WEB, attached, attaching, detaching, free, peer

# Lost ----------------------------------------------------------------------------------------------


def test_losing_the_first_eni_is_dated_when_another_member_has_it():
    """Not while it is on nobody: it may come back here."""
    bench = Bench(attached("alpha"), local="alpha")
    bench.see(free())
    bench.look()
    on_nobody = bench.state.durable.lost_at
    bench.see(attaching("beta", "att-9"))
    bench.look()

    assert on_nobody is None
    assert bench.state.durable.lost_at == bench.now
    assert bench.state.durable.lost_unseen is False


def test_a_loss_found_at_the_start_was_not_seen():
    """The daemon was down when it happened: row 11 asks the holder how it came."""
    bench = Bench(attached("beta"), local="alpha", durable=Durable(last_had="i-alpha"), settle=False)
    bench.look()

    assert bench.state.durable.lost_unseen is True


def test_having_it_again_clears_the_loss():
    """What is held is not lost."""
    lost = Durable(last_had="i-beta", lost_at=1.0, unfit_since_loss=True, lost_unseen=True)
    bench = Bench(attached("alpha"), local="alpha", durable=lost)

    assert bench.state.durable == Durable(last_had="i-alpha", lock="eni-1")


def test_a_second_change_among_others_keeps_the_date_of_the_loss():
    """Beta, then gamma: alpha lost it once."""
    bench = Bench(attached("alpha"), local="alpha", members=3)
    bench.see(attached("beta", "att-8"))
    bench.look()
    lost_at = bench.state.durable.lost_at
    bench.idle(5)
    bench.see(attached("gamma", "att-9"))
    bench.look()

    assert bench.state.durable.lost_at == lost_at
    assert bench.state.durable.last_had == "i-gamma"


def test_an_unfit_member_is_excused_when_it_loses():
    """Its self probe was down: the primary may take back once it has recovered."""
    bench = Bench(attached("alpha"), local="alpha", probes=(WEB, SELF))
    bench.says(disk="down")
    bench.idle(5)
    bench.see(attached("beta", "att-9"))
    bench.look()

    assert bench.state.durable.unfit_since_loss is True


def test_a_member_that_becomes_unfit_after_the_loss_is_excused_too():
    """Row 11: unfit when or since I lost it."""
    bench = Bench(attached("alpha"), local="alpha", probes=(WEB, SELF))
    bench.see(attached("beta", "att-9"))
    bench.look()
    fit = bench.state.durable.unfit_since_loss
    bench.says(disk="down")
    bench.idle(5)

    assert fit is False
    assert bench.state.durable.unfit_since_loss is True


def test_a_member_that_never_had_it_is_not_excused():
    """Row 11 is for what was lost."""
    bench = Bench(attached("alpha"), probes=(WEB, SELF))
    bench.says(disk="down")
    bench.idle(5)

    assert bench.state.durable.unfit_since_loss is False


# A failback that fails -----------------------------------------------------------------------------


def failed_back(**changes) -> Bench:
    """Alpha took the group back 60 s ago."""
    return Bench(
        attached("alpha"), local="alpha", durable=Durable(last_had="i-alpha", failback_at=940.0), **changes
    )


def test_a_takeover_soon_after_a_failback_blocks_the_next_one():
    """Else a broken but fit primary takes back, fails, takes back."""
    bench = failed_back()
    bench.see(attached("beta", "att-9"))
    bench.look()

    assert bench.state.durable.failback_blocked is True


def test_an_operators_takeover_after_a_failback_blocks_nothing():
    """Beta says that it was asked to."""
    bench = failed_back()
    bench.peers = (peer("beta", takeover_trigger="manual"),)
    bench.see(attached("beta", "att-9"))
    bench.look()

    assert bench.state.durable.failback_blocked is False


def test_what_beta_is_doing_counts_and_not_what_it_did_last_week():
    """A takeover by probes is under way there; its last one was an operator's."""
    bench = failed_back()
    bench.peers = (peer("beta", takeover_trigger="probes", last_takeover_trigger="manual"),)
    bench.see(attached("beta", "att-9"))
    bench.look()

    assert bench.state.durable.failback_blocked is True


def test_a_takeover_long_after_a_failback_blocks_nothing():
    """The window is max_takeovers_window."""
    bench = failed_back(max_takeovers_window=30.0)
    bench.see(attached("beta", "att-9"))
    bench.look()

    assert bench.state.durable.failback_blocked is False


def test_a_member_that_is_unfit_only_while_the_eni_is_on_its_way_is_excused():
    """Between its loss and another's attach: row 11 says when or since."""
    bench = Bench(attached("alpha"), local="alpha", probes=(WEB, SELF))
    bench.see(detaching("alpha"))
    bench.look()
    bench.says(disk="down")
    bench.idle(4)
    bench.says(disk="up")
    bench.idle(4)
    bench.see(attached("beta", "att-9"))
    bench.look()

    assert bench.state.durable.unfit_since_loss is True


def test_a_member_that_was_unfit_while_it_held_and_has_recovered_is_not_excused():
    """What was over before the loss explains nothing."""
    bench = Bench(attached("alpha"), local="alpha", probes=(WEB, SELF))
    bench.says(disk="down")
    bench.idle(5)
    bench.says(disk="up")
    bench.idle(5)
    bench.see(attached("beta", "att-9"))
    bench.look()

    assert bench.state.durable.unfit_since_loss is False
