"""The tables as SQLAlchemy sees them, and the making of a lab: an empty schema, its tables, its marker."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mssql

from provenir_lab.errors import GuardError
from provenir_lab.storage.database import create_file, reading, writing
from provenir_lab.tables import Column, Table, Tables, packaged_tables

LOG_TABLE = "processing_log"
ENUM_TABLE = "app_enums"
CAMPAIGN_TABLE = "app_campaign_cc"
MARKER_TABLE = "provenir_lab_marker"
BLANK_CAMPAIGN = "BLANK"
"""The campaign of documents that name none."""

_MARKER = Table(
    MARKER_TABLE,
    (
        Column("lab_id", "varchar", 50, nullable=False, primary_key=True),
        Column("created", "datetime2", nullable=False),
        Column("contract_fingerprint", "varchar", 50, nullable=False),
    ),
)


@dataclass(frozen=True)
class Target:
    """The place a processor works on: where its tables are and what they look like.

    `tables` are the target tables with their lookups (`app_enums`, `app_campaign_cc`), in insertion order or
    any; log and source table need not be among them. `source_table` may name a schema of its own
    (`staging.app_xml`). SQLite has no schemas: `schema` is ignored there.
    """

    schema: str | None
    tables: Tables
    source_table: str = "app_xml"
    source_column: str = "app_xml"

    @property
    def target_tables(self) -> tuple[str, ...]:
        """Names of the tables that documents become rows of, parents before children."""
        apart = {LOG_TABLE, ENUM_TABLE, CAMPAIGN_TABLE, self.source_table}
        return tuple(table.name for table in _parents_first(self.tables) if table.name not in apart)

    @property
    def log(self) -> Table:
        return self.tables.get(LOG_TABLE) or packaged_tables()[LOG_TABLE]


@dataclass(frozen=True)
class Marker:
    """The one row that makes a schema a lab. `created` is naive UTC."""

    lab_id: str
    created: dt.datetime
    contract_fingerprint: str


def build_tables(tables: Tables, schema: str | None, dialect: str) -> sa.MetaData:
    """`tables` as SQLAlchemy tables for the dialect `sqlite`, `postgresql` or `mssql`; not to be changed."""
    return _shared(tuple(tables.values()), schema, dialect)


@lru_cache(maxsize=64)
def _shared(tables: tuple[Table, ...], schema: str | None, dialect: str) -> sa.MetaData:
    """Kept, because SQLAlchemy's cache of compiled statements goes by table object."""
    return _new(tables, schema, dialect)


def _new(tables: tuple[Table, ...], schema: str | None, dialect: str) -> sa.MetaData:
    metadata = sa.MetaData(schema=None if dialect == "sqlite" else schema)
    named = {table.name: table for table in tables}
    for table in tables:
        _build(table, metadata, dialect, named)
    return metadata


def source_table(target: Target, dialect: str) -> sa.Table:
    """The source table: app_id and the text column."""
    schema, _, name = target.source_table.rpartition(".")
    (table,) = build_tables({name: _source(target, name)}, schema or target.schema, dialect).tables.values()
    return table


def log_table(target: Target, dialect: str) -> sa.Table:
    """`processing_log`."""
    (table,) = build_tables({LOG_TABLE: target.log}, target.schema, dialect).tables.values()
    return table


