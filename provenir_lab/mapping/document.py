"""XML text to the few elements a contract reads, and every limit that protects the parser.

Where to stop is computed from the contract's reading root (shipped: /Provenir/Request/CustData). In
`selective` mode the text is cut behind the first closing tag of that name and closed again by hand. That is
exact: were the tag inside a comment, a CDATA section or another element, the cut text would not be
well-formed, and then a pull parser finds the true end of the subtree without reading on.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from lxml import etree

from provenir_lab.errors import Rejected
from provenir_lab.mapping.contract import Path
from provenir_lab.mapping.nodes import (
    DoctypeFound,
    Node,
    NodeBuilder,
    TooDeep,
    local_name,
    node_of,
    own_node_of,
)

MB = 1_000_000

_PARSER_OPTIONS: dict[str, Any] = {
    "encoding": "utf-8",  # the text comes as characters: a declaration in it says nothing
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_blank_text": True,
    "remove_comments": True,
    "remove_pis": True,
    "collect_ids": False,
}
_NODE_PARSER_OPTIONS = _PARSER_OPTIONS | {
    # without a DOCTYPE there are none but the predefined five, which a target sees unresolved otherwise
    "resolve_entities": "internal",
}
_BOMS = ("\ufeff", "ï»¿", "ÿþ", "þÿ")
_LEADING_CONTROLS = "".join(chr(c) for c in range(0x20) if chr(c) not in "\t\n\r")
_DOCTYPE = re.compile(r"(?:\s|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL)
_NO_MEMORY_CODE = 2  # libxml2: XML_ERR_NO_MEMORY
_LIMIT_CODES = frozenset({110, 114})  # libxml2: XML_ERR_NAME_TOO_LONG, XML_ERR_RESOURCE_LIMIT
_NOT_FINISHED_CODES = frozenset({45, 47, 63})  # a comment, a processing instruction, CDATA: or too big
_LONGEST_TEXT = 10_000_000


class Document(NamedTuple):
    """The parsed part of a document."""

    ancestors: tuple[Node, ...]
    """The elements above the reading root, from the document's root down."""
    root: Node | None
    """The first element at the reading root; None if the document has none."""
    data: bytes
    """What was parsed, as UTF-8."""


