"""What doctor says about the drivers of SQL Server, each lack with its fix."""

import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest

from provenir_lab.doctor import Check, examine
from provenir_lab.storage import drivers


def server_checks(sqlite_url: str) -> dict[str, Check]:
    return {check.name: check for check in examine(sqlite_url).checks if check.name.startswith("SQL Server")}


def test_the_drivers_that_are_there_are_named(monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> None:
    pyodbc = ModuleType("pyodbc")
    pyodbc.version = "5.5.0"  # type: ignore[attr-defined]
    pyodbc.drivers = lambda: ["SQL Server", "FreeTDS", drivers.ODBC_DRIVERS[0]]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyodbc", pyodbc)
    monkeypatch.setattr(drivers, "driver_library", lambda: None)
    found = server_checks(sqlite_url)["SQL Server through ODBC"]
    assert (found.ok, found.fix) == (True, "")
    assert found.found == "pyodbc 5.5.0; ODBC Driver 18 for SQL Server, FreeTDS"


def test_what_is_missing_is_told_with_its_fix(
    monkeypatch: pytest.MonkeyPatch, sqlite_url: str, tmp_path: Path
) -> None:
    def no_package(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.delitem(sys.modules, "pyodbc", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    # what pyodbc says where libodbc cannot be loaded
    (tmp_path / "pyodbc.py").write_text("raise ImportError('libodbc.so.2: no such file')", encoding="utf-8")
    monkeypatch.setattr(metadata, "version", no_package)
    found = server_checks(sqlite_url)
    assert not any(check.ok for check in found.values())
    assert all(check.optional for check in found.values())
    assert "apt install unixodbc" in found["SQL Server through ODBC"].fix
    assert "pip install 'provenir_lab[sqlserver]'" in found["SQL Server with pip alone"].fix
