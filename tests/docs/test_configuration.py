"""docs/configuration.md: it is what the models and the example say, and it is true about reloads."""

import ast
import re
from pathlib import Path

import pytest

from docs.generate import configuration, rules
from eni_failover.config import load, schema
from eni_failover.core.policy import InstanceId, Member, MemberName
from eni_failover.errors import ConfigError
from eni_failover.identity import Self
from eni_failover.reloading import Reloader
from eni_failover.sdnotify import Notifier
from tests.pair_file import GROUP, MEMBERS

ROOT = Path(__file__).parents[2]
FILE = GROUP + MEMBERS
DISCOVERY = GROUP + '[discovery]\ntag = "team"\n'


def test_every_key_is_in_the_reference_with_its_meaning():
    """Each key has a row in its table's section, and no row is without meaning."""
    sections = configuration.page().split("\n## ")
    rows = {
        (section.partition("\n")[0].strip("[]"), line.split(" | ")[0].strip("| `")): line.split(" | ")[3]
        for section in sections
        for line in section.splitlines()
        if line.startswith("| `") and line.count(" | ") == 4
    }
    known = {("Top of the file", key) for key in set(schema.Document.model_fields) - set(schema.TABLES)}
    known |= {(name, key) for name, model in schema.TABLES.items() for key in model.model_fields}

    assert set(rows) == known
    assert [key for key, meaning in rows.items() if not meaning.strip()] == []


def test_every_rule_is_in_the_reference():
    """There are as many rules in the reference as in the modules that know them, each with its error."""
    sources = [ROOT / "eni_failover" / "config" / name for name in ("rules.py", "probe_rules.py")]
    found = sum(
        isinstance(node, ast.Yield) and isinstance(node.value, ast.Call)
        for source in sources
        for node in ast.walk(ast.parse(source.read_text()))
    )

    assert len(rules.RULES) == found
    assert len({configuration.said(f"bad_{name}")[0] for name, _ in rules.RULES}) == found


def problems_of_a_reload(tmp_path, before, after):
    """What a running daemon says of a file that was `before` and is `after`."""
    file = tmp_path / "config.toml"
    file.write_text(before)
    old = load(file, {})
    file.write_text(after)
    new = load(file, {})
    alpha = Member(
        name=MemberName("alpha"), instance_id=InstanceId("i-0aaaaaaaaaaaaaaa1"), address="10.0.1.11"
    )
    me = Self(member=alpha, region="eu-central-1", zone="eu-central-1a")
    reloader = Reloader(old, me, env={}, notifier=Notifier({}))
    try:
        reloader._check(new, type("Parts", (), {"me": me.member}), ())
    except ConfigError as error:
        return [line.split(": ")[1] for line in error.problems]
    return []


CHANGED = {
    "group": (FILE, FILE.replace('"orders"', '"billing"')),
    "server.listen": (FILE, FILE + '[server]\nlisten = "{address}:10178"\n'),
    "control.socket": (FILE, FILE + '[control]\nsocket = "/run/other.sock"\n'),
    "state.directory": (FILE, FILE + '[state]\ndirectory = "/srv/state"\n'),
    "discovery.tag": (DISCOVERY, DISCOVERY.replace('"team"', '"squad"')),
}


@pytest.mark.parametrize("key", sorted(CHANGED))
def test_a_reload_refuses_what_the_reference_marks_restart(tmp_path, key):
    """A key that says "restart" cannot be changed by a reload."""
    problems = problems_of_a_reload(tmp_path, *CHANGED[key])

    assert set(CHANGED) == configuration.RESTART
    assert key.removesuffix(".tag") in problems


def test_a_reload_takes_everything_else(tmp_path):
    """Each key that does not say "restart" may have another value after a reload."""
    every = (configuration.CONFIGS / "good_every_key.toml").read_text()
    rest = every[every.index("[[probe]]") :]
    for table in ("server", "state"):
        rest = re.sub(rf"(?m)^\[{table}\]\n(?:.+\n)+", "", rest)
    rest = rest.replace('socket = "/run/other.sock"\n', "")
    changed = (
        FILE.replace("ffff01", "ffff02").replace("10.0.1.12", "10.0.1.13").replace("beta", "gamma") + rest
    )

    assert problems_of_a_reload(tmp_path, FILE, changed) == []
