"""Write methods: how the rows of one table reach the database. Each is a function of (connection, rows)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from provenir_lab.storage.values import adapters, convert
from provenir_lab.tables import Table

Insert = Callable[[sa.Connection, Sequence[tuple[Any, ...]]], None]
"""Inserts row tuples; they name the columns that the method was made for, in that order."""


def make_insert(engine: sa.Engine, sa_table: sa.Table, table: Table, columns: Sequence[str]) -> Insert:
    """The insert of `columns` into `table`."""
    preparer = engine.dialect.identifier_preparer
    mark = "%s" if engine.dialect.paramstyle in ("format", "pyformat") else "?"
    statement = (
        f"INSERT INTO {preparer.format_table(sa_table)} ({', '.join(map(preparer.quote, columns))}) "
        f"VALUES ({', '.join([mark] * len(columns))})"
    )
    adapt = adapters([c for name in columns if (c := table.column(name))], engine.dialect.name)

    def executemany(connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        connection.exec_driver_sql(statement, list(convert(rows, adapt)))

    return executemany
