"""All pages of a describe.

Owns the bound on their number and what makes a page none. Must not know what is described. A filtered
answer, too, may come in several pages, even in empty ones.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from eni_failover.adapters.ec2_errors import CONNECTION
from eni_failover.adapters.ec2_model import Operation
from eni_failover.errors import UnansweredError

if TYPE_CHECKING:
    from types_boto3_ec2.client import EC2Client

PAGE = 1000
"""What Filters allow at most in one page."""

MAX_PAGES = 20


class Ask(Protocol):
    """One call that changes nothing, with its retries."""

    def __call__(
        self, operation: Operation, send: Callable[[EC2Client], Mapping[str, Any]]
    ) -> Awaitable[Mapping[str, Any]]:
        """The answer; raises AdapterError."""
        ...


async def all_pages(
    ask: Ask,
    operation: Operation,
    key: str,
    page: Callable[[EC2Client, dict[str, Any]], Mapping[str, Any]],
) -> list[Mapping[str, Any]]:
    """What the pages list under `key`, together. `page` gets the parameters that ask for the next page.

    Raises the AdapterError of a page that failed, and UnansweredError for a page without the list.
    """
    found: list[Mapping[str, Any]] = []
    more: dict[str, Any] = {}
    for _ in range(MAX_PAGES):
        answer = await _one(ask, operation, page, more)
        if key not in answer:
            raise UnansweredError(f"the answer has no {key}", code=CONNECTION)
        found += answer[key]
        token = answer.get("NextToken")
        if not token:
            return found
        more = {"NextToken": token}
    raise UnansweredError(f"more than {MAX_PAGES} pages", code=CONNECTION)


async def _one(
    ask: Ask,
    operation: Operation,
    page: Callable[[EC2Client, dict[str, Any]], Mapping[str, Any]],
    more: dict[str, Any],
) -> Mapping[str, Any]:
    """One page; its retries ask for the same one."""
    return await ask(operation, lambda client: page(client, more))
