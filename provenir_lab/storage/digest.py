"""Content digests of the tables: equal for equal contents, whatever the row order or the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import sqlalchemy as sa

from provenir_lab.storage.database import reading
from provenir_lab.storage.reader import unconverted
from provenir_lab.storage.schema import LOG_TABLE, Target, build_tables, log_table
from provenir_lab.storage.values import canonical, convert

_ROWS_AT_ONCE = 2000
_LOG_COLUMNS = ("app_id", "status", "failure_reason")


@dataclass(frozen=True)
class TableDigest:
    """`digest`: 32 hex digits, the sum modulo 2^128 of a hash of each row, so that order does not matter."""

    rows: int
    digest: str


def digest_tables(
    engine: sa.Engine, target: Target, columns: Mapping[str, Sequence[str]]
) -> dict[str, TableDigest]:
    """Digest of `columns` (the mapper's: table -> mapped columns) of each table, and of the log's outcomes
    (app_id, status, failure_reason). Rows are streamed; nobody should be writing.
    """
    dialect = engine.dialect.name
    metadata = build_tables({name: target.tables[name] for name in columns}, target.schema, dialect)
    tables = {table.name: table for table in metadata.tables.values()}
    with reading(engine) as connection:
        found = {name: _digest(connection, tables[name], target, named) for name, named in columns.items()}
        found[LOG_TABLE] = _digest(connection, log_table(target, dialect), target, _LOG_COLUMNS)
    return found


def _digest(connection: sa.Connection, table: sa.Table, target: Target, named: Sequence[str]) -> TableDigest:
    plain = target.log if table.name == LOG_TABLE else target.tables[table.name]
    # by name, so that two contracts that map the same columns in another order agree
    ordered = sorted(named)
    converters = canonical([column for name in ordered if (column := plain.column(name))])
    total = count = 0
    query = unconverted(table, ordered)
    result = connection.execution_options(stream_results=True, max_row_buffer=_ROWS_AT_ONCE).execute(query)
    while rows := result.fetchmany(_ROWS_AT_ONCE):
        count += len(rows)
        for row in convert(rows, converters) if converters else map(tuple, rows):
            total += int.from_bytes(blake2b(repr(row).encode(), digest_size=16).digest(), "big")
    return TableDigest(count, f"{total % 2**128:032x}")
