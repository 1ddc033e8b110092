"""The contract's tables against the real ones: every difference at once, before any work starts."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mssql

from provenir_lab.errors import PreflightError
from provenir_lab.storage.column_types import is_filled_by_server, refined_column, type_problem
from provenir_lab.storage.database import reading
from provenir_lab.storage.ids import among, as_parameter
from provenir_lab.storage.locks import has_unique_log
from provenir_lab.storage.schema import ENUM_TABLE, LOG_TABLE, Target, build_tables
from provenir_lab.storage.sqlserver import fraction_digits, knows_json
from provenir_lab.tables import Column, Table

_NO_JSON = (
    "the database has no OPENJSON: its compatibility level is below 130 (SQL Server 2016); its owner raises "
    "it with ALTER DATABASE CURRENT SET COMPATIBILITY_LEVEL = 130"
)


@dataclass(frozen=True)
class _Found:
    """A table of the database: column name -> what the catalog says of it."""

    columns: Mapping[str, Any]
    dialect: sa.Dialect

    def column(self, name: str) -> Any | None:
        return self.columns.get(_key(name, self.dialect))


def preflight(
    engine: sa.Engine,
    target: Target,
    columns: Mapping[str, Sequence[str]],
    enum_ids: Collection[int] = (),
    where: str = "the database",
) -> dict[str, Table]:
    """Compares what the contract maps (table -> columns) and its enum codes with the database.

    Returns the tables with the database's own lengths, nullability and code pages, so that the mapper rejects
    what cannot fit; of the log, whether its app_id is unique. Raises PreflightError listing every difference
    that would lose data or fail documents: tables and columns that are missing, types of another kind or
    narrower than the contract's, columns that need a value and get none, enum codes that are absent.
    """
    if engine.dialect.name == "mssql" and not knows_json(engine):
        raise PreflightError(where, [_NO_JSON])
    refined = dict(target.tables)
    problems: list[str] = []
    with reading(engine) as connection:
        pages = _code_pages(connection)
        for name, named in columns.items():
            found = _reflect(connection, target.schema, name)
            if found is None:
                problems.append(f"table {name} is missing")
                continue
            problems += _differences(target.tables[name], named, found, "the contract")
            refined[name] = _refined(target.tables[name], found, pages)
        log_problems = list(_log_problems(connection, target))
        if not log_problems:
            refined[LOG_TABLE] = _log(target.log, unique=has_unique_log(connection, target))
        problems += [*log_problems, *_source_problems(connection, target)]
        problems += _missing_codes(connection, target, enum_ids)
    if problems:
        raise PreflightError(where, problems)
    return refined


def _reflect(connection: sa.Connection, schema: str | None, name: str) -> _Found | None:
    inspector, dialect = sa.inspect(connection), connection.dialect
    place = None if dialect.name == "sqlite" else schema
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", sa.exc.SAWarning)  # of types that it does not know
            found = inspector.get_columns(name, schema=place)
    except sa.exc.NoSuchTableError:
        return None
    if dialect.name == "mssql":
        digits = fraction_digits(connection, place, name)
        for column in found:
            if column["name"] in digits:
                column["type"] = mssql.DATETIME2(digits[column["name"]])  # type: ignore[no-untyped-call]
    return _Found({_key(column["name"], dialect): column for column in found}, dialect)


def _key(name: str, dialect: sa.Dialect) -> str:
    """A column's name in the form in which equal ones are the same column."""
    return name if dialect.name == "postgresql" else name.lower()


def _log_problems(connection: sa.Connection, target: Target) -> Iterator[str]:
    found = _reflect(connection, target.schema, LOG_TABLE)
    if found is None:
        yield f"table {LOG_TABLE} is missing"
        return
    number, *written = target.log.columns
    if found.column(number.name) is None:
        yield f"{LOG_TABLE}.{number.name} is missing"
    # times are there to be looked at: any fraction of a second will do
    columns = [replace(c, type="smalldatetime") if c.type == "datetime2" else c for c in written]
    log = Table(LOG_TABLE, tuple(columns))
    yield from _differences(log, [c.name for c in columns], found, "the log")


