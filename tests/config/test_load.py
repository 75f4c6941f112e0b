import re
import subprocess
import sys
from pathlib import Path

import pytest

from eni_failover.config import LogLevel, load, path_for
from eni_failover.errors import ConfigError

CONFIGS = Path(__file__).parent.parent / "configs"
EXPECTED = re.compile(r"^# (expect|warning): (.+)$", re.MULTILINE)


def said_in(path, kind):
    """What the fixture itself says that loading it tells, in order."""
    text = path.read_bytes().decode(errors="replace")
    return [f"{path}:{line}" for word, line in EXPECTED.findall(text) if word == kind]


def without_foreign_words(expected, problems):
    """The problems, cut where the fixture says "...": what follows is the wording of another parser."""
    cut = []
    for problem, line in zip(problems, expected, strict=False):
        known = line.removesuffix("...")
        cut.append(line if line.endswith("...") and problem.startswith(known) else problem)
    return [*cut, *problems[len(cut) :]]


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("bad_*.toml")), ids=lambda path: path.stem)
def test_every_bad_file_tells_all_its_mistakes(path):
    """A bad file is refused with exactly the problems that its own comments list."""
    expected = said_in(path, "expect")

    with pytest.raises(ConfigError) as caught:
        load(path, {})

    assert expected
    assert expected == without_foreign_words(expected, caught.value.problems)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("good_*.toml")), ids=lambda path: path.stem)
def test_every_good_file_tells_only_its_remarks(path):
    """A good file loads, with exactly the warnings that its own comments list."""
    config = load(path, {})

    assert said_in(path, "warning") == list(config.warnings)


def test_the_fixtures_are_found():
    """The two tests above run over many files, not over none."""
    assert len(list(CONFIGS.glob("bad_*.toml"))) > 150
    assert len(list(CONFIGS.glob("good_*.toml"))) > 5


def problems_of(path, env=None):
    with pytest.raises(ConfigError) as caught:
        load(path, env or {})
    return list(caught.value.problems)


def test_missing_file(file):
    """A file that is not there is one problem without a line."""
    problems = problems_of(file)

    assert [f"{file}: cannot be read: No such file or directory"] == problems


def test_directory(tmp_path):
    """A directory is one problem without a line."""
    problems = problems_of(tmp_path)

    assert [f"{tmp_path}: cannot be read: Is a directory"] == problems


def test_path_with_nul():
    """A path that no system call takes is one problem, printable."""
    problems = problems_of(Path("/etc/a\0b"))

    assert len(problems) == 1
    assert problems[0].startswith('"/etc/a\\u0000b": cannot be read: ')


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_empty_file(file, text):
    """A file without any key is called empty."""
    file.write_text(text)

    problems = problems_of(file)

    assert [f"{file}:1: is empty: group, [eni] and [[member]] are required"] == problems


def test_too_large_file(file):
    """A file of more than 64 KiB is not parsed."""
    file.write_text("#" * (64 * 1024 + 1))

    problems = problems_of(file)

    assert [f"{file}: is larger than 64 KiB, which no configuration is"] == problems


@pytest.mark.parametrize("value", ["[" * 5000, "[" * 5000 + "]" * 5000, "{a=" * 5000])
def test_deep_nesting(file, value):
    """Brackets nested beyond Python's stack are a problem, no traceback."""
    file.write_text(f"a = {value}\n")

    problems = problems_of(file)

    assert [f"{file}:1: not a configuration: brackets are nested too deeply"] == problems


@pytest.mark.parametrize("part", ["a", '"a"', "'a'", "a ", '"a b"', '"\\""', "' . '", '""'])
@pytest.mark.parametrize("form", ["{} = 1", "[{}]", "[[ {} ]]", "x = {{ {} = 1 }}"])
def test_key_of_too_many_parts(file, form, part):
    """A key of more than 16 parts is refused before tomllib, which takes ever longer with more."""
    file.write_text('group = "orders"\n' + form.format(".".join([part] * 17)) + "\n")

    problems = problems_of(file)

    assert [f"{file}:2: not a configuration: more than 16 keys joined by dots"] == problems


def test_deep_dotted_key(file):
    """A key of many parts is an unknown key like another."""
    file.write_text('group = "orders"\n' + ".".join("a" * 16) + " = 1\n")

    problems = problems_of(file)

    assert problems[-1].startswith(f"{file}:2: a: unknown key, allowed here: config_version, ")


@pytest.mark.parametrize(
    "key", ["config_version", "eni.device_index", "policy.max_takeovers", "policy.down_when", "group"]
)
def test_huge_number(file, key):
    """A number of thousands of digits, which Python refuses to print, is a mistake of its line."""
    file.write_text(f"# first line\n{key} = 0x{'f' * 5000}\n")

    problems = problems_of(file)

    [told] = [problem for problem in problems if problem.startswith(f"{file}:2: {key}: ")]
    assert told.startswith(f"{file}:2: {key}: must ")


