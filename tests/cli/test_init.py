"""`init`: the file that comes of options, of IMDS and of EC2."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from eni_failover.config import load
from eni_failover.lab import demo_places

ENI = "eni-0ffffffffffffff01"
ADDRESSES = demo_places.loopback_addresses()
WRITTEN = (
    *("--group", "orders", "--eni", ENI),
    *("--member", "alpha=i-0aaaaaaaaaaaaaaa1@10.0.1.11"),
    *("--member", "beta=i-0bbbbbbbbbbbbbbb2@2001:db8::12"),
)
BY_ID = ("--member", "one=i-0aaaaaaaaaaaaaaa1", "--member", "two=i-0bbbbbbbbbbbbbbb2")


@pytest.fixture
def made(run, tmp_path):
    """Runs init with these options; its result, and the configuration that the printed file means."""

    def make(*options):
        result = run("init", *options)
        file = tmp_path / "made.toml"
        file.write_text(result.out)
        return result, load(file, {})

    return make


def members(config) -> list[tuple[str, str, str]]:
    return [(one.name, one.instance_id, one.address) for one in config.members]


@pytest.fixture
def alone(monkeypatch):
    """Whoever is asked does not answer: this is no instance, and there are no credentials."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_options_suffice(made, alone):
    """With everything written nobody is asked, and the file has exactly that."""
    result, config = made(*WRITTEN, "--probe", "http://{address}:8080/healthz")

    assert (result.code, result.err) == (0, "")
    assert (config.group, config.eni_ids) == ("orders", (ENI,))
    assert members(config) == [
        ("alpha", "i-0aaaaaaaaaaaaaaa1", "10.0.1.11"),
        ("beta", "i-0bbbbbbbbbbbbbbb2", "2001:db8::12"),
    ]
    assert (config.probes[0].policy.name, config.probes[0].settings.url) == (
        "web",
        "http://{address}:8080/healthz",
    )
    assert config.warnings == ()


def test_the_file_passes_the_offline_check(run, tmp_path, alone):
    """The command for that is in its head."""
    file = tmp_path / "orders.toml"
    run("init", *WRITTEN, "--probe", "peer", "--output", file)
    result = run("check", "--offline", "--config", file)

    assert (result.code, result.err) == (0, "")
    assert "eni-failover check --offline" in file.read_text()


def test_the_file_shows_the_true_defaults(made, alone, tmp_path):
    """To remove the # of every default changes nothing."""
    result, config = made(*WRITTEN, "--probe", "icmp", "--witness", "10.0.1.1")
    bare = tmp_path / "bare.toml"
    text, count = re.subn(r"^#(?=[a-z_]+ = )", "", result.out, flags=re.MULTILINE)
    bare.write_text(text)

    assert count > 12
    assert replace(load(bare, {}), path=config.path) == config


def test_a_member_asks_its_own_service_too(made, alone):
    """The same target, about itself: who could not serve does not take over."""
    _, config = made(*WRITTEN, "--probe", "tcp:5432", "--probe", "http://10.0.9.9/", "--probe", "icmp")
    (own,) = [one for one in config.probes if one.policy.scope == "self"]

    assert (own.policy.name, own.settings.host, own.settings.port) == ("own-tcp-5432", "{address}", 5432)


def test_a_service_on_the_active_member_alone_is_not_asked_of_the_others(made, alone):
    """They would never be fit; the file says what could be asked instead."""
    result, config = made(*WRITTEN, "--probe", "tcp:5432", "--service", "active-only")

    assert {str(one.policy.scope) for one in config.probes} == {"holder"}
    assert '# scope = "self"' in result.out


def test_every_probe_has_a_name_of_its_own(made, alone):
    """Several need down_when, which is written then."""
    probes = ("http://{address}/a", "https://{address}/b", "tcp:5432", "icmp", "peer")
    witnesses = ("--witness", "10.0.1.1", "--witness", "10.0.1.2")
    result, config = made(*WRITTEN, *(word for one in probes for word in ("--probe", one)), *witnesses)

    assert [(one.policy.name, str(one.policy.type), str(one.policy.scope)) for one in config.probes] == [
        ("web", "http", "holder"),
        ("web-2", "http", "holder"),
        ("tcp-5432", "tcp", "holder"),
        ("ping", "icmp", "holder"),
        ("daemon", "peer", "holder"),
        ("own-web", "http", "self"),
        ("own-web-2", "http", "self"),
        ("own-tcp-5432", "tcp", "self"),
        ("witness", "icmp", "witness"),
        ("witness-2", "icmp", "witness"),
    ]
    assert config.down_needed == 5
    assert result.err == ""


def test_no_probe_is_told(made, alone):
    """The file is valid, and one line says what it cannot do."""
    result, config = made(*WRITTEN)

    assert (result.code, config.probes) == (0, ())
    assert "--probe" in result.err


