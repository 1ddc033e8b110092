"""Which SQL Server driver an address gets, on machines that have this and that driver."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy.engine import make_url

from provenir_lab.errors import UsageError
from provenir_lab.settings import Settings
from provenir_lab.storage import drivers
from provenir_lab.storage.database import open_engine
from provenir_lab.storage.drivers import complete

MICROSOFT_18, MICROSOFT_17, _, FREETDS = drivers.ODBC_DRIVERS


def machine(monkeypatch: pytest.MonkeyPatch, known: Sequence[str], library: Path | None = None) -> None:
    """Makes this a machine whose ODBC manager knows the drivers `known`."""
    pyodbc = ModuleType("pyodbc")
    pyodbc.drivers = lambda: list(known)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyodbc", pyodbc)
    monkeypatch.setattr(drivers, "driver_library", lambda: library)


@pytest.mark.parametrize(
    "known, taken",
    [
        (["SQL Server", FREETDS, MICROSOFT_17, MICROSOFT_18], MICROSOFT_18),
        (["SQL Server", FREETDS, MICROSOFT_17], MICROSOFT_17),
        (["SQL Server", FREETDS], FREETDS),
        (["SQL Server"], "libmsodbcsql-18.so"),
    ],
)
def test_the_best_driver_there_is_taken(
    monkeypatch: pytest.MonkeyPatch, known: list[str], taken: str
) -> None:
    machine(monkeypatch, known, Path("libmsodbcsql-18.so"))
    assert complete(make_url("mssql+pyodbc://u:p@h/d")).query["driver"] == taken


def test_without_any_driver_the_fix_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, ["SQL Server", "SQLite3"])
    with pytest.raises(UsageError, match=r"no ODBC driver for SQL Server .*install Microsoft's") as caught:
        open_engine("mssql://u:p@h/d", Settings())
    assert "\n" not in str(caught.value)


def test_a_named_driver_stays_and_one_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine(monkeypatch, [MICROSOFT_18, MICROSOFT_17])
    assert complete(make_url("mssql+pyodbc://h/d?Driver=odbc+driver+17+for+sql+server")).query == {
        "driver": "odbc driver 17 for sql server"
    }
    library = tmp_path / "libmsodbcsql.so"
    with pytest.raises(UsageError, match=r"libmsodbcsql\.so' is not installed: leave driver= out"):
        complete(make_url(f"mssql+pyodbc://h/d?driver={library}"))
    library.touch()
    assert complete(make_url(f"mssql+pyodbc://h/d?driver={library}")).query["driver"] == str(library)


@pytest.mark.parametrize("url", ["mssql+pyodbc://source", "mssql+pyodbc:///?odbc_connect=DSN%3Dsource"])
def test_a_data_source_of_the_odbc_manager_needs_no_driver(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    machine(monkeypatch, [])
    assert "driver" not in complete(make_url(url)).query


def test_a_machine_without_odbc_manager_or_pyodbc_is_told_the_fix(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delitem(sys.modules, "pyodbc", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    # what pyodbc says where libodbc cannot be loaded
    (tmp_path / "pyodbc.py").write_text("raise ImportError('libodbc.so.2: no such file')", encoding="utf-8")
    with pytest.raises(UsageError, match="apt install unixodbc") as caught:
        open_engine("mssql+pyodbc://u:p@h/d", Settings())
    assert "\n" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "pyodbc", None)
    with pytest.raises(UsageError, match="pip install pyodbc"):
        open_engine("mssql+pyodbc://u:p@h/d", Settings())


@pytest.mark.parametrize(
    "url, wanted",
    [
        ("mssql+pyodbc://u:p@h/d", "UID=u;PWD=p"),
        ("mssql+pyodbc://h/d", "Trusted_Connection=Yes"),
        ("mssql+pyodbc://h/d?Trusted_Connection=yes", "Trusted_Connection=Yes"),
        ("mssql+pyodbc://h/d?Authentication=ActiveDirectoryMsi", "Authentication=ActiveDirectoryMsi"),
        (
            "mssql+pyodbc://u:p@h/d?Authentication=ActiveDirectoryServicePrincipal",
            "UID=u;PWD=p;authentication=ActiveDirectoryServicePrincipal",
        ),
        ("mssql+mssqlpython://u:p@h/d", "UID=u;PWD=p"),
        ("mssql+mssqlpython://h/d", "trusted_connection=yes"),
        ("mssql+mssqlpython://h/d?Trusted_Connection=yes", "trusted_connection=yes"),
        ("mssql+mssqlpython://h/d?Authentication=ActiveDirectoryMsi", "Authentication=ActiveDirectoryMsi"),
    ],
)
def test_how_an_address_logs_in(monkeypatch: pytest.MonkeyPatch, url: str, wanted: str) -> None:
    machine(monkeypatch, [MICROSOFT_18])
    asked = connection_string(url)
    assert [part for part in asked.split(";") if part.startswith(LOGINS)] == wanted.split(";")


LOGINS = ("UID", "PWD", "Trusted", "trusted", "Authentication", "authentication")


@pytest.mark.parametrize("host", ["localhost\\SQLEXPRESS", "localhost%5CSQLEXPRESS"])
@pytest.mark.parametrize("driver", ["pyodbc", "mssqlpython"])
def test_a_named_instance_is_passed_on(monkeypatch: pytest.MonkeyPatch, driver: str, host: str) -> None:
    machine(monkeypatch, [MICROSOFT_18])
    asked = connection_string(f"mssql+{driver}://{host}/lab")
    assert "Server=localhost\\SQLEXPRESS;Database=lab" in asked


def test_freetds_is_told_the_port_in_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, [FREETDS])
    assert "Server=h;Database=d;UID=u;PWD=p;port=1433" in connection_string("mssql+pyodbc://u:p@h:1433/d")


def connection_string(url: str) -> str:
    """What the driver is given for `url`."""
    parsed = complete(make_url(url))
    return str(parsed.get_dialect()().create_connect_args(parsed)[0][0])


@pytest.mark.skipif(sys.platform != "linux", reason="the package's layout elsewhere cannot be tried here")
def test_the_library_of_the_package_is_found() -> None:
    pytest.importorskip("mssql_python_odbc")
    library = drivers.driver_library()
    assert library is not None and library.is_file() and library.name.startswith("libmsodbcsql")
