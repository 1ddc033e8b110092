"""Documents on their way into the source table: generated ones, and the user's own files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from provenir_lab.display import html_table
from provenir_lab.errors import Rejected, UsageError
from provenir_lab.files import make_folder, private
from provenir_lab.mapping.contract import Contract
from provenir_lab.mapping.document import decode, read_app_id
from provenir_lab.mapping.plan import Mapper
from provenir_lab.progress import Progress, Step, silent
from provenir_lab.storage.database import writing
from provenir_lab.storage.schema import CAMPAIGN_TABLE, Target
from provenir_lab.storage.source import store_documents, stored_ids
from provenir_lab.storage.written import read_documents, sample_ids

AT_ONCE = 200
"""Documents stored per transaction."""
COPIED_AT_ONCE = 50
"""Documents per transaction that come from another database, where they may be large."""
NO_TEXT = "holds bytes that are no text"


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file that was not loaded."""

    file: str
    category: str
    reason: str


@dataclass(frozen=True)
class Loaded:
    """What `load` did."""

    documents: int
    refused: tuple[RefusedFile, ...]

    def to_dict(self) -> dict[str, Any]:
        refused = [{"file": r.file, "category": r.category, "reason": r.reason} for r in self.refused]
        return {"documents": self.documents, "refused": refused}

    def summary(self) -> list[tuple[str, object]]:
        refused = [(f"  {r.file}", f"{r.category}: {r.reason}") for r in self.refused]
        return [("documents loaded", self.documents), ("files refused", len(self.refused)), *refused]

    def _repr_html_(self) -> str:
        return html_table("Loaded", self.summary())


def find_files(paths: Iterable[Path | str]) -> list[Path]:
    """The files meant by `paths`: files as they are, directories as all their `*.xml` files, by name.

    Raises UsageError for a path that does not exist, and for a directory that holds no XML files or cannot be
    searched.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            try:
                found = sorted(p for p in path.rglob("*") if p.suffix.lower() == ".xml" and p.is_file())
            except OSError as error:
                raise UsageError(f"{path}: cannot be searched ({error.strerror})") from None
            if not found:
                raise UsageError(f"{path}: the directory holds no .xml files")
            files += found
        elif path.is_file():
            files.append(path)
        else:
            raise UsageError(f"{path}: no such file or directory")
    return files


def read_text(path: Path) -> str:
    """The text of a document's file. Raises UsageError if it cannot be read."""
    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None


def load_files(
    engine: sa.Engine,
    target: Target,
    contract: Contract,
    *,
    mapper: Mapper,
    files: Sequence[Path],
    progress: Progress = silent,
) -> Loaded:
    """Puts the files' documents into the source table under the app_ids that they name themselves.

    A file is refused if it names none, or one that is there already, or if the database has no such texts;
    one that the contract would reject is loaded, for the processor to say so. Campaign numbers become known
    to the lab.
    """
    refused: list[RefusedFile] = []
    done = read = 0
    stream = iter(files)
    while chunk := list(islice(stream, AT_ONCE)):
        named: list[tuple[Path, int, str]] = []
        for file in chunk:
            text = read_text(file)
            try:
                named.append((file, read_app_id(text, *contract.app_id_place), text))
            except Rejected as rejected:
                refused.append(RefusedFile(str(file), rejected.category, rejected.reason))
        taken = stored_ids(engine, target, {app_id for _, app_id, _ in named})
        documents: dict[int, str] = {}
        for file, app_id, text in named:
            if app_id in taken or app_id in documents:
                reason = "a document with its app_id is there already"
                refused.append(RefusedFile(str(file), "duplicate_app_id", reason))
            elif not _is_storable(text, engine.dialect.name):
                refused.append(RefusedFile(str(file), "malformed_xml", NO_TEXT))
            else:
                documents[app_id] = text
        campaigns = campaigns_of(mapper, target, documents.values())
        with writing(engine) as connection:
            done += store_documents(connection, target, documents.items(), campaigns)
        read += len(chunk)
        progress(Step("load", read, len(files), f"{len(refused)} refused" if refused else ""))
    return Loaded(done, tuple(refused))


