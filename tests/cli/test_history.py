"""`history`, from a journal and without a daemon."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import replace

import pytest
from rich.text import Text

from eni_failover.cli.paragraphs import Paragraph, rows
from eni_failover.cli.takeover_lines import takeover_lines
from eni_failover.core.model import History
from eni_failover.core.vocabulary import Phase, Reason, Result, Trigger
from eni_failover.history import Journal, Moment
from eni_failover.status import history_document
from tests.cli.paper import on_paper


def took_over(number: int) -> History:
    return History(
        takeover_id=f"t{number}",
        trigger=Trigger.PROBES,
        reason=Reason.HOLDER_DOWN,
        from_member="alpha",
        to_member="beta",
        started_wall=1_700_000_000.0 + number,
        ended_wall=1_700_000_006.5 + number,
        result=Result.SUCCESS,
        phases=((Phase.DETACH, 3.04), (Phase.ATTACH, 2.0)),
    )


@pytest.fixture
def lines(member) -> list[History]:
    """Three takeovers in the member's journal."""
    lines = [took_over(number) for number in (1, 2, 3)]
    journal = Journal(member.state, group="orders", instance_id="i-0bbbbbbbbbbbbbbb2")
    journal.lock()
    for line in lines:
        asyncio.run(journal.record(line, Moment(now=1.0, wall=1_700_000_010.0)))
    journal.close()
    return lines


def test_history_without_a_daemon(run, member, lines):
    """Each takeover is one block, oldest first, read from the journal: when, who, why, how long."""
    result = run("history", "--config", member.config)
    blocks = result.out.rstrip().split("\n\n")

    assert (result.code, result.err) == (0, "")
    assert [block.splitlines() for block in blocks] == [
        [
            f"success  alpha -> beta, 2023-11-14 22:13:{begun}.5 to 22:13:{begun + 5}.5 UTC",
            "         by probes: holder_down, 5.04 s in all",
            "         detach 3.04 + attach 2.00",
        ]
        for begun in (22, 23, 24)
    ]


PHASES = ((Phase.DETECT, 2.004), (Phase.WAIT, 30.005), (Phase.DETACH, 3.004), (Phase.LINK, 0.004))


@pytest.mark.parametrize("phases", [PHASES, PHASES[:1], ((Phase.WAIT, 4000.0), (Phase.ATTACH, 0.335))])
def test_the_phases_add_up(phases):
    """To what is shown as the whole, and to the time between the clocks: detection is part of it."""
    document = history_document(replace(took_over(1), phases=phases))
    _, whole, spent = takeover_lines(document)
    shown = [float(number) for number in re.findall(r"[0-9.]+", spent)]

    assert f", {sum(shown):.2f} s in all" in whole
    assert sum(shown) == pytest.approx(sum(length for _, length in phases), abs=0.03)


@pytest.mark.parametrize("missing", ["phases", "started_at", "ended_at", "trigger", "detail", "from"])
def test_a_line_of_another_version(missing):
    """What is not there is not shown, and nothing is made up."""
    document = {name: value for name, value in history_document(took_over(1)).items() if name != missing}
    text = "\n".join(takeover_lines(document))

    assert "-> beta" in text
    assert ("6.50 s in all" if missing == "phases" else "5.04 s in all") in text


@pytest.mark.parametrize("columns", [60, 80])
def test_narrow_terminals(columns):
    """No line is longer than the terminal, and no time, length or name is cut."""
    line = replace(took_over(1), phases=tuple((phase, 12.34) for phase in Phase), detail="kernel update")
    shown = on_paper(rows([(Text("success"), Paragraph(*takeover_lines(history_document(line))))]), columns)

    assert max(map(len, shown.splitlines())) <= columns
    for whole in ("2023-11-14 22:12:01.1", "22:13:27.5 UTC", *(f"{phase} 12.34" for phase in Phase)):
        assert whole in shown


def test_the_last_ones(run, member, lines):
    """-n N keeps the N newest."""
    result = run("history", "-n", "2", "--json", "--config", member.config)

    assert [json.loads(line)["id"] for line in result.out.splitlines()] == ["t2", "t3"]


def test_json_lines_are_the_documented_ones(run, member, lines):
    """--json is one history line of the contract for each takeover."""
    result = run("history", "--json", "--config", member.config)

    assert [history_document(line) for line in lines] == [
        json.loads(line) for line in result.out.splitlines()
    ]


def append(member, number: int, *, instance="i-0bbbbbbbbbbbbbbb2", ahead: float = -60.0) -> None:
    """A takeover more, written so many seconds ahead of now by that instance's daemon."""
    journal = Journal(member.state, group="orders", instance_id=instance, boot="another")
    asyncio.run(journal.record(took_over(number), Moment(now=1.0, wall=time.time() + ahead)))
    journal.close()


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_lines_left_out_are_told_on_standard_error(run, member, lines, form):
    """Another machine's, and those from the future: counted, and not among the results."""
    append(member, 4, instance="i-0ccccccccccccccc3")
    append(member, 5, instance="i-0ccccccccccccccc3")
    append(member, 6, ahead=7200.0)
    result = run("history", *form, "--config", member.config)
    left_out = "2 lines of another machine, 1 line from the future"

    assert result.code == 0
    assert f"eni-failover: left out of the journal in {member.state}: {left_out}\n" == result.err
    assert result.out.count("t1" if form else "success") == (1 if form else len(lines))


def test_nothing_but_left_out_lines_is_an_empty_history(run, member):
    """Both are told, exit 0."""
    member.state.mkdir()
    append(member, 1, ahead=7200.0)
    result = run("history", "--json", "--config", member.config)

    assert (result.code, result.out) == (0, "")
    assert f"eni-failover: left out of the journal in {member.state}: 1 line from the future\n" == result.err


@pytest.mark.parametrize("exists", [False, True])
def test_no_takeover_is_no_mistake(run, member, exists):
    """Before the first takeover, and before the first start, the history is empty: exit 0."""
    if exists:
        member.state.mkdir()
    human, machine = (run("history", *more, "--config", member.config) for more in ([], ["--json"]))

    assert (human.code, human.out) == (0, "")
    assert f"eni-failover: no takeover is recorded in {member.state}\n" == human.err
    assert (machine.code, machine.out, machine.err) == (0, "", "")


def test_a_journal_that_cannot_be_read(run, member):
    """A state directory that is a file is told in one line, exit 1."""
    member.state.mkdir()
    (member.state / "journal.jsonl").mkdir()
    result = run("history", "--config", member.config)

    assert (result.code, result.out) == (1, "")
    assert f"eni-failover: the journal in {member.state} cannot be read: Is a directory\n" == result.err
