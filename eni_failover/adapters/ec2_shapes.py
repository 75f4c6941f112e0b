"""Whether an answer has the shape in which boto3 reads what EC2 wrote.

Owns what makes a body with a status of success no answer to its call. Must not know what the answer
says. Does not guarantee that a fact is there, or that it makes sense: that is for its reader.

botocore reads any well-formed XML: a page of a proxy, or an error, as an answer in which nothing is
found; an element that comes twice as a list in the place of a value; the items of a list by their
position, whatever they are called; a list of text as an empty one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

from botocore.model import ListShape, OperationModel, Shape, StructureShape

from eni_failover.adapters.answer_bounds import refuse_bombs
from eni_failover.adapters.ec2_errors import CONNECTION
from eni_failover.errors import UnansweredError


def refuse_misread(operation_model: OperationModel, response_dict: Mapping[str, Any], **_: object) -> None:
    """A handler of botocore's `before-parse`; raises UnansweredError, in words that hold nothing of the body.

    Leaves alone what botocore itself refuses: an error's status, and what is not well-formed; but at no
    status is XML parsed that may grow.
    """
    refuse_bombs(response_dict["body"])
    if response_dict["status_code"] >= 300:
        return
    try:
        root = fromstring(response_dict["body"])  # noqa: S314 - botocore reads it with the same parser
    except ParseError:
        return
    if _name(root) != f"{operation_model.name}Response":
        raise UnansweredError(f"not an answer to {operation_model.name}", code=CONNECTION)
    _check(root, operation_model.output_shape)


def _check(node: Element, shape: Shape | None) -> None:
    """Go down as far as the model does; what EC2 has added since is not read, and may be anything."""
    if isinstance(shape, StructureShape):
        members = {one.serialization.get("name", name): one for name, one in shape.members.items()}
        names = [_name(child) for child in node]
        for child, name in zip(node, names, strict=True):
            if name not in members:
                continue
            if names.count(name) > 1:
                raise UnansweredError(f"the answer has {name} twice in one place", code=CONNECTION)
            _check(child, members[name])
    elif isinstance(shape, ListShape):
        # The model does not name the items of every list. White space is indentation.
        item = shape.member.serialization.get("name")
        has_text = any((text or "").strip() for text in (node.text, *(child.tail for child in node)))
        if has_text or (item and any(_name(child) != item for child in node)):
            raise UnansweredError(f"{shape.name} in the answer is no list", code=CONNECTION)
        for child in node:
            _check(child, shape.member)


def _name(node: Element) -> str:
    """Without the namespace, as botocore compares."""
    return node.tag.rpartition("}")[2]
