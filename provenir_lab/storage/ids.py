"""app_ids: many of them as one statement parameter, and whether a table can hold one twice."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import sqlalchemy as sa


def among(column: sa.ColumnElement[Any], name: str, dialect: str) -> sa.ColumnElement[bool]:
    """Condition: `column` is one of the ids bound to parameter `name`, made by `as_parameter`."""
    if dialect == "postgresql":
        return column == sa.any_(sa.bindparam(name, type_=sa.ARRAY(sa.BigInteger)))
    if dialect == "mssql":
        shredded = sa.text(f"SELECT CAST(value AS bigint) FROM OPENJSON(:{name})")
        return column.in_(shredded.columns(value=sa.BigInteger))
    each = sa.func.json_each(sa.bindparam(name, type_=sa.Text)).table_valued("value")
    return column.in_(sa.select(each.c.value))


def as_parameter(ids: Collection[int], dialect: str) -> list[int] | str:
    """The value of the parameter of `among`."""
    return list(ids) if dialect == "postgresql" else json.dumps(list(ids))


def has_unique_ids(connection: sa.Connection, table: sa.Table) -> bool:
    """Whether the database itself keeps an app_id from being in `table` twice."""
    return any([str(name).lower() for name in key] == ["app_id"] for key in _keys(connection, table))


def _keys(connection: sa.Connection, table: sa.Table) -> Iterator[Sequence[str | None]]:
    """The columns of every unique key."""
    inspector = sa.inspect(connection)
    yield inspector.get_pk_constraint(table.name, table.schema)["constrained_columns"]
    if connection.dialect.name != "mssql":  # there they are indexes
        for constraint in inspector.get_unique_constraints(table.name, table.schema):
            yield constraint["column_names"]
    for index in inspector.get_indexes(table.name, table.schema):
        partial = any(option.endswith("_where") for option in index.get("dialect_options", {}))
        if index["unique"] and not partial:
            yield index["column_names"]
