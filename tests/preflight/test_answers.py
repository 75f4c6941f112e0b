"""The checks of who answers now."""

from __future__ import annotations

import pytest

from eni_failover.core.vocabulary import Answer, Scope
from eni_failover.preflight import answers
from tests.preflight.builders import config, facts, peer, probe, said


def asked(*probes):
    return facts(of_host={"probes": probes})


def test_a_holder_probe_that_cannot_be_sent_fails():
    """It decides nothing, and would never see the holder down."""
    check = answers.holder_probes(asked(probe(answer=Answer.UNKNOWN, detail="no route")))

    assert said(check) == ("fail", "web alpha unknown (no route)")


def test_a_holder_that_is_down_is_a_warning():
    """Either it is, or the probe is wrong: a takeover would follow."""
    check = answers.holder_probes(asked(probe(answer=Answer.DOWN, detail="refused")))

    assert said(check) == ("warn", "web alpha down (refused)")


def test_a_holder_probe_that_cannot_be_sent_fails_on_the_holder_too():
    """Nobody is asked now; when this member is the standby, it is too late to find out."""
    absent = probe(about=None, answer=Answer.UNKNOWN, detail="ca_file is not readable", is_runnable=False)
    check = answers.holder_probes(asked(absent, probe(about=None, answer=Answer.UNKNOWN)))

    assert said(check) == ("fail", "web unknown (ca_file is not readable)")


def test_no_holder_probe_is_a_warning():
    """A service that hangs would not be noticed."""
    assert answers.holder_probes(asked()).result == "warn"


def test_the_holder_asks_nobody():
    """On the holder there is no other holder to probe."""
    check = answers.holder_probes(asked(probe(about=None, answer=Answer.UNKNOWN)))

    assert said(check) == ("pass", "not asked: no other member holds")


@pytest.mark.parametrize("answer", [Answer.DOWN, Answer.UNKNOWN])
def test_a_self_probe_that_is_not_up_fails(answer):
    """This member is not fit."""
    check = answers.self_probes(asked(probe(name="disk", scope=Scope.SELF, answer=answer, detail="")))

    assert ("fail", f"disk {answer}") == said(check)


def test_no_witness_that_answers_fails():
    """This host may be the one that is cut off."""
    silent = probe(name="gateway", scope=Scope.WITNESS, answer=Answer.DOWN, detail="")

    assert said(answers.witnesses(asked(silent))) == ("fail", "gateway down")


def test_one_witness_of_two_is_a_warning():
    """One is enough, and the other one is not well."""
    one = probe(name="gateway", scope=Scope.WITNESS, answer=Answer.DOWN, detail="")
    two = probe(name="dns", scope=Scope.WITNESS, detail="")

    assert said(answers.witnesses(asked(one, two))) == ("warn", "gateway down")


def test_a_peer_with_another_configuration_fails():
    """Members that differ start no split and no failback, and may decide differently."""
    mine = config().config_hash
    check = answers.peers(facts(of_host={"peers": (peer(config_hash="0123456789ab"),)}))

    assert ("fail", f"[eni] or [[member]] differ: alpha has 0123456789ab, this file {mine}") == said(check)


def test_a_peer_that_does_not_answer_is_a_warning():
    """Its daemon may not be installed yet."""
    check = answers.peers(facts(of_host={"peers": (peer(reachable=False),)}))

    assert said(check) == ("warn", "no answer from alpha")


def test_peers_of_several_versions_are_a_warning():
    """In the middle of an upgrade."""
    mine = config().config_hash
    others = (peer(config_hash=mine), peer(member="gamma", version="0.2.0", config_hash=mine))

    assert said(answers.peers(facts(of_host={"peers": others}))) == ("warn", "versions differ: 0.1.0, 0.2.0")


@pytest.mark.parametrize(("check", "scope"), [(answers.self_probes, "self"), (answers.witnesses, "witness")])
def test_a_scope_that_nobody_asks_is_a_warning_with_the_line_to_add(check, scope):
    """A group may do without, but knowingly."""
    found = check(asked(probe()))

    assert found.result == "warn"
    assert f'scope = "{scope}"' in found.remedy
