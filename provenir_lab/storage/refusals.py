"""What a native database error means: a document's fault, a passing failure, or neither.

Decided by exception class, SQLSTATE and error number. The text of the native error is never used nor kept.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Any

from provenir_lab.errors import DatabaseError, DatabaseRefusal, TransientError

NUMBERS = "native_numbers"
"""Attribute of an error of mssql-python for the native error numbers, which it leaves with the cursor."""

# SQLSTATE of PostgreSQL (https://www.postgresql.org/docs/current/errcodes-appendix.html) -> category, what
_POSTGRESQL_REFUSALS = {
    "23502": ("missing_required", "a value is required"),
    "23503": ("constraint_violation", "foreign key"),
    "23505": ("constraint_violation", "unique key"),
    "23514": ("constraint_violation", "check constraint"),
    "23P01": ("constraint_violation", "exclusion constraint"),
    "22001": ("value_too_long", "text longer than the column"),
    "22003": ("value_out_of_range", "number out of the column's range"),
    "22007": ("value_out_of_range", "not a date of the column's type"),
    "22008": ("value_out_of_range", "date out of the column's range"),
    "22021": ("not_representable", "a character that the database cannot hold"),
    "22P05": ("not_representable", "a character that the database cannot hold"),
    "P0001": ("constraint_violation", "a rule of the database"),  # RAISE EXCEPTION in a trigger
}
_POSTGRESQL_TRANSIENT = {
    "40001",
    "40P01",
    "55P03",
    "57P01",
    "57P02",
    "57P03",
    "53300",
    "25006",
    "25P03",
}
_POSTGRESQL_TERMINAL = {
    "53100": "the disk of the server is full: free space there and run again",
    "53200": "the server is out of memory",
    "42501": "this login lacks a right that the work needs",
    "42P01": "a table is missing",
    "42703": "a column is missing",
    "57014": "the server cancelled the statement",
}
# extended result codes of SQLite (https://www.sqlite.org/rescode.html)
_SQLITE_REFUSALS = {
    1555: ("constraint_violation", "primary key"),
    2579: ("constraint_violation", "primary key"),
    2067: ("constraint_violation", "unique key"),
    787: ("constraint_violation", "foreign key"),
    275: ("constraint_violation", "check constraint"),
    1299: ("missing_required", "a value is required"),
    3091: ("not_representable", "a value of another type than the column's"),
}
_SQLITE_TERMINAL = {
    8: "the database file is read-only",
    10: "reading or writing the database file failed: see whether its disk has free space and is sound",
    11: "the database file is damaged",
    13: "the disk is full: free space where the database file lies and run again",
    14: "the database file cannot be opened",
    26: "the file is not a SQLite database",
}
_SQLITE_BUSY = {5, 6}
_SQLITE_OTHER_REFUSALS = {18, 19, 20}
"""Primary codes: too big, constraint (1811: a trigger's RAISE), type mismatch."""
# native numbers of SQL Server (https://learn.microsoft.com/sql/relational-databases/errors-events)
_SQLSERVER_REFUSALS = {
    515: ("missing_required", "a value is required"),
    547: ("constraint_violation", "foreign key or check constraint"),
    2601: ("constraint_violation", "unique key"),
    2627: ("constraint_violation", "primary or unique key"),
    2628: ("value_too_long", "text longer than the column"),
    8152: ("value_too_long", "text longer than the column"),
    220: ("value_out_of_range", "number out of the column's range"),
    232: ("value_out_of_range", "number out of the column's range"),
    242: ("value_out_of_range", "date out of the column's range"),
    8114: ("value_out_of_range", "number out of the column's range"),
    8115: ("value_out_of_range", "number out of the column's range"),
}
_SQLSERVER_TRANSIENT = {
    596,  # the session was killed
    1204,
    1205,
    1222,
    3960,
    4060,
    6005,  # the server shuts down
    8645,  # no memory for the query in time
    10928,
    10929,
    40197,
    40501,
    40613,
    49918,
    49919,
    49920,
}
_IDENTITY_INSERT_OFF = 544
_SQLSERVER_TERMINAL = {
    208: "a table is missing",
    207: "a column is missing",
    _IDENTITY_INSERT_OFF: "ids cannot be written into its identity column",
    229: "this login lacks a right that the work needs",
    1105: "the database is full: free space and run again",
    9002: "the transaction log is full: free space and run again",
    911: "there is no such database on the server",
    18452: "the login failed",
    18456: "the login failed",
}
_SQLSERVER_RAISED, _RAISED_STATE = 50000, "42000"
"""RAISERROR and THROW, in a trigger for example, give this number or a larger one, with this SQLSTATE."""
_OTHER_REFUSAL = ("constraint_violation", "a value that the database refuses")
_REFUSAL_CLASSES = ("22", "23", "44")
"""SQLSTATE begins so for data exceptions, constraints and the CHECK OPTION of a view."""
_ABOUT_VALUES = {*_SQLSERVER_REFUSALS, _IDENTITY_INSERT_OFF}
"""What errors of the SQLSTATE classes 22 and 23 can be: they quote values, which may look like numbers."""
# SQLSTATE of ODBC, where the native number says nothing
_ODBC_REFUSALS = {
    "22001": ("value_too_long", "text longer than the column"),
    "22003": ("value_out_of_range", "number out of the column's range"),
    "22007": ("value_out_of_range", "date out of the column's range"),
    "22008": ("value_out_of_range", "date out of the column's range"),
    "23000": ("constraint_violation", "constraint"),
}
_ODBC_TRANSIENT = {"40001", "HYT00", "HYT01", "08S01", "08001", "08003", "08007", "01002"}
_ODBC_TERMINAL = {
    "08004": "the server refuses this database: is there one of that name, and may this login use it?",
    "28000": "the login failed",
    "42S02": "a table is missing",
    "42S22": "a column is missing",
    "IM002": "the ODBC manager knows no such driver or data source",
    "IM003": "the ODBC driver cannot be loaded: leave driver= out of the address to use one that is there",
    "FA001": "Authentication= and Trusted_Connection= exclude each other",
}
_CANNOT_CONNECT = "08001"
_CERTIFICATE_HINT = (
    "a server with a certificate of its own needs TrustServerCertificate=yes in the address, "
    "one without encryption Encrypt=no"
)
_TLS_NUMBERS = range(-2146893056, -2146892800)
"""SEC_E_... (0x80090300 and on), which Windows gives where the handshake fails; elsewhere it is -1."""
# mssql-python gives no SQLSTATE but its own fixed words for it (mssql_python.exceptions)
_MSSQL_PYTHON_STATES = {
    "String data, right-truncated": "22001",
    "Numeric value out of range": "22003",
    "Invalid datetime format": "22007",
    "Datetime field overflow": "22008",
    "Integrity constraint violation": "23000",
    "Serialization failure": "40001",
    "Timeout expired": "HYT00",
    "Connection timeout expired": "HYT01",
    "Disconnect error": "01002",
    "Client unable to establish connection": _CANNOT_CONNECT,
    "Connection not open": "08003",
    "Server rejected the connection": "08004",
    "Connection failure during transaction": "08007",
    "Communication link failure": "08S01",
    "Invalid authorization specification": "28000",
    "Syntax error or access violation": "42000",
    "Base table or view not found": "42S02",
    "Column not found": "42S22",
    "General error": "HY000",
}


def classify(
    error: BaseException, table: str | None = None
) -> DatabaseRefusal | TransientError | DatabaseError:
    """What `error` (a driver's, or SQLAlchemy's around it) means. `table` is where the work was, if known."""
    lost = bool(getattr(error, "connection_invalidated", False))
    native = getattr(error, "orig", None) or error
    if isinstance(native, OverflowError):
        return _refusal(("value_out_of_range", "number out of the column's range"), table)
    if isinstance(native, UnicodeError):
        return _refusal(("not_representable", "a character that the database cannot hold"), table)
    if isinstance(native, sqlite3.Error):
        return _sqlite(native, table)
    module = type(native).__module__.partition(".")[0]
    if module == "psycopg":
        return _postgresql(native, table, lost)
    if module in ("pyodbc", "mssql_python"):
        return _sqlserver(native, table, lost)
    return DatabaseError(_where(table, f"the database failed ({type(native).__name__})"))


def _sqlite(error: sqlite3.Error, table: str | None) -> DatabaseRefusal | TransientError | DatabaseError:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return DatabaseError(_where(table, f"the SQLite driver failed ({type(error).__name__})"))
    if code in _SQLITE_REFUSALS:
        return _refusal(_SQLITE_REFUSALS[code], table)
    if code & 0xFF in _SQLITE_BUSY:
        return TransientError("another connection held the database file too long (busy)")
    if code & 0xFF in _SQLITE_OTHER_REFUSALS:
        return _refusal(_OTHER_REFUSAL, table)
    return DatabaseError(_where(table, _SQLITE_TERMINAL.get(code & 0xFF, f"SQLite error {code}")))


def _postgresql(
    error: Any, table: str | None, lost: bool
) -> DatabaseRefusal | TransientError | DatabaseError:
    state = error.sqlstate
    named = error.diag.table_name or table
    if state in _POSTGRESQL_REFUSALS:
        category, what = _POSTGRESQL_REFUSALS[state]
        detail = error.diag.column_name or error.diag.constraint_name
        return _refusal((category, f"{what} ({detail})" if detail else what), named)
    if state in _POSTGRESQL_TRANSIENT or (state or "").startswith("08"):
        return TransientError(_where(named, f"the server gave the work back (SQLSTATE {state})"))
    if state in _POSTGRESQL_TERMINAL:
        return DatabaseError(_where(named, _POSTGRESQL_TERMINAL[state]))
    if (state or "").startswith(_REFUSAL_CLASSES):
        return _refusal(_OTHER_REFUSAL, named)
    if state is None and type(error).__name__ == "DataError":
        return _refusal(("not_representable", "a value that the driver cannot send"), named)
    if lost or (state is None and type(error).__name__ in ("OperationalError", "ConnectionTimeout")):
        return TransientError("the connection to PostgreSQL failed or was lost")
    return DatabaseError(_where(named, f"PostgreSQL failed (SQLSTATE {state}, {type(error).__name__})"))


def _sqlserver(error: Any, table: str | None, lost: bool) -> DatabaseRefusal | TransientError | DatabaseError:
    state, numbers = _odbc_codes(error)
    if state[:2] in ("22", "23"):
        numbers &= _ABOUT_VALUES
    for number in numbers:
        if number in _SQLSERVER_TRANSIENT:
            return TransientError(f"the server gave the work back (error {number})")
        if number in _SQLSERVER_REFUSALS:
            return _refusal(_SQLSERVER_REFUSALS[number], table)
        if number in _SQLSERVER_TERMINAL:
            return DatabaseError(_where(table, _SQLSERVER_TERMINAL[number]))
        if number in _TLS_NUMBERS:
            return DatabaseError(f"the encrypted connection to SQL Server failed: {_CERTIFICATE_HINT}")
        if number >= _SQLSERVER_RAISED and state == _RAISED_STATE:
            return _refusal(_OTHER_REFUSAL, table)
    if state == _CANNOT_CONNECT:  # the server is not there, or the handshake failed
        return TransientError(f"the connection to SQL Server failed ({state}); {_CERTIFICATE_HINT}")
    if lost or state in _ODBC_TRANSIENT:
        return TransientError("the connection to SQL Server failed or was lost")
    if state in _ODBC_REFUSALS:
        return _refusal(_ODBC_REFUSALS[state], table)
    if state.startswith(_REFUSAL_CLASSES):
        return _refusal(_OTHER_REFUSAL, table)
    return DatabaseError(_where(table, _ODBC_TERMINAL.get(state, f"SQL Server failed (SQLSTATE {state})")))


def _odbc_codes(error: Any) -> tuple[str, set[int]]:
    """SQLSTATE ("unknown" if it did not come from the server) and native error numbers."""
    if hasattr(error, "driver_error"):
        found = getattr(error, NUMBERS, ())
        return _MSSQL_PYTHON_STATES.get(error.driver_error, "unknown"), set(found)
    state = str(error.args[0]) if error.args else ""
    if not re.fullmatch("[0-9A-Z]{5}", state):
        state = "unknown"  # pyodbc puts a text there
    # pyodbc gives the native number nowhere else: "[42000] [Microsoft]... (1205) (SQLExecDirectW)"; before it
    # the text may quote a value that looks the same
    text = str(error.args[1]) if len(error.args) > 1 else ""
    return state, {int(number) for number in re.findall(r"\((-?\d+)\) \(SQL\w+\)", text)[-1:]}


def native_numbers(messages: Sequence[tuple[str, str]]) -> set[int]:
    """The native error numbers in the messages of a cursor of mssql-python: ("[23000] (2627)", text)."""
    found = (re.fullmatch(r"\[\w{5}\] \((-?\d+)\)", kind) for kind, _ in messages)
    return {int(match[1]) for match in found if match}


def _refusal(found: tuple[str, str], table: str | None) -> DatabaseRefusal:
    category, what = found
    return DatabaseRefusal(category, _where(table, what))


def _where(table: str | None, what: str) -> str:
    return f"{table}: {what}" if table else what
