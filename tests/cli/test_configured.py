"""Which daemon a file names, also when somebody is editing it."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("command", ["status", "takeover"])
def test_a_file_with_mistakes_still_finds_its_daemon(run, daemon, desk, member, command):
    """A mistake in the file does not hide a running daemon: it is asked, and the mistake is mentioned."""
    member.config.write_text(member.config.read_text().replace("fall = 3", "fall = 0"))
    result = run(command, "--config", member.config)
    line = result.err.splitlines()[0]

    assert result.code != 3
    assert line.startswith(f"eni-failover: {member.config}:23: probe[0].fall: must be 1 or more")
    assert line.endswith("(a mistake in the file; the daemon goes on without them)")


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
