"""A document as plain nodes, and the checks that decide whether it may become rows (sections 2.1, 2.2, 4.1).

Selective reading is done the obvious way: find where the first reading root closes by feeding a parser tag by
tag, cut the text there, close what is open, and parse that like any other text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from provenir_lab.errors import Rejected
from provenir_lab.mapping.contract import Contract, Path

BOMS = ("\ufeff", "ï»¿", "ÿþ", "þÿ")
MISC = re.compile(r"(?:\s|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
"""What may stand before a DOCTYPE."""
COMMENT_TOO_BIG = 45
LIMIT_ERRORS = (110, 114)
"""libxml2: name too long, resource limit (depth 256, texts of 10 MB)."""


@dataclass(eq=False)
class Node:
    """An element: names without namespace, attribute values as the parser gives them."""

    name: str
    path: Path
    attributes: dict[str, str]
    children: list[Node] = field(default_factory=list)

    def descendants(self) -> Iterator[Node]:
        """All elements below this one, in document order."""
        for child in self.children:
            yield child
            yield from child.descendants()


@dataclass(frozen=True)
class Document:
    """What of a document can influence rows (C19)."""

    app_id: int
    ancestors: list[Node]
    """Elements above the reading root, from the top; only their attributes count."""
    root: Node
    """The first element at the reading root."""
    flat: dict[Path, dict[str, str]]
    """Path -> trimmed attributes of the last element there; in the order in which paths appear first."""

    def elements(self, name: str) -> list[Node]:
        """Elements of a name anywhere inside the reading root, in document order."""
        return [node for node in self.root.descendants() if node.name == name]


def read_document(
    text: str | None, contract: Contract, parse_mode: str, max_document_mb: int, app_id: int | None
) -> Document:
    """Parse and accept a document. Raises Rejected; the order of the checks is the order of this function."""
    if text is not None and len(text.encode("utf-8", "surrogatepass")) > max_document_mb * 1_000_000:
        raise Rejected("too_large", f"more than max_document_mb ({max_document_mb})")
    if text is None or not text.strip():
        raise Rejected("malformed_xml", "the document is empty")
    data = _prepare(text)
    if data[MISC.match(data).end() :].startswith("<!DOCTYPE"):  # type: ignore[union-attr]
        raise Rejected("forbidden_doctype", "the document has a DOCTYPE")
    path = contract.reading_root
    top = _parse(_cut(data, path) if parse_mode == "selective" else data)
    if top.name != path[0]:
        raise Rejected("not_provenir", f"the root element is not {path[0]}")
    chain = _first_chain(top, path) or _longest_chain(top, path)
    found = _app_id(chain, contract)
    if app_id is not None and app_id != found:
        raise Rejected("app_id_mismatch", "the document's id is not that of its row")
    root = chain[-1] if len(chain) == len(path) else None
    if root is None or (contract.checks_product_line and not _holds_application(root, contract)):
        raise Rejected("wrong_product_line", f"no element {'/'.join(contract.application_path)}")
    return Document(found, chain[:-1], root, _flat_map(chain[:-1], root))


def _prepare(text: str) -> str:
    for bom in BOMS:
        if text.startswith(bom):
            text = text[len(bom) :]
            break
    return text.lstrip("".join(chr(c) for c in range(0x20) if chr(c) not in "\t\n\r")).strip()


def _options() -> dict[str, Any]:
    return {"encoding": "utf-8", "resolve_entities": False, "no_network": True, "huge_tree": False}


def _parse(text: str) -> Node:
    try:
        parser = etree.XMLParser(**_options())
        top = etree.fromstring(text.encode("utf-8", "surrogatepass"), parser)
    except etree.XMLSyntaxError as error:
        code, place = getattr(error, "code", 0), f"line {error.position[0]}, column {error.position[1]}"
        if code in LIMIT_ERRORS or (code == COMMENT_TOO_BIG and "too big" in (error.msg or "")):
            raise Rejected("too_large", f"a limit of the parser is exceeded at {place}") from None
        raise Rejected("malformed_xml", f"not well-formed at {place}") from None
    if top.getroottree().docinfo.internalDTD is not None:
        raise Rejected("forbidden_doctype", "the document has a DOCTYPE")
    return _node(top, ())


def _node(element: etree._Element, above: Path) -> Node:
    name = etree.QName(element).localname
    node = Node(name, (*above, name), {})
    for key, value in element.attrib.items():
        node.attributes.setdefault(etree.QName(key).localname, str(value))
    for child in element:
        if isinstance(child.tag, str):  # comments and processing instructions have no name
            node.children.append(_node(child, node.path))
    return node


def _cut(text: str, path: Path) -> str:
    """The text up to the end of the first element at `path`, its ancestors closed; the text itself if it has
    none or breaks before."""
    parser = etree.XMLPullParser(events=("start", "end"), **_options())
    open_elements: list[etree._Element] = []
    fed = 0
    try:
        for tag_end in re.finditer(">", text):
            parser.feed(text[fed : tag_end.end()].encode("utf-8", "surrogatepass"))
            fed = tag_end.end()
            events: Any = parser.read_events()
            for event, element in events:
                if event == "start":
                    open_elements.append(element)
                    continue
                here = tuple(etree.QName(e).localname for e in open_elements)
                open_elements.pop()
                if here == path:
                    tags = [
                        f"{e.prefix}:{etree.QName(e).localname}" if e.prefix else e.tag.rpartition("}")[2]
                        for e in open_elements
                    ]
                    return text[:fed] + "".join(f"</{tag}>" for tag in reversed(tags))
    except (etree.XMLSyntaxError, ValueError):  # ValueError: a name that no element may have
        pass
    return text


def _first_chain(node: Node, path: Path) -> list[Node] | None:
    """The elements down to the first one at `path`, in document order."""
    if node.path == path:
        return [node]
    for child in node.children:
        if child.path == path[: len(child.path)]:
            rest = _first_chain(child, path)
            if rest is not None:
                return [node, *rest]
    return None


def _longest_chain(top: Node, path: Path) -> list[Node]:
    """The first element of each level of `path`, as far as there are any."""
    chain = [top]
    while True:
        below = [child for child in chain[-1].children if child.path == path[: len(child.path)]]
        if not below:
            return chain
        chain.append(below[0])


def _app_id(chain: list[Node], contract: Contract) -> int:
    path, attribute = contract.app_id_place
    where = f"/{'/'.join(path)}/@{attribute}"
    owner = next((node for node in chain if node.path == path), None)
    text = (owner.attributes.get(attribute, "") if owner else "").strip()
    if not text:
        raise Rejected("missing_app_id", f"{where} is missing or blank")
    if re.fullmatch("[0-9]{1,9}", text) is None or int(text) == 0:
        raise Rejected("invalid_app_id", f"{where} must be 1 to 9 digits and at least 1")
    return int(text)


def _holds_application(root: Node, contract: Contract) -> bool:
    return any(child.name == contract.application_element for child in root.children)


def _flat_map(ancestors: list[Node], root: Node) -> dict[Path, dict[str, str]]:
    flat: dict[Path, dict[str, str]] = {}
    for node in (*ancestors, root, *root.descendants()):
        flat[node.path] = {name: value.strip() for name, value in node.attributes.items()}
    return flat
