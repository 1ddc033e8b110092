"""Types of real columns against those of the contract: what would lose or shift values, or fail documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mssql

from provenir_lab.tables import INTEGER_RANGES, Column

Type = sa.types.TypeEngine[Any]
"""A type as SQLAlchemy reads it from a catalog."""

_KINDS: tuple[tuple[type[Type], str], ...] = (
    (mssql.XML, "xml"),
    (sa.Enum, "enum"),
    (mssql.BIT, "bit"),
    (sa.Boolean, "boolean"),
    (sa.Integer, "integer"),
    (sa.Float, "float"),
    (sa.Numeric, "number"),
    (mssql.DATETIMEOFFSET, "moment of a zone"),
    (sa.DateTime, "moment"),
    (sa.Date, "date"),
    (sa.String, "text"),
)
_WANTED = {
    "bit": ("bit", "integer"),
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
# SQLite keeps any value in any column that does not turn it into something else
_WHOLE_NUMBERS = ("integer", "number", "boolean", "untyped")
_WANTED_ON_SQLITE = {
    "bit": _WHOLE_NUMBERS,
    "decimal": ("number", "float", "text", "untyped"),
    "float": ("number", "float", "untyped"),
    # such a text is no number, so a column of numbers leaves it as it is
    **dict.fromkeys(
        ("date", "datetime", "datetime2", "smalldatetime"), ("text", "date", "moment", "number", "untyped")
    ),
    **dict.fromkeys(("varchar", "char"), ("text", "blob", "untyped")),
    **dict.fromkeys(INTEGER_RANGES, _WHOLE_NUMBERS),
}
_INTEGERS = {"TINYINT": "tinyint", "SMALLINT": "smallint", "INTEGER": "int", "BIGINT": "bigint"}
_DIGITS = {"datetime": 3, "datetime2": 6, "smalldatetime": 0}
"""Fraction digits of a second that a column must hold."""
_SEVERAL_BYTES = ("utf-8", "cp932", "cp936", "cp949", "cp950")
"""Codecs of SQL Server's collations in which a character may take more than one byte."""
_EXACT_IN_A_DOUBLE = 15
"""Decimal digits that a binary double gives back."""


def type_problem(wanted: Column, real: Type, dialect: sa.Dialect, whose: str) -> str | None:
    """What is wrong with a column of type `real` where `whose` ("the contract") wants `wanted`; else None."""
    kind, shown = _kind(real), _compiled(real, dialect)
    if kind not in _accepted(wanted, dialect.name):
        return f"{shown}, {whose} needs {_shown(wanted, dialect.name)}"
    if dialect.name != "sqlite" and _is_narrower(wanted, real, kind):  # SQLite holds any length and precision
        return f"{shown}, narrower than {whose}'s {_shown(wanted, dialect.name)}"
    return None


def refined_column(column: Column, real: Any, pages: Mapping[str, str]) -> Column:
    """`column` with what the catalog (an entry `real` of SQLAlchemy's inspector) says of its limits.

    `pages`: collation in lower case -> Python codec, "" for the database's own; empty where there are none.
    """
    kind = real["type"]
    column = replace(column, nullable=bool(real["nullable"]))
    if column.type in ("varchar", "char"):
        length = getattr(kind, "length", None)
        page = pages.get(str(getattr(kind, "collation", None)).lower(), pages.get(""))
        wide = isinstance(kind, sa.NCHAR | sa.NVARCHAR | mssql.NTEXT)  # SQL Server's n-types hold UTF-16
        return replace(
            column,
            type="char" if isinstance(kind, sa.CHAR | sa.NCHAR) else column.type,
            length=length if length is not None else column.length,
            encoding=None if wide or page == "utf-8" else page,
            counted=_counted(page, wide=wide) if pages else None,
        )
    if column.type == "float" and isinstance(kind, sa.Numeric) and kind.precision is not None:
        # it rounds and limits what comes
        return replace(column, type="decimal", precision=kind.precision, scale=kind.scale or 0)
    return column


def is_filled_by_server(kind: Type) -> bool:
    """Whether it is SQL Server's rowversion, which nobody writes."""
    return isinstance(kind, mssql.TIMESTAMP)


def _counted(page: str | None, *, wide: bool) -> str | None:
    if wide:
        return "utf-16-le"
    return page if page in _SEVERAL_BYTES else None


def _accepted(wanted: Column, dialect: str) -> tuple[str, ...]:
    if dialect != "sqlite":
        return _WANTED[wanted.type]
    if wanted.type == "decimal" and (wanted.precision or 0) > _EXACT_IN_A_DOUBLE:
        return ("text", "untyped")
    return _WANTED_ON_SQLITE[wanted.type]


def _kind(real: Type) -> str:
    if getattr(real, "timezone", False):
        return "moment of a zone"
    if isinstance(real, sa.types.NullType):
        return "untyped"
    return next((kind for base, kind in _KINDS if isinstance(real, base)), type(real).__name__.lower())


def _is_narrower(wanted: Column, real: Type, kind: str) -> bool:
    match kind:
        case "text":
            length = getattr(real, "length", None)
            return length is not None and (wanted.length is None or length < wanted.length)
        case "integer" if wanted.type in INTEGER_RANGES:
            low, high = INTEGER_RANGES[_INTEGERS.get(type(real).__name__.upper(), wanted.type)]
            return low > INTEGER_RANGES[wanted.type][0] or high < INTEGER_RANGES[wanted.type][1]
        case "float":
            return isinstance(real, sa.REAL)  # 32 bits
        case "number" if wanted.type == "decimal" and isinstance(real, sa.Numeric):
            if real.precision is None:
                return False
            scale, wanted_scale = real.scale or 0, wanted.scale or 0
            whole, wanted_whole = real.precision - scale, (wanted.precision or 0) - wanted_scale
            return scale < wanted_scale or whole < wanted_whole
        case "moment":
            return _is_coarser(wanted, real)
    return False


def _is_coarser(wanted: Column, real: Type) -> bool:
    if isinstance(real, mssql.SMALLDATETIME):
        return wanted.type != "smalldatetime"
    digits = 3 if isinstance(real, mssql.DATETIME) else getattr(real, "precision", None)
    return digits is not None and digits < _DIGITS.get(wanted.type, 0)


def _compiled(real: Type, dialect: sa.Dialect) -> str:
    try:
        return str(real.compile(dialect)).lower().partition(" collate ")[0]
    except sa.exc.CompileError:  # a type that SQLAlchemy does not know
        return "of an unknown type"


def _shown(column: Column, dialect: str) -> str:
    if column.type == "decimal":
        return f"decimal({column.precision},{column.scale})"
    if column.type in ("varchar", "char"):
        return f"{column.type}({column.length or 'max'})"
    return (
        "bit, which is a smallint here" if column.type == "bit" and dialect == "postgresql" else column.type
    )
