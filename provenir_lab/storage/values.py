"""Values on their way into a column, and values brought to their column's type so that databases compare.

All work is column-wise: rows are turned into columns, only the columns that need it are converted, and turned
back. That costs a tenth of touching every row.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from provenir_lab.tables import Column

Row = tuple[Any, ...]
Converter = Callable[[Any], Any]
Converters = Sequence[tuple[int, Converter]]
"""Position in the row, and what to do with a value that is not None."""


def convert(rows: Sequence[Row], converters: Converters) -> Sequence[Row]:
    """`rows` with the converters applied to every value but None; `rows` itself if there is nothing to do."""
    if not rows or not converters:
        return rows
    columns: list[Iterable[Any]] = list(zip(*rows, strict=True))
    for position, change in converters:
        columns[position] = [None if value is None else change(value) for value in columns[position]]
    return list(zip(*columns, strict=True))


def adapters(columns: Sequence[Column], dialect: str) -> Converters:
    """What must be done to mapped values (int, str, Decimal, datetime, date) before the driver sees them."""
    found = ((i, _adapter(column, dialect)) for i, column in enumerate(columns))
    return [(i, change) for i, change in found if change is not None]


def _adapter(column: Column, dialect: str) -> Converter | None:
    if column.type == "decimal" and dialect == "sqlite":
        return float if (column.precision or 0) <= 15 else str
    return _ADAPTERS[dialect].get(column.type)


def _float(value: Any) -> float:
    """A binary double; what is too small for SQL Server, and -0, which SQLite does not know, is 0."""
    number = float(value)
    return number if abs(number) >= sys.float_info.min else 0.0


def tick(moment: dt.datetime) -> dt.datetime:
    """The nearest moment that SQL Server's datetime has: 1/300 s apart, shown as .000, .003 and .007.

    Raises OverflowError for the last 1.5 ms of the year 9999.
    """
    ticks = (moment.microsecond * 3 + 5000) // 10000
    whole = moment.replace(microsecond=0)
    if ticks == 300:
        return whole + dt.timedelta(seconds=1)
    return whole.replace(microsecond=(ticks * 10 + 1) // 3 * 1000)


def json_values(columns: Sequence[Column]) -> Converters:
    """What makes adapted values fit for JSON: decimals and dates become text, cast exactly by servers."""
    return [(i, change) for i, c in enumerate(columns) if (change := _JSON.get(c.type)) is not None]


def copy_text(columns: Sequence[Column]) -> Callable[[Sequence[Row]], bytes]:
    """A function that writes rows in PostgreSQL's COPY text format
    (https://www.postgresql.org/docs/current/sql-copy.html): tabs between values, `\\N` for NULL.
    """
    texts = [column.type in ("varchar", "char") for column in columns]

    def encode(rows: Sequence[Row]) -> bytes:
        fields = [
            _copy_strings(values) if text else ["\\N" if value is None else str(value) for value in values]
            for text, values in zip(texts, zip(*rows, strict=True), strict=True)
        ]
        return ("\n".join(map("\t".join, zip(*fields, strict=True))) + "\n").encode()

    return encode


def _copy_strings(values: Sequence[str | None]) -> list[str]:
    everything = "".join([value for value in values if value])
    if any(special in everything for special in "\\\t\n\r"):
        escaped = [value and value.translate(_COPY_ESCAPES) for value in values]
        return ["\\N" if value is None else value for value in escaped]
    return ["\\N" if value is None else value for value in values]


def canonical(columns: Sequence[Column]) -> Converters:
    """What brings values, mapped or read from any database, to one form per column type.

    decimal: text at the column's scale, rounded half up. datetime: text, to SQL Server's 1/300 s.
    smalldatetime: text, to the minute. date: ISO text. bit: 0 or 1. float: a binary double. char: without
    padding. Others stay.
    """
    return [(i, change) for i, c in enumerate(columns) if (change := _canonical(c)) is not None]


def _canonical(column: Column) -> Converter | None:
    if column.type == "decimal":
        return _decimal(column.scale or 0)
    return _CANONICAL.get(column.type)


def _decimal(scale: int) -> Converter:
    unit = Decimal(1).scaleb(-scale)
    form = f".{scale}f"

    def text(value: Any) -> str:
        if isinstance(value, float):  # the nearest double of a decimal with at most 15 digits gives it back
            return format(value or 0.0, form)
        exact = value if isinstance(value, Decimal) else Decimal(value)
        rounded = exact.quantize(unit, context=_EXACT)
        return format(rounded or unit - unit, "f")

    return text


def minute(moment: dt.datetime) -> dt.datetime:
    """The nearest minute, as SQL Server's smalldatetime has it: 29.998 s go down, 29.999 s go up.

    Raises OverflowError for the end of the year 9999.
    """
    up = moment.second * 1_000_000 + moment.microsecond >= 29_999_000
    whole = moment.replace(second=0, microsecond=0)
    return whole + dt.timedelta(minutes=1) if up else whole


def _rounded(nearest: Callable[[dt.datetime], dt.datetime]) -> Converter:
    def text(value: Any) -> str:
        moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
        try:
            return str(nearest(moment))
        except OverflowError:  # from another hand: the mapper lets no such moment through
            return str(moment)

    return text


def _datetime2(value: Any) -> str:
    return str(dt.datetime.fromisoformat(value) if isinstance(value, str) else value)


def _date(value: Any) -> str:
    return str(value)[:10]


def _unpadded(value: str) -> str:
    return value.rstrip(" ")


_ADAPTERS: dict[str, dict[str, Converter]] = {
    "sqlite": {
        "float": _float,
        "date": str,
        "datetime": str,
        "datetime2": str,
        "smalldatetime": lambda moment: str(minute(moment)),
    },
    "postgresql": {"float": _float, "smalldatetime": minute},
    # servers and ways of sending differ in how they round finer moments: nothing is left to round
    "mssql": {"float": _float, "datetime": tick, "smalldatetime": minute},
}
_EXACT = Context(prec=200, rounding=ROUND_HALF_UP)
_COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_JSON: dict[str, Converter] = {
    "decimal": lambda number: format(number, "f") if isinstance(number, Decimal) else number,
    "date": str,
    "datetime": str,
    "datetime2": str,
    "smalldatetime": str,
}
_CANONICAL: dict[str, Converter] = {
    "datetime": _rounded(tick),
    "datetime2": _datetime2,
    "smalldatetime": _rounded(minute),
    "date": _date,
    "bit": int,
    "float": _float,
    "char": _unpadded,
}
