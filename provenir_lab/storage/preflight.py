"""The contract's tables against the real ones: every difference at once, before any work starts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from provenir_lab.errors import PreflightError
from provenir_lab.storage.database import reading
from provenir_lab.storage.ids import among, as_parameter
from provenir_lab.storage.locks import has_unique_log
from provenir_lab.storage.schema import ENUM_TABLE, LOG_TABLE, Target, build_tables
from provenir_lab.tables import INTEGER_RANGES, Column, Table

_KINDS: tuple[tuple[type[sa.types.TypeEngine[Any]], str], ...] = (
    (sa.Boolean, "boolean"),
    (sa.Integer, "integer"),
    (sa.Float, "float"),
    (sa.Numeric, "number"),
    (sa.DateTime, "moment"),
    (sa.Date, "date"),
    (sa.String, "text"),
)
_WANTED = {
    "bit": ("boolean", "integer"),
    "decimal": ("number",),
    "float": ("float", "number"),
    "date": ("date", "moment"),
    "datetime": ("moment",),
    "datetime2": ("moment",),
    "smalldatetime": ("moment",),
    "varchar": ("text",),
    "char": ("text",),
    **dict.fromkeys(INTEGER_RANGES, ("integer",)),
}
_INTEGERS = {"TINYINT": "tinyint", "SMALLINT": "smallint", "INTEGER": "int", "BIGINT": "bigint"}


@dataclass(frozen=True)
class _Found:
    """A table of the database: column name in lower case -> what the catalog says of it."""

    name: str
    columns: Mapping[str, Any]


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
    refined = dict(target.tables)
    problems: list[str] = []
    with reading(engine) as connection:
        pages = _code_pages(connection)
        for name, named in columns.items():
            found = _reflect(connection, target.schema, name)
            if found is None:
                problems.append(f"table {name} is missing")
                continue
            problems += _differences(target.tables[name], named, found, connection.dialect.name)
            refined[name] = _refined(target.tables[name], found, pages)
        log = [c.name for c in target.log.columns if c.name != "log_id"]
        source_schema, _, source = target.source_table.rpartition(".")
        problems += (lacking := list(_missing(connection, target.schema, LOG_TABLE, log)))
        if not lacking:
            refined[LOG_TABLE] = _log(target.log, unique=has_unique_log(connection, target))
        problems += _missing(
            connection, source_schema or target.schema, source, ["app_id", target.source_column]
        )
        problems += _missing_codes(connection, target, enum_ids)
    if problems:
        raise PreflightError(where, problems)
    return refined


def _reflect(connection: sa.Connection, schema: str | None, name: str) -> _Found | None:
    inspector = sa.inspect(connection)
    place = None if connection.dialect.name == "sqlite" else schema
    try:
        columns = {column["name"].lower(): column for column in inspector.get_columns(name, schema=place)}
    except sa.exc.NoSuchTableError:
        return None
    return _Found(name, columns)


def _missing(connection: sa.Connection, schema: str | None, name: str, named: Sequence[str]) -> Iterator[str]:
    found = _reflect(connection, schema, name)
    if found is None:
        yield f"table {name} is missing"
        return
    yield from (f"{name}.{column} is missing" for column in named if column.lower() not in found.columns)


def _differences(table: Table, named: Sequence[str], found: _Found, dialect: str) -> Iterator[str]:
    mapped = {name.lower() for name in named}
    for name in named:
        wanted, real = table.column(name), found.columns.get(name.lower())
        if real is None:
            yield f"{table.name}.{name} is missing"
        elif wanted is not None and dialect != "sqlite":  # there any column holds any length and precision
            problem = _type_problem(wanted, real["type"])
            if problem:
                yield f"{table.name}.{name} is {problem}"
        if real is not None and (real.get("computed") or _always_generated(real)):
            yield f"{table.name}.{name} is computed by the database, the contract maps it"
    for name, real in found.columns.items():
        filled = (
            real["nullable"]
            or real.get("default") is not None
            or real.get("computed")
            or real.get("identity")
            or real.get("autoincrement") is True
        )
        if name not in mapped and not filled:
            yield f"{table.name}.{name} needs a value, the contract maps none"


def _always_generated(real: Any) -> bool:
    return bool((real.get("identity") or {}).get("always"))


def _type_problem(wanted: Column, real: sa.types.TypeEngine[Any]) -> str | None:
    kind = next((name for base, name in _KINDS if isinstance(real, base)), _special(real))
    shown = str(real).lower()
    if kind not in _WANTED.get(wanted.type, (kind,)):
        return f"{shown}, the contract needs {_shown(wanted)}"
    if isinstance(real, sa.REAL):  # 32 bits
        return f"{shown}, narrower than the contract's {_shown(wanted)}"
    length = getattr(real, "length", None)
    if kind == "text" and length is not None and (wanted.length is None or length < wanted.length):
        return f"{shown}, narrower than the contract's {_shown(wanted)}"
    if kind == "integer" and wanted.type in INTEGER_RANGES:
        low, high = INTEGER_RANGES[_integer(real) or wanted.type]
        if low > INTEGER_RANGES[wanted.type][0] or high < INTEGER_RANGES[wanted.type][1]:
            return f"{shown}, narrower than the contract's {_shown(wanted)}"
    if wanted.type == "decimal" and isinstance(real, sa.Numeric) and real.precision is not None:
        whole, scale = real.precision - (real.scale or 0), real.scale or 0
        wanted_scale = wanted.scale or 0
        if scale < wanted_scale or whole < (wanted.precision or 0) - wanted_scale:
            return f"{shown}, narrower than the contract's {_shown(wanted)}"
    return None


def _special(real: sa.types.TypeEngine[Any]) -> str:
    name = type(real).__name__.upper()
    return {"BIT": "boolean", "TINYINT": "integer", "DATETIME2": "moment", "SMALLDATETIME": "moment"}.get(
        name, name.lower()
    )


def _integer(real: sa.types.TypeEngine[Any]) -> str | None:
    return _INTEGERS.get(type(real).__name__.upper())


def _shown(column: Column) -> str:
    if column.type == "decimal":
        return f"decimal({column.precision},{column.scale})"
    if column.type in ("varchar", "char"):
        return f"{column.type}({column.length or 'max'})"
    return column.type


def _refined(table: Table, found: _Found, pages: Mapping[str, str | None]) -> Table:
    columns = []
    for column in table.columns:
        real = found.columns.get(column.name.lower())
        if real is not None:
            kind = real["type"]
            text = column.type in ("varchar", "char")
            length = getattr(kind, "length", None) if text else None
            wide = type(kind).__name__.upper().startswith("N")
            collation = str(getattr(kind, "collation", None)).lower()
            column = replace(  # noqa: PLW2901
                column,
                nullable=bool(real["nullable"]),
                length=length if length is not None else column.length,
                encoding=pages.get(collation, pages.get("")) if text and not wide else None,
            )
            if column.type == "float" and isinstance(kind, sa.Numeric) and kind.precision is not None:
                # it rounds and limits what comes
                column = replace(  # noqa: PLW2901
                    column, type="decimal", precision=kind.precision, scale=kind.scale or 0
                )
        columns.append(column)
    return Table(table.name, tuple(columns))


def _log(table: Table, *, unique: bool) -> Table:
    columns = (replace(c, unique=unique) if c.name == "app_id" else c for c in table.columns)
    return Table(table.name, tuple(columns))


def _code_pages(connection: sa.Connection) -> dict[str, str | None]:
    """Collation in lower case -> Python codec of its code page on SQL Server (None: UTF-8, which holds all);
    "" stands for the database's own."""
    if connection.dialect.name != "mssql":
        return {}
    page = "CAST(COLLATIONPROPERTY({}, 'CodePage') AS int)"
    every = connection.exec_driver_sql(
        f"SELECT name, {page.format('name')} FROM sys.fn_helpcollations()"
    ).all()
    own = "CAST(DATABASEPROPERTYEX(DB_NAME(), 'Collation') AS varchar(128))"
    default = connection.exec_driver_sql(f"SELECT {page.format(own)}").scalar()
    found = [*((str(row[0]).lower(), row[1]) for row in every), ("", default)]
    return {name: None if number == 65001 else f"cp{number}" for name, number in found if number}


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
