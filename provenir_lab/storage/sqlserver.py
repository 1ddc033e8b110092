"""What only SQL Server needs: ids in identity columns, arrays of parameters, the kind of ODBC driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def has_identity(engine: sa.Engine, table: str, columns: Sequence[Column]) -> bool:
    """Whether one of `columns` is the identity column of `table` (a quoted name) in the database."""
    query = sa.text("SELECT name FROM sys.identity_columns WHERE object_id = OBJECT_ID(:table)")
    with reading(engine) as connection:
        identities = set(connection.scalars(query, {"table": table}))
    return any(column.name in identities for column in columns)


def with_identity(
    insert: Callable[[sa.Connection, Any], None], table: str
) -> Callable[[sa.Connection, Any], None]:
    """`insert` between IDENTITY_INSERT ON and OFF: it is on for one table of a session at a time."""

    def switched(connection: sa.Connection, rows: Any) -> None:
        connection.exec_driver_sql(f"SET IDENTITY_INSERT {table} ON")
        insert(connection, rows)
        # after an error the transaction is rolled back and the connection reset, which turns it off too
        connection.exec_driver_sql(f"SET IDENTITY_INSERT {table} OFF")

    return switched


def takes_arrays(engine: sa.Engine) -> bool:
    """Whether the driver takes arrays of parameters: Microsoft's through pyodbc; FreeTDS crashes on them."""
    if engine.dialect.driver != "pyodbc":
        return False
    sql_driver_name = 6
    with reading(engine) as connection:
        driver: Any = connection.connection.driver_connection
        return "msodbcsql" in str(driver.getinfo(sql_driver_name)).lower()


def input_sizes(columns: Sequence[Column]) -> list[tuple[int, int, int]]:
    """(SQL type, size, scale) of every parameter; without them pyodbc guesses from the first row.

    Texts are sent as UTF-16, which the server turns into the column's code page.
    """
    return [_input_size(column) for column in columns]


def _input_size(column: Column) -> tuple[int, int, int]:
    kind = _SQL_TYPES.get(column.type)
    if kind is None:  # a character outside the BMP takes two of UTF-16
        return _SQL_WVARCHAR, min(2 * (column.length or 0), 4000), 0
    if column.type == "decimal":
        return kind, column.precision or 18, column.scale or 0
    if column.type == "date":
        return kind, 10, 0
    return (kind, 26, 6) if kind == 93 else (kind, 0, 0)
