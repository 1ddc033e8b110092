"""A look into documents: where their bytes are, which rows they become, what parsing and mapping cost.

Of a user's own document sizes, counts and names of elements, tables and columns are shown; its values only if
they are asked for, since a notebook keeps what it shows.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from provenir_lab.display import html_table
from provenir_lab.errors import Rejected, UsageError
from provenir_lab.lab.document_view import PARSER, DocumentView, view_document
from provenir_lab.lab.notebooks import find_file
from provenir_lab.mapping.document import read_app_id
from provenir_lab.mapping.loading import load_contract
from provenir_lab.mapping.plan import Mapper, compile_mapper
from provenir_lab.mock import generate
from provenir_lab.processing import intake
from provenir_lab.processing.place import target_of


@dataclass(frozen=True)
class View:
    """A table that shows itself in JupyterLab; `rows` are plain tuples."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    def _repr_html_(self) -> str:
        return html_table(self.title, self.rows, self.header)


@dataclass(frozen=True)
class Exploration:
    """What some documents hold and become."""

    document: DocumentView
    """The first of them."""
    sizes: View
    sections: View
    tables: View
    stages: View


def explore(
    *,
    count: int = 50,
    profile: str = "realistic",
    seed: int = 1,
    contract: str | Path | None = None,
    document: str | Path | None = None,
    values: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> Exploration:
    """Looks at `count` generated documents, or at the file `document`, named from here or a folder above;
    `values`: show that file's values.

    Raises UsageError for an unknown profile or contract, and for a file that cannot be read or mapped.
    """
    loaded = load_contract(contract)
    tables = target_of(loaded).tables
    selective = compile_mapper(loaded, tables)
    full = compile_mapper(loaded, tables, parse_mode="full")
    if document:
        texts = [_own(document, selective, full)]
    else:
        texts = [(d.app_id, d.text) for d in generate(count, seed=seed, profile=profile)]
    app_id, text = texts[0]
    rows = selective.map(text, app_id)
    name = Path(document).name if document else f"document {app_id}"
    return Exploration(
        view_document(name, text, loaded, rows, selective.columns, values=values or not document),
        _sizes([text for _, text in texts], selective),
        _sections(text for _, text in texts),
        _tables(texts, selective),
        _stages(texts, selective, full, clock),
    )


def _own(document: str | Path, selective: Mapper, full: Mapper) -> tuple[int, str]:
    """Id and text of a user's document. Raises UsageError if it cannot be read or is not sound to its end."""
    text = intake.read_text(find_file(document))
    taken = False
    try:
        selective.map(text)
        taken = True
        full.parse(text)
        return read_app_id(text, *selective.contract.app_id_place), text
    except Rejected as rejected:
        end = "behind the part that the processor reads" if taken else "the processor refuses it too"
        raise UsageError(f"{document}: {rejected}; {end}") from None


def _documents(count: int) -> str:
    return f"{count} document{'s' * (count != 1)}"


def _sizes(texts: list[str], mapper: Mapper) -> View:
    whole = [len(text) for text in texts]
    read = [len(mapper.parse(text).data) for text in texts]
    rows = [
        ("whole document", min(whole), round(statistics.median(whole)), max(whole)),
        ("of it parsed for the mapping", min(read), round(statistics.median(read)), max(read)),
    ]
    title = f"{sum(read) / sum(whole):.1%} of the characters are parsed; {_documents(len(texts))}"
    return View(title, ("characters", "smallest", "median", "largest"), tuple(rows))


def _sections(texts: Iterable[str]) -> View:
    """The largest elements of the third level, by share of all characters."""
    sizes: Counter[str] = Counter()
    total = 0
    for text in texts:
        root = etree.fromstring(text.lstrip("\ufeff").encode("utf-8"), etree.XMLParser(**PARSER))
        total += len(text)
        for second in root:
            for third in second:
                if isinstance(third.tag, str):
                    name = f"{root.tag}/{second.tag}/{third.tag}"
                    sizes[name] += len(etree.tostring(third, encoding="unicode", with_tail=False))
    rows = [(name, size, f"{size / total:.1%}") for name, size in sizes.most_common(12)]
    title = f"{rows[0][0]} holds the most: {rows[0][2]} of all characters"
    return View(title, ("element", "characters", "share"), tuple(rows))


def _tables(texts: list[tuple[int, str]], mapper: Mapper) -> View:
    counts: Counter[str] = Counter()
    filled: Counter[str] = Counter()
    for app_id, text in texts:
        for table, rows in mapper.map(text, app_id).items():
            counts[table] += len(rows)
            filled[table] += sum(value is not None for row in rows for value in row)
    shown = []
    for table, columns in mapper.columns.items():
        found = counts[table]
        share = f"{filled[table] / (found * len(columns)):.0%}" if found else "–"
        shown.append((table, len(columns), found, f"{found / len(texts):.1f}", share))
    title = f"A document becomes {counts.total() / len(texts):.1f} rows in the mean"
    return View(title, ("table", "mapped columns", "rows", "rows a document", "values filled"), tuple(shown))


def _stages(
    texts: list[tuple[int, str]], selective: Mapper, full: Mapper, clock: Callable[[], float]
) -> View:
    def microseconds(work: Callable[[int, str], object]) -> float:
        times = []
        for app_id, text in texts:
            begun = clock()
            work(app_id, text)
            times.append((clock() - begun) * 1e6)
        return statistics.median(times)

    parsed = {app_id: selective.parse(text) for app_id, text in texts}
    whole = microseconds(lambda _, text: full.parse(text))
    part = microseconds(lambda _, text: selective.parse(text))
    mapping = microseconds(lambda app_id, _: selective.rows(parsed[app_id], app_id))
    rows = (
        ("parse the whole document", round(whole)),
        ("parse the mapped part", round(part)),
        ("map it to rows", round(mapping)),
    )
    title = f"Stopping where the mapped part ends makes parsing {whole / max(part, 1e-9):.0f} times as fast"
    return View(title, ("stage", "microseconds a document (median)"), rows)
