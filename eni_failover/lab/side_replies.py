"""The rest of what EC2 describes: status checks, subnets, instance types, zones, tags.

Owns: which field of an answer comes from which field of a record. Must not know: filters, XML, who asks.
Does not guarantee: every field that EC2 has.
"""

from eni_failover.lab.instance_types import InstanceType
from eni_failover.lab.lifecycle import durations_of
from eni_failover.lab.replies import Reply, moment_of, state_reply, tag_list
from eni_failover.lab.settings import Settings
from eni_failover.lab.values import CheckStatus, Instance, InstanceState, State, Subnet


def instance_status_reply(instance: Instance, state: State, settings: Settings, *, now: float) -> Reply:
    """An InstanceStatus: the summaries of the status checks at the world's time `now`."""
    subnet = state.subnets[instance.subnet_id]
    running = instance.state is InstanceState.RUNNING
    ebs = CheckStatus.OK if running else CheckStatus.NOT_APPLICABLE
    fresh = running and now < instance.running_since + durations_of(instance, settings).initializing
    return {
        "InstanceId": instance.id,
        "AvailabilityZone": subnet.zone,
        "AvailabilityZoneId": subnet.zone_id,
        "InstanceState": state_reply(instance.state),
        "InstanceStatus": _check_reply(instance, instance.instance_check, running=running, fresh=fresh),
        "SystemStatus": _check_reply(instance, instance.system_check, running=running, fresh=fresh),
        "AttachedEbsStatus": _check_reply(instance, ebs, running=running, fresh=fresh),
        "Events": [],
    }


_CHECK_DETAIL = {
    CheckStatus.OK: "passed",
    CheckStatus.IMPAIRED: "failed",
    CheckStatus.INITIALIZING: "initializing",
    CheckStatus.INSUFFICIENT_DATA: "insufficient-data",
}


def _check_reply(instance: Instance, check: CheckStatus, *, running: bool, fresh: bool) -> Reply:
    if not running:
        return {"Status": CheckStatus.NOT_APPLICABLE.value}
    if fresh and check is CheckStatus.OK:
        check = CheckStatus.INITIALIZING
    detail: Reply = {"Name": "reachability", "Status": _CHECK_DETAIL.get(check, "insufficient-data")}
    if check is CheckStatus.IMPAIRED:
        detail["ImpairedSince"] = moment_of(instance.impaired_since)
    return {"Status": check.value, "Details": [detail]}


def subnet_reply(subnet: Subnet, settings: Settings) -> Reply:
    """A Subnet of DescribeSubnets."""
    return {
        "SubnetId": subnet.id,
        "SubnetArn": f"arn:aws:ec2:{settings.region}:{settings.account}:subnet/{subnet.id}",
        "VpcId": subnet.vpc_id,
        "OwnerId": settings.account,
        "State": "available",
        "CidrBlock": subnet.cidr,
        "AvailabilityZone": subnet.zone,
        "AvailabilityZoneId": subnet.zone_id,
        "DefaultForAz": False,
        "MapPublicIpOnLaunch": False,
        "AssignIpv6AddressOnCreation": False,
        "Ipv6Native": False,
        "Ipv6CidrBlockAssociationSet": [
            {"Ipv6CidrBlock": cidr, "Ipv6CidrBlockState": {"State": "associated"}}
            for cidr in subnet.ipv6_cidrs
        ],
        "Tags": tag_list(subnet.tags),
    }


def instance_type_reply(kind: InstanceType) -> Reply:
    """An InstanceTypeInfo, with the NetworkInfo that tells how many ENIs fit."""
    interface_types = ["interface", "efa", "efa-only"] if kind.efa else ["interface"]
    return {
        "InstanceType": kind.name,
        "BareMetal": False,
        "Hypervisor": "nitro",
        "ProcessorInfo": {"SupportedArchitectures": [kind.architecture]},
        "VCpuInfo": {"DefaultVCpus": kind.vcpus},
        "MemoryInfo": {"SizeInMiB": kind.memory_mib},
        "NetworkInfo": {
            "NetworkPerformance": kind.performance,
            "MaximumNetworkInterfaces": kind.enis,
            "MaximumNetworkCards": len(kind.enis_per_card),
            "DefaultNetworkCardIndex": 0,
            "NetworkCards": [
                {
                    "NetworkCardIndex": card,
                    "NetworkPerformance": kind.performance,
                    "MaximumNetworkInterfaces": enis,
                    "InterfaceTypes": interface_types,
                }
                for card, enis in enumerate(kind.enis_per_card)
            ],
            "Ipv4AddressesPerInterface": kind.ips_per_eni,
            "Ipv6AddressesPerInterface": kind.ips_per_eni,
            "Ipv6Supported": True,
            "EnaSupport": "required",
            "EfaSupported": kind.efa,
        },
    }


def zone_replies(state: State, settings: Settings) -> list[Reply]:
    """The AvailabilityZones that have a subnet in this world."""
    zones = {subnet.zone: subnet.zone_id for subnet in state.subnets.values()}
    return [
        {
            "ZoneName": zone,
            "ZoneId": zones[zone],
            "RegionName": settings.region,
            "GroupName": settings.region,
            "NetworkBorderGroup": settings.region,
            "ZoneType": "availability-zone",
            "OptInStatus": "opt-in-not-required",
            "State": "available",
            "Messages": [],
        }
        for zone in sorted(zones)
    ]


def tag_replies(state: State) -> list[Reply]:
    """Every tag of every resource, by resource id."""
    owners = {
        **{key: ("instance", instance.tags) for key, instance in state.instances.items()},
        **{key: ("network-interface", eni.tags) for key, eni in state.enis.items()},
        **{key: ("subnet", subnet.tags) for key, subnet in state.subnets.items()},
    }
    return [
        {"ResourceId": resource_id, "ResourceType": kind, **tag}
        for resource_id, (kind, tags) in sorted(owners.items())
        for tag in tag_list(tags)
    ]
