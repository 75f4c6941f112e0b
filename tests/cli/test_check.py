"""`check`: of the file alone, and of everything, against a lab."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest

from eni_failover.lab import demo_places


def test_check_prints_the_worst_case(run, member):
    """Each probe is listed with interval + (fall-1) * max(timeout, fast_interval) + timeout."""
    result = run("check", "--offline", "--config", member.config)
    lines = result.out.splitlines()

    assert (result.code, result.err) == (0, "")
    assert lines[-2].split() == ["5", "s", "web", "http", "holder"]
    assert f"pass: {member.config} is a valid configuration" == lines[-1]


NOT_ASKED = ["no probe of scope self", "no probe of scope witness"]


def test_check_prints_json(run, member):
    """--json prints one document with the documented fields and nothing else."""
    result = run("check", "--offline", "--json", "--config", member.config)
    document = json.loads(result.out)
    config_hash, warnings = document.pop("config_hash"), document.pop("warnings")

    assert [text.partition(":")[0] for text in warnings] == NOT_ASKED
    assert (result.code, result.err) == (0, "")
    assert isinstance(config_hash, str)
    assert {
        "path": str(member.config),
        "group": "orders",
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
    assert len(json.loads(machine.out)["warnings"]) == 1 + len(NOT_ASKED)
    assert all(f"warning: {text}: " in human.out for text in NOT_ASKED)


def test_check_prints_every_mistake(run, member):
    """All mistakes come out at once, each a line with file and line number, exit 2."""
    text = member.config.read_text()
    member.config.write_text(text.replace('"500ms"', '"5"').replace("fall = 3", "fall = 0"))
    result = run("check", "--offline", "--config", member.config)

    assert (result.code, result.out) == (2, "")
    assert [f"eni-failover: {member.config}:{line}:" for line in (21, 23)] == [
        " ".join(line.split()[:2]) for line in result.err.splitlines()
    ]


def test_check_prints_a_document_for_a_bad_file_too(run, member):
    """A program reads what is wrong; a person reads the same on standard error."""
    text = member.config.read_text()
    member.config.write_text(text.replace('"500ms"', '"5"'))
    result = run("check", "--offline", "--json", "--config", member.config)
    document = json.loads(result.out)

    assert result.code == 2
    assert document["result"] == "fail"
    assert [f"eni-failover: {line}" for line in document["errors"]] == result.err.splitlines()


RESULTS = ["fail", "warn", "pass"]
ADDRESSES = demo_places.loopback_addresses()


def checked(run, lab_member, *more):
    """The document of an online check, its checks by name, and the exit status."""
    result = run("check", "--json", "--config", lab_member.config, *more)
    document = json.loads(result.out)

    assert result.err == ""
    return document, {one["name"]: one for one in document["checks"]}, result.code


def wrong(checks) -> dict[str, str]:
    """The checks that do not pass, with their results. What a busy machine makes slow is only a warning."""
    slow = {"ec2_api", "disk"}
    return {
        name: one["result"]
        for name, one in checks.items()
        if one["result"] != "pass" and not (name in slow and one["result"] == "warn")
    }


@pytest.fixture
def holder_serves():
    """Alpha's service and its daemon, as far as a probe and a check see them."""
    with socket.create_server((ADDRESSES[0], 0)) as service:
        yield service.getsockname()[1]


def test_check_finds_a_group_in_health(run, on_beta, lab_member, world, holder_serves):
    """Warnings are the other daemon, which is not there, and the probes that this file has not."""
    text = lab_member.config.read_text()
    url = 'type = "http"\nurl = "http://{address}:8080/healthz"'
    tcp = f'type = "tcp"\nhost = "{{address}}"\nport = {holder_serves}'
    lab_member.config.write_text(text.replace(url, tcp))
    before = world.state
    document, checks, code = checked(run, lab_member)

    assert (wrong(checks), code, document["result"]) == (
        {"peers": "warn", "self_probes": "warn", "witnesses": "warn"},
        0,
        "warn",
    )
    assert (document["member"], document["group"], len(document["config_hash"])) == ("beta", "orders", 12)
    assert document["probes"][0]["worst_case_s"] == 5.0
    assert set(checks["peers"]) == {"name", "result", "detail", "remedy"}
    assert world.state == before


def test_check_says_that_a_takeover_would_work(run, on_beta, lab_member):
    """Warnings alone are no failure; the last line names them."""
    result = run("check", "--config", lab_member.config)

    last = result.out.splitlines()[-1]

    assert result.code == 0
    assert last.startswith("pass, with warnings: ")
    assert last.endswith("peers")


def test_check_shows_problems_first_and_a_verdict(run, on_beta, lab_member, world):
    """What fails, then what warns, each with its remedy, then the rest; the last line says what fails."""
    world.deny("DetachNetworkInterface", "beta")
    result = run("check", "--config", lab_member.config)
    lines = result.out.splitlines()
    words = [line.split()[0] for line in lines if line.split()[:1] and line.split()[0] in RESULTS]

    assert (result.code, result.err) == (1, "")
    assert lines[:2] == [
        "fail  detach_permission: IAM denies ec2:DetachNetworkInterface for eni-0ffffffffffffff01",
        "      to do: allow it: eni-failover policy prints what the role needs",
    ]
    assert words == sorted(words, key=RESULTS.index)
    assert lines[-1] == "fail: detach_permission"
    assert "worst case to detection" in result.out


