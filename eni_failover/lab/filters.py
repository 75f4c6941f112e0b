"""Filters and pages of the Describe calls.

Owns: the filter names that each call knows, matching, and the page tokens. Must not know: state; it works
on descriptions. Does not guarantee: every filter that AWS has; one that the lab does not know is refused,
never ignored.

Values of one filter are alternatives, filters are all required, `*` and `?` match anything, a backslash makes
them literal. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from eni_failover.lab.errors import Ec2Error

Description = Mapping[str, Any]

_LARGEST_PAGE: Final = 1000
_SMALLEST_PAGE: Final = 5
_MOST_VALUES: Final = 200


def select(
    descriptions: Sequence[Description],
    wanted: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
    *,
    tags_at: str | None = None,
) -> list[Description]:
    """The descriptions that pass all the filters `wanted`.

    `names` gives the path of each filter's field; `tags_at` that of the list of Key and Value for `tag:KEY`.
    Raises Ec2Error for a filter that is unknown or has no values.
    """
    rules = [(_path(item, names, tags_at), _pattern(item)) for item in wanted]
    return [
        description
        for description in descriptions
        if all(any(pattern.fullmatch(text) for text in _texts(description, path)) for path, pattern in rules)
    ]


_Path = tuple[list[str], str | None]


def _path(item: Mapping[str, Any], names: Mapping[str, str], tags_at: str | None) -> _Path:
    name = item.get("Name") or ""
    if tags_at is not None and name.startswith("tag:"):
        return tags_at.split("."), name.removeprefix("tag:")
    if name not in names:
        raise Ec2Error("InvalidParameterValue", f"The filter '{name or 'null'}' is invalid")
    return names[name].split("."), None


def _pattern(item: Mapping[str, Any]) -> re.Pattern[str]:
    values = item.get("Values") or []
    if not values:
        raise Ec2Error("InvalidParameterValue", f"The filter '{item['Name']}' must have at least one value")
    if len(values) > _MOST_VALUES:
        raise Ec2Error(
            "FilterLimitExceeded", f"The maximum number of filter values ({_MOST_VALUES}) was exceeded"
        )
    return re.compile("|".join(_glob(str(value)) for value in values), re.DOTALL)


def _glob(value: str) -> str:
    wild = {"*": ".*", "?": "."}
    pieces = re.findall(r"\\.|.", value, re.DOTALL)
    return "".join(wild.get(piece) or re.escape(piece[-1]) for piece in pieces)


def _texts(description: Any, path: _Path) -> list[str]:
    steps, tag_key = path
    found = [description]
    for step in steps:
        found = [child for item in found for child in _children(item, step)]
    if tag_key is not None:
        return [tag["Value"] for tag in found if tag["Key"] == tag_key]
    return [_text(item) for item in found]


def _children(item: Any, step: str) -> list[Any]:
    child = item.get(step)
    if child is None:
        return []
    return list(child) if isinstance(child, list) else [child]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return str(value)


def page(
    found: Sequence[Description], parameters: Mapping[str, Any], *, ids: str | None
) -> tuple[list[Description], str | None]:
    """One page of what was found, and the token of the next one.

    `ids` is the name of the parameter with ids, which excludes MaxResults.
    Raises Ec2Error for that combination, for a size out of range and for a token of nobody.
    """
    size = parameters.get("MaxResults")
    token = parameters.get("NextToken")
    if size is not None and ids and parameters.get(ids):
        raise Ec2Error(
            "InvalidParameterCombination", f"The parameter {ids} cannot be used with the parameter maxResults"
        )
    if size is not None and not _SMALLEST_PAGE <= size <= _LARGEST_PAGE:
        raise Ec2Error(
            "InvalidParameterValue",
            f"Value ( {size} ) for parameter maxResults is invalid. "
            f"Expecting a value between {_SMALLEST_PAGE} and {_LARGEST_PAGE}.",
        )
    start = _offset(token) if token else 0
    end = len(found) if size is None else start + size
    following = _token(end) if end < len(found) else None
    return list(found[start:end]), following


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"lab:{offset}".encode()).decode()


def _offset(token: str) -> int:
    try:
        mark, _, number = base64.urlsafe_b64decode(token).decode().partition(":")
        if mark == "lab":
            return int(number)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        pass
    raise Ec2Error("InvalidPaginationToken", "The specified pagination token is not valid or is expired.")
