"""The names that expressions of one-row-a-document tables see.

They are, later ones winning: the primary contact's attributes (`contact.<name>` and bare), `app_id`, and every
attribute of the reading root's ancestors and of the application subtree (`<tag>.<name in lower case>` and bare);
of equal tags the one at a path of the contract wins. Building all of that for each document would cost more than
the mapping itself, so a name is first looked for where the contract says it is, and everything is built only
where something else in the document could supply it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lxml import etree

from provenir_lab.mapping.attributes import attribute_reader, element_finder
from provenir_lab.mapping.contacts import Contacts
from provenir_lab.mapping.contract import Contract, Path
from provenir_lab.mapping.document import Document, local_name


class _Place(NamedTuple):
    """Where a name is expected: the attribute of the last element at a path."""

    name: str
    find: object
    read: object
    tag: str | None
    """For `tag.name`: other elements of that tag may supply it too. None for a bare name."""


class ContextNames:
    """Resolves the given names against documents."""

    def __init__(self, contract: Contract, names: Iterable[str]) -> None:
        self._contract = contract
        self._names = tuple(sorted(set(names)))
        self._paths = {f.path for f in contract.fields}
        self._tags = {path[-1] for path in self._paths}
        self._places = {name: self._place(name) for name in self._names}

    def resolve(self, document: Document, contacts: Contacts, app_id: int) -> dict[str, str | None]:
        """Name -> trimmed text, None where nothing supplies it. `document.root` must be there."""
        values: dict[str, str | None] = {}
        for name, place in self._places.items():
            found = None if place is None else self._expected(place, document)
            if found is None:
                return self._all(document, contacts, app_id)
            values[name] = found[0]
        return values

    # ---- the expected place

    def _place(self, name: str) -> _Place | None:
        tag, dot, attribute = name.rpartition(".")
        contract = self._contract
        if not dot:
            paths = {f.path for f in contract.fields if f.attribute == name}
            usual = len(paths) == 1 and name != "app_id"
            return self._at(name, paths.pop(), name, None, ignore_case=False) if usual else None
        if attribute != attribute.lower():
            return None
        element = contract.application_element if tag == "application" else tag
        rule = contract.rule("contact")
        paths = {p for p in self._paths if p[-1] == element}
        inside = len(paths) == 1 and min(paths)[: len(contract.application_path)] == contract.application_path
        if not inside or tag == "contact" or (rule is not None and element == rule.element):
            return None
        return self._at(name, paths.pop(), attribute, "{*}" + element, ignore_case=True)

    def _at(self, name: str, path: Path, attribute: str, tag: str | None, *, ignore_case: bool) -> _Place:
        find = element_finder(self._contract.reading_root, path)
        return _Place(name, find, attribute_reader((attribute,), ignore_case=ignore_case), tag)

    def _expected(self, place: _Place, document: Document) -> tuple[str | None] | None:
        """The value, in a tuple; None if something else might supply it."""
        element = place.find(document.ancestors, document.root)  # type: ignore[operator]
        value: str | None = None if element is None else place.read(element)[0]  # type: ignore[operator]
        if place.tag is not None:
            if value is not None:
                return (value.strip(),)
            assert document.root is not None
            others = (e for e in document.root.iter(place.tag) if e is not element)
            return (None,) if next(others, None) is None else None
        name = place.name.encode()
        if value is not None:
            return (value.strip(),) if document.data.count(name) == 1 else None
        return (None,) if name.lower() not in document.data.lower() else None

    # ---- everything

    def _all(self, document: Document, contacts: Contacts, app_id: int) -> dict[str, str | None]:
        names: dict[str, str] = {}
        if contacts.primary is not None:
            attributes = _attributes(contacts.primary.element)
            names.update({f"contact.{key}": value for key, value in attributes})
            names.update(attributes)
        names["app_id"] = str(app_id)
        entries = list(self._entries(document))
        elsewhere = [e for e in entries if e[0] not in self._paths and e[0][-1] in self._tags]
        for path, element in (*elsewhere, *(e for e in entries if e not in elsewhere)):
            tag = path[-1]
            for key, value in _attributes(element):
                if tag == self._contract.application_element:
                    names[f"application.{key.lower()}"] = value
                    if tag != "application":
                        names[f"{tag}.{key}"] = value
                else:
                    names[f"{tag}.{key.lower()}"] = value
                names[key] = value
        lowered: dict[str, str] = {}
        for key, value in names.items():
            lowered.setdefault(key.lower(), value)
        return {n: names[n] if n in names else lowered.get(n.lower()) for n in self._names}

    def _entries(self, document: Document) -> Iterator[tuple[Path, etree._Element]]:
        """Path and last element there, in order of the paths' first appearance."""
        for depth, element in enumerate(document.ancestors, 1):
            yield self._contract.reading_root[:depth], element
        found: dict[Path, etree._Element] = {}
        assert document.root is not None
        for application in document.root.iterchildren("{*}" + self._contract.application_element):
            self._collect(application, self._contract.application_path, found)
        yield from found.items()

    def _collect(self, element: etree._Element, path: Path, found: dict[Path, etree._Element]) -> None:
        found[path] = element
        for child in element.iterchildren("*"):
            self._collect(child, (*path, local_name(str(child.tag))), found)


def _attributes(element: etree._Element) -> list[tuple[str, str]]:
    return [(local_name(str(key)), str(value).strip()) for key, value in element.items()]