def test_quiet_prints_problems_only(run, on_beta, lab_member, world):
    """Neither what passes, nor the file, nor a verdict: the exit status says that."""
    world.deny("DetachNetworkInterface", "beta")
    result = run("check", "--quiet", "--config", lab_member.config)
    words = {line.split()[0] for line in result.out.splitlines() if line and not line.startswith(" ")}

    assert (result.code, words) == (1, {"fail", "warn"})


def test_quiet_about_a_file(run, member):
    """Of a file alone there are warnings, or nothing."""
    witnessed = "".join(
        f'[[probe]]\nname = "{scope}"\ntype = "icmp"\nhost = "10.0.1.9"\nscope = "{scope}"\n'
        for scope in ("self", "witness")
    )
    warned = run("check", "--offline", "-q", "--config", member.config)
    member.config.write_text(member.config.read_text() + witnessed)
    quiet = run("check", "--offline", "-q", "--config", member.config)

    assert [line.partition(":")[0] for line in warned.out.splitlines()] == ["warning", "warning"]
    assert (warned.code, quiet.code, quiet.out, quiet.err) == (0, 0, "", "")


def _full(world):
    for index in (1, 2):
        world.add_eni(f"eni-0123456789abcde0{index}", addresses=[f"10.0.1.20{index}"])
        world.place(f"eni-0123456789abcde0{index}", "beta", index=index)


def _elsewhere(world):
    world.add_subnet(
        "subnet-0bbbbbbbbbbbbbbb2", "eu-central-1b", "10.0.2.0/24", vpc_id="vpc-0bbbbbbbbbbbbbbb2"
    )
    world.place("floating-1", None)
    world.change_eni("floating-1", subnet_id="subnet-0bbbbbbbbbbbbbbb2")


SITUATIONS = {
    "enis": lambda w: w.remove_eni("floating-1"),
    "holder": lambda w: w.take("floating-1"),
    "slot": _full,
    "zone": _elsewhere,
    "vpc": _elsewhere,
    "members": lambda w: w.remove_instance("alpha"),
    "eni_movable": lambda w: w.change_eni("floating-1", requester_managed=True),
    "cni_marks": lambda w: w.change_eni("floating-1", tags={"eks:eni:owner": "amazon-vpc-cni"}),
    "delete_on_termination": lambda w: w.place("floating-1", "alpha", delete_on_termination=True),
    "addresses_per_interface": lambda w: w.change_eni(
        "floating-1", ipv4_prefixes=tuple(f"10.0.1.{16 * part}/28" for part in range(10))
    ),
    "attach_permission": lambda w: w.deny("AttachNetworkInterface"),
    "subnets": lambda w: w.deny("DescribeSubnets"),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_check_fails_where_ec2_is_not_as_it_should_be(run, on_beta, lab_member, world, name):
    """Over real HTTP: the check that is about it fails."""
    SITUATIONS[name](world)
    _, checks, code = checked(run, lab_member)

    assert (checks[name]["result"], code) == ("fail", 1)


def test_check_warns_of_what_a_takeover_survives(run, on_beta, lab_member, world):
    """Version 1 of IMDS, an interface that lingers there, credentials that end soon, no right to Modify."""
    world.configure(imds_lingers=600.0, credentials_lifetime=600.0)
    world.change_instance("beta", imds_tokens="optional")
    world.add_eni("eni-0123456789abcde01", addresses=["10.0.1.201"])
    world.place("eni-0123456789abcde01", "beta", index=1)
    world.place("eni-0123456789abcde01", None)
    world.deny("ModifyNetworkInterfaceAttribute")
    _, checks, code = checked(run, lab_member)

    assert code == 0
    assert {"imds", "poisoned_index", "credentials", "modify_permission"} <= wrong(checks).keys()
    assert checks["poisoned_index"]["detail"].endswith("which EC2 does not")


def test_check_tries_to_stop_the_others_where_they_would_be_fenced(run, on_beta, lab_member, world):
    """A denied Stop would keep every takeover by probes from moving anything."""
    lab_member.config.write_text(lab_member.config.read_text() + '[policy]\nfence = "stop"\n')
    world.deny("StopInstances", "beta")
    _, checks, code = checked(run, lab_member)

    assert (checks["stop_permission"]["result"], code) == ("fail", 1)
    assert [one.code for one in world.calls if one.action == "StopInstances"] == ["UnauthorizedOperation"]


@pytest.mark.parametrize("how", ["close", "hang"])
def test_check_ends_when_the_api_is_out_of_reach(run, on_beta, lab_member, world, how):
    """One check fails, what depends on it is unknown; no traceback, no hang."""
    text = lab_member.config.read_text()
    lab_member.config.write_text(text + '[aws]\nread_timeout = "200ms"\n')
    world.unreachable("beta", how)
    document, checks, code = checked(run, lab_member)

    assert (code, document["result"]) == (1, "fail")
    assert [name for name, result in wrong(checks).items() if result == "fail"] == ["ec2_api"]
    assert checks["enis"]["detail"].startswith("unknown: ")
    assert checks["disk"]["result"] == "pass"


def test_check_without_imds_and_without_a_name_fails(run, on_beta, lab_member, monkeypatch):
    """Which member this is is unknown, and there are no credentials."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    document, checks, code = checked(run, lab_member)

    assert (code, document["member"]) == (1, None)
    assert {"identity", "imds", "credentials", "ec2_api"} <= {
        name for name, result in wrong(checks).items() if result == "fail"
    }
    assert "--member" in checks["identity"]["remedy"]


def test_check_takes_a_name_where_there_is_no_imds(run, on_beta, lab_member, monkeypatch):
    """With an operator's credentials; that IMDS has not confirmed the name is a warning."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in on_beta.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ENI_FAILOVER_MEMBER", "beta")
    document, checks, _ = checked(run, lab_member)

    assert (document["member"], checks["identity"]["result"]) == ("beta", "warn")
    assert (checks["imds"]["result"], checks["ec2_api"]["result"]) == ("warn", "pass")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("alpha", "--member alpha: this instance, i-0bbbbbbbbbbbbbbb2, is beta of orders"),
        ("gamma", "has no such member, only alpha, beta"),
    ],
)
def test_check_refuses_a_name_that_is_wrong(run, on_beta, lab_member, name, problem):
    """A name that contradicts IMDS, or that no member has, is exit 2 and one line."""
    result = run("check", "--config", lab_member.config, "--member", name)

    assert (result.code, result.out) == (2, "")
    assert problem in result.err
    assert result.err.count("\n") == 1