def test_huge_decimal_number(file):
    """A decimal number of thousands of digits, which Python refuses to read, is a syntax error."""
    file.write_text(f"group = {'1' * 5000}\n")

    [problem] = problems_of(file)

    assert problem.startswith(f"{file}:1: not valid TOML: ")


def test_byte_order_mark(file, configs):
    """A byte order mark before the first key is no mistake."""
    file.write_bytes(b"\xef\xbb\xbf" + (configs / "good_minimal.toml").read_bytes())

    config = load(file, {})

    assert config.group == "orders"


def test_windows_line_ends(file, configs):
    """Lines that end in CR LF are counted once."""
    text = (configs / "bad_log_level_word.toml").read_text()
    file.write_bytes(text.replace("\n", "\r\n").encode())

    problems = problems_of(file)

    assert [
        f'{file}:17: log.level: must be one of "debug", "info", "warning", "error", not "INFO"'
    ] == problems


def test_secrets_stay_out_of_problems(file):
    """Neither URLs nor header values are repeated in a problem."""
    file.write_text(
        'group = "orders"\n'
        '[[probe]]\nname = "web"\ntype = "http"\nurl = "http://me:s3cret@{address}/ "\n'
        'headers = { Authorization = "s3cret {s3cret}\\n" }\nmethod = 5\n'
        '[[probe]]\nname = "two"\ntype = "http"\nurl = "s3cret@s3cret"\n'
        'headers = { Authorization = "Bearer {s3cret}" }\n'
    )

    problems = problems_of(file)

    assert len(problems) == 8
    assert "s3cret" not in "\n".join(problems)


def test_log_level_of_the_environment(config_of):
    """ENI_FAILOVER_LOG_LEVEL takes the place of the file's level."""
    config = config_of('[log]\nlevel = "error"\n', env={"ENI_FAILOVER_LOG_LEVEL": "debug"})

    assert config.log.level is LogLevel.DEBUG


def test_empty_log_level_of_the_environment(config_of):
    """An empty ENI_FAILOVER_LOG_LEVEL is as good as none."""
    config = config_of('[log]\nlevel = "error"\n', env={"ENI_FAILOVER_LOG_LEVEL": ""})

    assert config.log.level is LogLevel.ERROR


def test_wrong_log_level_of_the_environment(file):
    """A wrong ENI_FAILOVER_LOG_LEVEL is a problem that names the variable, after those of the file."""
    file.write_text('group = "Orders"\n')

    problems = problems_of(file, {"ENI_FAILOVER_LOG_LEVEL": "loud"})

    assert f'{file}:1: group: must be 1 to 63 characters of a-z 0-9 -, not "Orders"' in problems
    expected = 'ENI_FAILOVER_LOG_LEVEL: must be one of "debug", "info", "warning", "error", not "loud"'
    assert expected == problems[-1]


def test_path_for_default():
    """Without arguments and environment the file is /etc/eni-failover/config.toml."""
    assert Path("/etc/eni-failover/config.toml") == path_for(None, None, {})


@pytest.mark.parametrize(
    ("config", "group", "env", "expected"),
    [
        (None, None, {"ENI_FAILOVER_CONFIG": ""}, "/etc/eni-failover/config.toml"),
        (None, None, {"ENI_FAILOVER_CONFIG": "/srv/a.toml"}, "/srv/a.toml"),
        (None, "orders-2", {"ENI_FAILOVER_CONFIG": "/srv/a.toml"}, "/etc/eni-failover/orders-2.toml"),
        (Path("b.toml"), None, {"ENI_FAILOVER_CONFIG": "/srv/a.toml"}, "b.toml"),
    ],
)
def test_path_for_order(config, group, env, expected):
    """An argument comes before the environment, the environment before the default."""
    assert Path(expected) == path_for(config, group, env)


def test_path_for_both():
    """--config and --group together are refused, because they name two files."""
    with pytest.raises(ConfigError) as caught:
        path_for(Path("a.toml"), "orders", {})

    assert caught.value.problems == ("--config and --group both name the file: give one of them",)


@pytest.mark.parametrize("group", ["", "../orders", "Orders", "a/b", "orders\n"])
def test_path_for_wrong_group(group):
    """A group's name that could lead out of the directory, or is none, is refused."""
    with pytest.raises(
        ConfigError, match=r"^--group: must be 1 to 63 characters of a-z 0-9 -, not "
    ) as caught:
        path_for(None, group, {})

    assert len(caught.value.problems) == 1


def test_imports_stay_light():
    """Loading a configuration imports neither AWS, HTTP nor terminal libraries: every command does it."""
    script = (
        "import sys, eni_failover.config;"
        "print(sorted({'boto3', 'botocore', 'aiohttp', 'typer', 'rich'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )

    assert done.stdout == "[]\n"


def test_the_role_file_is_not_the_file_itself(config_of, file):
    """At its first change of role the daemon would write over its own configuration."""
    with pytest.raises(ConfigError) as caught:
        config_of(f'[control]\nrole_file = "{file}"\n')

    text = "must not be this file: the daemon would write the role over it"
    assert caught.value.problems == (f"{file}:13: control.role_file: {text}",)
