"""The CloudFormation template: what cfn-lint says of it, and what a stack of it consists of."""

from __future__ import annotations

import ipaddress
import json
import re
import socket

import pytest
from cfnlint import lint
from cfnlint.config import ManualArgs

from eni_failover.adapters.ec2_roster import TaggedInstance
from eni_failover.config.schema import DiscoveryTable, ServerTable
from eni_failover.core.model import InstanceState
from eni_failover.discovery import members_of
from tests.cloudformation.stack import ENI, ROOT, SWITCHES, TEMPLATE, document, resolved

REGIONS = ["eu-central-1", "us-east-1", "us-gov-west-1", "ap-southeast-2"]
ONE_EACH = [{name: value} for name, value in SWITCHES.items()]
ALL_BUT_ONE = [{one: value for one, value in SWITCHES.items() if one != name} for name in SWITCHES]


def test_cfn_lint_has_nothing_to_say_and_asks_nobody(monkeypatch):
    """No error, warning or information for four regions, by the schemas that cfn-lint brings along."""

    def refuse(*_):
        raise AssertionError("cfn-lint wants the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    found = lint(TEMPLATE.read_text(), config=ManualArgs(regions=REGIONS, include_checks=["I"]))

    assert [f"{one.rule.id} {one.linenumber}: {one.message}" for one in found] == []


def test_cfn_lint_would_notice():
    """The check can fail: a group that does not exist, and a property with a typing mistake."""
    text = TEMPLATE.read_text()
    broken = text.replace("GroupSet: [!Ref Floating", "GroupSet: [!Ref Floatin", 1).replace(
        "SubnetIds:", "SubnetIDs:", 1
    )
    found = lint(broken, config=ManualArgs(regions=REGIONS[:1], include_checks=["I"]))

    assert {"E1020", "E3002"} <= {one.rule.id for one in found}


@pytest.mark.parametrize(
    "parameters", [{}, SWITCHES, *ONE_EACH, *ALL_BUT_ONE], ids=lambda one: "+".join(one) or "none"
)
def test_nothing_dangles_whatever_is_switched_on(parameters):
    """All off, all on, each alone and all but each: what a resource or output names is in the stack.

    Each alone finds a thing that needs another switch, all but each one that needs a switch to be off.
    """
    stack = resolved(**parameters)

    assert "${" not in json.dumps([stack.resources, stack.outputs])
    assert {"FloatingEni", "Alpha", "Beta"} <= set(stack.resources)


def test_switches_leave_out_and_put_in():
    """Without anything asked for there is no Elastic IP, no endpoint and no topic; with all, all of it."""
    optional = {
        "FloatingIp",
        "FloatingIpAssociation",
        "ProbesToWitness",
        "SshToMembers",
        "EndpointSecurityGroup",
    }
    optional |= {
        "EndpointFromVpc",
        "EndpointToEc2",
        "MovesRule",
        "MovesTopic",
        "MovesTopicPolicy",
        "MovesEmail",
    }

    assert set(document()["Resources"]) - set(resolved().resources) == optional
    assert set(document()["Resources"]) == set(resolved(**SWITCHES).resources)


def test_every_parameter_is_explained_and_in_the_form():
    """Each has a description, stands in one group of the console's form, and is used."""
    template = document()
    parameters = template["Parameters"]
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]

    assert sorted(shown) == sorted(parameters)
    assert [name for name, one in parameters.items() if len(one.get("Description", "")) < 20] == []
    assert {name for name, one in parameters.items() if "Default" not in one} == {
        "VpcId", "SubnetId", "ClientCidr", "GroupName", "PackageBucket",
    }  # fmt: skip


