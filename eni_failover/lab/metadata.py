"""The tree of instance metadata that IMDS serves.

Owns: which item has which text, and that IMDS lags behind EC2. Must not know: HTTP, session tokens. Does
not guarantee: items beyond those that the daemon, botocore and net-utils read. An item that does not apply
is absent.

Categories: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html
"""

import json
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

from eni_failover.lab.credentials import Credentials
from eni_failover.lab.faults import ImdsKind
from eni_failover.lab.instance_types import INSTANCE_TYPES
from eni_failover.lab.replies import primary_eni, private_dns
from eni_failover.lab.settings import Settings
from eni_failover.lab.values import AttachmentStatus, Eni, Instance, State, Subnet
from eni_failover.lab.world import World

Tree = dict[str, Any]
"""Names to texts or trees; a directory is listed with a slash after the names of directories."""


def tree(world: World, instance_id: str) -> Tree:
    """Everything below `/latest/` for an instance, now. Raises KeyError when the instance is gone."""
    with world.locked():
        instance = world.instance(instance_id)
        state = world.state
        settings = world.settings
        zone = state.subnets[instance.subnet_id]
        data: Tree = {
            "ami-id": instance.image_id,
            "instance-id": instance.id,
            "instance-type": instance.type,
            "placement": {
                "region": settings.region,
                "availability-zone": zone.zone,
                "availability-zone-id": zone.zone_id,
            },
            "network": {"interfaces": {"macs": _macs(world, instance)}},
            "tags": {"instance": dict(instance.tags)},
        }
        primary = primary_eni(instance, state)
        if primary:
            data |= {"mac": primary.mac} | _hostnames(primary, settings)
        if instance.role:
            data["iam"] = _iam(world, instance, instance.role)
        return {"meta-data": data, "dynamic": _dynamic(instance, primary, state, settings)}


def _hostnames(primary: Eni, settings: Settings) -> Tree:
    if not primary.addresses:
        return {}
    ip = primary.addresses[0].ip
    name = private_dns(ip, settings)
    return {"local-ipv4": ip, "hostname": name, "local-hostname": name}


def _iam(world: World, instance: Instance, role: str) -> Tree:
    profile = f"arn:aws:iam::{world.settings.account}:instance-profile/{role}"
    info = {"Code": "Success", "InstanceProfileArn": profile, "InstanceProfileId": "AIPALABLABLABLABLAB00"}
    condition = world.imds_condition(instance.id)
    if condition and condition.kind is ImdsKind.NO_CREDENTIALS:
        return {"info": json.dumps(info), "security-credentials": {}}
    credentials = _credentials_json(world.credentials(instance.id))
    return {"info": json.dumps(info), "security-credentials": {role: credentials}}


def _iso(unix: float) -> str:
    return datetime.fromtimestamp(int(unix), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _credentials_json(credentials: Credentials) -> str:
    return json.dumps(
        {
            "Code": "Success",
            "LastUpdated": _iso(credentials.issued_wall),
            "Type": "AWS-HMAC",
            "AccessKeyId": credentials.access_key_id,
            "SecretAccessKey": credentials.secret_access_key,
            "Token": credentials.session_token,
            "Expiration": _iso(credentials.expires_wall),
        },
        indent=2,
    )


def _dynamic(instance: Instance, primary: Eni | None, state: State, settings: Settings) -> Tree:
    document = {
        "accountId": instance.owner_id or settings.account,
        "architecture": INSTANCE_TYPES[instance.type].architecture,
        "availabilityZone": state.zone_of(instance.subnet_id),
        "imageId": instance.image_id,
        "instanceId": instance.id,
        "instanceType": instance.type,
        "pendingTime": _iso(instance.launch_time),
        "privateIp": primary.addresses[0].ip if primary and primary.addresses else None,
        "region": settings.region,
        "version": "2017-09-30",
    }
    return {"instance-identity": {"document": json.dumps(document, indent=2)}}


def _macs(world: World, instance: Instance) -> Tree:
    """The interfaces that IMDS has heard of: late in appearing, slow in leaving."""
    settings, now = world.settings, world.now
    seen: dict[str, tuple[Eni, State]] = {}
    for state in world.states_since(now - settings.imds_lingers):
        for eni in state.attached_to(instance.id):
            seen[eni.id] = (eni, state)
    tree_of_macs: Tree = {}
    for eni, state in seen.values():
        attachment = eni.attachment
        if attachment is None or attachment.status is AttachmentStatus.ATTACHING:
            continue
        if attachment.device_index == 0 or attachment.attached_at + settings.imds_appears_after <= now:
            tree_of_macs[eni.mac] = _interface(eni, state.subnets[eni.subnet_id], settings)
    return tree_of_macs


def _interface(eni: Eni, subnet: Subnet, settings: Settings) -> Tree:
    attachment = eni.attachment
    vpc = str(ip_network(subnet.cidr).supernet(new_prefix=16))
    items: Tree = {
        "device-number": str(attachment.device_index if attachment else 0),
        "network-card": str(attachment.card_index if attachment else 0),
        "interface-id": eni.id,
        "mac": eni.mac,
        "owner-id": eni.owner_id or settings.account,
        "security-group-ids": "\n".join(group_id for group_id, _ in eni.groups),
        "security-groups": "\n".join(name for _, name in eni.groups),
        "subnet-id": subnet.id,
        "subnet-ipv4-cidr-block": subnet.cidr,
        "vpc-id": subnet.vpc_id,
        "vpc-ipv4-cidr-block": vpc,
        "vpc-ipv4-cidr-blocks": vpc,
        "local-ipv4s": "\n".join(address.ip for address in eni.addresses),
        "local-hostname": private_dns(eni.addresses[0].ip, settings) if eni.addresses else "",
        "ipv6s": "\n".join(eni.ipv6),
        "ipv4-prefix": "\n".join(eni.ipv4_prefixes),
        "ipv6-prefix": "\n".join(eni.ipv6_prefixes),
        "subnet-ipv6-cidr-blocks": "\n".join(subnet.ipv6_cidrs),
        "public-ipv4s": "\n".join(a.association.public_ip for a in eni.addresses if a.association),
        "ipv4-associations": {a.association.public_ip: a.ip for a in eni.addresses if a.association},
    }
    return {name: item for name, item in items.items() if item}


def find(root: Tree, path: str) -> str | None:
    """The text of an item, or the listing of a directory; None when there is nothing at `path`."""
    node: Any = root
    for step in filter(None, path.split("/")):
        if not isinstance(node, dict) or step not in node:
            return None
        node = node[step]
    if isinstance(node, dict):
        return "\n".join(
            name + "/" if isinstance(child, dict) else name for name, child in sorted(node.items())
        )
    return str(node)
