"""Write methods: how the rows of one table reach the database. Each is a function of (connection, rows).

`executemany` works everywhere. `copy` is PostgreSQL's bulk load. `json` sends one parameter that the server
takes apart. `fast_executemany` is pyodbc's array of parameters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from provenir_lab.errors import UsageError
from provenir_lab.storage.refusals import NUMBERS, native_numbers
from provenir_lab.storage.schema import column_type
from provenir_lab.storage.sqlserver import (
    LONGEST_IN_ARRAYS,
    has_identity,
    input_sizes,
    moment_texts,
    reads_json,
    takes_arrays,
    with_identity,
)
from provenir_lab.storage.values import adapters, convert, copy_text, json_values
from provenir_lab.tables import Column, Table

Rows = Sequence[tuple[Any, ...]]
Insert = Callable[[sa.Connection, Rows], None]
"""Inserts row tuples; they name the columns that the method was made for, in that order."""


@dataclass(frozen=True)
class Destination:
    """One table as a method sees it."""

    engine: sa.Engine
    sa_table: sa.Table
    columns: tuple[Column, ...]
    """The columns of the row tuples."""

    @property
    def name(self) -> str:
        return self.engine.dialect.identifier_preparer.format_table(self.sa_table)

    @property
    def column_list(self) -> str:
        return ", ".join(map(self.engine.dialect.identifier_preparer.quote, (c.name for c in self.columns)))

    @property
    def mark(self) -> str:
        return "%s" if self.engine.dialect.name == "postgresql" else "?"

    def sql_type(self, column: Column) -> str:
        return column_type(column, self.engine.dialect.name).compile(self.engine.dialect)


def possible_methods(engine: sa.Engine) -> tuple[str, ...]:
    """The methods that this database and its driver know, the one that `auto` means first."""
    match engine.dialect.name:
        case "sqlite":
            return "executemany", "json"
        case "postgresql":
            return "copy", "executemany", "json"
        case _:
            arrays = ("fast_executemany",) if takes_arrays(engine) else ()
            return *arrays, "executemany", *(("json",) if reads_json(engine) else ())


def choose_method(engine: sa.Engine, wanted: str) -> str:
    """What the setting `write_method` means on this database. Raises UsageError if it has no such method."""
    possible = possible_methods(engine)
    if wanted == "auto":
        return possible[0]
    if wanted not in possible:
        system = engine.dialect.name
        place = f"{system} through this driver" if system == "mssql" else system
        raise UsageError(f"write_method={wanted} does not work on {place}: use auto or {', '.join(possible)}")
    return wanted


def make_insert(
    method: str, engine: sa.Engine, sa_table: sa.Table, table: Table, columns: Sequence[str]
) -> Insert:
    """The insert of `columns` into `table` by `method` (one of `choose_method`)."""
    to = _destination(engine, sa_table, table, columns)
    return _with_ids(to, _METHODS[method](to))


def make_new_only_insert(
    engine: sa.Engine, sa_table: sa.Table, table: Table, columns: Sequence[str]
) -> Insert:
    """An insert that passes over rows whose key is in `table` already."""
    to = _destination(engine, sa_table, table, columns)
    if engine.dialect.name != "mssql":
        return _json(to, " WHERE true ON CONFLICT DO NOTHING")
    places = ", ".join(f"CAST({to.mark} AS {_loose(to, c)}) AS c{i}" for i, c in enumerate(to.columns))
    quote = engine.dialect.identifier_preparer.quote
    same = " AND ".join(f"{quote(c.name)} = c{i}" for i, c in enumerate(to.columns) if c.primary_key)
    # the range stays locked, so nobody adds the key between this look and the insert
    there = f"SELECT 1 FROM {to.name} WITH (UPDLOCK, HOLDLOCK) WHERE {same}"
    rows = f"SELECT * FROM (SELECT {places}) r WHERE NOT EXISTS ({there})"
    statement = f"INSERT INTO {to.name} ({to.column_list}) {rows}"
    return _with_ids(to, _row_by_row(to, statement))


def _destination(engine: sa.Engine, sa_table: sa.Table, table: Table, columns: Sequence[str]) -> Destination:
    return Destination(engine, sa_table, tuple(c for name in columns if (c := table.column(name))))


def _with_ids(to: Destination, insert: Insert) -> Insert:
    if to.engine.dialect.name == "mssql" and has_identity(to.engine, to.name, to.columns):
        return with_identity(insert, to.name)
    return insert


def _loose(to: Destination, column: Column) -> str:
    """A SQL Server type that holds any value of the column: the insert itself reports what does not fit."""
    loose = {"varchar": "nvarchar(max)", "char": "nvarchar(max)"}
    loose |= dict.fromkeys(("datetime", "smalldatetime"), "datetime2")
    return loose.get(column.type) or to.sql_type(column)


def _executemany(to: Destination) -> Insert:
    return _row_by_row(to, _values_statement(to))


def _row_by_row(to: Destination, statement: str) -> Insert:
    if to.engine.dialect.driver == "pyodbc":
        return _pyodbc(to, statement, arrays=False)
    if to.engine.dialect.driver == "mssqlpython":
        return _mssql_python(to, statement)
    adapt = adapters(to.columns, to.engine.dialect.name)

    def insert(connection: sa.Connection, rows: Rows) -> None:
        connection.exec_driver_sql(statement, list(convert(rows, adapt)))

    return insert


def _values_statement(to: Destination) -> str:
    return f"INSERT INTO {to.name} ({to.column_list}) VALUES ({', '.join([to.mark] * len(to.columns))})"


def _copy(to: Destination) -> Insert:
    statement = f"COPY {to.name} ({to.column_list}) FROM STDIN"
    encode, adapt = copy_text(to.columns), adapters(to.columns, to.engine.dialect.name)

    def insert(connection: sa.Connection, rows: Rows) -> None:
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(statement) as stream:
            stream.write(encode(convert(rows, adapt)))

    return insert


def _fast_executemany(to: Destination) -> Insert:
    lengths = [c.length for c in to.columns if c.type in ("varchar", "char")]
    narrow = all(length is not None and length <= LONGEST_IN_ARRAYS for length in lengths)
    return _pyodbc(to, _values_statement(to), arrays=narrow)


def _pyodbc(to: Destination, statement: str, *, arrays: bool) -> Insert:
    adapt, sizes = adapters(to.columns, to.engine.dialect.name), input_sizes(to.columns, arrays=arrays)
    if not arrays:
        adapt = [*adapt, *moment_texts(to.columns)]

    def insert(connection: sa.Connection, rows: Rows) -> None:
        driver: Any = connection.connection.driver_connection
        with closing(driver.cursor()) as cursor:  # as its own context manager it would commit
            cursor.fast_executemany = arrays
            cursor.setinputsizes(sizes)
            cursor.executemany(statement, list(convert(rows, adapt)))

    return insert


def _mssql_python(to: Destination, statement: str) -> Insert:
    adapt = adapters(to.columns, to.engine.dialect.name)
    failures = to.engine.dialect.loaded_dbapi.Error

    def send(cursor: Any, rows: list[tuple[Any, ...]]) -> None:
        try:
            cursor.executemany(statement, rows)
        except RuntimeError:
            # its buffers have the width of the text with the most characters, not of the widest in UTF-16
            if len(rows) == 1:
                raise
            for row in rows:
                cursor.executemany(statement, [row])

    def insert(connection: sa.Connection, rows: Rows) -> None:
        driver: Any = connection.connection.driver_connection
        with closing(driver.cursor()) as cursor:
            try:
                send(cursor, list(convert(rows, adapt)))
            except failures as error:
                setattr(error, NUMBERS, native_numbers(cursor.messages))
                raise
            except RuntimeError:  # half a surrogate pair, a value of a type that it does not know
                raise UnicodeError("a value that the driver cannot send") from None
            except ValueError:
                raise OverflowError("a number that the driver cannot send") from None

    return insert


def _json(to: Destination, condition: str = "") -> Insert:
    """Rows as one JSON array of arrays, each value taken out by its place and cast to its column's type."""
    statement = (
        f"INSERT INTO {to.name} ({to.column_list}) {_SHREDDERS[to.engine.dialect.name](to)}{condition}"
    )
    adapt, prepare = adapters(to.columns, to.engine.dialect.name), json_values(to.columns)

    def insert(connection: sa.Connection, rows: Rows) -> None:
        document = json.dumps(
            list(convert(convert(rows, adapt), prepare)), ensure_ascii=False, separators=(",", ":")
        )
        connection.exec_driver_sql(statement, (document,))

    return insert


def _sqlite_shredder(to: Destination) -> str:
    places = ", ".join(f"json_extract(value, '$[{i}]')" for i in range(len(to.columns)))
    return f"SELECT {places} FROM json_each(?)"


def _postgresql_shredder(to: Destination) -> str:
    places = ", ".join(f"(value->>{i})::{to.sql_type(c)}" for i, c in enumerate(to.columns))
    return f"SELECT {places} FROM json_array_elements(%s::json)"


def _sqlserver_shredder(to: Destination) -> str:
    fields = ", ".join(f"c{i} {_loose(to, c)} '$[{i}]'" for i, c in enumerate(to.columns))
    places = ", ".join(f"c{i}" for i in range(len(to.columns)))
    return f"SELECT {places} FROM OPENJSON(?) WITH ({fields})"


_SHREDDERS = {
    "sqlite": _sqlite_shredder,
    "postgresql": _postgresql_shredder,
    "mssql": _sqlserver_shredder,
}
_METHODS: dict[str, Callable[[Destination], Insert]] = {
    "executemany": _executemany,
    "copy": _copy,
    "json": _json,
    "fast_executemany": _fast_executemany,
}
