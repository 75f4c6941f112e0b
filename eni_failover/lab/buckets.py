"""The token buckets with which EC2 limits an account's calls in a Region.

Owns: names, documented sizes and the arithmetic of the buckets. Must not know: what a call does, whose it
is (a bucket is shared by the whole account). Does not guarantee: sizes for actions that AWS lists
separately and the lab has no figure for; they get the size of their class.

Sizes: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
"""

from collections.abc import Mapping
from typing import Final

UNFILTERED: Final = ":unfiltered"
"""Suffix of the bucket of a describe with neither filter nor pagination."""

_SPLIT_BY_FILTER: Final = frozenset(
    {"DescribeNetworkInterfaces", "DescribeInstances", "DescribeInstanceStatus"}
)
_READING: Final = (100.0, 20.0)
_READING_UNFILTERED: Final = (50.0, 10.0)
_MUTATING: Final = (50.0, 5.0)

DEFAULT_BUCKETS: Final[Mapping[str, tuple[float, float]]] = {
    **{action + UNFILTERED: _READING_UNFILTERED for action in _SPLIT_BY_FILTER},
    "ModifyNetworkInterfaceAttribute": (100.0, 5.0),
}
"""(capacity, refill per second) of the buckets that are not of their class's size."""


def bucket_of(action: str, parameters: Mapping[str, object]) -> str:
    """The bucket that a call takes its token from.

    Whether a list of ids counts as a filter is not documented; here it does not.
    """
    narrowed = parameters.get("Filters") or parameters.get("MaxResults") or parameters.get("NextToken")
    if action in _SPLIT_BY_FILTER and not narrowed:
        return action + UNFILTERED
    return action


class Buckets:
    """Token buckets, refilled by the time that has passed when they are asked. Not thread-safe."""

    def __init__(self) -> None:
        self._levels: dict[str, tuple[float, float]] = {}  # bucket -> (tokens, when that was so)

    def take(self, bucket: str, now: float, sizes: Mapping[str, tuple[float, float]]) -> bool:
        """Take one token at `now` (seconds); False, and nothing taken, when there is none."""
        capacity, refill = sizes.get(bucket) or _default_size(bucket)
        tokens, since = self._levels.get(bucket, (capacity, now))
        tokens = min(capacity, tokens + (now - since) * refill)
        granted = tokens >= 1.0
        self._levels[bucket] = (tokens - 1.0 if granted else tokens, now)
        return granted

    def drain(self, bucket: str, now: float) -> None:
        """Take every token, as another caller of the account would."""
        self._levels[bucket] = (0.0, now)

    def fill(self) -> None:
        """Fill every bucket."""
        self._levels.clear()


def _default_size(bucket: str) -> tuple[float, float]:
    if bucket in DEFAULT_BUCKETS:
        return DEFAULT_BUCKETS[bucket]
    return _READING if bucket.startswith("Describe") else _MUTATING
