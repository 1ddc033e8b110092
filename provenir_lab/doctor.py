"""What this machine has and lacks: Python, packages, drivers, kernel, fonts, database; and the fixes."""

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
from provenir_lab.settings import Database, Settings, find_database
from provenir_lab.storage import drivers
from provenir_lab.storage.database import masked, open_engine, reach, reading, sqlite_path

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
    "rich",
    "PyYAML",
    "Jinja2",
    "psutil",
)
OLDEST_SQLITE = (3, 38, 0)
"""STRICT tables and json_each as they are used here."""

_LOOK_AT = "are database, address, login and rights as they should be?"


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


def examine(database: str | Database | None = None) -> Checkup:
    """All checks; the database is the one meant by `database` (as for `Lab`)."""
    return Checkup(
        (
            Check("Python", True, f"{platform.python_version()} on {platform.platform(terse=True)}"),
            *(_package(name) for name in PACKAGES),
            _sqlite(),
            _postgresql(),
            *_sql_server(),
            _kernel(),
            _fonts(),
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
    fix = f"{sys.executable} -m pip install 'provenir_lab[sqlserver]'"
    try:
        found = f"mssql-python {metadata.version('mssql-python')}"
        importlib.import_module("mssql_python")
    except metadata.PackageNotFoundError:
        yield Check(name, False, "mssql-python is not installed", fix, optional=True)
    except Exception as error:  # what its own libraries raise where they cannot be loaded
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        fix = "install the library that it names, or use the other way to SQL Server"
        yield Check(name, False, f"{found} cannot be loaded ({reason})", fix, optional=True)
    else:
        yield Check(name, True, found)


def _kernel() -> Check:
    name = "Jupyter kernel"
    try:
        specs = importlib.import_module("jupyter_client.kernelspec").KernelSpecManager().find_kernel_specs()
    except ImportError:
        specs = {}
    fix = "" if "python3" in specs else f"{sys.executable} -m pip install ipykernel"
    return Check(name, "python3" in specs, ", ".join(sorted(specs)) or "none", fix)


def _fonts() -> Check:
    """The font that figures are measured with; matplotlib brings one."""
    try:
        manager = importlib.import_module("matplotlib.font_manager")
        file = manager.findfont(manager.FontProperties(), fallback_to_default=False)
        name = manager.get_font(file).family_name
    except (ImportError, ValueError, OSError):
        fix = f"{sys.executable} -m pip install --force-reinstall matplotlib"
        return Check("fonts", False, "no sans-serif font for figures", fix)
    return Check("fonts", True, name)


def _database(wanted: str | Database | None) -> Check:
    """Whether the database answers; a SQLite file that is not there yet is no fault."""
    absent = False
    try:
        database = wanted if isinstance(wanted, Database) else find_database(wanted)
        engine = open_engine(database.url, Settings())
        try:
            absent = engine.dialect.name == "sqlite" and not sqlite_path(engine).exists()
            reach(engine, masked(database.url))
            with reading(engine):
                pass
        finally:
            engine.dispose()
    except LabError as error:
        mark = ": " if isinstance(error, UsageError) else "; "  # what is wrong, and behind it what to do
        found, _, fix = str(error).rpartition(mark)
        return Check("database", False, found or str(error), fix if found else _LOOK_AT, optional=absent)
    return Check("database", True, f"{masked(database.url)} answers")
