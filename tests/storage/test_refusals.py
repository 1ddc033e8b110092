"""What native errors mean, by class and code; the texts of these all carry a canary that must not be seen."""

import sqlite3
from typing import Any

import psycopg
import pytest

from provenir_lab.errors import DatabaseError, DatabaseRefusal, TransientError
from provenir_lab.storage.refusals import NUMBERS, classify, native_numbers

CANARY = "CANARY-553-21-9876"


def postgresql(state: str) -> psycopg.Error:
    return psycopg.errors.lookup(state)(f"Key (ssn)=({CANARY}) exists")


def sqlite(code: int, kind: type[sqlite3.Error] = sqlite3.OperationalError) -> sqlite3.Error:
    error = kind(f"value {CANARY}")
    error.sqlite_errorcode = code  # type: ignore[misc]
    return error


def sqlserver(state: str, number: int | None, quoted: str = "", further: str = "") -> Any:
    """An error as pyodbc makes it, with no need of an ODBC manager; `further` are messages behind it."""
    error = type("ProgrammingError", (Exception,), {"__module__": "pyodbc"})
    shown = "" if number is None else f" ({number}) (SQLExecDirectW)"
    return error(
        state, f"[{state}] [Microsoft][ODBC Driver 18 for SQL Server] {CANARY} (12){quoted}{shown}{further}"
    )


def mssql_python(words: str, *numbers: int) -> Any:
    """An error as mssql-python makes it, with the numbers that its cursor had."""
    error = type("DatabaseError", (Exception,), {"__module__": "mssql_python.exceptions"})(CANARY)
    error.driver_error, error.ddbc_error = words, CANARY
    setattr(error, NUMBERS, native_numbers([(f"[00000] ({number})", CANARY) for number in numbers]))
    return error


@pytest.mark.parametrize(
    "error, category",
    [
        (postgresql("23502"), "missing_required"),
        (postgresql("23503"), "constraint_violation"),
        (postgresql("23505"), "constraint_violation"),
        (postgresql("23514"), "constraint_violation"),
        (postgresql("22001"), "value_too_long"),
        (postgresql("22003"), "value_out_of_range"),
        (postgresql("22008"), "value_out_of_range"),
        (postgresql("22021"), "not_representable"),
        (postgresql("22P02"), "constraint_violation"),
        (postgresql("23001"), "constraint_violation"),
        (postgresql("P0001"), "constraint_violation"),
        (psycopg.DataError(CANARY), "not_representable"),
        (sqlite(1555), "constraint_violation"),
        (sqlite(2067), "constraint_violation"),
        (sqlite(787), "constraint_violation"),
        (sqlite(1299), "missing_required"),
        (sqlite(3091), "not_representable"),
        (sqlite(1811, sqlite3.IntegrityError), "constraint_violation"),  # RAISE(ABORT) of a trigger
        (sqlite(18), "constraint_violation"),
        (sqlite(20), "constraint_violation"),
        (sqlserver("23000", 2627), "constraint_violation"),
        (sqlserver("23000", 2627, "(18456) (SQLExecDirectW)"), "constraint_violation"),
        (
            sqlserver("23000", 2627, further="; [23000] (18456) (SQLExecDirectW). (2627)"),
            "constraint_violation",
        ),
        (sqlserver("22001", 2628, further="; [22001] (1205) (SQLExecDirectW)' (2628)"), "value_too_long"),
        (sqlserver("23000", 547), "constraint_violation"),
        (sqlserver("23000", 515), "missing_required"),
        (sqlserver("22001", 8152), "value_too_long"),
        (sqlserver("22001", None), "value_too_long"),
        (sqlserver("22003", 8115), "value_out_of_range"),
        (sqlserver("42000", 50000), "constraint_violation"),
        (sqlserver("22018", None), "constraint_violation"),
        (mssql_python("Syntax error or access violation", 51234), "constraint_violation"),
        (mssql_python("Integrity constraint violation"), "constraint_violation"),
        (mssql_python("Integrity constraint violation", 2627), "constraint_violation"),
        (mssql_python("Integrity constraint violation", 3621, 515), "missing_required"),
        (mssql_python("String data, right-truncated"), "value_too_long"),
        (mssql_python("Numeric value out of range"), "value_out_of_range"),
        (OverflowError(CANARY), "value_out_of_range"),
        (UnicodeEncodeError("utf-8", CANARY, 0, 1, CANARY), "not_representable"),
    ],
)
def test_a_refusal_has_the_documents_category(error: Exception, category: str) -> None:
    found = classify(error, "scores")
    assert isinstance(found, DatabaseRefusal)
    assert found.category == category
    assert found.reason.startswith("scores: ")
    assert "CANARY" not in repr(found)


