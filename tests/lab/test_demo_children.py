"""The demo's own processes: what they may not run."""

from __future__ import annotations

from eni_failover.exitcodes import ExitCode
from eni_failover.lab import demo_children
from eni_failover.lab.demo_places import MemberFiles


def test_a_daemon_executes_nothing_of_the_current_directory(monkeypatch, tmp_path):
    """Files there that are named like modules are not run; the daemon is, and misses its file."""
    files = MemberFiles(name="alpha", directory=tmp_path)
    here, mark = tmp_path / "here", tmp_path / "poisoned"
    here.mkdir()
    for name in ("http", "socket", "eni_failover"):
        (here / f"{name}.py").write_text(f"open({str(mark)!r}, 'w').close()\nraise SystemExit(99)\n")
    monkeypatch.chdir(here)
    with demo_children.daemon(files, {}) as child:
        ended = child._process.wait(30)

    assert not mark.exists()
    assert ended == ExitCode.BAD_CONFIG
    assert str(files.config) in demo_children.last_words(files)