def test_the_guide_names_parameters_that_exist():
    """docs/cloudformation.md: its command gives what has no default, and its table names no other."""
    guide = (ROOT / "docs" / "cloudformation.md").read_text()
    parameters = document()["Parameters"]
    given = set(re.findall(r"ParameterKey=(\w+)", guide))
    rows = re.search(r"^## Parameters\n(.*?)^`Serv", guide, re.MULTILINE | re.DOTALL)[1]
    explained = {
        name
        for row in re.findall(r"^\| (`.*?) \|", rows, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }

    assert given == {name for name, one in parameters.items() if "Default" not in one}
    assert len(explained) > 8
    assert explained <= set(parameters)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("GroupName", ["orders", "a-1"], ["", "Orders", "a b", "a_b", 'a"']),
        ("ClientCidr", ["10.0.0.0/16", "0.0.0.0/0"], ["", "10.0.0.0", "10.0.0.0/33", "any"]),
        (
            "FloatingAddress",
            ["", "10.0.1.100", "255.255.255.255"],
            ["10.0.1", "10.0.1.256", "10.0.1.1.", "10.0.1.1/32"],
        ),
        (
            "HealthPath",
            ["", "/", "/healthz", "/a/b.html"],
            ["healthz", "/a b", '/"', "/{member}", "/'$(id)'"],
        ),
        ("PackagePrefix", ["", "eni-failover/", "a/b/"], ["/", "a", "a//", "a*/", "'/"]),
        ("PackageBucket", ["packages", "a.b-c"], ["", "*", "a/b", "A"]),
        ("PackageVersion", ["0.1.0", "1.0.0rc1", "1.0.0.dev1"], ["", "v1", "1.0'", "1.0/.."]),
        (
            "PipIndexUrl",
            ["", "https://a.example/simple/"],
            ["http://a", "https://user:secret@a", "https://a'"],
        ),
        ("ServiceScript", ["", "service.sh"], ["../x", "a b", "a'"]),
        ("WitnessAddress", ["", "10.0.0.2", "db.example"], ["a b", 'a"', "{address}"]),
        ("NotificationEmail", ["", "team@example.com"], ["team", "a@b c"]),
    ],
)
def test_what_a_parameter_takes(name, good, bad):
    """The patterns let nothing pass that would break out of the script's or the file's quotes."""
    one = document()["Parameters"][name]

    def takes(text: str) -> bool:
        return len(text) >= one.get("MinLength", 0) and bool(re.search(one["AllowedPattern"], text))

    assert [text for text in good if not takes(text)] == []
    assert [text for text in bad if takes(text)] == []


def test_no_resource_attaches_the_floating_eni():
    """It starts on nobody: no attachment, and no instance or launch template has it as its interface."""
    stack = resolved(**SWITCHES)
    instances = json.dumps(
        [stack.of_type("AWS::EC2::Instance"), stack.resources["MemberTemplate"]["Properties"]]
    )

    assert stack.of_type("AWS::EC2::NetworkInterfaceAttachment") == {}
    assert "NetworkInterfaces" not in instances
    assert instances.count(ENI) == 1  # ids of the configuration


def test_what_clients_know_outlives_the_stack():
    """The ENI and its Elastic IP stay, with all that they need: a group in use cannot be deleted."""
    resources = document()["Resources"]
    kept = {name for name, one in resources.items() if one.get("DeletionPolicy") == "RetainExceptOnCreate"}
    needs = {
        name: set(re.findall(r'"Ref": "(\w+)"', json.dumps(resources[name]))) & set(resources)
        | set(re.findall(r'"Fn::GetAtt": \["(\w+)"', json.dumps(resources[name])))
        for name in kept
    }

    assert kept == {"FloatingEni", "FloatingSecurityGroup", "FloatingIp", "FloatingIpAssociation"}
    assert set().union(*needs.values()) <= kept
    assert {resources[name]["UpdateReplacePolicy"] for name in kept - {"FloatingIpAssociation"}} == {"Retain"}


def tags(properties) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in properties["Tags"]}


def test_the_instances_are_one_template_and_differ_by_name_and_rank():
    """Everything else is the same, so that either can serve; a new version of the template replaces both."""
    instances = resolved().of_type("AWS::EC2::Instance")
    alpha, beta = instances["Alpha"], instances["Beta"]

    assert {key for key in {**alpha, **beta} if alpha.get(key) != beta.get(key)} == {"Tags"}
    assert {key for key, value in tags(alpha).items() if tags(beta)[key] != value} == {
        "Name",
        "eni-failover-rank",
    }
    assert set(alpha) == {"LaunchTemplate", "SubnetId", "Tags"}


def test_discovery_finds_alpha_then_beta():
    """The tags are those that [discovery] looks for; the rank makes alpha the primary."""
    found = [
        TaggedInstance(
            instance_id=f"id-of-{name}",
            state=InstanceState.RUNNING,
            zone="eu-central-1a",
            address=f"10.0.1.{number}",
            launched=0.0,
            name_tag=tags(one)["Name"],
            rank_tag=tags(one)["eni-failover-rank"],
            eni_ids=(),
        )
        for number, (name, one) in enumerate(
            sorted(resolved().of_type("AWS::EC2::Instance").items(), reverse=True)
        )
    ]
    members = members_of(found, zone="eu-central-1a", eni_ids=[ENI])

    assert [one.name for one in members] == ["orders-alpha", "orders-beta"]
    for one in resolved().of_type("AWS::EC2::Instance").values():
        assert tags(one)[DiscoveryTable().tag] == "orders"


