"""The shapes of mock documents: which elements and attributes, in which order. Read from `shapes.txt`.

Each shape stands for one version of the software that wrote the documents: all documents of a shape have the
same attributes in the same order. The file is an outline: `[name weight]` starts a shape, then one element a
line, indented by two spaces a level: its tag, `*rule` if the element is repeated or left out (the rules are
counts that the document draws), and its attributes, `name` (filled as `values.csv` says, else blank) or
`name=text` (always that text).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from provenir_lab.mock.draw import Draw
from provenir_lab.mock.values import POOL, Pool, quoted, values

SECTIONS = (
    "Reports",
    "Messages",
    "Rules",
    "Journals",
    "Traces",
    "Audits",
    "Documents",
    "temp_app_variables",
    "TriggeredRules",
)
"""Children of Request whose content the shape leaves open."""

_BLANK: Pool = ("",) * POOL


@dataclass(frozen=True, slots=True)
class Part:
    """A run of elements that always appear together: fixed text, and slots between its pieces."""

    fixed: tuple[str, ...]
    """One piece more than there are slots."""
    slots: tuple[tuple[Pool, int], ...]
    """For each slot the pool, and which of the part's random bytes picks from it."""
    width: int
    """How many random bytes the part takes."""
    facts: tuple[tuple[int, str], ...]
    """Slots that take a fact of the document instead: (slot, name of the fact)."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """Items that appear as often as the document's count for `rule` says."""

    rule: str
    items: Items


Items = tuple[Part | Repeat, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """One document from its start to its end: `opening`, then `data` and the `sections`, then `closing`."""

    name: str
    weight: int
    """Documents of this shape among a hundred."""
    opening: Items
    """`<Provenir>`, what stands before Request, `<Request>`."""
    data: Items
    """CustData."""
    sections: tuple[str, ...]
    closing: Items


def render(
    items: Items, draw: Draw, counts: Mapping[str, int], facts: Mapping[str, str], out: list[str]
) -> None:
    """Appends the text of `items`. KeyError for a rule or fact that is not given."""
    for item in items:
        if isinstance(item, Part):
            data = draw.take(item.width)
            filled = [pool[data[at]] for pool, at in item.slots]
            for slot, fact in item.facts:
                filled[slot] = facts[fact]
            text = [""] * (2 * len(filled) + 1)
            text[::2], text[1::2] = item.fixed, filled
            out.append("".join(text))
        else:
            for _ in range(counts[item.rule]):
                render(item.items, draw, counts, facts, out)


@cache
def shapes() -> tuple[Shape, ...]:
    """All shapes, in the order of the file."""
    text = (resources.files("provenir_lab.mock") / "shapes.txt").read_text(encoding="utf-8")
    found = []
    for block in text.split("["):
        heading, _, outline = block.partition("]\n")
        if outline:
            name, weight = heading.split()
            found.append(_shape(name, int(weight), _tree(outline.splitlines())))
    return tuple(found)


@dataclass(slots=True)
class _Node:
    tag: str
    rule: str
    attributes: list[str]
    children: list[_Node] = field(default_factory=list)


def _tree(lines: list[str]) -> _Node:
    path: list[_Node] = []
    for line in filter(None, lines):
        depth = (len(line) - len(line.lstrip())) // 2
        head, *attributes = line.split()
        tag, _, rule = head.partition("*")
        node = _Node(tag, rule, attributes)
        del path[depth:]
        if path:
            path[-1].children.append(node)
        path.append(node)
    return path[0]


def _shape(name: str, weight: int, root: _Node) -> Shape:
    at = next(i for i, child in enumerate(root.children) if child.tag == "Request")
    request = root.children[at]
    opening, data, closing = _Compiler(), _Compiler(), _Compiler()
    opening.start(root, 0)
    for child in root.children[:at]:
        opening.element(child, 1)
    opening.start(request, 1)
    data.element(request.children[0], 2)
    closing.end(request, 1)
    for child in root.children[at + 1 :]:
        closing.element(child, 1)
    closing.end(root, 0)
    sections = tuple(child.tag for child in request.children[1:])
    return Shape(name, weight, opening.items(), data.items(), sections, closing.items())


class _Compiler:
    """Collects elements into parts; a repeated element ends the part before it."""

    def __init__(self, person: int = 1) -> None:
        self._items: list[Part | Repeat] = []
        self._person = person
        self._begin()

    def _begin(self) -> None:
        self._fixed: list[str] = []
        self._text: list[str] = []
        self._slots: list[tuple[Pool, int]] = []
        self._facts: list[tuple[int, str]] = []
        self._groups: dict[tuple[int, str], int] = {}
        self._elements = 0

    def items(self) -> Items:
        if self._text:
            facts, width = tuple(self._facts), len(self._groups)
            fixed = (*self._fixed, "".join(self._text))
            self._items.append(Part(fixed, tuple(self._slots), width, facts))
            self._begin()
        return tuple(self._items)

    def element(self, node: _Node, depth: int) -> None:
        if node.rule:
            self.items()
            inner = _Compiler(2 if node.rule == "second" else self._person)
            inner._element(node, depth)
            self._items.append(Repeat(node.rule, inner.items()))
        else:
            self._element(node, depth)

    def _element(self, node: _Node, depth: int) -> None:
        self.start(node, depth, empty=not node.children)
        for child in node.children:
            self.element(child, depth + 1)
        if node.children:
            self.end(node, depth)

    def start(self, node: _Node, depth: int, empty: bool = False) -> None:
        self._elements += 1
        self._text.append(f"{'  ' * depth}<{node.tag}")
        for attribute in node.attributes:
            name, fixed, text = attribute.partition("=")
            self._text.append(f' {name}="')
            if fixed:
                self._text.append(quoted(text))
            else:
                self._slot(node.tag, name)
            self._text.append('"')
        self._text.append("/>\n" if empty else ">\n")

    def end(self, node: _Node, depth: int) -> None:
        self._text.append(f"{'  ' * depth}</{node.tag}>\n")

    def _slot(self, tag: str, attribute: str) -> None:
        value = values().get((tag, attribute))
        if value is None:
            return
        if value.fact is not None:
            self._facts.append((len(self._slots), f"{value.fact}{self._person}"))
        # A group is filled as one within an element: elements of a part differ from each other.
        byte = self._groups.setdefault((self._elements, value.group), len(self._groups))
        self._slots.append((value.pool or _BLANK, byte))
        self._fixed.append("".join(self._text))
        self._text = []
