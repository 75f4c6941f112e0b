"""The filters that each Describe call knows, and the field of the answer that each one looks at.

Owns: the tables. Must not know: how matching is done. Does not guarantee: every filter that AWS has. A path
leads through lists: it means each of their items. `tag:KEY` is handled by `filters.select`.
"""

from typing import Final

ENI_FILTERS: Final = {
    "addresses.association.owner-id": "PrivateIpAddresses.Association.IpOwnerId",
    "addresses.association.public-ip": "PrivateIpAddresses.Association.PublicIp",
    "addresses.primary": "PrivateIpAddresses.Primary",
    "addresses.private-ip-address": "PrivateIpAddresses.PrivateIpAddress",
    "association.allocation-id": "Association.AllocationId",
    "association.association-id": "Association.AssociationId",
    "association.ip-owner-id": "Association.IpOwnerId",
    "association.public-dns-name": "Association.PublicDnsName",
    "association.public-ip": "Association.PublicIp",
    "attachment.attach-time": "Attachment.AttachTime",
    "attachment.attachment-id": "Attachment.AttachmentId",
    "attachment.delete-on-termination": "Attachment.DeleteOnTermination",
    "attachment.device-index": "Attachment.DeviceIndex",
    "attachment.instance-id": "Attachment.InstanceId",
    "attachment.instance-owner-id": "Attachment.InstanceOwnerId",
    "attachment.status": "Attachment.Status",
    "availability-zone": "AvailabilityZone",
    "availability-zone-id": "AvailabilityZoneId",
    "description": "Description",
    "group-id": "Groups.GroupId",
    "group-name": "Groups.GroupName",
    "interface-type": "InterfaceType",
    "ipv6-addresses.ipv6-address": "Ipv6Addresses.Ipv6Address",
    "mac-address": "MacAddress",
    "network-interface-id": "NetworkInterfaceId",
    "operator.managed": "Operator.Managed",
    "operator.principal": "Operator.Principal",
    "owner-id": "OwnerId",
    "private-dns-name": "PrivateDnsName",
    "private-ip-address": "PrivateIpAddresses.PrivateIpAddress",
    "requester-id": "RequesterId",
    "requester-managed": "RequesterManaged",
    "source-dest-check": "SourceDestCheck",
    "status": "Status",
    "subnet-id": "SubnetId",
    "tag-key": "TagSet.Key",
    "vpc-id": "VpcId",
}

INSTANCE_FILTERS: Final = {
    "architecture": "Instances.Architecture",
    "availability-zone": "Instances.Placement.AvailabilityZone",
    "availability-zone-id": "Instances.Placement.AvailabilityZoneId",
    "dns-name": "Instances.PublicDnsName",
    "iam-instance-profile.arn": "Instances.IamInstanceProfile.Arn",
    "iam-instance-profile.id": "Instances.IamInstanceProfile.Id",
    "image-id": "Instances.ImageId",
    "instance-id": "Instances.InstanceId",
    "instance-state-code": "Instances.State.Code",
    "instance-state-name": "Instances.State.Name",
    "instance-type": "Instances.InstanceType",
    "instance.group-id": "Instances.SecurityGroups.GroupId",
    "instance.group-name": "Instances.SecurityGroups.GroupName",
    "ip-address": "Instances.PublicIpAddress",
    "ipv6-address": "Instances.Ipv6Address",
    "launch-time": "Instances.LaunchTime",
    "network-interface.addresses.association.public-ip": (
        "Instances.NetworkInterfaces.PrivateIpAddresses.Association.PublicIp"
    ),
    "network-interface.addresses.primary": "Instances.NetworkInterfaces.PrivateIpAddresses.Primary",
    "network-interface.addresses.private-ip-address": (
        "Instances.NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress"
    ),
    "network-interface.attachment.attachment-id": "Instances.NetworkInterfaces.Attachment.AttachmentId",
    "network-interface.attachment.device-index": "Instances.NetworkInterfaces.Attachment.DeviceIndex",
    "network-interface.attachment.status": "Instances.NetworkInterfaces.Attachment.Status",
    "network-interface.mac-address": "Instances.NetworkInterfaces.MacAddress",
    "network-interface.network-interface-id": "Instances.NetworkInterfaces.NetworkInterfaceId",
    "network-interface.status": "Instances.NetworkInterfaces.Status",
    "network-interface.subnet-id": "Instances.NetworkInterfaces.SubnetId",
    "owner-id": "OwnerId",
    "private-dns-name": "Instances.PrivateDnsName",
    "private-ip-address": "Instances.NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress",
    "reservation-id": "ReservationId",
    "source-dest-check": "Instances.SourceDestCheck",
    "state-reason-code": "Instances.StateReason.Code",
    "subnet-id": "Instances.SubnetId",
    "tag-key": "Instances.Tags.Key",
    "tenancy": "Instances.Placement.Tenancy",
    "vpc-id": "Instances.VpcId",
}

