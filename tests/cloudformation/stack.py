"""The template as CloudFormation would resolve it, with ids that say what they are."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from cfnlint.decode import cfn_yaml

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "deploy" / "cloudformation" / "pair.yaml"
ACCOUNT = "123456789012"
ENI = "eni-0123456789abcdef0"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/stack-MemberRole-1"
NOTHING = object()  # AWS::NoValue

# What has no default.
REQUIRED = {
    "VpcId": "vpc-0123456789abcdef0",
    "SubnetId": "subnet-0123456789abcdef0",
    "ClientCidr": "10.0.0.0/16",
    "GroupName": "orders",
    "PackageBucket": "packages",
}
# One parameter each, which switches something on or, by an empty HealthPath and SessionManager, off.
SWITCHES = {
    "FloatingAddress": "10.0.1.100",
    "ElasticIp": "yes",
    "EndpointCidr": "10.0.0.0/16",
    "HealthPath": "",
    "ServiceScript": "service.sh",
    "WitnessAddress": "10.0.0.2",
    "Fence": "stop",
    "SessionManager": "no",
    "KeyName": "key",
    "SshCidr": "10.0.9.0/24",
    "PipIndexUrl": "https://packages.example/simple",
    "Notifications": "yes",
    "NotificationEmail": "team@example.com",
}
_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}


def document():
    """The template as it is written, its short forms as the long ones."""
    return cfn_yaml.load(str(TEMPLATE))


@dataclass
class Stack:
    """The template with these parameters, resolved."""

    resources: dict
    outputs: dict

    @property
    def script(self) -> str:
        """The user data of both members."""
        data = self.resources["MemberTemplate"]["Properties"]["LaunchTemplateData"]["UserData"]
        assert set(data) == {"Fn::Base64"}

        return data["Fn::Base64"]

    @property
    def config(self) -> str:
        """The configuration file that the user data writes."""
        (text,) = re.findall(r"config\.toml <<'END'\n(.*?)^END$", self.script, re.MULTILINE | re.DOTALL)
        return text

    def statements(self, name: str) -> list:
        """Of the role's inline policy of this name."""
        (found,) = (
            one["PolicyDocument"]["Statement"]
            for one in self.resources["MemberRole"]["Properties"]["Policies"]
            if one["PolicyName"] == name
        )
        return found

    def of_type(self, kind: str) -> dict:
        """Name to properties of the resources of this type."""
        return {name: one["Properties"] for name, one in self.resources.items() if one["Type"] == kind}


def resolved(*, region: str = "eu-central-1", **parameters: str) -> Stack:
    """The stack. Raises KeyError for what the template names and these parameters leave out."""
    template = document()
    values = {name: one.get("Default") for name, one in template["Parameters"].items()}
    assert set(parameters) <= set(values)

    values |= REQUIRED | parameters
    values |= {
        "AWS::Region": region,
        "AWS::AccountId": ACCOUNT,
        "AWS::StackId": f"arn:aws:cloudformation:{region}:{ACCOUNT}:stack/pair/1",
        "AWS::StackName": "pair",
        "AWS::Partition": next(
            (one for begin, one in _PARTITIONS.items() if region.startswith(begin)), "aws"
        ),
        "AWS::NoValue": NOTHING,
    }
    resolver = _Resolver(template, values)
    kept = {name: one for name, one in template["Resources"].items() if resolver.applies(one)}
    resolver.values |= {name: ENI if name == "FloatingEni" else f"id-of-{name}" for name in kept}
    outputs = {name: one for name, one in template["Outputs"].items() if resolver.applies(one)}
    return Stack(resources=resolver.resolve(kept), outputs=resolver.resolve(outputs))


class _Resolver:
    """The intrinsic functions that the template uses; another one is an error."""

    def __init__(self, template, values) -> None:
        self.values = dict(values)
        self._conditions = template["Conditions"]

    def applies(self, block) -> bool:
        """Whether the block's condition holds."""
        return self._condition(block["Condition"]) if "Condition" in block else True

    def _condition(self, name) -> bool:
        return self.resolve(self._conditions[name])

    def resolve(self, node):
        """The node without functions."""
        if isinstance(node, dict):
            if len(node) == 1:
                ((name, argument),) = node.items()
                if name == "Ref":
                    return self.values[argument]
                if name == "Condition" and isinstance(argument, str):
                    return self._condition(argument)
                if name.startswith("Fn::") and name != "Fn::Base64":
                    return getattr(self, f"_{name[4:].lower()}")(argument)
            # A resource's condition is a name, a statement's is a block of its own.
            pairs = {
                key: self.resolve(one)
                for key, one in node.items()
                if key != "Condition" or isinstance(one, dict)
            }
            return {key: one for key, one in pairs.items() if one is not NOTHING}
        if isinstance(node, list):
            return [one for one in map(self.resolve, node) if one is not NOTHING]
        return node

    def _if(self, argument):
        name, yes, no = argument
        return self.resolve(yes if self._condition(name) else no)

    def _equals(self, argument) -> bool:
        one, other = self.resolve(argument)
        return str(one) == str(other)

    def _not(self, argument) -> bool:
        (one,) = argument
        return not self.resolve(one)

    def _and(self, argument) -> bool:
        return all(self.resolve(one) for one in argument)

    def _getatt(self, argument) -> str:
        name, attribute = argument
        assert name in self.values

        return ROLE if argument == ["MemberRole", "Arn"] else f"{attribute}-of-{name}"

    def _sub(self, argument) -> str:
        text, own = argument if isinstance(argument, list) else (argument, {})
        own = self.resolve(own)

        def value(match: re.Match) -> str:
            name = match[1]
            if name not in own and "." in name:
                return self._getatt(name.split(".", 1))
            found = own[name] if name in own else self.values[name]
            return str(found)

        return re.sub(r"\$\{([A-Za-z0-9.:]+)\}", value, text)


def canonical(statements) -> set[str]:
    """The statements, so that equal ones are equal whatever their order or that of their lists."""
    return {
        json.dumps(
            {key: sorted(one) if isinstance(one, list) else one for key, one in each.items()}, sort_keys=True
        )
        for each in statements
    }
