"""One document as a tree, with what a contract maps marked, and beside it the rows that it becomes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from lxml import etree

from provenir_lab.display import html_table
from provenir_lab.mapping.contract import Contract, Path

MOST_ROWS = 3
"""Of one table are shown."""
MOST_BRANCHES = 8
"""Below one element that is not mapped are shown: the largest."""
PARSER: dict[str, Any] = {
    "encoding": "utf-8",  # the text comes as characters: a declaration in it says nothing
    "resolve_entities": False,
    "no_network": True,
    "remove_comments": True,
    "remove_pis": True,
}


@dataclass(frozen=True)
class Branch:
    """All elements at one path of a document."""

    path: Path
    count: int
    characters: int
    """Of these elements with all that is in them, about."""
    mapped: tuple[str, ...]
    """Attributes that a contract reads here, of those that are there."""
    targets: tuple[str, ...]
    """The tables they go to."""
    branches: tuple[Branch, ...]

    @property
    def read(self) -> bool:
        """Whether anything here or below is mapped."""
        return bool(self.mapped) or any(branch.read for branch in self.branches)


@dataclass(frozen=True)
class DocumentView:
    """A document and its rows, side by side in JupyterLab. Values are in it only if they were asked for."""

    name: str
    tree: Branch
    rows: Mapping[str, Sequence[Mapping[str, object]]]
    """Table -> its rows, column -> value."""
    sources: Mapping[tuple[str, str], Sequence[str]]
    """(table, column) -> the attributes that it comes from, such as `application/@app_type_code`."""
    values: bool

    def _repr_html_(self) -> str:
        size = self.tree.characters
        left = f"<p><strong>{escape(self.name)}</strong>: bold is mapped</p>{''.join(_tree(self.tree, size))}"
        right = "".join(self._tables())
        style = "display:flex;flex-wrap:wrap;gap:0 2.5rem;align-items:flex-start"
        half = "flex:1 1 24rem;min-width:0;overflow-x:auto"
        return f"<div style='{style}'><div style='{half}'>{left}</div><div style='{half}'>{right}</div></div>"

    def _tables(self) -> Iterator[str]:
        for table, rows in self.rows.items():
            more = f", the first {MOST_ROWS} of them" if len(rows) > MOST_ROWS else ""
            title = f"{table}: {len(rows)} row{'s' * (len(rows) != 1)}{more}"
            shown = rows[:MOST_ROWS]
            lines = [
                (column, ", ".join(self.sources.get((table, column), ["–"])), *(self._cells(column, shown)))
                for column in (rows[0] if rows else ())
            ]
            numbers = [f"row {i}" for i in range(1, len(shown) + 1)]
            body = html_table(title, lines, ("column", "from", *numbers))
            opened = " open" if len(rows) == 1 else ""
            yield f"<details{opened}><summary>{escape(title)}</summary>{body}</details>"

    def _cells(self, column: str, rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
        for row in rows:
            value = row[column]
            yield "NULL" if value is None else str(value) if self.values else "filled"


def view_document(
    name: str,
    text: str,
    contract: Contract,
    rows: Mapping[str, Sequence[Sequence[object]]],
    columns: Mapping[str, Sequence[str]],
    *,
    values: bool,
) -> DocumentView:
    """`text` is well-formed XML that `contract` maps to `rows` (table -> rows, in the order of `columns`)."""
    sources: dict[tuple[str, str], list[str]] = defaultdict(list)
    for field in contract.fields:
        sources[field.table, field.column].append(f"{field.path[-1]}/@{field.attribute}")
    root = etree.fromstring(text.lstrip("\ufeff").encode("utf-8"), etree.XMLParser(**PARSER))
    named = {
        table: [dict(zip(columns[table], row, strict=True)) for row in found]
        for table, found in rows.items()
        if found
    }
    tree = _branch((etree.QName(root).localname,), [root], _reads(contract))
    return DocumentView(name, tree, named, sources, values)


def _reads(contract: Contract) -> dict[Path, dict[str, set[str]]]:
    """Path -> attribute -> the tables it goes to."""
    found: dict[Path, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for field in contract.fields:
        found[field.path][field.attribute].add(field.table)
    return found


def _branch(
    path: Path, elements: Sequence[etree._Element], reads: Mapping[Path, Mapping[str, set[str]]]
) -> Branch:
    below: dict[str, list[etree._Element]] = defaultdict(list)
    present: Counter[str] = Counter()
    own = 0
    for element in elements:
        present.update(str(name) for name in element.attrib)
        own += 2 * len(path[-1]) + 5 + len(element.text or "")
        own += sum(len(name) + len(value) + 4 for name, value in element.attrib.items())
        for child in element:
            if isinstance(child.tag, str):
                below[etree.QName(child).localname].append(child)
                own += len(child.tail or "")
    wanted = reads.get(path, {})
    mapped = tuple(sorted(name for name in wanted if name in present))
    branches = tuple(_branch((*path, name), found, reads) for name, found in below.items())
    return Branch(
        path,
        len(elements),
        own + sum(branch.characters for branch in branches),
        mapped,
        tuple(sorted({table for name in mapped for table in wanted[name]})),
        branches,
    )


def _tree(branch: Branch, whole: int) -> Iterator[str]:
    name = f"{branch.path[-1]}{f' × {branch.count}' if branch.count > 1 else ''}"
    label = f"<code>{escape(name)}</code>"
    facts = f"{branch.characters:,} characters, {branch.characters / whole:.1%}"
    if branch.mapped:
        label = f"<strong>{label}</strong>"
        attributes = f"{len(branch.mapped)} attribute{'s' * (len(branch.mapped) != 1)}"
        facts += f"; {attributes} to {', '.join(branch.targets)}"
    elif not branch.read:
        facts += "; not read"
    if not branch.branches:
        yield f"<div style='margin-left:1.1em'>{label} {escape(facts)}</div>"
        return
    opened = " open" if branch.read else ""
    yield f"<details{opened} style='margin-left:1.1em'><summary>{label} {escape(facts)}</summary>"
    shown = [b for b in branch.branches if b.read]
    others = sorted((b for b in branch.branches if not b.read), key=lambda b: -b.characters)
    for below in (*shown, *others[:MOST_BRANCHES]):
        yield from _tree(below, whole)
    rest = others[MOST_BRANCHES:]
    if rest:
        size = sum(b.characters for b in rest)
        yield f"<div style='margin-left:1.1em'>{len(rest)} more, not read: {size:,} characters</div>"
    yield "</details>"
