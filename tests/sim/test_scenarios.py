"""Every scenario tells the story that its file has."""

from __future__ import annotations

import pytest

from tests.sim.scenario_file import parse, paths
from tests.sim.scenario_stage import ScenarioError, perform

HEAD = "# A fact.\n# Pain: a pain.\n\n"


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_the_story_is_the_one_that_was_reviewed(path):
    """The whole trace; `python -m tests.sim.scenario_rewrite` writes it anew, for review as code."""
    written = path.read_text(encoding="utf-8")

    assert written == perform(parse(written)).text()


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_a_scenario_says_what_it_shows_and_whom_it_spares(path):
    """A sentence, and the pain of other systems' users."""
    scenario = parse(path.read_text(encoding="utf-8"))

    assert scenario.sentence.endswith(".")
    assert scenario.pain != ""


def test_a_story_that_differs_is_noticed():
    """A block's story is compared line by line."""
    text = f"{HEAD}world members=2\nrun 3\n----\nsomething else\n"

    assert perform(parse(text)).text() != text


def test_an_expectation_that_fails_is_an_error_whatever_the_file_says():
    """Rewriting does not make it right."""
    with pytest.raises(ScenarioError, match="expected \\['active'\\], found \\['standby'\\]"):
        perform(parse(f"{HEAD}world members=2\nrun 3\nexpect beta active\n"))


def test_an_unknown_command_is_an_error():
    """No line of a scenario is passed over."""
    with pytest.raises(ScenarioError, match="unknown command 'dance'"):
        perform(parse(f"{HEAD}world members=2\ndance\n"))


def test_a_file_comes_out_as_it_went_in():
    """Parsing loses nothing."""
    text = f"{HEAD}world members=2\n----\n     0.000 alpha  starts\n= alpha | alpha ?\n\nrun 3\n----\n= x\n"

    assert parse(text).text() == text
