"""What stands where the configuration should, and who may change it or read what it names."""

import os
import socket
import subprocess
import sys

import pytest

from eni_failover.config import load
from eni_failover.errors import ConfigError
from tests.pair_file import GROUP, MEMBERS

PROBE = """
[[probe]]
name = "web"
type = "http"
url = "https://{{address}}/"
bearer_token_file = "{token}"
client_cert_file = "/etc/cert.pem"
client_key_file = "{key}"
"""


def fifo(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


def bound(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def loop(path):
    path.symlink_to(path)


def huge(path):
    path.touch()
    os.truncate(path, 10 * 1024**3)  # takes no room


@pytest.mark.parametrize(
    ("put", "why"),
    [
        (fifo, "cannot be read: not a regular file"),
        (device, "cannot be read: not a regular file"),
        (bound, "cannot be read: No such device or address"),
        (loop, "cannot be read: Too many levels of symbolic links"),
        (huge, "is larger than 64 KiB, which no configuration is"),
    ],
)
def test_what_is_no_file_is_one_problem_and_no_wait(file, put, why):
    """Opening a FIFO waits for a writer, and a device is never read to its end."""
    put(file)

    with pytest.raises(ConfigError) as caught:
        load(file, {})

    assert caught.value.problems == (f"{file}: {why}",)


@pytest.mark.parametrize("command", [("run",), ("check", "--offline"), ("status",)], ids=" ".join)
def test_no_command_waits_for_a_fifo(file, command):
    """One line, exit 2."""
    os.mkfifo(file)
    done = subprocess.run(
        [sys.executable, "-m", "eni_failover", *command, "--config", str(file)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert done.returncode == 2
    assert f"{file}: cannot be read: not a regular file" in done.stderr


def warned(file, mode, owner=None):
    file.chmod(mode)
    if owner is not None:
        os.chown(file, *owner)
    return [line.removeprefix(f"{file}: ") for line in load(file, {}).warnings]


@pytest.fixture
def written(file):
    """A good file."""
    file.write_text(GROUP + MEMBERS)
    return file


BY_ALL = "may be written by everybody on this host, and names programs that the daemon runs: chmod o-w"


@pytest.mark.parametrize(("mode", "said"), [(0o644, []), (0o600, []), (0o666, [BY_ALL]), (0o646, [BY_ALL])])
def test_a_file_that_everybody_may_write_is_warned_of(written, mode, said):
    """It names what the daemon runs."""
    assert warned(written, mode) == said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_is_warned_of(written):
    """And of another group, as far as that may write it."""
    foreign = "belongs to user 4711, who is neither root nor the user of this process"
    group = "may be written by group 4712, and names programs that the daemon runs: chmod g-w"

    assert warned(written, 0o644, (4711, 0)) == [foreign]
    assert warned(written, 0o664, (0, 4712)) == [group]
    assert warned(written, 0o664, (0, 0)) == []


def test_secrets_that_everybody_may_read_are_warned_of(file, tmp_path):
    """By the key that names them; one that is not there is a matter of the probe."""
    token, key = tmp_path / "token", tmp_path / "key.pem"
    file.write_text(GROUP + MEMBERS + PROBE.format(token=token, key=key))
    absent = load(file, {}).warnings
    for one in (token, key):
        one.write_text("secret")
        one.chmod(0o644)
    told = load(file, {}).warnings
    for one in (token, key):
        one.chmod(0o640)

    text = "may be read by everybody on this host: chmod o="
    line = len((GROUP + MEMBERS).splitlines())
    assert absent == load(file, {}).warnings == ()
    assert told == (
        f"{file}:{line + 6}: probe[0].bearer_token_file: {token} {text}",
        f"{file}:{line + 8}: probe[0].client_key_file: {key} {text}",
    )