def test_everything_is_found_by_the_tag(made, on_beta, world):
    """On a tagged instance no option is needed: group, ENI and members, in the order of their ranks."""
    world.change_instance(
        "alpha", tags={"Name": "alpha", "eni-failover-group": "orders", "eni-failover-rank": "9"}
    )
    result, config = made("--probe", "peer")

    assert (result.code, result.err) == (0, "")
    assert (config.group, config.eni_ids) == ("orders", (ENI,))
    assert members(config) == [
        ("beta", "i-0bbbbbbbbbbbbbbb2", ADDRESSES[1]),
        ("alpha", "i-0aaaaaaaaaaaaaaa1", ADDRESSES[0]),
    ]


def test_another_tag_can_be_written(made, on_beta, world):
    """Its value is the group's name where no other is written."""
    for name in ("alpha", "beta"):
        world.change_instance(name, tags={"Name": name, "cluster": "payments"})
    _, config = made("--tag", "cluster=payments", "--eni", ENI, "--probe", "peer")

    assert (config.group, [one.name for one in config.members]) == ("payments", ["alpha", "beta"])


def test_addresses_are_looked_up(made, on_beta):
    """Those of the primary ENIs, in the order of the options."""
    _, config = made("--group", "shop", "--eni", ENI, *BY_ID, "--probe", "peer")

    assert members(config) == [
        ("one", "i-0aaaaaaaaaaaaaaa1", ADDRESSES[0]),
        ("two", "i-0bbbbbbbbbbbbbbb2", ADDRESSES[1]),
    ]


def test_a_tagged_primary_eni_is_not_taken(made, on_beta, world):
    """It cannot move."""
    world.change_eni("eni-0bbbbbbbbbbbbbbb2", tags={"eni-failover-group": "orders"})
    _, config = made("--group", "orders", "--probe", "peer")

    assert config.eni_ids == (ENI,)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda w: w.change_instance("beta", tags={}), "tag i-0bbbbbbbbbbbbbbb2 with eni-failover-group"),
        (
            lambda w: w.change_eni("floating-1", tags={}),
            "no ENI that can move has the tag eni-failover-group=orders",
        ),
        (lambda w: w.change_instance("alpha", tags={}), "a group has two members or more"),
        (lambda w: w.deny("DescribeInstances"), "EC2 cannot be asked for what no option says: You are not"),
        (lambda w: w.unreachable("beta"), "EC2 cannot be asked for what no option says: "),
    ],
)
def test_what_is_not_found_is_one_line(run, on_beta, world, change, problem):
    """Nothing is guessed: exit 1, and what to write."""
    change(world)
    result = run("init")

    assert (result.code, result.out) == (1, "")
    assert problem in result.err
    assert result.err.count("\n") == 1


def test_nobody_to_ask_is_one_line(run, alone):
    """Neither region nor credentials, and not everything is written."""
    result = run("init", "--group", "orders")

    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert "set AWS_REGION" in result.err


UNKNOWN_ENI, UNKNOWN_INSTANCE = "eni-0123456789abcdef0", "i-0123456789abcdef0"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--eni", UNKNOWN_ENI), f"--eni {UNKNOWN_ENI}: EC2 shows no such ENI in eu-central-1"),
        (("--eni", ENI, "--eni", UNKNOWN_ENI, *BY_ID), f"--eni {UNKNOWN_ENI}: EC2 shows no such ENI in"),
        (
            ("--eni", ENI, "--member", f"one={UNKNOWN_INSTANCE}", *BY_ID[2:]),
            f"--member {UNKNOWN_INSTANCE}: EC2 shows no such instance in eu-central-1",
        ),
    ],
)
def test_what_ec2_does_not_show_is_named(run, on_beta, options, line):
    """A wrong id, region or account: one line that says so."""
    result = run("init", "--group", "orders", *options)

    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert line in result.err


def test_an_instance_without_an_address(run, on_beta, world, monkeypatch):
    """The line says how to write it."""
    monkeypatch.setattr("eni_failover.cli.init_lookup.find_instance", lambda *_: None)
    result = run("init", "--group", "orders", "--eni", ENI, *BY_ID)

    assert result.code == 1
    assert "write --member one=...@ADDRESS" in result.err


def test_contradictions_between_options_are_told(run, alone):
    """The file is checked before anybody gets it."""
    result = run("init", *WRITTEN[:6])

    assert (result.code, result.out) == (1, "")
    assert "only one is listed" in result.err
    assert ".toml" not in result.err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--group", "Orders"),
        ("--eni", "eni-xyz"),
        ("--member", "alpha"),
        ("--member", "alpha=i-xyz"),
        ("--member", "alpha=i-0aaaaaaaaaaaaaaa1@"),
        ("--member", "none=i-0aaaaaaaaaaaaaaa1"),
        ("--member", "alpha=i-0aaaaaaaaaaaaaaa1@0.0.0.0"),
        ("--tag", "key"),
        ("--tag", "=value"),
        ("--probe", "ftp://x"),
        ("--probe", "tcp:0"),
        ("--probe", "tcp:x"),
        ("--probe", "http://user:secret@x"),
        ("--witness", "10.0.1.1:80"),
    ],
)
def test_a_wrong_option_is_exit_2(run, alone, option, value):
    """One line that names the option; a URL's password is not in it."""
    result = run("init", option, value)

    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert option in result.err
    assert "secret" not in result.err
