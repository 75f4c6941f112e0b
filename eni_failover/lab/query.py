"""EC2's Query protocol, both ways, read out of botocore's own service model.

Owns: form fields to parameters, answers and errors to XML. Must not know: what an action does. Does not
guarantee: actions other than those of the model's version 2016-11-15.

Because names, nesting and types come from the model, an answer with a field that EC2 does not have cannot be
written: it is a `ValueError`, a defect of the lab.

    input:  Filter.1.Name=status&Filter.1.Value.1=available      lists are numbered from 1, not wrapped
    output: <networkInterfaceSet><item>...</item></networkInterfaceSet>
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from xml.etree import ElementTree as ET  # only used to write

from botocore.loaders import Loader
from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StructureShape

from eni_failover.lab.errors import Ec2Error

VERSION: Final = "2016-11-15"
_NAMESPACE: Final = f"http://ec2.amazonaws.com/doc/{VERSION}/"

_NOT_PARAMETERS: Final = ("X-Amz-", "AWSAccessKeyId", "Signature", "Timestamp", "Expires")
"""Names and beginnings of fields that belong to the signature of a GET."""


@lru_cache(maxsize=1)
def service_model() -> ServiceModel:
    """The EC2 model of botocore; reading it takes about a quarter of a second, once."""
    return ServiceModel(Loader().load_service_model("ec2", "service-2", api_version=VERSION))


def parse(fields: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of a request, named and typed as in boto3.

    Raises Ec2Error for an action that EC2 does not have, and for parameters that the action does not have,
    that are missing, or whose value is of another type.
    """
    operation = _operation(fields.get("Action", ""))
    if fields.get("Version", VERSION) != VERSION:
        raise Ec2Error("NoSuchVersion", f"The requested version ({fields['Version']}) does not exist.")
    shape = operation.input_shape
    if not isinstance(shape, StructureShape):
        return {}
    tree = _tree(fields)
    parameters = _structure(tree, shape, "")
    for name in shape.required_members:
        if name not in parameters:
            wire = _wire_name(shape.members[name], name)
            raise Ec2Error("MissingParameter", f"The request must contain the parameter {wire}")
    return parameters


def _operation(action: str) -> OperationModel:
    if not action:
        raise Ec2Error("MissingAction", "The request must contain the parameter Action")
    if action not in service_model().operation_names:
        raise Ec2Error("InvalidAction", f"The action {action} is not valid for this web service.")
    return service_model().operation_model(action)


def _tree(fields: Mapping[str, str]) -> dict[str, Any]:
    """`a.b.1=x` as {"a": {"b": {"1": "x"}}}."""
    tree: dict[str, Any] = {}
    for name, value in fields.items():
        if name in {"Action", "Version"} or name.startswith(_NOT_PARAMETERS):
            continue
        *path, last = name.split(".")
        branch = tree
        for step in path:
            branch = branch.setdefault(step, {})
            if not isinstance(branch, dict):
                raise _unknown(name)
        if last in branch:
            raise _unknown(name)
        branch[last] = value
    return tree


def _unknown(name: str) -> Ec2Error:
    return Ec2Error("UnknownParameter", f"The parameter {name} is not recognized")


def _wire_name(shape: Shape, default: str) -> str:
    """Name of a request field: the protocol of EC2 writes location names with a capital."""
    named = shape.serialization.get("queryName")
    if named:
        return str(named)
    name = str(shape.serialization.get("name", default))
    return name[0].upper() + name[1:]


def _structure(tree: Any, shape: StructureShape, path: str) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise _unknown(path)
    members = {_wire_name(member, name): name for name, member in shape.members.items()}
    parameters: dict[str, Any] = {}
    for wire, value in tree.items():
        where = f"{path}.{wire}" if path else wire
        if wire not in members:
            raise _unknown(where)
        name = members[wire]
        parameters[name] = _value(value, shape.members[name], where)
    return parameters


def _value(tree: Any, shape: Shape, path: str) -> Any:
    match shape:
        case StructureShape():
            return _structure(tree, shape, path)
        case ListShape():
            if not isinstance(tree, dict) or not all(number.isdecimal() for number in tree):
                raise _unknown(path)
            return [_value(tree[n], shape.member, f"{path}.{n}") for n in sorted(tree, key=int)]
        case _ if isinstance(tree, dict):
            raise _unknown(f"{path}.{next(iter(tree))}")
        case _:
            return _scalar(tree, shape.type_name, path)


def _scalar(text: str, type_name: str, path: str) -> Any:
    try:
        match type_name:
            case "integer" | "long":
                return int(text)
            case "float" | "double":
                return float(text)
            case "boolean":
                return {"true": True, "false": False}[text.lower()]
            case _:
                return text
    except (KeyError, ValueError):
        raise Ec2Error(
            "InvalidParameterValue", f"Invalid value '{text}' for {path}: it must be of type {type_name}."
        ) from None


def serialise(action: str, reply: Mapping[str, Any], request_id: str) -> bytes:
    """The XML of an answer. Raises ValueError for a field that the model does not have."""
    root = ET.Element(f"{action}Response", xmlns=_NAMESPACE)
    ET.SubElement(root, "requestId").text = request_id
    shape = service_model().operation_model(action).output_shape
    if isinstance(shape, StructureShape):
        _write_structure(root, reply, shape)
    else:
        ET.SubElement(root, "return").text = "true"
    return _document(root)


def serialise_error(code: str, message: str, request_id: str) -> bytes:
    """The XML of a refusal; EC2 writes `RequestID` here."""
    root = ET.Element("Response")
    error = ET.SubElement(ET.SubElement(root, "Errors"), "Error")
    ET.SubElement(error, "Code").text = code
    ET.SubElement(error, "Message").text = message
    ET.SubElement(root, "RequestID").text = request_id
    return _document(root)


def _document(root: ET.Element) -> bytes:
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode").encode()


def _write_structure(parent: ET.Element, values: Mapping[str, Any], shape: StructureShape) -> None:
    for name, value in values.items():
        if name not in shape.members:
            raise ValueError(f"{shape.name} has no member {name}")
        member = shape.members[name]
        _write(ET.SubElement(parent, str(member.serialization.get("name", name))), value, member)


def _write(element: ET.Element, value: Any, shape: Shape) -> None:
    match shape:
        case StructureShape():
            _write_structure(element, value, shape)
        case ListShape():
            name = str(shape.member.serialization.get("name", "item"))
            for item in value:
                _write(ET.SubElement(element, name), item, shape.member)
        case _:
            element.text = _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return str(value)