def create_lab(
    engine: sa.Engine, target: Target, enum_rows: Iterable[tuple[int, str, str, str | None]], marker: Marker
) -> None:
    """Makes all tables, fills `app_enums`, adds the campaign `BLANK` and the marker; all of it or nothing.

    The schema (on SQLite: the file) must be empty or absent; GuardError names the tables that are there.
    """
    create_file(engine)
    dialect = engine.dialect.name
    schema = None if dialect == "sqlite" else target.schema
    name = target.source_table.rpartition(".")[2]
    tables = {**target.tables, LOG_TABLE: target.log, name: _source(target, name), MARKER_TABLE: _MARKER}
    metadata = _new(tuple(tables.values()), target.schema, dialect)
    log = metadata.tables[_key(LOG_TABLE, schema)]
    sa.Index("ux_processing_log_app_id", log.c.app_id, unique=True)
    with writing(engine) as connection:
        if schema and not sa.inspect(connection).has_schema(schema):
            connection.execute(sa.schema.CreateSchema(schema))
        inspector = sa.inspect(connection)
        found = sorted({*inspector.get_table_names(schema), *inspector.get_view_names(schema)})
        if MARKER_TABLE in found:
            raise GuardError(
                f"{schema or 'the database'} is a lab already: use it as it is, or clear it with "
                "provenir-lab clean; for a second lab name another file or --schema"
            )
        if found:
            raise GuardError(
                f"{schema or 'the database'} is not empty, a lab needs a schema of its own; it holds: "
                + ", ".join(found[:8])
                + (f" and {len(found) - 8} more" if len(found) > 8 else "")
            )
        metadata.create_all(connection)
        if ENUM_TABLE in tables:
            columns = ("enum_id", "type", "value", "description")
            _insert(
                connection,
                metadata,
                schema,
                ENUM_TABLE,
                [dict(zip(columns, r, strict=True)) for r in enum_rows],
            )
        if CAMPAIGN_TABLE in tables:
            _insert(connection, metadata, schema, CAMPAIGN_TABLE, [{"campaign_num": BLANK_CAMPAIGN}])
        created = marker.created.isoformat(" ") if dialect == "sqlite" else marker.created
        row = {
            "lab_id": marker.lab_id,
            "created": created,
            "contract_fingerprint": marker.contract_fingerprint,
        }
        _insert(connection, metadata, schema, MARKER_TABLE, [row])


def read_marker(engine: sa.Engine, target: Target) -> Marker | None:
    """The marker of the schema; None if the schema is no lab."""
    dialect = engine.dialect.name
    schema = None if dialect == "sqlite" else target.schema
    with reading(engine) as connection:
        if not sa.inspect(connection).has_table(MARKER_TABLE, schema=schema):
            return None
        table = build_tables({MARKER_TABLE: _MARKER}, target.schema, dialect).tables[
            _key(MARKER_TABLE, schema)
        ]
        row = connection.execute(sa.select(table)).first()
    if row is None:
        return None
    created = dt.datetime.fromisoformat(row.created) if isinstance(row.created, str) else row.created
    return Marker(row.lab_id, created, row.contract_fingerprint)


def is_lab(engine: sa.Engine, target: Target) -> bool:
    """Whether the schema carries the lab marker."""
    return read_marker(engine, target) is not None


def _insert(
    connection: sa.Connection,
    metadata: sa.MetaData,
    schema: str | None,
    name: str,
    rows: list[dict[str, Any]],
) -> None:
    if rows:
        connection.execute(sa.insert(metadata.tables[_key(name, schema)]), rows)


def _key(name: str, schema: str | None) -> str:
    return f"{schema}.{name}" if schema else name


def _source(target: Target, name: str) -> Table:
    """The source table; on SQL Server its texts are nvarchar, so that no document depends on a code page."""
    known = target.tables.get(name)
    if known is None or known.column(target.source_column) is None:
        app_id = Column("app_id", "int", nullable=False, primary_key=True)
        known = Table(name, (app_id, Column(target.source_column, "varchar")))
    wide = (replace(c, counted="utf-16-le") if c.name == target.source_column else c for c in known.columns)
    return Table(name, tuple(wide))


def _parents_first(tables: Tables) -> list[Table]:
    """Every table after those that it references; else in the given order."""
    placed: dict[str, Table] = {}
    waiting = list(tables.values())
    while waiting:
        ready = [t for t in waiting if _parents(t, tables) <= placed.keys()] or waiting[:1]
        placed.update({t.name: t for t in ready})
        waiting = [t for t in waiting if t.name not in placed]
    return list(placed.values())


def _parents(table: Table, tables: Mapping[str, Table]) -> set[str]:
    named = {c.references.partition(".")[0] for c in table.columns if c.references}
    return {name for name in named if name in tables and name != table.name}


