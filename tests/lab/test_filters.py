import pytest

from eni_failover.lab import Ec2Error
from eni_failover.lab.filter_names import (
    ENI_FILTERS,
    INSTANCE_FILTERS,
    STATUS_FILTERS,
    SUBNET_FILTERS,
    TYPE_FILTERS,
    ZONE_FILTERS,
)
from eni_failover.lab.filters import select
from eni_failover.lab.query import service_model

F1, F2 = "eni-0ffffffffffffff01", "eni-0ffffffffffffff02"
P1, P2 = "eni-0aaaaaaaaaaaaaaa1", "eni-0bbbbbbbbbbbbbbb2"


@pytest.fixture
def varied(make_world):
    """floating-1 on alpha, floating-2 free; each with something of its own."""
    world = make_world(enis=2)
    world.place(F2, None)
    world.change_eni(
        F1, description="web [live]", groups=(("sg-0aaaaaaaaaaaaaaaa", "web"),), ipv6=("2001:db8::1",)
    )
    world.change_eni(
        F2, source_dest_check=False, requester_managed=True, requester_id="amazon-elb", operator="x.aws"
    )
    return world


CASES = [
    # number, filter name, values, what is found
    (1, "network-interface-id", [F1, F2], [F1, F2]),
    (2, "attachment.instance-id", ["i-0aaaaaaaaaaaaaaa1"], [P1, F1]),
    (3, "attachment.attachment-id", ["eni-attach-00000000000000003"], [F1]),
    (4, "attachment.status", ["attached"], [P1, P2, F1]),
    (5, "attachment.device-index", ["1"], [F1]),
    (6, "attachment.delete-on-termination", ["true"], [P1, P2]),
    (7, "attachment.attach-time", ["2027-*"], [P1, P2, F1]),
    (8, "status", ["available"], [F2]),
    (9, "availability-zone", ["eu-central-1a"], [P1, P2, F1, F2]),
    (10, "availability-zone", ["eu-central-1b"], []),
    (11, "subnet-id", ["subnet-0123456789abcdef0"], [P1, P2, F1, F2]),
    (12, "vpc-id", ["vpc-*"], [P1, P2, F1, F2]),
    (13, "tag:Name", ["floating-1"], [F1]),
    (14, "tag:Name", ["floating-?"], [F1, F2]),
    (15, "tag:name", ["floating-1"], []),
    (16, "tag-key", ["Name"], [F1, F2]),
    (17, "private-ip-address", ["10.0.1.101", "10.0.1.12"], [P2, F1]),
    (18, "addresses.private-ip-address", ["10.0.1.1*"], [P1, P2, F1, F2]),
    (19, "association.public-ip", ["203.0.113.2"], [F2]),
    (20, "description", ["web \\[live\\]"], [F1]),
    (21, "description", ["web [live]"], [F1]),
    (22, "description", ["WEB*"], []),
    (23, "group-name", ["web"], [F1]),
    (24, "group-id", ["sg-0aaaaaaaaaaaaaaaa", "sg-none"], [F1]),
    (25, "ipv6-addresses.ipv6-address", ["2001:db8::1"], [F1]),
    (26, "mac-address", ["0a:ff:00:00:00:02"], [F2]),
    (27, "source-dest-check", ["false"], [F2]),
    (28, "requester-managed", ["true"], [F2]),
    (29, "operator.principal", ["x.aws"], [F2]),
    (30, "owner-id", ["123456789012"], [P1, P2, F1, F2]),
    (31, "interface-type", ["interface"], [P1, P2, F1, F2]),
]


@pytest.mark.parametrize(("number", "name", "values", "found"), CASES)
def test_eni_filters(varied, number, name, values, found):
    """A filter finds those that have one of its values, wildcards included."""
    answer = varied.call("DescribeNetworkInterfaces", {"Filters": [{"Name": name, "Values": values}]})

    assert found == [eni["NetworkInterfaceId"] for eni in answer["NetworkInterfaces"]]


INSTANCE_CASES = [
    (1, "instance-state-name", ["running"], ["alpha"]),
    (2, "instance-state-code", ["80"], ["beta"]),
    (3, "tag:eni-failover-group", ["orders"], ["alpha", "beta"]),
    (4, "private-ip-address", ["10.0.1.101"], ["alpha"]),
    (5, "network-interface.network-interface-id", [F1], ["alpha"]),
    (6, "network-interface.attachment.status", ["attached"], ["alpha", "beta"]),
    (7, "instance-type", ["m5.*"], ["alpha", "beta"]),
    (8, "availability-zone", ["eu-central-1?"], ["alpha", "beta"]),
    (9, "iam-instance-profile.arn", ["*/eni-failover"], ["alpha", "beta"]),
    (10, "launch-time", ["2027-01-15T*"], ["alpha", "beta"]),
    (11, "tag-key", ["nothing"], []),
]