STATUS_FILTERS: Final = {
    "attached-ebs-status.status": "AttachedEbsStatus.Status",
    "availability-zone": "AvailabilityZone",
    "availability-zone-id": "AvailabilityZoneId",
    "instance-state-code": "InstanceState.Code",
    "instance-state-name": "InstanceState.Name",
    "instance-status.reachability": "InstanceStatus.Details.Status",
    "instance-status.status": "InstanceStatus.Status",
    "system-status.reachability": "SystemStatus.Details.Status",
    "system-status.status": "SystemStatus.Status",
}

TYPE_FILTERS: Final = {
    "bare-metal": "BareMetal",
    "hypervisor": "Hypervisor",
    "instance-type": "InstanceType",
    "network-info.efa-supported": "NetworkInfo.EfaSupported",
    "network-info.ena-support": "NetworkInfo.EnaSupport",
    "network-info.ipv4-addresses-per-interface": "NetworkInfo.Ipv4AddressesPerInterface",
    "network-info.ipv6-supported": "NetworkInfo.Ipv6Supported",
    "network-info.maximum-network-cards": "NetworkInfo.MaximumNetworkCards",
    "network-info.maximum-network-interfaces": "NetworkInfo.MaximumNetworkInterfaces",
    "processor-info.supported-architecture": "ProcessorInfo.SupportedArchitectures",
    "vcpu-info.default-vcpus": "VCpuInfo.DefaultVCpus",
}

SUBNET_FILTERS: Final = {
    "availability-zone": "AvailabilityZone",
    "availabilityZone": "AvailabilityZone",
    "availability-zone-id": "AvailabilityZoneId",
    "availabilityZoneId": "AvailabilityZoneId",
    "cidr": "CidrBlock",
    "cidr-block": "CidrBlock",
    "cidrBlock": "CidrBlock",
    "default-for-az": "DefaultForAz",
    "defaultForAz": "DefaultForAz",
    "ipv6-cidr-block-association.ipv6-cidr-block": "Ipv6CidrBlockAssociationSet.Ipv6CidrBlock",
    "owner-id": "OwnerId",
    "state": "State",
    "subnet-arn": "SubnetArn",
    "subnet-id": "SubnetId",
    "tag-key": "Tags.Key",
    "vpc-id": "VpcId",
}

ZONE_FILTERS: Final = {
    "group-name": "GroupName",
    "opt-in-status": "OptInStatus",
    "region-name": "RegionName",
    "state": "State",
    "zone-id": "ZoneId",
    "zone-name": "ZoneName",
    "zone-type": "ZoneType",
}

TAG_FILTERS: Final = {
    "key": "Key",
    "resource-id": "ResourceId",
    "resource-type": "ResourceType",
    "value": "Value",
}

SPOT_REQUEST_FILTERS: Final = {
    "instance-id": "InstanceId",
    "spot-instance-request-id": "SpotInstanceRequestId",
    "state": "State",
    "type": "Type",
}
