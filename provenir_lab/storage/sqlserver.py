"""What only SQL Server needs: ids in identity columns, arrays of parameters, the kind of ODBC driver."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from provenir_lab.storage.database import reading
from provenir_lab.tables import Column

# ODBC type numbers (sqlext.h), so that pyodbc need not be imported
_SQL_TYPES = {
    "tinyint": -6,
    "smallint": 5,
    "int": 4,
    "bigint": -5,
    "bit": -7,
    "float": 8,
    "decimal": 3,
    "date": 91,
    "datetime": 93,
    "datetime2": 93,
    "smalldatetime": 93,
}
_SQL_WVARCHAR = -9
LONGEST_IN_ARRAYS = 4000
"""Characters; an array has the declared width of every row."""
_MOMENTS = ("datetime", "datetime2", "smalldatetime")


def has_identity(engine: sa.Engine, table: str, columns: Sequence[Column]) -> bool:
    """Whether one of `columns` is the identity column of `table` (a quoted name) in the database."""
    query = sa.text("SELECT name FROM sys.identity_columns WHERE object_id = OBJECT_ID(:table)")
    with reading(engine) as connection:
        identities = {name.lower() for name in connection.scalars(query, {"table": table})}
    return any(column.name.lower() in identities for column in columns)


def fraction_digits(connection: sa.Connection, schema: str | None, table: str) -> dict[str, int]:
    """Column -> fraction digits of its seconds, which SQLAlchemy does not read, of the datetime2 columns."""
    query = sa.text(
        "SELECT name, scale FROM sys.columns "
        "WHERE object_id = OBJECT_ID(:table) AND TYPE_NAME(system_type_id) = 'datetime2'"
    )
    name = connection.dialect.identifier_preparer.format_table(sa.table(table, schema=schema))
    return {row.name: row.scale for row in connection.execute(query, {"table": name})}


def text_key_forms(engine: sa.Engine, tables: Iterable[sa.Table]) -> dict[str, Callable[[str], str]]:
    """Name of each of `tables` -> its `text_key_form`; nothing for databases that tell all texts apart."""
    if engine.dialect.name != "mssql":
        return {}
    with reading(engine) as connection:
        return {table.name: text_key_form(connection, table) for table in tables}


def text_key_form(connection: sa.Connection, table: sa.Table) -> Callable[[str], str]:
    """What gives one form to the texts that the database takes for the same key of `table`.

    SQL Server ignores trailing blanks and, under most collations, case. What some collations take for equal
    besides (ss and ß) stays different: better a document refused than a row lost.
    """
    if connection.dialect.name != "mssql":
        return str
    query = sa.text("SELECT name, collation_name FROM sys.columns WHERE object_id = OBJECT_ID(:table)")
    name = connection.dialect.identifier_preparer.format_table(table)
    collations = {column: str(found).lower() for column, found in connection.execute(query, {"table": name})}
    if any("_ci" in collations.get(column.name, "") for column in table.primary_key):
        return lambda text: text.rstrip(" ").lower()
    return lambda text: text.rstrip(" ")


def with_identity(
    insert: Callable[[sa.Connection, Any], None], table: str
) -> Callable[[sa.Connection, Any], None]:
    """`insert` between IDENTITY_INSERT ON and OFF: it is on for one table of a session at a time."""

    def switched(connection: sa.Connection, rows: Any) -> None:
        connection.exec_driver_sql(f"SET IDENTITY_INSERT {table} ON")
        try:
            insert(connection, rows)
            connection.exec_driver_sql(f"SET IDENTITY_INSERT {table} OFF")
        except BaseException:
            connection.invalidate()  # a rollback leaves the switch on, and the next table's ON would fail
            raise

    return switched


def takes_arrays(engine: sa.Engine) -> bool:
    """Whether the driver takes arrays of parameters: Microsoft's through pyodbc; FreeTDS crashes on them."""
    if engine.dialect.driver != "pyodbc":
        return False
    sql_driver_name = 6
    with reading(engine) as connection:
        driver: Any = connection.connection.driver_connection
        return "msodbcsql" in str(driver.getinfo(sql_driver_name)).lower()


def knows_json(engine: sa.Engine) -> bool:
    """Whether the database has OPENJSON: on SQL Server from compatibility level 130 on."""
    with reading(engine) as connection:
        try:
            connection.exec_driver_sql("SELECT value FROM OPENJSON('[1]')").all()
        except sa.exc.ProgrammingError:  # no such object
            return False
    return True


def reads_json(engine: sa.Engine) -> bool:
    """Whether OPENJSON gives texts back as they were: Babelfish leaves escapes in and cuts long texts."""
    sent = "a\\b" + "x" * 8_000
    with reading(engine) as connection:
        statement = "SELECT c FROM OPENJSON(?) WITH (c nvarchar(max) '$[0]')"
        found = connection.exec_driver_sql(statement, (json.dumps([[sent]]),)).scalar()
    return bool(found == sent)


def moment_texts(columns: Sequence[Column]) -> list[tuple[int, Callable[[dt.datetime], str]]]:
    """Moments as ISO text with a T, which the server reads the same in every language.

    Sent one by one, pyodbc cuts moments to the fraction that the driver says its types have: maybe none.
    """
    return [
        (
            i,
            partial(
                dt.datetime.isoformat, timespec="microseconds" if c.type == "datetime2" else "milliseconds"
            ),
        )
        for i, c in enumerate(columns)
        if c.type in _MOMENTS
    ]


def input_sizes(columns: Sequence[Column], *, arrays: bool) -> list[tuple[int, int, int]]:
    """(SQL type, size, scale) of every parameter; without them pyodbc guesses from the first row.

    Texts are sent as UTF-16, which the server turns into the column's code page.
    """
    text = _SQL_WVARCHAR, 30, 0
    return [text if c.type in _MOMENTS and not arrays else _input_size(c) for c in columns]


def _input_size(column: Column) -> tuple[int, int, int]:
    kind = _SQL_TYPES.get(column.type)
    if kind is None:  # a character outside the BMP takes two of UTF-16; size 0 has no limit
        length = column.length or 0
        return _SQL_WVARCHAR, min(2 * length, LONGEST_IN_ARRAYS) if length <= LONGEST_IN_ARRAYS else 0, 0
    if column.type == "decimal":
        return kind, column.precision or 18, column.scale or 0
    if column.type == "date":
        return kind, 10, 0
    return (kind, 26, 6) if kind == 93 else (kind, 0, 0)
