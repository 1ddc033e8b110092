"""Tables as plain data: what both rooms, mapping (limits) and storage (schema), need to know of a column.

The tables of the shipped contract are packaged as `contracts/credit_card_tables.csv`; those of a user's own
contract are derived from it (`mapping.derived.derive_tables`), those of an existing database are read from
its catalog (`storage.preflight`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

NAME = re.compile(r"[^\W\d][\w$#]{0,127}")
"""What a schema, table or column may be called, wherever a user names one: no quotes, no spaces, no signs."""
NAME_RULE = "must be a name of letters, digits, _, $ and #, at most 128 of them and no digit first"

INTEGER_RANGES = {
    "tinyint": (0, 255),
    "smallint": (-32768, 32767),
    "int": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}
"""Inclusive range of each integer type (tinyint as in SQL Server: unsigned)."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `length` counts characters, or what `counted` says (None: unlimited or not a text); `type`
    is a base name: tinyint, smallint, int, bigint, decimal, float, bit, date, datetime, datetime2,
    smalldatetime, varchar, char.
    """

    name: str
    type: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    nullable: bool = True
    primary_key: bool = False
    unique: bool = False
    references: str | None = None
    """`table.column` of a foreign key."""
    cascade: bool = False
    """Whether deleting the referenced row deletes this one."""
    default: str | None = None
    """SQL-neutral default: a literal, or `now` for the current UTC time."""
    identity: bool = False
    computed: str | None = None
    encoding: str | None = None
    """Python codec of a text column that cannot hold every character (a SQL Server code page); None: all."""
    counted: str | None = None
    """Python codec whose bytes `length` counts where characters may take several; None: it counts characters.
    utf-16-le: it counts pairs of bytes."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table; `columns` in the order of its definition."""

    name: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column | None:
        return next((c for c in self.columns if c.name == name), None)

    @property
    def primary_key(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns if c.primary_key)


def length_of(text: str, column: Column) -> int:
    """How much of the length of a text column a text takes that the column's encoding knows."""
    if column.counted is None or text.isascii():
        return len(text)
    taken = len(text.encode(column.counted))
    return taken // 2 if column.counted == "utf-16-le" else taken


Tables = Mapping[str, Table]
"""Table name -> table."""


def packaged_tables() -> dict[str, Table]:
    """The tables of the shipped credit-card contract, its lookups, source table and log; in file order."""
    text = (resources.files("provenir_lab.contracts") / "credit_card_tables.csv").read_text(encoding="utf-8")
    columns: dict[str, list[Column]] = {}
    for row in csv.DictReader(text.splitlines()):
        columns.setdefault(row["table"], []).append(_column(row))
    return {name: Table(name, tuple(found)) for name, found in columns.items()}


def parse_type(sql_type: str) -> tuple[str, int | None, int | None, int | None]:
    """`varchar(50)` -> ("varchar", 50, None, None); `decimal(12,2)` -> ("decimal", None, 12, 2)."""
    match = re.fullmatch(r"(\w+)(?:\((max|\d+)(?:,\s*(\d+))?\))?", sql_type.strip())
    if match is None:
        raise ValueError(f"not a column type: {sql_type}")
    base, first, second = match.groups()
    if base == "decimal":
        return base, None, int(first or 18), int(second or 0)
    length = int(first) if first and first != "max" and base in ("varchar", "char") else None
    return base, length, None, None


def _column(row: dict[str, str]) -> Column:
    computed = row["sql_type"].partition("computed: ")[2] or None
    base, length, precision, scale = ("varchar", 4, None, None) if computed else parse_type(row["sql_type"])
    references, _, action = row["references"].partition(" on delete ")
    default = row["default"] or None
    return Column(
        name=row["column"],
        type=base,
        length=length,
        precision=precision,
        scale=scale,
        nullable=row["nullable"] == "yes",
        primary_key="PK" in row["key"],
        unique="UNIQUE" in row["key"],
        references=references or None,
        cascade=action == "cascade",
        default="now" if default == "current UTC time" else default,
        identity=row["note"] == "identity",
        computed=computed,
    )
