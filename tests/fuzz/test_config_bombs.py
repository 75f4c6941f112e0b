"""Small files that cost much: each is read, or refused, within bounds on time and memory of the process."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pair_file import GROUP

pytestmark = pytest.mark.slow  # each is a process of its own

LARGEST = 64 * 1024
SECONDS, BYTES = 10, 1024**3  # far above what any file needs: a bound against running away, no measurement

PROBE = f'{GROUP}[[probe]]\nname = "w"\ntype = "http"\nurl = "http://h"\n'
LOAD = """
import sys
from pathlib import Path
from eni_failover.config import load
from eni_failover.errors import ConfigError
try:
    load(Path(sys.argv[1]), {})
except ConfigError as error:
    print(len(error.problems), all(one.startswith(sys.argv[1] + ":") for one in error.problems))
"""


def many(line: str, before: str = "") -> str:
    """As many of this line as a file may have; {n} is its number."""
    number = (LARGEST - len(before)) // (len(line) + 5)
    return before + "".join(line.format(n=one) for one in range(number))


BOMBS = {
    "unknown keys": many("k{n} = 1\n"),
    "unknown tables": many("[t{n}]\n"),
    "close keys": many("grou{n} = 1\n"),
    "members that are nothing": many("[[member]]\n", GROUP),
    "probes that are wrong": many('[[probe]]\nfall = 0\nrise = "x"\n', GROUP),
    "ids": GROUP.replace('["', "[" + '"eni-00000000", ' * 3_500 + '"'),
    "ids that are none": GROUP.replace('["', "[" + "1, " * 15_000 + '"'),
    "brackets": "a = " + "[" * 50_000,
    "braces": "a = " + "{a = " * 10_000,
    "closed brackets": "a = " + "[" * 25_000 + "]" * 25_000,
    "hexadecimal digits": "a = 0x" + "f" * 62_000,
    "digits": "a = " + "9" * 62_000,
    "an exponent": "a = 1e" + "9" * 62_000,
    "one text": 'group = "' + "a" * 62_000 + '"',
    "an open text": 'a = """' + '"\\"' * 20_000,
    "comments": "#\n" * 30_000,
    "line ends": "\n" * 62_000,
    "headers": PROBE + "[probe.headers]\n" + many('h{n} = "x"\n')[: LARGEST - 300],
    "statuses": PROBE + "expect_status = [" + "1, " * 20_000 + "]",
    "braces in a URL": PROBE.replace("http://h", "http://" + "{" * 50_000),
    "an expression of stars": PROBE + 'expect_body = "' + "(a*)*" * 10_000 + '"',
    "an expression of brackets": PROBE + 'expect_body = "' + "(" * 50_000 + '"',
    "an expression of repeats": PROBE + 'expect_body = "' + "a{1,1000}" * 6_000 + '"',
    "a duration": GROUP + '[policy]\ncooldown = "' + "1s" * 25_000 + '"',
    "more than is read": many("k{n} = 1\n") * 2,
    "dots in a key": "a" + ".a" * 30_000 + " = 1",
    "dots in a key of texts": '"+"' + '."+"' * 15_000 + " = 1",
    "dots in a key of long texts": f'"{"+" * 70}"' + f'."{"+" * 70}"' * 800 + " = 1",
    "quotes that are escaped": "a = " + '\\"' * 31_000,
    "dots in a header": "[a" + ".a" * 30_000 + "]",
}


def _limits() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))


def load_of(text: str, path: Path) -> subprocess.CompletedProcess[str]:
    path.write_text(text)
    return subprocess.run(
        [sys.executable, "-c", LOAD, path],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_limits,
    )


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_costs_no_more_than_a_file(tmp_path, name):
    """It ends by itself with lines that name the file; nothing is killed and nothing is traced back."""
    done = load_of(BOMBS[name], tmp_path / "a.toml")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(" True\n")