def _build(table: Table, metadata: sa.MetaData, dialect: str, tables: Tables) -> sa.Table:
    columns = [_column(c, metadata.schema, dialect, tables) for c in table.columns]
    constraints: list[sa.UniqueConstraint | sa.Index] = []
    unique = [c.name for c in table.columns if c.unique]
    if unique:
        constraints.append(sa.UniqueConstraint(*unique, name=f"ux_{table.name}"))
    for c in table.columns:  # a cascade must find its rows without reading the whole table
        if c.cascade and table.primary_key[:1] != (c.name,):
            constraints.append(sa.Index(f"ix_{table.name}_{c.name}", c.name))
    return sa.Table(table.name, metadata, *columns, *constraints, sqlite_strict=True)


def _column(column: Column, schema: str | None, dialect: str, tables: Tables) -> sa.Column[Any]:
    parts: list[Any] = []
    if column.identity:
        parts.append(sa.Identity(always=False))
    if column.computed:
        parts.append(sa.Computed(_computed(column.computed, dialect), persisted=True))
    if column.references and column.references.partition(".")[0] in tables:
        parts.append(
            sa.ForeignKey(
                f"{schema}.{column.references}" if schema else column.references,
                ondelete="CASCADE" if column.cascade else None,
            )
        )
    return sa.Column(
        column.name,
        column_type(column, dialect),
        *parts,
        primary_key=column.primary_key,
        nullable=column.nullable,
        autoincrement=column.identity,
        server_default=_default(column, dialect),
    )


def column_type(column: Column, dialect: str) -> sa.types.TypeEngine[Any]:
    """The SQLAlchemy type that holds `column` in the dialect's database."""
    base = column.type
    if dialect == "mssql" and column.counted == "utf-16-le":
        length: Any = column.length or "max"
        return sa.NCHAR(column.length) if base == "char" else mssql.NVARCHAR(length)
    if dialect == "sqlite":  # STRICT tables know INTEGER, REAL, TEXT
        if base in ("tinyint", "smallint", "int", "bigint", "bit"):
            return sa.Integer()
        real = base == "float" or (base == "decimal" and (column.precision or 0) <= 15)
        return sa.REAL() if real else sa.Text()
    server = dialect == "mssql"
    fixed: dict[str, sa.types.TypeEngine[Any]] = {
        "tinyint": mssql.TINYINT() if server else sa.SmallInteger(),
        "smallint": sa.SmallInteger(),
        "int": sa.Integer(),
        "bigint": sa.BigInteger(),
        "bit": mssql.BIT() if server else sa.SmallInteger(),
        "float": sa.Double(),
        "date": sa.Date(),
        "datetime": mssql.DATETIME() if server else sa.TIMESTAMP(),
        "datetime2": mssql.DATETIME2() if server else sa.TIMESTAMP(),  # type: ignore[no-untyped-call]
        "smalldatetime": mssql.SMALLDATETIME() if server else sa.TIMESTAMP(),
        "decimal": sa.Numeric(column.precision, column.scale),
        "char": sa.CHAR(column.length),
    }
    if base in fixed:
        return fixed[base]
    if column.length is None:
        return mssql.VARCHAR("max") if server else sa.Text()  # type: ignore[arg-type]
    return sa.VARCHAR(column.length)


def _computed(rule: str, dialect: str) -> str:
    match = re.fullmatch(r"last four characters of (\w+)", rule)
    if match is None:
        raise ValueError(f"no such computed column: {rule}")
    return f"substr({match[1]}, -4)" if dialect == "sqlite" else f"right({match[1]}, 4)"


def _default(column: Column, dialect: str) -> sa.TextClause | None:
    if column.default is None:
        return None
    if column.default == "now":
        now = {
            "sqlite": "(strftime('%Y-%m-%d %H:%M:%f', 'now'))",
            "postgresql": "(now() AT TIME ZONE 'utc')",
            "mssql": "(getutcdate())",
        }
        return sa.text(now[dialect])
    number = re.fullmatch(r"-?\d+(\.\d+)?", column.default)
    return sa.text(column.default if number else "'" + column.default.replace("'", "''") + "'")
