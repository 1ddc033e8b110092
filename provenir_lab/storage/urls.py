"""Which databases a URL may name, and what to say about all others before a connection is tried."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from provenir_lab.errors import UsageError

EXAMPLES = "sqlite:///lab.db, postgresql+psycopg://user@host/name or mssql+pyodbc://..."
DRIVERS = {
    "sqlite": ("pysqlite",),
    "postgresql": ("psycopg",),
    "mssql": ("pyodbc", "mssqlpython"),
}
"""Database -> SQLAlchemy's names of the drivers that work with it; the first is taken if none is named."""
FIXES = {
    "psycopg": "pip install 'provenir_lab[postgresql]'",
    "pyodbc": "pip install pyodbc",
    "mssqlpython": "pip install 'provenir_lab[sqlserver]'",
}
"""Driver -> what installs it."""


def parse_url(url: str) -> URL:
    """`url` with its driver named. Raises UsageError for a malformed one, another database or driver, and an
    in-memory database."""
    try:
        parsed = make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise UsageError(f"not a database URL: use {EXAMPLES}") from None
    system, _, driver = parsed.drivername.partition("+")
    system = "postgresql" if system == "postgres" else system
    if system not in DRIVERS:
        raise UsageError(
            f"{system} is not supported; supported are SQLite, PostgreSQL and SQL Server: use {EXAMPLES}"
        )
    if driver and driver not in DRIVERS[system]:
        known = " or ".join(f"{system}+{name}" for name in DRIVERS[system])
        raise UsageError(f"the driver {driver} is not supported for {system}: use {known}")
    parsed = parsed.set(drivername=f"{system}+{driver or DRIVERS[system][0]}")
    if system == "sqlite" and parsed.query:
        raise UsageError(f"a SQLite URL takes no options: leave out what follows {parsed.database}")
    if system == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise UsageError(
            "an in-memory SQLite database ends with its connection: name a file, sqlite:///lab.db"
        )
    return parsed


def missing_driver(parsed: URL, module: str | None) -> UsageError:
    """The error for a driver that Python cannot import; `module` is what it could not."""
    driver = parsed.drivername.partition("+")[2]
    return UsageError(f"the driver of {parsed.drivername} is missing ({module}): {FIXES[driver]}")
