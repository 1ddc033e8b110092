"""What this machine has and lacks: Python, packages, drivers, databases, kernel; each lack with its fix."""

from __future__ import annotations

import importlib
import platform
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from provenir_lab.display import html_table
from provenir_lab.errors import LabError, UsageError
from provenir_lab.settings import Settings, find_database
from provenir_lab.storage import drivers
from provenir_lab.storage.database import masked, open_engine, reach, reading

PACKAGES = (
    "lxml",
    "SQLAlchemy",
    "pydantic",
    "typer",
    "jupyterlab",
    "papermill",
    "pandas",
    "matplotlib",
    "scipy",
)
OLDEST_SQLITE = (3, 38, 0)
"""STRICT tables and json_each as they are used here."""


@dataclass(frozen=True)
class Check:
    """One thing looked at. `optional`: everything else works without it."""

    name: str
    ok: bool
    found: str
    fix: str = ""
    optional: bool = False

    @property
    def state(self) -> str:
        """`ok`, `missing` (and needed for some work only) or `FAILED`."""
        return "ok" if self.ok else "missing" if self.optional else "FAILED"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Checkup:
    """All checks of a machine."""

    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is missing that is needed."""
        return all(check.ok or check.optional for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"checks": [check.to_dict() for check in self.checks]}

    def _repr_html_(self) -> str:
        title = "Nothing needed is missing" if self.healthy else "Something needed is missing"
        rows = [(check.name, check.state, check.found, check.fix) for check in self.checks]
        return html_table(title, rows, ("", "state", "found", "fix"))


def examine(database: str | None = None) -> Checkup:
    """All checks; the database is the one meant by `database` (as for `Lab`)."""
    return Checkup(
        (
            Check("Python", True, f"{platform.python_version()} on {platform.platform(terse=True)}"),
            *(_package(name) for name in PACKAGES),
            _sqlite(),
            _postgresql(),
            *_sql_server(),
            _kernel(),
            _database(database),
        )
    )


def _package(name: str) -> Check:
    try:
        return Check(name, True, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, False, "not installed", f"{sys.executable} -m pip install {name}")


def _sqlite() -> Check:
    ok = sqlite3.sqlite_version_info >= OLDEST_SQLITE
    fix = "" if ok else f"use a Python whose SQLite is {'.'.join(map(str, OLDEST_SQLITE))} or newer"
    return Check("SQLite", ok, sqlite3.sqlite_version, fix)


def _postgresql() -> Check:
    try:
        return Check("PostgreSQL driver", True, f"psycopg {importlib.import_module('psycopg').__version__}")
    except ImportError:
        fix = f"{sys.executable} -m pip install 'provenir_lab[postgresql]'"
        return Check("PostgreSQL driver", False, "psycopg is not installed", fix, optional=True)


def _sql_server() -> Iterator[Check]:
    """The two packages that speak to SQL Server: either is enough."""
    name = "SQL Server through ODBC"
    try:
        pyodbc = drivers.import_pyodbc()
    except UsageError as error:
        found, _, fix = str(error).partition(": ")
        yield Check(name, False, found, fix, optional=True)
    else:
        there = drivers.odbc_drivers(pyodbc)
        found = f"pyodbc {pyodbc.version}; " + (", ".join(there) or "no ODBC driver for SQL Server")
        yield Check(name, bool(there), found, "" if there else drivers.INSTALL_DRIVER, optional=True)
    name = "SQL Server with pip alone"
    try:
        yield Check(name, True, f"mssql-python {metadata.version('mssql-python')}")
    except metadata.PackageNotFoundError:
        fix = f"{sys.executable} -m pip install 'provenir_lab[sqlserver]'"
        yield Check(name, False, "mssql-python is not installed", fix, optional=True)


def _kernel() -> Check:
    name = "Jupyter kernel"
    try:
        specs = importlib.import_module("jupyter_client.kernelspec").KernelSpecManager().find_kernel_specs()
    except ImportError:
        specs = {}
    fix = "" if "python3" in specs else f"{sys.executable} -m pip install ipykernel"
    return Check(name, "python3" in specs, ", ".join(sorted(specs)) or "none", fix)


def _database(name_or_url: str | None) -> Check:
    """Whether the database answers; a SQLite file that is not there yet is no fault."""
    try:
        database = find_database(name_or_url)
        engine = open_engine(database.url, Settings())
        try:
            reach(engine, masked(database.url))
            with reading(engine):
                pass
        finally:
            engine.dispose()
    except LabError as error:
        return Check(
            "database", False, str(error), "check name, address and rights", optional=name_or_url is None
        )
    return Check("database", True, f"{masked(database.url)} answers")
