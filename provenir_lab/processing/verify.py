"""Documents mapped again and compared with what the tables hold. Nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from provenir_lab.display import html_table
from provenir_lab.errors import Rejected
from provenir_lab.mapping.plan import Mapper
from provenir_lab.progress import Progress, Step, silent
from provenir_lab.storage.duplicates import Rows
from provenir_lab.storage.reader import comparable, stored_rows
from provenir_lab.storage.schema import Target
from provenir_lab.storage.values import Row
from provenir_lab.storage.writer import duplicates_in
from provenir_lab.storage.written import read_documents, read_owners, written_ids

AT_ONCE = 200
"""Documents compared at a time."""


@dataclass(frozen=True)
class Verification:
    """How the tables compare with the documents. Counts only: no value is kept."""

    documents: int
    rejected: Mapping[str, int]
    """Rejection category -> documents that are in the tables but would be rejected now."""
    rows_equal: int
    differing: Mapping[tuple[str, str], int]
    """(table, column) -> rows whose value differs."""
    missing: Mapping[str, int]
    """Table -> rows that the documents give and the table lacks."""
    extra: Mapping[str, int]
    """Table -> rows of these documents that the table holds and the documents do not give."""

    @property
    def equal(self) -> bool:
        return not (self.rejected or self.differing or self.missing or self.extra)

    def to_dict(self) -> dict[str, Any]:
        return {
            "equal": self.equal,
            "documents": self.documents,
            "rejected": dict(self.rejected),
            "rows_equal": self.rows_equal,
            "differing": {f"{t}.{c}": n for (t, c), n in self.differing.items()},
            "missing": dict(self.missing),
            "extra": dict(self.extra),
        }

    def summary(self) -> list[tuple[str, object]]:
        return [
            ("result", "equal" if self.equal else "different"),
            ("documents", self.documents),
            ("rows equal", self.rows_equal),
            *((f"rejected now, {category}", n) for category, n in self.rejected.items()),
            *((f"rows with another {t}.{c}", n) for (t, c), n in self.differing.items()),
            *((f"rows missing in {table}", n) for table, n in self.missing.items()),
            *((f"rows too many in {table}", n) for table, n in self.extra.items()),
        ]

    def _repr_html_(self) -> str:
        return html_table("Verification", self.summary())


@dataclass
class _Findings:
    rejected: Counter[str] = field(default_factory=Counter)
    equal: int = 0
    differing: Counter[tuple[str, str]] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    extra: Counter[str] = field(default_factory=Counter)

    def compare(
        self,
        table: str,
        columns: Sequence[str],
        key: Sequence[int],
        *,
        given: Iterable[Row],
        stored: Iterable[Row],
    ) -> None:
        """Pairs rows by the values at the positions `key`."""
        expected = {tuple([row[i] for i in key]): row for row in given}
        present = {tuple([row[i] for i in key]): row for row in stored}
        for identity, row in expected.items():
            other = present.get(identity)
            if other is None:
                self.missing[table] += 1
            elif other == row:
                self.equal += 1
            else:
                pairs = zip(columns, row, other, strict=True)
                self.differing.update((table, name) for name, a, b in pairs if a != b)
        surplus = len(present.keys() - expected.keys())
        if surplus:
            self.extra[table] += surplus


def verify(
    engine: sa.Engine, target: Target, mapper: Mapper, sample: int | None = None, progress: Progress = silent
) -> Verification:
    """Compares the documents logged as `success` (all, or an evenly spread `sample`) with their rows.

    `target` has the limits of the real tables (`fitted`), and `mapper` was made for it.
    """
    ids = written_ids(engine, target, sample)
    found = _Findings()
    duplicates = duplicates_in(engine, target, mapper.columns)
    done = 0
    for start in range(0, len(ids), AT_ONCE):
        chunk = ids[start : start + AT_ONCE]
        expected: list[tuple[int, Rows]] = []
        for app_id, text in read_documents(engine, target, chunk):
            done += 1
            try:
                expected.append((app_id, mapper.map(text, app_id)))
            except Rejected as rejected:
                found.rejected[rejected.category] += 1
        settled = duplicates.settle(expected, lambda con_ids: read_owners(engine, target, con_ids))
        stored = stored_rows(engine, target, mapper.columns, [app_id for app_id, _ in expected])
        for table, columns in mapper.columns.items():
            given = comparable(target, table, columns, settled.rows[table])
            key = [name for name in target.tables[table].primary_key if name in columns] or columns
            places = [columns.index(name) for name in key]
            found.compare(table, columns, places, given=given, stored=stored[table])
        progress(Step("verify", done, len(ids)))
    return Verification(
        done,
        dict(found.rejected),
        found.equal,
        dict(found.differing.most_common()),
        dict(found.missing),
        dict(found.extra),
    )
