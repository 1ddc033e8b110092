"""What doctor says about the drivers of SQL Server, each lack with its fix."""

import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest

from provenir_lab.api import Lab
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


def test_a_driver_that_is_installed_but_cannot_be_loaded_is_not_there(
    monkeypatch: pytest.MonkeyPatch, sqlite_url: str, tmp_path: Path
) -> None:
    monkeypatch.delitem(sys.modules, "mssql_python", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mssql_python.py").write_text("raise RuntimeError('no libltdl.so.7')", encoding="utf-8")
    monkeypatch.setattr(metadata, "version", lambda _: "1.16.0")
    found = server_checks(sqlite_url)["SQL Server with pip alone"]
    assert (found.ok, found.optional) == (False, True)
    assert "mssql-python 1.16.0 cannot be loaded (RuntimeError: no libltdl.so.7)" in found.found


def test_every_package_that_is_needed_is_looked_at(sqlite_url: str) -> None:
    project = Path(__file__).parents[1] / "pyproject.toml"
    needed = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    names = {re.split("[<>=]", requirement)[0] for requirement in needed} - {
        "pyodbc"
    }  # has a check of its own
    checks = {check.name: check for check in examine(sqlite_url).checks}
    assert names <= set(checks)
    assert checks["fonts"].ok


def test_a_database_file_that_is_not_there_yet_is_no_fault(sqlite_url: str) -> None:
    for checkup in (examine(sqlite_url), Lab(sqlite_url).doctor()):
        found = checkup.checks[-1]
        assert (found.name, found.state, found.fix) == (
            "database",
            "missing",
            "`provenir-lab init` creates it",
        )
        assert found.found.startswith("there is no database file")
        assert checkup.healthy


@pytest.mark.parametrize(
    ("database", "found", "fix"),
    [
        ("postgresql+psycopg://me@127.0.0.1:1/x", "127.0.0.1:1/x: the connection", "is the server running"),
        ("production", "no database profile is named production", "give a URL"),
        ("oracle://u@h/d", "oracle is not supported", "use sqlite"),
    ],
)
def test_each_failure_of_a_database_has_its_own_fix(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: str, found: str, fix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    checkup = examine(database)
    check = checkup.checks[-1]
    assert (check.ok, checkup.healthy) == (False, False)
    assert found in check.found
    assert fix in check.fix
    assert fix not in check.found


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