def test_metadata_needs_a_token_and_does_not_leave_the_host():
    """IMDSv2 alone, one hop; a spread placement group keeps the two on different hardware."""
    stack = resolved()
    data = stack.resources["MemberTemplate"]["Properties"]["LaunchTemplateData"]

    assert data["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
    }
    assert data["Placement"] == {"GroupName": "id-of-HardwareApart"}
    assert stack.resources["HardwareApart"]["Properties"] == {"Strategy": "spread"}


def test_the_stack_waits_for_both_daemons():
    """Each instance is made when its own user data has said so, within a time."""
    resources = resolved().resources

    assert {resources[name]["CreationPolicy"]["ResourceSignal"]["Timeout"] for name in ("Alpha", "Beta")} == {
        "PT15M"
    }


def rules(stack) -> set[tuple]:
    """Every rule of every security group: group, direction, peer, ports."""
    found = set()
    for name, one in stack.of_type("AWS::EC2::SecurityGroup").items():
        for direction in ("Ingress", "Egress"):
            found |= {(name, direction, *_rule(each)) for each in one.get(f"SecurityGroup{direction}", [])}
    for direction in ("Ingress", "Egress"):
        for one in stack.of_type(f"AWS::EC2::SecurityGroup{direction}").values():
            found.add((one["GroupId"].removeprefix("id-of-"), direction, *_rule(one)))
    return found


def _rule(one):
    peer = one.get("CidrIp") or one.get("SourceSecurityGroupId") or one["DestinationSecurityGroupId"]
    ports = (one["FromPort"], one["ToPort"]) if one["IpProtocol"] == "tcp" else ("all", "all")
    return peer.removeprefix("id-of-"), *ports


PLAIN = {
    ("FloatingSecurityGroup", "Ingress", "10.0.0.0/16", 8080, 8080),
    ("FloatingSecurityGroup", "Egress", "127.0.0.1/32", "all", "all"),
    ("MemberSecurityGroup", "Ingress", "MemberSecurityGroup", 10177, 10177),
    ("MemberSecurityGroup", "Egress", "MemberSecurityGroup", 10177, 10177),
    ("MemberSecurityGroup", "Ingress", "MemberSecurityGroup", 8080, 8080),
    ("MemberSecurityGroup", "Egress", "MemberSecurityGroup", 8080, 8080),
    ("MemberSecurityGroup", "Egress", "0.0.0.0/0", 443, 443),
}
ASKED_FOR = {
    ("MemberSecurityGroup", "Egress", "0.0.0.0/0", 53, 53),
    ("MemberSecurityGroup", "Ingress", "10.0.9.0/24", 22, 22),
    ("EndpointSecurityGroup", "Ingress", "MemberSecurityGroup", 443, 443),
    ("EndpointSecurityGroup", "Ingress", "10.0.0.0/16", 443, 443),
    ("EndpointSecurityGroup", "Egress", "127.0.0.1/32", "all", "all"),
}


def test_the_security_groups_let_through_this_and_nothing_else():
    """Clients reach the floating ENI, members each other and the EC2 API; more only when it was asked for."""
    assert rules(resolved()) == PLAIN
    assert rules(resolved(**SWITCHES)) == PLAIN | ASKED_FOR


def test_nobody_is_let_in_from_everywhere():
    """No ingress from all addresses, unless the stack's owner writes it as the clients' range."""
    sources = {peer for _, direction, peer, *_ in rules(resolved(**SWITCHES)) if direction == "Ingress"}
    ranges = [ipaddress.ip_network(one) for one in sources if "/" in one]

    assert ranges
    assert min(one.prefixlen for one in ranges) >= 8


def test_the_members_port_is_the_daemons():
    """The port that the groups open is the one that the daemon listens on."""
    assert ServerTable().listen.endswith(":10177")


def test_the_endpoint_answers_in_place_of_ec2():
    """An interface endpoint of the region's EC2 with private DNS: no member has to know of it."""
    (endpoint,) = resolved(region="eu-west-3", **SWITCHES).of_type("AWS::EC2::VPCEndpoint").values()

    assert endpoint["ServiceName"] == "com.amazonaws.eu-west-3.ec2"
    assert (endpoint["VpcEndpointType"], endpoint["PrivateDnsEnabled"]) == ("Interface", True)
