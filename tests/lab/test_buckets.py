import pytest

from eni_failover.lab.buckets import Buckets, bucket_of

FILTER = {"Filters": [{"Name": "status", "Values": ["available"]}]}

NAMES = [
    (1, "DescribeInstances", {}, "DescribeInstances:unfiltered"),
    (2, "DescribeInstances", FILTER, "DescribeInstances"),
    (3, "DescribeInstances", {"MaxResults": 5}, "DescribeInstances"),
    (4, "DescribeInstances", {"NextToken": "x"}, "DescribeInstances"),
    (
        5,
        "DescribeNetworkInterfaces",
        {"NetworkInterfaceIds": ["eni-1"]},
        "DescribeNetworkInterfaces:unfiltered",
    ),
    (6, "DescribeInstanceTypes", {}, "DescribeInstanceTypes"),
    (7, "AttachNetworkInterface", {}, "AttachNetworkInterface"),
]


@pytest.mark.parametrize(("number", "action", "parameters", "bucket"), NAMES)
def test_bucket_of(number, action, parameters, bucket):
    """The three big describes have a smaller bucket for calls with neither filter nor page; ids are none."""
    assert bucket == bucket_of(action, parameters)


SIZES = [
    # bucket, capacity, refill per second: the documented figures
    ("DescribeInstances", 100, 20),
    ("DescribeInstances:unfiltered", 50, 10),
    ("DescribeNetworkInterfaces:unfiltered", 50, 10),
    ("DescribeInstanceStatus:unfiltered", 50, 10),
    ("DescribeInstanceTypes", 100, 20),
    ("AttachNetworkInterface", 50, 5),
    ("DetachNetworkInterface", 50, 5),
    ("ModifyNetworkInterfaceAttribute", 100, 5),
]


@pytest.mark.parametrize(("bucket", "capacity", "refill"), SIZES)
def test_documented_sizes(bucket, capacity, refill):
    """A full bucket gives its capacity at once, and its refill after each second."""
    buckets = Buckets()
    at_once = sum(buckets.take(bucket, 0.0, {}) for _ in range(200))
    later = sum(buckets.take(bucket, 1.0, {}) for _ in range(200))

    assert (capacity, refill) == (at_once, later)


def test_a_bucket_never_holds_more_than_its_capacity():
    """However long nobody calls, the bucket is full at its capacity."""
    buckets = Buckets()
    buckets.take("DescribeTags", 0.0, {"DescribeTags": (2, 1)})

    granted = [buckets.take("DescribeTags", 1e6, {"DescribeTags": (2, 1)}) for _ in range(3)]
    assert granted == [True, True, False]


def test_sizes_can_be_set():
    """A given size replaces the default."""
    granted = [Buckets().take("DescribeTags", 0.0, {"DescribeTags": (0, 1)})]

    assert granted == [False]
