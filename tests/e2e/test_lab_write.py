"""A pair by hand: what the README says and `lab --write` prints is typed here, line by line."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from e2e_harness import wait

from tests.docs.markdown import ROOT, shell_lines

SCRIPTS = Path(sys.executable).parent
SHORT = ["--detach", "300ms", "--attach", "200ms", "--api", "5ms"]
# As in a terminal: what a shell starts with &, such as these tests perhaps, ignores SIGINT.
INTERRUPTIBLE = ["env", "--default-signal=INT"]
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ENI_FAILOVER_"))}

# What the second lab of a directory writes as the first one did.
KEPT = ("alpha.toml", "beta.toml", "alpha.env", "beta.env", "operator.env", "lab.json")
# What the operator waits for when the comment above a status says so: whose status, and what it shows.
LOOKS = [
    ("alpha", r"^member +alpha, active, ready"),
    ("beta", r"^member +beta, standby, ready"),
    ("alpha", r"^member +alpha, standby, ready"),
    ("beta", r"^member +beta, standby, ready", r"^active +alpha, ready"),
]


def command_of_the_readme(directory):
    """The README's words that start the lab, with this directory."""
    (line,) = {line for line in shell_lines(ROOT / "README.md") if "lab --write" in line}
    words = shlex.split(line, comments=True)
    assert words[0] == ".venv/bin/eni-failover"
    return [str(SCRIPTS / "eni-failover"), *words[1:-1], str(directory), *SHORT]


@contextmanager
def group_of(argv, **options):
    """A process with a session of its own, which is gone with all it has started after the block."""
    process = subprocess.Popen(argv, start_new_session=True, env=CLEAN, **options)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


class Lab:
    """Terminal 1: the lab, until Ctrl-C, and what it printed."""

    def __init__(self, stack, directory, *options):
        argv = [*INTERRUPTIBLE, *command_of_the_readme(directory), *options]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.process = stack.enter_context(group_of(argv, **pipes))
        self.said = ""
        while "# Ctrl-C ends it" not in self.said:
            line = self.process.stdout.readline()
            assert line, self.process.stderr.read()
            self.said += line

    def terminals(self):
        """The lines to type, by the name of the terminal."""
        found = re.findall(
            r"^# --- terminal \d+: (?:the )?(\w+)[^\n]*\n(.*?)\n\n", self.said, re.DOTALL | re.MULTILINE
        )
        return {
            name: [line for line in text.splitlines() if not line.startswith("#")] for name, text in found
        }

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate(timeout=20)
        return self.process.returncode, err


class Terminal:
    """A shell in which lines are typed; its screen is a file."""

    def __init__(self, stack, screen):
        self.screen = screen
        output = stack.enter_context(screen.open("wb"))
        self.process = stack.enter_context(
            group_of([*INTERRUPTIBLE, "sh"], stdin=subprocess.PIPE, stdout=output, stderr=output)
        )

    def type(self, lines):
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        self.process.stdin.flush()


def typed(variables, line, within=60):
    """One line of the operator's, to its end."""
    done = subprocess.run(
        ["sh", "-c", f"{variables}\n{line}"],
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
        env=CLEAN,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def until_shown(variables, line, wanted):
    """A line that runs until Ctrl-C, which is pressed when its output has these words."""
    pipes = {"stdout": subprocess.PIPE, "text": True}
    with group_of([*INTERRUPTIBLE, "sh", "-c", f"{variables}\n{line}"], **pipes) as process:
        for shown in process.stdout:
            if re.search(wanted, shown):
                os.killpg(process.pid, signal.SIGINT)
                return
    raise AssertionError(f"not shown: {wanted}")


def answers(url):
    """Whether it answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
            return answer.status == 200
    except OSError:
        return False


def attachments(lab):
    """The attachment ids of the fake EC2 by ENI."""
    url = re.search(r"answers at (\S+) ", lab.said)[1]
    with urllib.request.urlopen(f"{url}/_lab/state", timeout=5) as answer:  # noqa: S310 - loopback
        enis = json.load(answer)["state"]["enis"]
    return {eni_id: eni["attachment"]["id"] for eni_id, eni in enis.items() if eni["attachment"]}


def start(stack, lab, tmp_path):
    """Terminals 2 and 3, until both members are ready; alpha's and beta's status pages."""
    pages = re.findall(r"(http://\S+/) *$", lab.said, re.MULTILINE)
    for name in ("alpha", "beta"):
        terminal = Terminal(stack, tmp_path / f"{name}.screen")
        terminal.type(lab.terminals()[name])
    for page in pages:
        wait(lambda page=page: answers(f"{page}readyz"), f"{page} ready", within=20)
    return pages


def end_services(directory):
    """What a failed test has left of them."""
    for file in directory.glob("*.pid"):
        with suppress(ProcessLookupError):
            os.kill(int(file.read_text()), signal.SIGKILL)


@pytest.mark.slow
def test_the_printed_commands_from_the_first_to_the_last(tmp_path):
    """Both ready, the service killed, beta takes over, alpha takes back, a drill goes there and back."""
    directory = tmp_path / "a pair"  # every name is quoted
    with ExitStack() as stack:
        stack.callback(end_services, directory)
        lab = Lab(stack, directory)
        pages = start(stack, lab, tmp_path)
        variables, *lines = lab.terminals()["operator"]

        assert directory.stat().st_mode & 0o777 == 0o700
        assert len(pages) == 2
        shown = {}
        looks = iter(LOOKS)
        for line in lines:
            if "--watch" in line:
                until_shown(variables, line, r"^member +beta, active")
            elif line.endswith(" status"):
                member, *wanted = next(looks)
                assert f" {member} eni-failover" in line
                wait(
                    lambda line=line, wanted=wanted: all(
                        re.search(one, typed(variables, line), re.MULTILINE) for one in wanted
                    ),
                    f"{line}: {wanted}",
                    within=20,
                )
            else:
                shown[line] = typed(variables, line)

        def output(words):
            (text,) = [text for line, text in shown.items() if words in line]
            return text

        assert "holder_down" in output("history")
        assert "alpha holds orders and is ready" in output("home again")
        assert "success: orders went from alpha to beta and back" in output(" drill ")
        assert next(looks, None) is None
        assert lab.interrupt() == (0, "")


@pytest.mark.slow
def test_a_second_lab_in_the_same_directory(tmp_path):
    """The same addresses, ids and ports: daemons that run go on with it, and no attachment id comes again."""
    directory = tmp_path / "pair"
    with ExitStack() as stack:
        stack.callback(end_services, directory)
        lab = Lab(stack, directory)
        _, beta = start(stack, lab, tmp_path)
        before = attachments(lab)
        files = {name: (directory / name).read_text() for name in KEPT}
        assert lab.interrupt() == (0, "")

        again = Lab(stack, directory)
        assert {name: (directory / name).read_text() for name in KEPT} == files
        assert again.terminals() == lab.terminals()
        assert attachments(again).keys() == before.keys()
        assert not set(attachments(again).values()) & set(before.values())

        variables = again.terminals()["operator"][0]
        said = typed(variables, f"sh {directory}/on beta eni-failover takeover --yes")
        assert "beta holds orders and is ready" in said
        assert answers(f"{beta}active")