def decode(raw: bytes) -> str:
    """The text of a file: by its byte order mark, else as UTF-8, else as windows-1252 with replacement."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("windows-1252", errors="replace")


def too_large(size: int, limit: int) -> Rejected:
    """Why a document of at least `size` bytes is refused where `limit` are allowed."""
    return Rejected("too_large", f"{size / MB:.1f} MB or more, max_document_mb is {limit // MB}")


class DocumentReader:
    """Turns texts into `Document`s. Safe to share between threads: each gets its own parser."""

    def __init__(self, path: Path, *, parse_mode: str = "selective", max_document_mb: int = 16) -> None:
        self._path = path
        self._max_bytes = max_document_mb * MB
        self._end_tag = f"</{path[-1]}>"
        self._closing = "".join(f"</{name}>" for name in reversed(path[:-1]))
        self._local = threading.local()
        name = re.escape(path[-1].encode())
        prefix = rb"(?:[^\s<>:/]+:)?"
        self._ends = re.compile(
            rb"</%b%b\s*>|<%b%b(?=[\s/])(?:[^<>\"'/]|/(?!>)|\"[^\"]*\"|'[^']*')*+/>"
            % (prefix, name, prefix, name)
        )
        self._parse: Callable[[str], Document] = (
            self._parse_selective if parse_mode == "selective" else self._parse_full
        )

    def __call__(self, text: str | None) -> Document:
        """Parse one document.

        Raises Rejected (`too_large`, `malformed_xml`, `forbidden_doctype`, `not_provenir`).
        """
        if not text or text.isspace():
            raise Rejected("malformed_xml", "the document is empty")
        if len(text) * 4 > self._max_bytes:
            size = len(text)
            if size <= self._max_bytes and not text.isascii():
                size = len(text.encode("utf-8", "surrogatepass"))
            if size > self._max_bytes:
                raise too_large(size, self._max_bytes)
        document = self._parse(text)
        top = document.ancestors[0] if document.ancestors else document.root
        if top is None or top.tag != self._path[0]:
            raise Rejected("not_provenir", f"the root element is not {self._path[0]}")
        return document

    def _parse_selective(self, text: str) -> Document:
        end = text.find(self._end_tag)
        if end >= 0:
            data = _encode(_prepare(text[: end + len(self._end_tag)]) + self._closing)
            top = self._built(data)
            if top is not None:
                return self._located(top, data)
        return self._pull(_prepare(text))

    def _parse_full(self, text: str) -> Document:
        return self._parse_nodes(_encode(_prepare(text).rstrip()))

    def _built(self, data: bytes) -> Node | None:
        """The root node, built while parsing. None: not well-formed, cut at what only looked like the end, or
        near a limit; then the other parsers know more."""
        if len(data) > _LONGEST_TEXT:  # text that no tree is made of has no limit
            return None
        builder, parser = self._node_parser()
        try:
            top: Any = etree.fromstring(data, parser)
        except DoctypeFound:
            raise _doctype() from None
        except (etree.XMLSyntaxError, TooDeep):
            return None
        finally:
            builder.reset()
        return None if len(parser.error_log) else top  # prefixes without namespace are only logged

    def _pull(self, text: str) -> Document:
        """Feed up to each place that may end the subtree, and no further than the one that does.

        What lies behind it is not looked at; what lies before it must be well-formed, namespaces included.
        """
        data = text.encode("utf-8", "surrogatepass")
        parser = etree.XMLPullParser(events=("end",), tag="{*}" + self._path[-1], **_PARSER_OPTIONS)
        fed = 0
        try:
            for match in self._ends.finditer(data):
                _feed(parser, data[fed : match.end()])
                fed = match.end()
                events: Any = parser.read_events()
                for _, element in events:
                    above = [*element.iterancestors()]
                    if tuple(local_name(str(e.tag)) for e in above[::-1]) == self._path[:-1]:
                        closing = "".join(f"</{_prefixed(e)}>" for e in above)
                        return self._parse_nodes(data[:fed] + closing.encode())
            _feed(parser, data[fed:])
            parser.close()
        except etree.XMLSyntaxError:
            pass  # the ordinary parser knows the place of every error
        return self._parse_nodes(_encode(text))

    def _parse_nodes(self, data: bytes) -> Document:
        try:
            return self._located_in_tree(etree.fromstring(data, self._tree_parser()), data)
        except etree.XMLSyntaxError as error:
            raise _rejection(error) from None

    def _located(self, top: Node, data: bytes) -> Document:
        found = _first_at((top,), self._path[1:])
        if found is not None:
            return Document(found[:-1], found[-1], data)
        ancestors = [top]
        for name in self._path[1:-1]:
            children = ancestors[-1].named(name)
            if not children:
                break
            ancestors.append(children[0])
        return Document(tuple(ancestors), None, data)

    def _located_in_tree(self, top: etree._Element, data: bytes) -> Document:
        """As `_located`, with nodes made only of what lies on the way to the reading root."""
        if top.getroottree().docinfo.internalDTD is not None:
            raise _doctype()
        return self._located(_nodes_along(top, self._path[1:]), data)

    def _node_parser(self) -> tuple[NodeBuilder, etree.XMLParser]:
        found: tuple[NodeBuilder, etree.XMLParser] | None = getattr(self._local, "nodes", None)
        if found is None:
            builder = NodeBuilder()
            target: Any = builder  # the stubs ask for events that a target may leave out
            found = self._local.nodes = (builder, etree.XMLParser(target=target, **_NODE_PARSER_OPTIONS))
        return found

    def _tree_parser(self) -> etree.XMLParser:
        parser: etree.XMLParser | None = getattr(self._local, "tree", None)
        if parser is None:
            parser = self._local.tree = etree.XMLParser(**_PARSER_OPTIONS)
        return parser


def read_app_id(text: str | None, path: Path = ("Provenir", "Request"), attribute: str = "ID") -> int:
    """The application's id, read from the start tags alone.

    Raises Rejected (`malformed_xml`, `forbidden_doctype`, `not_provenir`, `missing_app_id`,
    `invalid_app_id`).
    """
    if not text or text.isspace():
        raise Rejected("malformed_xml", "the document is empty")
    try:
        for element in _started(_prepare(text).encode("utf-8", "surrogatepass")):
            if element.getroottree().docinfo.internalDTD is not None:
                raise _doctype()
            names = tuple(local_name(str(e.tag)) for e in (element, *element.iterancestors()))[::-1]
            if names[0] != path[0]:
                raise Rejected("not_provenir", f"the root element is not {path[0]}")
            if names == path:
                return app_id_of(own_node_of(element), path, attribute)
    except etree.XMLSyntaxError as error:
        raise _rejection(error) from None
    raise Rejected("missing_app_id", f"no element /{'/'.join(path)}")


def _started(data: bytes) -> Iterator[etree._Element]:
    """The elements as they start; XMLSyntaxError comes after those that start before the fault."""
    parser = etree.XMLPullParser(events=("start",), **_PARSER_OPTIONS)
    for start in range(0, len(data), 8192):
        fault: etree.XMLSyntaxError | None = None
        try:
            parser.feed(data[start : start + 8192])
        except etree.XMLSyntaxError as error:
            fault = error
        events: Any = parser.read_events()
        for _, element in events:
            yield element
        if fault is not None:
            raise fault
    parser.close()


def app_id_of(node: Node, path: Path, attribute: str) -> int:
    """The id on its element: 1 to 9 digits, at least 1.

    Raises Rejected (`missing_app_id`, `invalid_app_id`).
    """
    found = (value for name, value in node.attributes.items() if local_name(name) == attribute)
    text = next(found, "").strip()
    if len(text) <= 9 and text.isascii() and text.isdigit() and int(text):
        return int(text)
    where = f"/{'/'.join(path)}/@{attribute}"
    if not text:
        raise Rejected("missing_app_id", f"{where} is missing or blank")
    raise Rejected("invalid_app_id", f"{where} is not a whole number from 1 to 999999999")


def _prepare(text: str) -> str:
    """Without a byte order mark, leading control characters and white space; rejects a DOCTYPE."""
    if text[0] != "<":
        for bom in _BOMS:
            if text.startswith(bom):
                text = text[len(bom) :]
                break
        text = text.lstrip(_LEADING_CONTROLS).lstrip()
    if _DOCTYPE.match(text):
        raise _doctype()
    return text


def _doctype() -> Rejected:
    return Rejected("forbidden_doctype", "the document has a DOCTYPE")


def _feed(parser: etree.XMLPullParser, data: bytes) -> None:
    """In pieces: one of more than 10 MB would count as a text of that size."""
    for start in range(0, len(data), MB):
        parser.feed(data[start : start + MB])


def _prefixed(element: etree._Element) -> str:
    """The tag as it is written in the document."""
    name = local_name(str(element.tag))
    return f"{element.prefix}:{name}" if element.prefix else name


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Rejected("malformed_xml", f"character {error.start} is half a surrogate pair") from None


def _first_at(found: tuple[Node, ...], names: Path) -> tuple[Node, ...] | None:
    """The chain of nodes down to the first at a path below `found[-1]`, in document order."""
    if not names:
        return found
    for child in found[-1].named(names[0]):
        deeper = _first_at((*found, child), names[1:])
        if deeper is not None:
            return deeper
    return None


def _nodes_along(element: etree._Element, names: Path) -> Node:
    """A parsed element with only those below it that lie at a path, or below its end."""
    if not names:
        return node_of(element)
    node = own_node_of(element)
    node.children = [_nodes_along(child, names[1:]) for child in element.iterchildren("{*}" + names[0])]
    return node


def _rejection(error: etree.XMLSyntaxError) -> Rejected:
    """libxml2's error as a rejection; its text may quote the document and is left behind."""
    line, column = error.position
    code: int = getattr(error, "code", 0)
    place = f"line {line}, column {column}"
    too_big = code in _NOT_FINISHED_CODES and "too big" in (error.msg or "")
    if code == _NO_MEMORY_CODE:
        return Rejected("too_large", "the parser needs more memory than there is")
    if code in _LIMIT_CODES or too_big:
        return Rejected("too_large", f"deeper than 256 elements or a text over 10 MB at {place}")
    return Rejected("malformed_xml", f"not well-formed at {place} (libxml2 error {code})")