def _source_problems(connection: sa.Connection, target: Target) -> Iterator[str]:
    schema, _, name = target.source_table.rpartition(".")
    found = _reflect(connection, schema or target.schema, name)
    if found is None:
        yield f"table {name} is missing"
        return
    for wanted in (Column("app_id", "int"), Column(target.source_column, "varchar", 0)):  # of any length
        real = found.column(wanted.name)
        if real is None:
            yield f"{name}.{wanted.name} is missing"
        elif problem := type_problem(wanted, real["type"], found.dialect, "the source"):
            yield f"{name}.{wanted.name} is {problem}"


def _differences(table: Table, named: Sequence[str], found: _Found, whose: str) -> Iterator[str]:
    """What keeps rows with the columns `named` from being inserted as they are."""
    mapped = {_key(name, found.dialect) for name in named}
    for name in named:
        wanted, real = table.column(name), found.column(name)
        if real is None:
            yield f"{table.name}.{name} is missing"
            continue
        problem = type_problem(wanted, real["type"], found.dialect, whose) if wanted is not None else None
        if problem:
            yield f"{table.name}.{name} is {problem}"
        if real.get("computed") or _always_generated(real):
            yield f"{table.name}.{name} is computed by the database, {whose} fills it"
    for name, real in found.columns.items():
        if name not in mapped and not _is_filled(real, found):
            yield f"{table.name}.{name} needs a value, {whose} has none"


def _is_filled(real: Any, found: _Found) -> bool:
    """Whether a row may leave the column out."""
    keys = [column for column in found.columns.values() if column.get("primary_key")]
    row_number = found.dialect.name == "sqlite" and keys == [real] and isinstance(real["type"], sa.INTEGER)
    return bool(
        real["nullable"]
        or real.get("default") is not None
        or real.get("computed")
        or real.get("identity")
        or real.get("autoincrement") is True
        or is_filled_by_server(real["type"])
        or row_number
    )


def _always_generated(real: Any) -> bool:
    return bool((real.get("identity") or {}).get("always"))


def _refined(table: Table, found: _Found, pages: Mapping[str, str]) -> Table:
    columns = (
        c if (real := found.column(c.name)) is None else refined_column(c, real, pages) for c in table.columns
    )
    return Table(table.name, tuple(columns))


def _log(table: Table, *, unique: bool) -> Table:
    columns = (replace(c, unique=unique) if c.name == "app_id" else c for c in table.columns)
    return Table(table.name, tuple(columns))


def _code_pages(connection: sa.Connection) -> dict[str, str]:
    """Collation in lower case -> Python codec of its code page on SQL Server; "" stands for the database's
    own."""
    if connection.dialect.name != "mssql":
        return {}
    page = "CAST(COLLATIONPROPERTY({}, 'CodePage') AS int)"
    every = connection.exec_driver_sql(
        f"SELECT name, {page.format('name')} FROM sys.fn_helpcollations()"
    ).all()
    own = "CAST(DATABASEPROPERTYEX(DB_NAME(), 'Collation') AS varchar(128))"
    default = connection.exec_driver_sql(f"SELECT {page.format(own)}").scalar()
    found = [*((str(row[0]).lower(), row[1]) for row in every), ("", default)]
    return {name: "utf-8" if number == 65001 else f"cp{number}" for name, number in found if number}


def _missing_codes(connection: sa.Connection, target: Target, enum_ids: Collection[int]) -> Iterator[str]:
    if not enum_ids or ENUM_TABLE not in target.tables:
        return
    dialect = connection.dialect.name
    if _reflect(connection, target.schema, ENUM_TABLE) is None:
        yield f"table {ENUM_TABLE} is missing"
        return
    (table,) = build_tables({ENUM_TABLE: target.tables[ENUM_TABLE]}, target.schema, dialect).tables.values()
    query = sa.select(table.c.enum_id).where(among(table.c.enum_id, "ids", dialect))
    found = set(connection.scalars(query, {"ids": as_parameter(enum_ids, dialect)}))
    lacking = sorted(set(enum_ids) - found)
    if lacking:
        shown = ", ".join(map(str, lacking[:10])) + (" ..." if len(lacking) > 10 else "")
        yield f"{ENUM_TABLE} lacks {len(lacking)} codes of the contract: {shown}"