@pytest.mark.parametrize(
    "error",
    [
        *map(postgresql, ("40001", "40P01", "55P03", "57P01", "57P03", "08006", "53300")),
        psycopg.OperationalError(CANARY),
        sqlite(5),
        sqlite(517),  # SQLITE_BUSY_SNAPSHOT
        sqlite(6),
        sqlserver("40001", 1205),
        sqlserver("42000", 1222),
        sqlserver("42000", 1222, "(229) (SQLExecDirectW)"),
        sqlserver("HY000", 596),
        sqlserver("42000", 6005),
        sqlserver("42000", 8645),
        sqlserver("42000", 3960),
        sqlserver("08S01", None),
        sqlserver("HYT00", None),
        sqlserver("08001", -1),
        mssql_python("Serialization failure"),
        mssql_python("Syntax error or access violation", 1222),
        mssql_python("Communication link failure"),
        mssql_python("Client unable to establish connection"),
    ],
)
def test_what_may_pass_is_transient(error: Exception) -> None:
    found = classify(error, "scores")
    assert isinstance(found, TransientError)
    assert "CANARY" not in repr(found)


@pytest.mark.parametrize(
    "error, says",
    [
        (postgresql("53100"), "disk"),
        (postgresql("42P01"), "table is missing"),
        (postgresql("42501"), "right"),
        (postgresql("XX000"), "XX000"),
        (sqlite(13), "disk is full"),
        (sqlite(8), "read-only"),
        (sqlite(11), "damaged"),
        (sqlite(1), "SQLite error 1"),
        (sqlite3.ProgrammingError(CANARY), "ProgrammingError"),
        (sqlserver("42000", 9002), "full"),
        (sqlserver("28000", 18456), "login"),
        (sqlserver("23000", 544), "identity column"),
        (sqlserver("42S02", 208), "table is missing"),
        (sqlserver("08004", 911), "no such database"),
        (sqlserver("08001", -2146893019), "TrustServerCertificate=yes"),
        (sqlserver("HY000", None), "HY000"),
        (mssql_python("Invalid authorization specification"), "login"),
        (mssql_python("Base table or view not found"), "table is missing"),
        (mssql_python(CANARY), "unknown"),
        (sqlserver(CANARY, None), "unknown"),
        (RuntimeError(CANARY), "RuntimeError"),
    ],
)
def test_other_failures_are_nobodys_fault(error: Exception, says: str) -> None:
    found = classify(error)
    assert type(found) is DatabaseError
    assert says in str(found)
    assert "CANARY" not in repr(found)


def test_sqlalchemys_wrapping_is_looked_through() -> None:
    wrapped = Exception(CANARY)
    wrapped.orig = postgresql("40P01")  # type: ignore[attr-defined]
    assert isinstance(classify(wrapped), TransientError)


@pytest.mark.parametrize(
    "error", [sqlserver("08001", -1), mssql_python("Client unable to establish connection")]
)
def test_a_server_that_cannot_be_reached_may_have_a_certificate_of_its_own(error: Exception) -> None:
    assert "TrustServerCertificate=yes" in str(classify(error))