@pytest.mark.parametrize(("number", "name", "values", "found"), INSTANCE_CASES)
def test_instance_filters(varied, number, name, values, found):
    """Filters of DescribeInstances look into the instance, its interfaces and its tags."""
    varied.set_state("beta", "stopped")
    answer = varied.call("DescribeInstances", {"Filters": [{"Name": name, "Values": values}]})
    names = {
        tag["Value"]
        for r in answer["Reservations"]
        for tag in r["Instances"][0]["Tags"]
        if tag["Key"] == "Name"
    }

    assert set(found) == names


def test_all_filters_must_match(varied):
    """Several filters are all required."""
    filters = [{"Name": "status", "Values": ["in-use"]}, {"Name": "tag-key", "Values": ["Name"]}]
    answer = varied.call("DescribeNetworkInterfaces", {"Filters": filters})

    assert [eni["NetworkInterfaceId"] for eni in answer["NetworkInterfaces"]] == [F1]


OTHERS = [
    (1, "DescribeInstanceStatus", "InstanceStatuses", "system-status.status", "ok", 2),
    (2, "DescribeInstanceStatus", "InstanceStatuses", "instance-state-name", "stopped", 0),
    (3, "DescribeSubnets", "Subnets", "cidr", "10.0.1.0/24", 1),
    (4, "DescribeSubnets", "Subnets", "availabilityZone", "eu-central-1b", 0),
    (5, "DescribeAvailabilityZones", "AvailabilityZones", "zone-id", "euc1-az1", 1),
    (6, "DescribeInstanceTypes", "InstanceTypes", "instance-type", "c5n.*", 2),
    (7, "DescribeTags", "Tags", "resource-type", "network-interface", 4),
    (8, "DescribeTags", "Tags", "value", "alpha", 1),
]


@pytest.mark.parametrize(("number", "action", "key", "name", "value", "count"), OTHERS)
def test_other_filters(*, varied, number, action, key, name, value, count):
    """The other describes filter alike."""
    answer = varied.call(action, {"Filters": [{"Name": name, "Values": [value]}]})

    assert count == len(answer[key])


REFUSALS = [
    (1, {"Name": "colour", "Values": ["red"]}, "InvalidParameterValue", "The filter 'colour' is invalid"),
    (2, {"Values": ["red"]}, "InvalidParameterValue", "null"),
    (3, {"Name": "status"}, "InvalidParameterValue", "value"),
    (4, {"Name": "status", "Values": ["x"] * 201}, "FilterLimitExceeded", "200"),
]


@pytest.mark.parametrize(("number", "item", "code", "text"), REFUSALS)
def test_filter_refusals(world, number, item, code, text):
    """A filter that the call does not know is refused, never ignored."""
    with pytest.raises(Ec2Error) as caught:
        world.call("DescribeNetworkInterfaces", {"Filters": [item]})

    assert code == caught.value.code
    assert text in caught.value.message


GLOBS = [
    (1, "a*c", ["abc", "ac", "a\nc"], ["abd"]),
    (2, "a?c", ["abc"], ["ac"]),
    (3, "a\\*c", ["a*c"], ["abc"]),
    (4, "a\\\\c", ["a\\c"], ["abc"]),
    (5, "a.c", ["a.c"], ["abc"]),
    (6, "[ab]", ["[ab]"], ["a"]),
]


@pytest.mark.parametrize(("number", "value", "hits", "misses"), GLOBS)
def test_wildcards(number, value, hits, misses):
    """Only `*` and `?` are wild, and a backslash tames them."""
    things = [{"Word": word} for word in (*hits, *misses)]
    found = select(things, [{"Name": "word", "Values": [value]}], {"word": "Word"})

    assert [{"Word": word} for word in hits] == found


TABLES = [
    ("NetworkInterface", ENI_FILTERS),
    ("Reservation", INSTANCE_FILTERS),
    ("InstanceStatus", STATUS_FILTERS),
    ("InstanceTypeInfo", TYPE_FILTERS),
    ("Subnet", SUBNET_FILTERS),
    ("AvailabilityZone", ZONE_FILTERS),
]


@pytest.mark.parametrize(("shape_name", "names"), TABLES)
def test_filter_paths_exist_in_the_model(shape_name, names):
    """Each filter looks at a field that EC2's model has: a misspelt path would match nothing for ever."""
    for name, path in names.items():
        shape = service_model().shape_for(shape_name)
        for step in path.split("."):
            while shape.type_name == "list":
                shape = shape.member

            assert step in shape.members, f"{name}: {path}"
            shape = shape.members[step]
