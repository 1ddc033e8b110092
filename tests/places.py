"""Where a test may make its lab."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True)
class Place:
    """An empty database, or schema, of a test's own."""

    url: str
    schema: str | None
    kind: str
    """sqlite, postgresql or mssql."""


def with_mssql_python(url: str) -> str:
    """The address of a SQL Server for the driver mssql-python."""
    parsed = sa.make_url(url).set(drivername="mssql+mssqlpython").difference_update_query(["driver"])
    return parsed.render_as_string(hide_password=False)


def run_tsql(url: str, *statements: str) -> None:
    """Runs statements one by one on a SQL Server; a compatible one takes rowversion only if told to."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        with suppress(sa.exc.DBAPIError):
            connection.exec_driver_sql("EXEC sp_babelfish_configure 'escape_hatch_rowversion', 'ignore'")
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def drop_sqlserver_schema(url: str, schema: str) -> None:
    """Drops a schema with its tables, if it is there."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = ?"
    with engine.connect() as connection:
        while left := [row[0] for row in connection.exec_driver_sql(tables, (schema,))]:
            dropped = 0
            for name in left:
                try:
                    connection.exec_driver_sql(f"DROP TABLE {schema}.{name}")
                    dropped += 1
                except sa.exc.DBAPIError:
                    continue  # another table still refers to it
            if not dropped:
                raise RuntimeError(f"{schema} cannot be emptied: {left}")
        connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {schema}")
    engine.dispose()
