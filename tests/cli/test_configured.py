"""Which daemon a file names, also when somebody is editing it."""

from __future__ import annotations

import pytest

from eni_failover.cli import configured
from eni_failover.core.vocabulary import Role


@pytest.mark.parametrize("command", ["status", "takeover"])
def test_a_file_with_mistakes_still_finds_its_daemon(run, daemon, desk, member, command):
    """A mistake in the file does not hide a running daemon: it is asked, and the mistake is mentioned."""
    member.config.write_text(member.config.read_text().replace("fall = 3", "fall = 0"))
    result = run(command, "--config", member.config)
    line = result.err.splitlines()[0]

    assert result.code != 3
    assert line.startswith(f"eni-failover: {member.config}:23: probe[0].fall: must be 1 or more")
    assert line.endswith("(a mistake in the file; the daemon goes on with the file it had)")


def test_several_mistakes_are_counted(run, daemon, member):
    """Of many mistakes the first is shown and the others are counted: `check` lists them."""
    text = member.config.read_text().replace("fall = 3", "fall = 0").replace('"2s"', '"2"')
    member.config.write_text(text)
    result = run("status", "--config", member.config)

    assert result.code == 0
    assert result.err.count("\n") == 1
    assert "(and 1 more mistake in the file" in result.err


def test_the_default_socket_of_a_file_with_mistakes(run, member):
    """Where the socket is not written it is the group's default, in a file with mistakes too."""
    text = member.config.read_text().replace("fall = 3", "fall = 0").replace("socket =", "# socket =")
    member.config.write_text(text.replace('"orders"', '"no-such-group"'))
    result = run("status", "--config", member.config)

    assert result.code == 3
    assert "no daemon answers at /run/eni-failover/no-such-group.sock" in result.err


@pytest.mark.parametrize("text", ["group = ", "", "group = 3\n", "[control]\nsocket = 3\n", "control = 1\n"])
def test_a_file_that_says_nothing_is_2(run, member, text):
    """A file that is no TOML, or names no group, names no daemon: exit 2 with its mistakes."""
    member.config.write_text(text)
    result = run("status", "--config", member.config)

    assert (result.code, result.out) == (2, "")
    assert str(member.config) in result.err


@pytest.fixture
def moved_on(member, desk, serve):
    """A daemon serves the member's file, in which another socket has been written since."""
    serve(desk, member.socket, config=member.config)
    member.config.write_text(member.config.read_text().replace("orders.sock", "other.sock"))
    return member


def test_a_file_with_another_socket_still_finds_its_daemon(run, moved_on):
    """Until the restart the daemon listens where it did: it is asked there, and that is mentioned."""
    result = run("status", "--config", moved_on.config)

    assert result.code == 0
    assert result.err == (
        f"eni-failover: {moved_on.config}: the daemon that runs it listens at {moved_on.socket} until it is "
        f"restarted, not at {moved_on.socket.with_name('other.sock')}\n"
    )


def test_a_reload_of_another_socket_is_the_daemons_to_refuse(run, moved_on, desk):
    """A changed socket, or the group it is named by, is refused with 2, it does not hide the daemon."""
    desk.problems = ("orders.toml: control.socket: changing it needs a restart",)
    result = run("reload", "--config", moved_on.config)

    assert (result.code, desk.orders) == (2, ["reload"])
    assert result.err.splitlines()[0] == f"eni-failover: {desk.problems[0]}"


def test_another_files_daemon_is_left_alone(run, moved_on, desk, tmp_path):
    """A file with the same wish that no daemon runs finds none."""
    copy = tmp_path / "copy.toml"
    copy.write_text(moved_on.config.read_text())
    result = run("reload", "--config", copy)

    assert (result.code, desk.orders) == (3, [])
    assert "no daemon answers at" in result.err


