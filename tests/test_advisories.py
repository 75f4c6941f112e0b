"""The check of known advisories: what it finds in a lock, what it lets pass, and the list itself."""

import datetime as dt
import tomllib

import pytest
from packaging.specifiers import SpecifierSet

from tests.advisories import LOCKS, ROOT, main, pins, report

TODAY = dt.date(2026, 12, 1)
FOUND = {
    "id": "PYSEC-1",
    "package": "Some_Thing",
    "affected": ">=1,<1.4",
    "what": "Bad.",
    "source": "https://x",
}
CLEAN = dict.fromkeys(LOCKS, "some-thing==1.4.0 \\\n    --hash=sha256:0\n")
OLD = CLEAN | {"requirements-dev.lock": "other==1\nsome-thing==1.3.9 \\\n"}


def known(*advisories, on=TODAY):
    return {"looked_up_on": on, "looked_up": ["some-thing"], "advisory": list(advisories)}


def test_an_affected_version_in_any_lock_without_a_verdict_fails():
    """However its name is written."""
    lines, unjudged = report(known(FOUND), OLD, TODAY)

    assert unjudged
    assert lines[1] == "requirements-dev.lock: Some_Thing 1.3.9: PYSEC-1: Bad. NO VERDICT (https://x)"
    assert report(known(FOUND), CLEAN, TODAY)[1] is False


def test_a_verdict_lets_it_pass_and_is_shown():
    """Why it stays is written where it is found."""
    lines, unjudged = report(known({**FOUND, "verdict": "not called here"}), OLD, TODAY)

    assert not unjudged
    assert "Stays: not called here" in lines[1]


@pytest.mark.parametrize(("days", "warned"), [(90, False), (91, True)])
def test_an_old_list_is_a_warning_and_no_failure(days, warned):
    """An old checkout does not fail by the clock."""
    lines, unjudged = report(known(on=TODAY - dt.timedelta(days=days)), CLEAN, TODAY)

    assert lines[0].endswith(f"{days} days ago")
    assert any(line.startswith("WARNING") for line in lines) is warned
    assert not unjudged


def test_what_was_not_looked_up_is_said():
    """No list knows all."""
    lines, _ = report(known(), CLEAN | {LOCKS[0]: "other==1\n"}, TODAY)

    assert lines[-1] == "not looked up: other"


def test_the_list_is_whole_and_no_locked_version_is_on_it_unjudged():
    """This is what fails when a lock or the list changes."""
    written = tomllib.loads((ROOT / "advisories.toml").read_text())
    locked = pins((ROOT / "requirements.lock").read_text())

    for advisory in written["advisory"]:
        assert SpecifierSet(advisory["affected"])
        assert advisory["source"].startswith("https://")
        assert {"id", "package", "affected", "what", "source"} <= set(advisory) <= {*FOUND, "verdict"}
        assert advisory["package"] in written["looked_up"]
    assert set(written["looked_up"]) <= set(locked)
    assert main() == 0
