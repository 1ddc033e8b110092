"""Clearing a lab, guarded: only what the lab itself wrote."""

from __future__ import annotations

import sqlalchemy as sa

from provenir_lab.errors import DatabaseError, GuardError
from provenir_lab.storage.database import writing
from provenir_lab.storage.keys import Keys, keys_of
from provenir_lab.storage.log import SUCCESS
from provenir_lab.storage.schema import LOG_TABLE, Target, build_tables, is_lab


def clean(engine: sa.Engine, target: Target) -> dict[str, int]:
    """Empties every target table and `processing_log`; returns how many rows each had.

    Documents, `app_enums` and `app_campaign_cc` stay. Raises GuardError, with nothing deleted, if the schema
    carries no lab marker or holds an application without a `success` in the log.
    """
    name = engine.url.database
    place = str(name) if engine.dialect.name == "sqlite" else f"schema {target.schema} of database {name}"
    if not is_lab(engine, target):
        raise GuardError(
            f"{place} is no lab (provenir-lab init makes one), and only labs are cleaned: nothing was deleted"
        )
    dialect = engine.dialect.name
    metadata = build_tables({**target.tables, LOG_TABLE: target.log}, target.schema, dialect)
    every = {table.name: table for table in metadata.tables.values()}
    # children first: deleting a parent's rows then has no cascade to follow
    tables = [every[name] for name in (*reversed(target.target_tables), LOG_TABLE)]
    with writing(engine) as connection:
        _lock(connection, tables)
        keys = keys_of(target.tables, target.target_tables)
        strangers = _strangers(connection, every, keys)
        if strangers:
            raise GuardError(
                f"{place}: {strangers} rows of {keys.base} were not written by this lab (no success in "
                f"{LOG_TABLE}): nothing was deleted"
            )
        counts = {table.name: _count(connection, table) for table in tables}
        if dialect == "postgresql":  # leaves no dead rows behind that would slow the next run
            names = ", ".join(connection.dialect.identifier_preparer.format_table(table) for table in tables)
            connection.execute(sa.text(f"TRUNCATE {names}"))
        else:
            for table in tables:
                connection.execute(sa.delete(table))
        left = [table.name for table in tables if _count(connection, table)]
        if left:
            raise DatabaseError(f"{place}: {', '.join(left)} could not be emptied; nothing was deleted")
    return counts


def _lock(connection: sa.Connection, tables: list[sa.Table]) -> None:
    """Keeps writers out between the check and the clearing; SQLite's write transaction does already."""
    if connection.dialect.name == "postgresql":
        names = ", ".join(connection.dialect.identifier_preparer.format_table(table) for table in tables)
        connection.execute(sa.text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))


def _strangers(connection: sa.Connection, tables: dict[str, sa.Table], keys: Keys) -> int:
    if keys.base is None:
        return 0
    base, log = tables[keys.base], tables[LOG_TABLE]
    ours = sa.select(sa.literal(1)).where(log.c.app_id == base.c[keys.base_key], log.c.status == SUCCESS)
    return _count(connection, base, ~ours.exists())


def _count(connection: sa.Connection, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
    return int(connection.scalar(sa.select(sa.func.count()).select_from(table).where(*where)) or 0)
