import pytest

ALPHA, BETA = "i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb2"
ENI = "eni-0ffffffffffffff01"
MISSING_ENI, MISSING_INSTANCE = "eni-00000000000000bad", "i-00000000000000bad"


def ids(answer):
    return [eni["NetworkInterfaceId"] for eni in answer["NetworkInterfaces"]]


def instance_ids(answer):
    return [i["InstanceId"] for reservation in answer["Reservations"] for i in reservation["Instances"]]


UNKNOWN = [
    # action, parameters with an unknown id beside a known one, code
    (
        1,
        "DescribeNetworkInterfaces",
        {"NetworkInterfaceIds": [ENI, MISSING_ENI]},
        "InvalidNetworkInterfaceID.NotFound",
    ),
    (
        2,
        "DescribeNetworkInterfaces",
        {"NetworkInterfaceIds": ["eni-zz"]},
        "InvalidNetworkInterfaceId.Malformed",
    ),
    (3, "DescribeInstances", {"InstanceIds": [ALPHA, MISSING_INSTANCE]}, "InvalidInstanceID.NotFound"),
    (4, "DescribeInstances", {"InstanceIds": ["alpha"]}, "InvalidInstanceID.Malformed"),
    (5, "DescribeInstanceStatus", {"InstanceIds": [MISSING_INSTANCE]}, "InvalidInstanceID.NotFound"),
    (6, "DescribeInstanceTypes", {"InstanceTypes": ["m5.large", "q1.huge"]}, "InvalidInstanceType"),
    (7, "DescribeSubnets", {"SubnetIds": ["subnet-00000000000000bad"]}, "InvalidSubnetID.NotFound"),
    (8, "DescribeSubnets", {"SubnetIds": ["10.0.0.0"]}, "InvalidSubnetID.Malformed"),
    (9, "DescribeAvailabilityZones", {"ZoneNames": ["mars-1a"]}, "InvalidParameterValue"),
    (10, "DescribeAvailabilityZones", {"ZoneIds": ["mars1-az1"]}, "InvalidParameterValue"),
]


@pytest.mark.parametrize(("number", "action", "parameters", "code"), UNKNOWN)
def test_one_unknown_id_fails_the_whole_call(*, world, code_of, number, action, parameters, code):
    """With ids one unknown or malformed one is an error for the whole call."""
    assert code == code_of(world, action, **parameters)


def test_unknown_ids_in_filters_are_simply_absent(world):
    """With filters an ENI or instance that does not exist is not in the answer, and the others are."""
    enis = world.call(
        "DescribeNetworkInterfaces",
        {"Filters": [{"Name": "network-interface-id", "Values": [MISSING_ENI, ENI]}]},
    )
    instances = world.call(
        "DescribeInstances", {"Filters": [{"Name": "instance-id", "Values": [MISSING_INSTANCE, BETA]}]}
    )

    assert ids(enis) == [ENI]
    assert instance_ids(instances) == [BETA]


def test_ids_select(world):
    """With ids only those are described."""
    assert ids(world.call("DescribeNetworkInterfaces", {"NetworkInterfaceIds": [ENI]})) == [ENI]
    assert instance_ids(world.call("DescribeInstances", {"InstanceIds": [BETA]})) == [BETA]


def test_instance_status_is_of_running_instances(world):
    """DescribeInstanceStatus leaves out what does not run, unless it is asked for all."""
    world.set_state("alpha", "stopped")

    running = world.call("DescribeInstanceStatus")["InstanceStatuses"]
    named = world.call("DescribeInstanceStatus", {"InstanceIds": [ALPHA]})["InstanceStatuses"]
    whole = world.call("DescribeInstanceStatus", {"IncludeAllInstances": True})["InstanceStatuses"]

    assert [status["InstanceId"] for status in running] == [BETA]
    assert named == []
    assert [(s["InstanceId"], s["InstanceState"]["Name"], s["SystemStatus"]["Status"]) for s in whole] == [
        (ALPHA, "stopped", "not-applicable"),
        (BETA, "running", "ok"),
    ]


def test_impaired_checks(world, clock):
    """Each status check can be impaired by itself, and says since when."""
    clock.advance(60)
    world.impair("alpha", system="impaired")
    status = world.call("DescribeInstanceStatus", {"InstanceIds": [ALPHA]})["InstanceStatuses"][0]
    detail = status["SystemStatus"]["Details"][0]

    assert (status["SystemStatus"]["Status"], status["InstanceStatus"]["Status"]) == ("impaired", "ok")
    assert (detail["Name"], detail["Status"]) == ("reachability", "failed")
    assert detail["ImpairedSince"].timestamp() == 1_800_000_060
    world.impair("alpha", system="ok", guest="insufficient-data")
    status = world.call("DescribeInstanceStatus", {"InstanceIds": [ALPHA]})["InstanceStatuses"][0]
    assert (
        status["SystemStatus"]["Status"],
        status["InstanceStatus"]["Status"],
    ) == ("ok", "insufficient-data")


