"""Elements as plain objects: name, attributes, children.

A parser that hands its events to a `NodeBuilder` gives these directly, without a libxml2 tree from which
every attribute would have to be fetched again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lxml import etree


def local_name(tag: str) -> str:
    """A tag or attribute name without its namespace."""
    return tag[tag.index("}") + 1 :] if tag.startswith("{") else tag


class Node:
    """One element."""

    __slots__ = ("attributes", "children", "tag")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        """Local name."""
        self.attributes = attributes
        """Name (a namespaced one as `{uri}name`) -> value, in document order."""
        self.children: list[Node] = []

    def named(self, tag: str) -> list[Node]:
        """The children of a name, in document order."""
        return [child for child in self.children if child.tag == tag]


def descendants(node: Node) -> Iterator[Node]:
    """Everything below a node, in document order."""
    for child in node.children:
        yield child
        if child.children:
            yield from descendants(child)


def all_at(parent: Node, tags: tuple[str, ...]) -> Iterator[Node]:
    """The nodes at a relative path, in document order."""
    for child in parent.children:
        if child.tag == tags[0]:
            if len(tags) > 1:
                yield from all_at(child, tags[1:])
            else:
                yield child


def last_at(parent: Node, tags: tuple[str, ...]) -> Node | None:
    """The last node, in document order, at a relative path."""
    for child in reversed(parent.children):
        if child.tag == tags[0]:
            found = last_at(child, tags[1:]) if len(tags) > 1 else child
            if found is not None:
                return found
    return None


class DoctypeFound(Exception):
    """The document has a DOCTYPE, wherever the parser may have found it."""


class TooDeep(Exception):
    """The document has more levels of elements than the parser allows where it builds its own tree."""


_DEEPEST = 256


class NodeBuilder:
    """A parser target (https://lxml.de/parsing.html#the-target-parser-interface) that gives the root node."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what a failed parse left behind."""
        self._open: list[Node] = []
        self._root: Node | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        node = Node(tag if tag[0] != "{" else local_name(tag), attributes)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self._root = node
        self._open.append(node)
        if len(self._open) > _DEEPEST:
            raise TooDeep

    def end(self, tag: str) -> None:
        self._open.pop()

    def doctype(self, name: str, public_id: str | None, system_url: str | None) -> None:
        raise DoctypeFound

    def close(self) -> Node | None:
        root = self._root
        self.reset()
        return root


def node_of(element: Any) -> Node:
    """A parsed element, with everything below it."""
    node = own_node_of(element)
    node.children = [node_of(child) for child in element.iterchildren("*")]
    return node


def own_node_of(element: etree._Element) -> Node:
    """A parsed element without its children."""
    attributes = {str(key): str(value) for key, value in element.items()}
    return Node(local_name(str(element.tag)), attributes)