def test_check_on_an_instance_that_is_no_member(run, on_beta, lab_member):
    """It fails that check, and still says what can be said."""
    text = lab_member.config.read_text()
    lab_member.config.write_text(text.replace("i-0bbbbbbbbbbbbbbb2", "i-0cccccccccccccccc"))
    document, checks, code = checked(run, lab_member)

    assert (code, document["member"]) == (1, None)
    assert checks["identity"]["detail"].startswith("i-0bbbbbbbbbbbbbbb2 is no member of orders")
    assert checks["eni_movable"]["result"] == "pass"


def test_check_beside_a_running_daemon(run, on_beta, lab_member, daemon):
    """Its control socket is the daemon's own: no failure."""
    _, checks, _ = checked(run, lab_member)

    assert checks["control_socket"]["result"] == "pass"
    assert checks["control_socket"]["detail"].endswith("the daemon of this group")


def test_check_finds_discovered_members(run, on_beta, lab_member):
    """With [discovery] the members are those with the tag, as the daemon would find them."""
    text = lab_member.config.read_text()
    members = text[text.index("[[member]]") : text.index("[[probe]]")]
    lab_member.config.write_text(text.replace(members, '[discovery]\ntag = "eni-failover-group"\n'))
    document, checks, _ = checked(run, lab_member)

    assert document["member"] == "beta"
    assert (checks["members"]["result"], checks["members"]["detail"]) == ("pass", "alpha, beta")


def test_check_knows_no_region(run, on_beta, lab_member, monkeypatch):
    """Without IMDS and without AWS_REGION there is no EC2 to ask: a failed check, no traceback."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    _, checks, code = checked(run, lab_member, "--member", "beta")

    assert code == 1
    assert checks["ec2_api"]["result"] == "fail"
    assert "set AWS_REGION" in checks["ec2_api"]["detail"]


@pytest.mark.parametrize("action", ["Describe*", "*"])
def test_check_says_that_ec2_throttles(run, on_beta, lab_member, world, action):
    """The code is there to be searched for, and the remedy is not about a network that works."""
    world.fault("error", action, code="RequestLimitExceeded", count=100)
    _, checks, _ = checked(run, lab_member)
    told = [one for one in checks.values() if "RequestLimitExceeded" in one["detail"]]

    assert "ec2_api" in {one["name"] for one in told}
    assert all("throttles" in one["detail"] for one in told)
    assert "CloudTrail" in checks["ec2_api"]["remedy"]


@pytest.mark.slow
def test_a_credential_process_that_hangs_does_not_hold_the_command_up(member, tmp_path):
    """The answer comes after the deadline of the credentials, and with it the end of the process."""
    script = tmp_path / "hangs"
    script.write_text("#!/bin/sh\nexec sleep 50\n")
    script.chmod(0o755)
    (tmp_path / "aws").write_text(f"[default]\ncredential_process = {script}\nregion = eu-central-1\n")
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "AWS_CONFIG_FILE": str(tmp_path / "aws"),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9",
    }
    command = [sys.executable, "-m", "eni_failover", "check", "--config", str(member.config)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=40, check=False)

    assert (done.returncode, done.stderr) == (1, "")
    assert "credentials" in done.stdout