@pytest.mark.parametrize(("role", "code"), [(Role.ACTIVE, 0), (Role.STANDBY, 1)])
def test_is_active_prints_nothing_of_a_mistake(*, run, daemon, desk, member, standby, role, code):
    """The status is the whole answer: a script's log has no line of it each time somebody edits."""
    desk.script = [standby(role=role)]
    member.config.write_text(member.config.read_text().replace("fall = 3", "fall = 0"))
    result = run("status", "--is-active", "--config", member.config)

    assert (result.code, result.out, result.err) == (code, "", "")


def test_is_active_without_a_daemon_keeps_its_line(run, member):
    """Exit 3 says why, the mistake is not the reason."""
    member.config.write_text(member.config.read_text().replace("fall = 3", "fall = 0"))
    result = run("status", "--is-active", "--config", member.config)

    assert (result.code, result.out) == (3, "")
    assert result.err.startswith("eni-failover: no daemon answers at ")
    assert result.err.count("\n") == 1


@pytest.fixture
def broken_off(member):
    """Somebody is in the middle of a line of the member's file."""
    member.config.write_text(member.config.read_text() + "[log\n")
    return member


@pytest.mark.parametrize("command", ["status", "pause", "takeover"])
def test_a_file_that_is_no_toml_still_finds_its_daemon(run, daemon, broken_off, command):
    """The line that names the socket still does, and the mistake is mentioned."""
    result = run(command, "--config", broken_off.config)

    assert result.code not in {2, 3}
    assert result.err.startswith(f"eni-failover: {broken_off.config}:30: not valid TOML: ")
    first = result.err.splitlines()[0]
    assert first.endswith("(a mistake in the file; the daemon goes on with the file it had)")


@pytest.mark.parametrize("line", ["control.socket = '{}'\n", '  socket="{}" # here\n'])
def test_the_spellings_of_a_socket_in_a_file_that_is_no_toml(run, daemon, member, line):
    """A line is read as TOML would read it."""
    member.config.write_text(line.format(member.socket) + "group = \n")

    assert run("status", "--config", member.config).code == 0


def test_the_default_socket_of_a_file_that_is_no_toml(run, member, monkeypatch, daemon):
    """The group before the first table names it; what another table calls a group does not."""
    monkeypatch.setattr(configured, "_DEFAULT_SOCKET", member.socket.with_name("<group>.sock"))
    member.config.write_text('# group = "no"\ngroup = "orders"\n[log\ngroup = "other"\n')

    assert run("status", "--config", member.config).code == 0


@pytest.mark.parametrize("text", ['group = "orders\n', "", "group = 3\n", "\xff\xfe"])
def test_a_file_that_names_no_socket_finds_the_daemon_that_runs_it(
    *, run, serve, desk, member, monkeypatch, text
):
    """The daemons at the usual place are asked which file they run."""
    monkeypatch.setattr(configured, "_DEFAULT_SOCKET", member.socket.with_name("<group>.sock"))
    serve(desk, member.socket, config=member.config)
    member.config.write_bytes(text.encode("latin-1"))
    result = run("status", "--config", member.config)

    assert result.code == 0
    assert result.err.count("\n") == 1
    assert "the daemon goes on with the file it had" in result.err


def test_a_file_that_is_no_toml_and_has_no_daemon_is_2(run, broken_off):
    """Nobody answers for it, so its mistakes are what there is to say."""
    result = run("status", "--config", broken_off.config)

    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"eni-failover: {broken_off.config}:30: not valid TOML: ")


def test_a_file_that_cannot_be_read_is_2(run, daemon, member):
    """It could be any daemon's."""
    member.config.unlink()
    result = run("status", "--config", member.config)

    assert (result.code, result.out) == (2, "")
    assert result.err == f"eni-failover: {member.config}: cannot be read: No such file or directory\n"


def test_a_reload_of_a_file_that_is_no_toml_is_the_daemons_to_refuse(run, daemon, desk, broken_off):
    """It lists what is wrong: 2, and nothing is mentioned twice."""
    desk.problems = ("orders.toml:33: not valid TOML",)
    result = run("reload", "--config", broken_off.config)

    assert (result.code, desk.orders) == (2, ["reload"])
    assert result.err.splitlines()[0] == "eni-failover: orders.toml:33: not valid TOML"
