"""Every single thing that can be wrong with one element of a well-formed answer."""

import copy
from collections.abc import Callable, Iterator
from xml.etree import ElementTree as ET

Mutation = Callable[[ET.Element, ET.Element], None]
"""Spoils `element`, a child of `parent`, in place."""


def _left_out(parent: ET.Element, element: ET.Element) -> None:
    parent.remove(element)


def _emptied(_parent: ET.Element, element: ET.Element) -> None:
    for child in list(element):
        element.remove(child)
    element.text = ""


def _renamed(_parent: ET.Element, element: ET.Element) -> None:
    element.tag += "X"


def _doubled(parent: ET.Element, element: ET.Element) -> None:
    parent.append(copy.deepcopy(element))


def _nested(_parent: ET.Element, element: ET.Element) -> None:
    inner = copy.deepcopy(element)
    _emptied(element, element)
    element.append(inner)


def _says(text: str) -> Mutation:
    def mutate(parent: ET.Element, element: ET.Element) -> None:
        _emptied(parent, element)
        element.text = text

    return mutate


MUTATIONS: dict[str, Mutation] = {
    "left out": _left_out,
    "emptied": _emptied,
    "renamed": _renamed,
    "doubled": _doubled,
    "in itself": _nested,
    "a word": _says("frobbing"),
    "a negative number": _says("-1"),
    "a number of 40 digits": _says("9" * 40),
    "a number beyond floats": _says("1e400"),
    "blanks": _says("  \n"),
}


def spoiled(document: str, kind: str) -> Iterator[tuple[str, bytes]]:
    """The document with each of its elements in turn, but the root, spoiled in this way; and which it was."""
    root = ET.fromstring(document)  # noqa: S314 - our own text
    for position, element in enumerate(root.iter()):
        if element is not root:
            yield f"{element.tag.rpartition('}')[2]} ({position})", _spoil(root, position, MUTATIONS[kind])


def _spoil(root: ET.Element, position: int, mutate: Mutation) -> bytes:
    fresh = copy.deepcopy(root)
    parents = {child: parent for parent in fresh.iter() for child in parent}
    element = list(fresh.iter())[position]
    mutate(parents[element], element)
    return ET.tostring(fresh, encoding="utf-8", xml_declaration=True)
