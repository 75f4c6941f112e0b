"""A real daemon that cannot write its journal says so, stays ready, and goes on when it can."""

from __future__ import annotations

import pytest
from e2e_harness import running_group

from eni_failover.journal_file import FILE

pytestmark = pytest.mark.slow


def journal_check(status):
    return next(one for one in status["checks"] if one["name"] == "journal")


def test_an_unwritable_journal_is_seen_and_mended_without_a_restart(tmp_path):
    """A directory stands in its place: a check, a metric and an event, and readiness stays."""
    with running_group(tmp_path) as group:
        beta = group.beta.start()
        beta.until(lambda status: status["ready"], "ready")
        before = (
            journal_check(beta.status())["result"],
            beta.metric("eni_failover_writable", file="journal"),
        )
        journal = beta.state / FILE
        journal.rename(beta.state / "aside")
        journal.mkdir()
        beta.command("pause", "--local", "--for", "10m")
        failing = beta.until(lambda status: journal_check(status)["result"] == "warn", "warned")
        metric, readyz = beta.metric("eni_failover_writable", file="journal"), beta.ask("GET", "/readyz")[0]
        journal.rmdir()
        (beta.state / "aside").rename(journal)
        beta.until(lambda status: journal_check(status)["result"] == "pass", "mended")

        assert before == ("pass", 1.0)
        assert "Is a directory" in journal_check(failing)["detail"]
        assert (failing["ready"], readyz, metric) == (True, 200, 0.0)
        assert beta.metric("eni_failover_writable", file="journal") == 1.0
        assert [line["event"] for line in beta.logs() if line["event"].startswith("journal.")] == [
            "journal.failed",
            "journal.recovered",
        ]
        assert '"kind":"memory"' in journal.read_text()
