"""`check --offline`."""

from __future__ import annotations

import json


def test_check_prints_the_worst_case(run, member):
    """Each probe is listed with interval + (fall-1) * max(timeout, fast_interval) + timeout."""
    result = run("check", "--offline", "--config", member.config)
    lines = result.out.splitlines()

    assert (result.code, result.err) == (0, "")
    assert lines[2].split() == ["web", "http", "holder", "5", "s"]
    assert f"pass: {member.config} is a valid configuration" == lines[-1]


def test_check_prints_json(run, member):
    """--json prints one document with the documented fields and nothing else."""
    result = run("check", "--offline", "--json", "--config", member.config)
    document = json.loads(result.out)
    config_hash = document.pop("config_hash")

    assert (result.code, result.err) == (0, "")
    assert isinstance(config_hash, str)
    assert {
        "path": str(member.config),
        "group": "orders",
        "warnings": [],
        "probes": [{"name": "web", "type": "http", "scope": "holder", "worst_case_s": 5.0}],
        "result": "pass",
    } == document


def test_check_shows_warnings(run, member):
    """What is likely a mistake is shown, and the file still passes."""
    text = member.config.read_text()
    member.config.write_text(text.replace("eni-0ffffffffffffff01", "eni-0fffffffffff01"))
    human, machine = (
        run("check", "--offline", *more, "--config", member.config) for more in ([], ["--json"])
    )

    assert (human.code, machine.code) == (0, 0)
    assert f"warning: {member.config}:5: eni.ids: eni-0fffffffffff01 has neither 8 nor 17 digits" in human.out
    assert len(json.loads(machine.out)["warnings"]) == 1


def test_check_prints_every_mistake(run, member):
    """All mistakes come out at once, each a line with file and line number, exit 2."""
    text = member.config.read_text()
    member.config.write_text(text.replace('"500ms"', '"5"').replace("fall = 3", "fall = 0"))
    result = run("check", "--offline", "--config", member.config)

    assert (result.code, result.out) == (2, "")
    assert [f"eni-failover: {member.config}:{line}:" for line in (21, 23)] == [
        " ".join(line.split()[:2]) for line in result.err.splitlines()
    ]


def test_check_asks_for_offline(run, member):
    """Without --offline it says in one line that AWS is not asked yet."""
    result = run("check", "--config", member.config)

    assert (result.code, result.out) == (2, "")
    assert "later version" in result.err
    assert "--offline" in result.err