def copy_documents(
    source: tuple[sa.Engine, Target],
    lab: tuple[sa.Engine, Target],
    mapper: Mapper,
    *,
    sample: int,
    seed: int,
    progress: Progress = silent,
) -> Loaded:
    """Copies a sample of the documents of another database into a lab; the other one is only read.

    A document whose app_id the lab has already is refused, and one with bytes that are no text. Campaign
    numbers become known to the lab.
    """
    refused: list[RefusedFile] = []
    done = 0
    dialect = lab[0].dialect.name
    stream = iter(sample_ids(*source, sample, seed))
    while chunk := list(islice(stream, COPIED_AT_ONCE)):
        taken = stored_ids(*lab, chunk)
        reason = "a document with its app_id is there already"
        refused += [RefusedFile(f"app_id {i}", "duplicate_app_id", reason) for i in sorted(taken)]
        documents = dict(read_documents(*source, [i for i in chunk if i not in taken]))
        for app_id in [i for i, text in documents.items() if text and not _is_storable(text, dialect)]:
            refused.append(RefusedFile(f"app_id {app_id}", "malformed_xml", NO_TEXT))
            del documents[app_id]
        campaigns = campaigns_of(mapper, lab[1], (text for text in documents.values() if text))
        with writing(lab[0]) as connection:
            done += store_documents(connection, lab[1], documents.items(), campaigns)
        progress(Step("load", done + len(refused), sample))
    return Loaded(done, tuple(refused))


def _is_storable(text: str, dialect: str) -> bool:
    """Whether a text as it was read is one for the database: half characters stand for bytes that are none,
    and PostgreSQL has no texts with a character 0.
    """
    if dialect == "postgresql" and "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def store_generated(
    engine: sa.Engine,
    target: Target,
    documents: Iterable[tuple[int, str | None, str | None]],
    total: int,
    progress: Progress = silent,
) -> int:
    """Puts (app_id, text, campaign number) into the source table; returns how many.

    Raises UsageError if one of the app_ids is there already; the documents before it stay.
    """
    done = 0
    stream = iter(documents)
    while chunk := list(islice(stream, AT_ONCE)):
        there = stored_ids(engine, target, [app_id for app_id, _, _ in chunk])
        if there:
            raise UsageError(
                f"app_id {min(there)} is in {target.source_table} already: choose another --start-app-id"
            )
        with writing(engine) as connection:
            campaigns = {campaign for _, _, campaign in chunk if campaign}
            done += store_documents(connection, target, [(i, text) for i, text, _ in chunk], campaigns)
        progress(Step("generate", done, total))
    return done


def write_files(
    documents: Iterable[tuple[int, str, str | None]], folder: Path, total: int, progress: Progress = silent
) -> int:
    """Writes each document as UTF-8 to `<app_id>.xml`; returns how many. Existing files are replaced.

    Raises UsageError if the folder cannot be made or written.
    """
    done = 0
    try:
        make_folder(folder)
        for app_id, text, _ in documents:
            with open(folder / f"{app_id}.xml", "wb", opener=private) as file:
                file.write(text.encode("utf-8"))
            done += 1
            if done % AT_ONCE == 0 or done == total:
                progress(Step("generate", done, total))
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror})") from None
    return done


def mapped_file(mapper: Mapper, file: Path) -> dict[str, Any]:
    """What a file maps to, as plain values for JSON: dates as ISO text, decimals as text.

    `{"file", "app_id", "rows": {table: [{column: value}]}}`, or
    `{"file", "rejected": {"category", "reason"}}`.
    """
    text = read_text(file)
    try:
        tables = mapper.map(text)
        app_id = read_app_id(text, *mapper.contract.app_id_place)
    except Rejected as rejected:
        return {"file": str(file), "rejected": {"category": rejected.category, "reason": rejected.reason}}
    rows = {
        table: [dict(zip(mapper.columns[table], map(_plain, row), strict=True)) for row in found]
        for table, found in tables.items()
    }
    return {"file": str(file), "app_id": app_id, "rows": rows}


def _plain(value: object) -> object:
    """A mapped value as JSON has it."""
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def campaigns_of(mapper: Mapper, target: Target, texts: Iterable[str]) -> Iterator[str]:
    """The campaign numbers that the documents' rows refer to; none of a document that is rejected."""
    places = [
        (table, position)
        for table, columns in mapper.columns.items()
        for position, name in enumerate(columns)
        if (column := target.tables[table].column(name)) is not None
        and (column.references or "").startswith(f"{CAMPAIGN_TABLE}.")
    ]
    for text in texts if places else ():
        try:
            rows = mapper.map(text)
        except Rejected:
            continue
        for table, position in places:
            for row in rows.get(table, ()):
                if row[position] is not None:
                    yield row[position]
