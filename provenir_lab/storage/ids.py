"""A set of ids as one statement parameter, whatever their number."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql


def among(column: sa.ColumnElement[Any], name: str, dialect: str) -> sa.ColumnElement[bool]:
    """Condition: `column` is one of the ids bound to parameter `name`, made by `as_parameter`."""
    if dialect == "postgresql":
        return column == sa.any_(sa.bindparam(name, type_=postgresql.ARRAY(sa.BigInteger)))
    if dialect == "mssql":
        shredded = sa.text(f"SELECT CAST(value AS bigint) FROM OPENJSON(:{name})")
        return column.in_(shredded.columns(value=sa.BigInteger))
    each = sa.func.json_each(sa.bindparam(name, type_=sa.Text)).table_valued("value")
    return column.in_(sa.select(each.c.value))


def as_parameter(ids: Collection[int], dialect: str) -> list[int] | str:
    """The value of the parameter of `among`."""
    return list(ids) if dialect == "postgresql" else json.dumps(list(ids))
