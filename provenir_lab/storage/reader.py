"""Rows as the tables hold them, in the form in which databases and mapped rows compare."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from provenir_lab.storage.database import reading
from provenir_lab.storage.ids import among, as_parameter
from provenir_lab.storage.keys import keys_of
from provenir_lab.storage.schema import Target, build_tables
from provenir_lab.storage.values import Row, canonical, convert


def stored_rows(
    engine: sa.Engine, target: Target, columns: Mapping[str, Sequence[str]], app_ids: Collection[int]
) -> dict[str, list[Row]]:
    """Table -> rows of the documents `app_ids` (`columns` of it, in that order), comparable; unordered.

    Addresses and employments are those of the contacts that the documents own.
    """
    dialect = engine.dialect.name
    metadata = build_tables({name: target.tables[name] for name in columns}, target.schema, dialect)
    tables = {table.name: table for table in metadata.tables.values()}
    keys = keys_of(target.tables, columns)
    found: dict[str, list[Row]] = {}
    with reading(engine) as connection:
        for name, named in columns.items():
            table = tables[name]
            query = unconverted(table, named)
            if name in keys.owners:
                query = query.where(among(table.c[keys.owners[name]], "ids", dialect))
            elif keys.contact is not None:
                contact = tables[keys.contact]
                query = query.join(contact, contact.c[keys.contact_key] == table.c[keys.children[name]])
                query = query.where(among(contact.c[keys.owners[keys.contact]], "ids", dialect))
            rows = connection.execute(query, {"ids": as_parameter(app_ids, dialect)})
            found[name] = comparable(target, name, named, [tuple(row) for row in rows])
    return found


def comparable(target: Target, table: str, named: Sequence[str], rows: Sequence[Row]) -> list[Row]:
    """`rows` (columns `named` of `table`), mapped or read, with every value in its column's one form."""
    plain = target.tables[table]
    return list(convert(rows, canonical([column for name in named if (column := plain.column(name))])))


def unconverted(table: sa.Table, named: Sequence[str]) -> sa.Select[Any]:
    """Selects columns as the driver gives them, without SQLAlchemy's conversions."""
    columns: list[sa.ColumnElement[Any]] = [sa.type_coerce(table.c[n], sa.types.NullType()) for n in named]
    return sa.select(*columns)
