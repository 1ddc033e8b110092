"""The names that expressions of one-row-a-document tables see.

They are, later ones winning: the primary contact's attributes (`contact.<name>` and bare), `app_id`, and
every attribute of the reading root's ancestors and of the application subtree (`<tag>.<lower-case name>` and
bare); of equal tags the one at a path of the contract wins. Building all of that for each document would cost
more than the mapping itself, so a name is first looked for where the contract says it is, and everything is
built only where something else in the document could supply it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from provenir_lab.mapping.contacts import Contacts
from provenir_lab.mapping.contract import Contract, Path
from provenir_lab.mapping.document import Document
from provenir_lab.mapping.nodes import Node, descendants, local_name


class Place(NamedTuple):
    """Where a name is expected: an attribute of the last element at a path."""

    path: Path
    attribute: str
    tag: str | None
    """For `tag.name`: other elements of this tag could supply it too. None for a bare name."""
    keeps_case: bool = True
    """Whether the name has the attribute's own letters; else it stands for the last in any letters."""


class ContextNames:
    """What a contract's app-level names mean."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._paths = {f.path for f in contract.fields}
        self._tags = {path[-1] for path in self._paths}

    def place(self, name: str) -> Place | None:
        """Where a name usually is; None if it must be looked for everywhere."""
        tag, dot, attribute = name.rpartition(".")
        contract = self._contract
        if not dot:
            paths = {f.path for f in contract.fields if f.attribute == name}
            return Place(paths.pop(), name, None) if len(paths) == 1 and name != "app_id" else None
        element = contract.application_element if tag == "application" else tag
        paths = {p for p in self._paths if p[-1] == element}
        keeps_case = tag == contract.application_element != "application"
        if len(paths) != 1 or (attribute != attribute.lower() and not keeps_case):
            return None
        path = paths.pop()
        inside = path[: len(contract.application_path)] == contract.application_path
        rule = contract.rule("contact")
        contact = element in ("contact", rule.element if rule else "")
        return Place(path, attribute, element, keeps_case) if inside and not contact else None

    def everything(
        self, names: tuple[str, ...], document: Document, contacts: Contacts, app_id: int
    ) -> dict[str, str | None]:
        """Name -> trimmed text, None where nothing supplies it. `document.root` must be there."""
        found: dict[str, str] = {}
        if contacts.primary is not None:
            attributes = _attributes(contacts.primary.node)
            found.update({f"contact.{key}": value for key, value in attributes})
            found.update(attributes)
        found["app_id"] = str(app_id)
        entries = list(self._entries(document))
        elsewhere = [e for e in entries if e[0] not in self._paths and e[0][-1] in self._tags]
        for path, element in (*elsewhere, *(e for e in entries if e not in elsewhere)):
            tag = path[-1]
            for key, value in _attributes(element):
                if tag == self._contract.application_element:
                    found[f"application.{key.lower()}"] = value
                    if tag != "application":
                        found[f"{tag}.{key}"] = value
                else:
                    found[f"{tag}.{key.lower()}"] = value
                found[key] = value
        lowered: dict[str, str] = {}
        for key, value in found.items():
            lowered.setdefault(key.lower(), value)
        return {n: found[n] if n in found else lowered.get(n.lower()) for n in names}

    def _entries(self, document: Document) -> Iterator[tuple[Path, Node]]:
        """Path and last element there, in order of the paths' first appearance."""
        for depth, element in enumerate(document.ancestors, 1):
            yield self._contract.reading_root[:depth], element
        found: dict[Path, Node] = {}
        assert document.root is not None
        for application in document.root.named(self._contract.application_element):
            self._collect(application, self._contract.application_path, found)
        yield from found.items()

    def _collect(self, node: Node, path: Path, found: dict[Path, Node]) -> None:
        found[path] = node
        for child in node.children:
            self._collect(child, (*path, child.tag), found)


def _attributes(node: Node) -> list[tuple[str, str]]:
    return [(local_name(key), value.strip()) for key, value in node.attributes.items()]


def has_other(root: Node, tag: str, node: Node | None) -> bool:
    """Whether another element of a tag stands below the reading root."""
    return any(found is not node for found in descendants(root) if found.tag == tag)


def bare_name_check(name: str) -> Callable[[str | None, bytes], bool]:
    """Whether the expected place decides a bare name: `(its value, the document's bytes) -> sure`."""
    exact, lowered = name.encode(), name.lower().encode()

    def sure(value: str | None, data: bytes) -> bool:
        return data.count(exact) == 1 if value is not None else lowered not in data.lower()

    return sure
