"""What the pages tell is there: configurations, commands, links, metrics, tests."""

import re
import tomllib
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.session import Session
from prometheus_client import CollectorRegistry
from typer.main import get_command

from eni_failover.cli.app import app
from eni_failover.config import load
from eni_failover.metrics import Metrics
from tests.docs.markdown import PAGES, ROOT, anchors, blocks, links, name_of, shell_lines, spans

COMMANDS = get_command(app).commands
MONITORING = [
    ROOT / "deploy" / "prometheus" / "rules.yml",
    ROOT / "deploy" / "grafana" / "eni-failover.json",
]
CONFIGURATIONS = [
    pytest.param(text, id=f"{name_of(page)} {number}")
    for page in PAGES
    for number, text in enumerate(blocks(page, "toml"), 1)
    if "[eni]" in text
]
# A command behind the program's name, and what follows up to the end of the command.
_CALL = re.compile(r"(?<![\w/@-])eni-failover ([a-z][a-z-]*)\b([^|;&#>)]*)")
_OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*|-n)\b")


def planned():
    """The commands that the README says are not there yet."""
    return set(re.findall(r"the command `([a-z]+)`", (ROOT / "README.md").read_text()))


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_a_whole_configuration_is_accepted(text, tmp_path):
    """A configuration in the documents can be copied: it loads, with nothing to warn about."""
    file = tmp_path / "config.toml"
    file.write_text(text)

    assert load(file, {}).warnings == ()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_toml_block_is_toml(page):
    """Parts of a configuration are at least valid TOML."""
    for text in blocks(page, "toml"):
        tomllib.loads(text)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_and_option_exists(page):
    """Each `eni-failover COMMAND --option` in the page is one of the program's."""
    wrong = []
    for line in (*spans(page), *shell_lines(page)):
        for command, rest in _CALL.findall(line):
            if command in planned():
                continue
            known = {"--help"}
            if command in COMMANDS:
                known |= {name for one in COMMANDS[command].params for name in one.opts}
            else:
                wrong.append(f"eni-failover {command}")
            wrong += [f"{command} {option}" for option in _OPTION.findall(rest) if option not in known]

    assert wrong == []


def test_the_readme_lists_every_command():
    """Each command of the program is in the README's table of commands, and no other."""
    table = (ROOT / "README.md").read_text().partition("| command | does | exit status |\n")[2]
    rows = [line.split(" | ")[0] for line in table.partition("\n\n")[0].splitlines()[1:]]
    listed = {found.split()[0] for row in rows for found in re.findall(r"`([^`]+)`", row)}

    assert listed == set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page):
    """Each relative link of the page names a file, and a heading of it where it says so."""
    lost = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            lost.append(target)

    assert lost == []


def test_the_index_names_every_page():
    """docs/README.md has a link to each page below docs/."""
    index = ROOT / "docs" / "README.md"
    linked = {str((index.parent / target).resolve().relative_to(ROOT)) for target in links(index)}

    assert linked >= {name_of(page) for page in PAGES if page != index}


@pytest.mark.parametrize("page", [*PAGES, *MONITORING], ids=name_of)
def test_every_metric_exists(page):
    """Each metric that the page, the alerts or the dashboard name is one of the daemon's."""
    text = Metrics(registry=CollectorRegistry(), group="orders", version="1").page().decode()
    known = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    named = set(re.findall(r"(?<![:\w])eni_failover_[a-z0-9_]*[a-z0-9]", page.read_text()))

    assert {name for name in named if re.sub(r"_(bucket|count|sum)$", "", name) not in known} == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_make_target_exists(page):
    """Each `make TARGET` in the page is one of the Makefile's."""
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = "\n".join((*spans(page), *shell_lines(page)))

    assert set(re.findall(r"\bmake ([a-z][a-z0-9-]*)", text)) - targets == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_exists(page):
    """Each path within this repository is there, seen from its root, the package or the tests."""
    bases = (ROOT, ROOT / "eni_failover", ROOT / "tests")
    lost = []
    for span in spans(page):
        if not re.fullmatch(r"(?:[\w.*-]+/)+[\w.*-]*", span):
            continue
        first = span.split("/")[0]
        known = [base for base in bases if first != "build" and (base / first).is_dir()]
        if known and not any(list(base.glob(span)) for base in known):
            lost.append(span)

    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_test_that_a_page_names_exists(page):
    """A claim that names its test names one that is there."""
    lost, file = [], None
    for span in spans(page):
        named = re.fullmatch(r"(?:tests/)?((?:\w+/)*test_\w+\.py)?(?:::(test_\w+))?", span)
        if not named or not (named[1] or named[2]):
            continue
        file = next(Path(ROOT / "tests").rglob(named[1]), None) if named[1] else file
        if file is None or (named[2] and f"def {named[2]}(" not in file.read_text()):
            lost.append(span)

    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_aws_command_has_the_options_of_the_api(page):
    """Each option of an `aws` line is a parameter of that operation in the API's own model."""
    session, wrong = Session(), []
    for line in shell_lines(page):
        for service, command, rest in re.findall(r"\baws (ec2|iam) ([a-z-]+)((?: [^|;)]*)?)", line):
            model = session.get_service_model(service)
            operations = {xform_name(name, "-"): name for name in model.operation_names}
            shape = model.operation_model(operations[command]).input_shape
            known = {xform_name(name, "-") for name in shape.members} | GENERAL | RENAMED.get(command, set())
            wrong += [f"{command} --{one}" for one in re.findall(r" --([a-z-]+)", rest) if one not in known]

    assert wrong == []


GENERAL = {"query", "output", "region"}
RENAMED = {
    # Parameters that the command line itself turns into options of other names.
    "modify-network-interface-attribute": {"no-source-dest-check"},
}
