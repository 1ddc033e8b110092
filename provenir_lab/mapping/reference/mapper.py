"""The reference mapper: a document to rows, rule by rule, with no thought of speed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from provenir_lab.errors import Rejected
from provenir_lab.mapping.contract import Contract, Field
from provenir_lab.mapping.reference import values
from provenir_lab.mapping.reference.contacts import Contacts
from provenir_lab.mapping.reference.document import read_document
from provenir_lab.mapping.reference.fields import Fields
from provenir_lab.mapping.reference.tables import TableRow, rows_of
from provenir_lab.mapping.reference.values import Value, is_blank
from provenir_lab.tables import Column, Tables


def utc_now() -> datetime:
    """The current time, as columns hold it."""
    return datetime.now(UTC).replace(tzinfo=None)


class ReferenceMapper:
    """Maps documents by a contract; `tables` tells the columns' limits.

    `columns`: table -> columns of its row tuples, parents first. `unknown_codes`: (table, column) -> codes of
    mapped documents that no enum knows and a catch-all took.
    """

    def __init__(
        self,
        contract: Contract,
        tables: Tables,
        *,
        parse_mode: str = "selective",
        max_document_mb: int = 16,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.contract = contract
        self.tables = tables
        self.parse_mode = parse_mode
        self.max_document_mb = max_document_mb
        self.clock = clock
        self.columns = {table: contract.columns_of(table) for table in contract.tables}
        self.unknown_codes: Counter[tuple[str, str]] = Counter()

    def map(self, text: str | None, app_id: int | None = None) -> dict[str, list[tuple[Value, ...]]]:
        """Rows of every table that gets any; `app_id` must be the document's if it is given.

        Raises Rejected.
        """
        document = read_document(text, self.contract, self.parse_mode, self.max_document_mb, app_id)
        contacts = Contacts(document, self.contract)
        unknown: Counter[tuple[str, str]] = Counter()
        fields = Fields(document, self.contract, self.tables, contacts, unknown, self.clock)
        mapped = {table: rows_of(table, fields) for table in self.columns}
        rows = {
            table: [self._emitted(table, row) for row in found] for table, found in mapped.items() if found
        }
        self.unknown_codes += unknown
        return rows

    def _emitted(self, table: str, row: TableRow) -> tuple[Value, ...]:
        real = self.tables.get(table)
        known = {column.name: column for column in real.columns} if real else {}
        return tuple(
            self._cell(f"{table}.{name}", row.cells.get(name), row.sources.get(name), known.get(name))
            for name in self.columns[table]
        )

    def _cell(self, place: str, value: Value, source: Field | None, column: Column | None) -> Value:
        """A value that fits its column, or the reason why the document cannot be taken (C5, C10)."""
        if not is_blank(value):
            return values.check(value, source.data_type if source else "", column, place)
        must_be_there = column is not None and not column.nullable
        if must_be_there or (source is not None and source.nullable is False):
            raise Rejected("missing_required", place)
        return None
