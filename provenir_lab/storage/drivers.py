"""The drivers of SQL Server on this machine: which there are, which one is taken, and what an address lacks.

Two packages speak to SQL Server: pyodbc, through the system's ODBC manager and a driver known to it, and
mssql-python, which brings both. Neither is imported before an address asks for it.
"""

from __future__ import annotations

import importlib
import platform
import sys
from importlib import util
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from provenir_lab.errors import UsageError

ODBC_DRIVERS = (
    "ODBC Driver 18 for SQL Server",
    "ODBC Driver 17 for SQL Server",
    "ODBC Driver 13 for SQL Server",
    "FreeTDS",
)
"""Names under which ODBC managers know drivers of SQL Server, the best first."""
INSTALL_DRIVER = (
    "install Microsoft's ODBC Driver 18 for SQL Server or FreeTDS (Debian: tdsodbc), "
    "or pip install 'provenir_lab[sqlserver]'"
)
INSTALL_MANAGER = (
    "Debian: apt install unixodbc; macOS: brew install unixodbc; conda: unixodbc; "
    "or pip install 'provenir_lab[sqlserver]' and an address mssql+mssqlpython://..."
)
_LIBRARY_PACKAGE = "mssql_python_odbc"
_OPTIONS_BY_CASE = ("driver", "dsn", "authentication", "trusted_connection")
"""ODBC reads its keywords in any case; SQLAlchemy knows these in small letters alone."""


def complete(url: URL) -> URL:
    """`url` of a SQL Server with what it leaves out: the ODBC driver, and Windows authentication where it
    names neither a user nor another way to log in.

    Raises UsageError if pyodbc, the ODBC manager or the driver is missing.
    """
    options = {(k.lower() if k.lower() in _OPTIONS_BY_CASE else k): v for k, v in url.query.items()}
    url = url.set(query=options, host=url.host and url.host.replace("%5C", "\\").replace("%5c", "\\"))
    if url.get_driver_name() == "mssqlpython":
        chosen = {"authentication", "trusted_connection"} & set(options)
        url = url.difference_update_query(["driver"])
        return url if url.username or chosen else url.update_query_dict({"trusted_connection": "yes"})
    if url.get_driver_name() != "pyodbc":
        return url
    pyodbc = import_pyodbc()
    if not url.username:  # SQLAlchemy says it by itself, and twice is refused by some drivers
        url = url.difference_update_query(["trusted_connection"])
    source_of_its_own = url.host is not None and url.database is None  # a name that the ODBC manager knows
    if source_of_its_own or {"dsn", "odbc_connect"} & set(options):
        return url
    driver = _find_driver(pyodbc, str(options.get("driver", "")))
    if url.port and ("freetds" in driver.casefold() or "tdsodbc" in driver.casefold()):
        url = url.update_query_dict({"port": str(url.port)})  # it does not read Server=host,port
    return url.update_query_dict({"driver": driver})


def import_pyodbc() -> Any:
    """The module pyodbc. Raises UsageError with the fix if it, or the ODBC manager below it, is missing."""
    try:
        return importlib.import_module("pyodbc")
    except ModuleNotFoundError:
        raise UsageError(f"pyodbc is not installed: {sys.executable} -m pip install pyodbc") from None
    except ImportError:  # its library cannot be loaded
        raise UsageError(
            f"the ODBC manager (libodbc), which pyodbc needs, is missing: {INSTALL_MANAGER}"
        ) from None


def odbc_drivers(pyodbc: Any) -> list[str]:
    """The drivers of SQL Server that can be used, the one that is taken first: names, or a library's path."""
    known = set(pyodbc.drivers())
    library = driver_library()
    return [name for name in ODBC_DRIVERS if name in known] + ([str(library)] if library else [])


def driver_library() -> Path | None:
    """Microsoft's driver as a library inside the package mssql-python-odbc, if that is installed.

    None on Windows, whose ODBC manager takes no drivers but those it knows by name.
    """
    found = util.find_spec(_LIBRARY_PACKAGE)
    if found is None or found.origin is None or sys.platform == "win32":
        return None
    machine = {"aarch64": "arm64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    system = "macos" if sys.platform == "darwin" else "linux"
    libraries = (Path(found.origin).parent / "libs" / system).glob("**/lib/libmsodbcsql*")
    fitting = [path for path in sorted(libraries) if machine in path.parts]
    return min(fitting, key=_distance, default=None)


def _distance(library: Path) -> bool:
    """Whether a library was made for another family of Linux than this one."""
    families = {"alpine": "alpine-release", "rhel": "redhat-release", "suse": "SuSE-release"}
    own = next((name for name, file in families.items() if Path("/etc", file).exists()), "debian_ubuntu")
    return own not in library.parts


def _find_driver(pyodbc: Any, wanted: str) -> str:
    """`wanted` (a name, or a library's path) if it is there; if nothing is wanted, the best that is there."""
    found = odbc_drivers(pyodbc)
    if not wanted and not found:
        raise UsageError(f"no ODBC driver for SQL Server is on this machine: {INSTALL_DRIVER}")
    if not wanted:
        return found[0]
    if wanted.casefold() not in map(str.casefold, pyodbc.drivers()) and not Path(wanted).is_file():
        instead = "leave driver= out of the address to use what is there" if found else INSTALL_DRIVER
        raise UsageError(f"the ODBC driver {wanted!r} is not installed: {instead}")
    return wanted