LIMITS = [
    ("t3.micro", 2, 2, [2]),
    ("m5.large", 3, 10, [3]),
    ("c5n.18xlarge", 15, 50, [15]),
    ("c6in.32xlarge", 16, 50, [8, 8]),
]


@pytest.mark.parametrize(("name", "enis", "ips", "cards"), LIMITS)
def test_instance_type_limits(world, name, enis, ips, cards):
    """DescribeInstanceTypes gives the real limits of a type."""
    info = world.call("DescribeInstanceTypes", {"InstanceTypes": [name]})["InstanceTypes"][0]["NetworkInfo"]

    assert (enis, ips, ips) == (
        info["MaximumNetworkInterfaces"],
        info["Ipv4AddressesPerInterface"],
        info["Ipv6AddressesPerInterface"],
    )
    assert cards == [card["MaximumNetworkInterfaces"] for card in info["NetworkCards"]]
    assert info["MaximumNetworkCards"] == len(cards)


def test_zones_are_those_of_the_subnets(world):
    """DescribeAvailabilityZones knows the zones in which the world has subnets."""
    world.add_subnet("subnet-0bbbbbbbbbbbbbbbb", "eu-central-1b", "10.0.2.0/24")
    everything = world.call("DescribeAvailabilityZones")["AvailabilityZones"]
    one = world.call("DescribeAvailabilityZones", {"ZoneIds": ["euc1-az2"]})["AvailabilityZones"]

    assert [(zone["ZoneName"], zone["ZoneId"]) for zone in everything] == [
        ("eu-central-1a", "euc1-az1"),
        ("eu-central-1b", "euc1-az2"),
    ]
    assert [zone["ZoneName"] for zone in one] == ["eu-central-1b"]


def test_tags_of_everything(world):
    """DescribeTags lists tags by resource, and tag:KEY means this key with one of these values."""
    names = world.call("DescribeTags", {"Filters": [{"Name": "key", "Values": ["Name"]}]})["Tags"]
    ranked = world.call("DescribeTags", {"Filters": [{"Name": "tag:eni-failover-rank", "Values": ["2"]}]})[
        "Tags"
    ]

    assert {"floating-1", "alpha", "beta"} == {tag["Value"] for tag in names}
    assert ranked == [
        {"ResourceId": BETA, "ResourceType": "instance", "Key": "eni-failover-rank", "Value": "2"}
    ]


def test_dry_run_of_a_describe(world, code_of):
    """DryRun of a describe answers DryRunOperation and describes nothing, unknown ids or not."""
    assert code_of(world, "DescribeInstances", DryRun=True) == "DryRunOperation"
    assert (
        code_of(world, "DescribeInstances", DryRun=True, InstanceIds=[MISSING_INSTANCE]) == "DryRunOperation"
    )


def test_pages(make_world):
    """MaxResults cuts the answer into pages that together are everything, in order, once."""
    world = make_world(members=7, enis=0)
    pages, token = [], None
    while True:
        parameters = {"MaxResults": 5} | ({"NextToken": token} if token else {})
        answer = world.call("DescribeInstances", parameters)
        pages.append(instance_ids(answer))
        token = answer.get("NextToken")
        if token is None:
            break

    assert [len(page) for page in pages] == [5, 2]
    assert instance_ids(world.call("DescribeInstances")) == pages[0] + pages[1]


def test_pages_of_filtered_answers(make_world):
    """The page is cut from what the filters left."""
    world = make_world(members=6, enis=0)
    for name in ("alpha", "beta"):
        world.set_state(name, "stopped")
    running = [{"Name": "instance-state-name", "Values": ["running"]}]

    answer = world.call("DescribeInstances", {"MaxResults": 5, "Filters": running})

    assert (len(instance_ids(answer)), answer.get("NextToken")) == (4, None)


PAGE_REFUSALS = [
    (
        1,
        "DescribeNetworkInterfaces",
        {"MaxResults": 5, "NetworkInterfaceIds": [ENI]},
        "InvalidParameterCombination",
    ),
    (2, "DescribeInstances", {"MaxResults": 5, "InstanceIds": [ALPHA]}, "InvalidParameterCombination"),
    (3, "DescribeInstanceStatus", {"MaxResults": 5, "InstanceIds": [ALPHA]}, "InvalidParameterCombination"),
    (4, "DescribeInstances", {"MaxResults": 4}, "InvalidParameterValue"),
    (5, "DescribeInstances", {"MaxResults": 1001}, "InvalidParameterValue"),
    (6, "DescribeInstances", {"NextToken": "not a token"}, "InvalidPaginationToken"),
    (7, "DescribeInstances", {"NextToken": "bGFiOng="}, "InvalidPaginationToken"),
]


@pytest.mark.parametrize(("number", "action", "parameters", "code"), PAGE_REFUSALS)
def test_page_refusals(*, world, code_of, number, action, parameters, code):
    """Sizes out of range, sizes beside ids, and tokens of nobody are refused."""
    assert code == code_of(world, action, **parameters)
