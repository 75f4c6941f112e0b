"""The example configuration and the README's: they load, show every key, and tell the true defaults."""

import re
from dataclasses import replace
from pathlib import Path

from eni_failover.config import load
from eni_failover.config.schema import TABLES, Document

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "deploy" / "examples" / "config.toml"


def test_the_configuration_in_the_readme_is_valid(tmp_path):
    """The README's configuration can be copied: it loads, with nothing to warn about."""
    (block,) = re.findall(r"^```toml\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    file = tmp_path / "config.toml"
    file.write_text(block)
    config = load(file, {})

    assert config.warnings == ()


def test_the_example_is_valid():
    """The example configuration loads, with nothing to warn about."""
    config = load(EXAMPLE, {})

    assert config.warnings == ()


def test_the_example_shows_the_true_defaults(tmp_path):
    """To remove the # of every default in the example changes nothing."""
    written = tmp_path / "config.toml"
    text, count = re.subn(r"^#(?=[a-z_]+ = )", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    written.write_text(text)

    assert count > 40
    assert replace(load(written, {}), path=EXAMPLE) == load(EXAMPLE, {})


def test_the_example_shows_every_key():
    """Every table and key that a file can have is in the example, and no other."""
    shown = {"": set()}
    table = ""
    for line in EXAMPLE.read_text().splitlines():
        bare = re.sub(r"^#(?: example: )?(?=[a-z\[])", "", line)
        if header := re.fullmatch(r"\[+([a-z]+)\]+", bare):
            table = header[1]
            shown.setdefault(table, set())
        elif key := re.match(r"([a-z0-9_]+) = ", bare):
            shown[table].add(key[1])
    known = {"": set(Document.model_fields) - set(TABLES)}
    known |= {name: set(model.model_fields) for name, model in TABLES.items()}

    assert shown == known
