"""Made-up rows for the storage tests: every mapped column of the shipped tables, values from one seed."""

from __future__ import annotations

import datetime as dt
import random
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from provenir_lab.settings import Settings
from provenir_lab.storage.database import writing
from provenir_lab.storage.schema import Marker, Target
from provenir_lab.storage.writer import Session, Writer
from provenir_lab.tables import INTEGER_RANGES, Column, packaged_tables

TABLES = packaged_tables()
COLUMNS = {
    name: tuple(c.name for c in TABLES[name].columns if not c.computed and c.name != "rowstamp")
    for name in Target(None, TABLES).target_tables
}
ENUM_ROWS = [(code, "made_up_enum", f"VALUE {code}", None) for code in range(1, 40)]
_ROWS = {"app_historical_lookup": 4, "app_report_results_lookup": 2, "scores": 2, "indicators": 2}
_KEY_NAMES = {"name", "score_identifier", "indicator"}

MARKER = Marker("made-up lab", dt.datetime(2024, 2, 29, 12, 30), "0123abcd")
SESSION = Session("20240229_123000-0123abcd-0001", 1, 99)


Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Lab:
    engine: sa.Engine
    target: Target

    def writer(self, **settings: object) -> Writer:
        return Writer(self.engine, self.target, COLUMNS, Settings.model_validate(settings))

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        """Rows of a query in which `{}` stands for the schema with its dot."""
        schema = "" if self.engine.dialect.name == "sqlite" else f"{self.target.schema}."
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement.replace("{}", schema)))]

    def run(self, statement: str) -> None:
        """Runs a statement in which `{}` stands for the schema and its dot; an id column is no obstacle."""
        text = statement.replace("{}", f"{self.target.schema}." if self.target.schema else "")
        identity = self.engine.dialect.name == "mssql" and re.match(r"INSERT INTO (\S*app_base) ", text)
        with writing(self.engine) as connection:
            for part in (f"SET IDENTITY_INSERT {identity[1]} ON", text) if identity else (text,):
                connection.execute(sa.text(part))
            if identity:
                connection.execute(sa.text(f"SET IDENTITY_INSERT {identity[1]} OFF"))

    def counts(self) -> dict[str, int]:
        names = (*self.target.target_tables, "processing_log")
        return {name: int(str(self.rows(f"SELECT count(*) FROM {{}}{name}")[0][0])) for name in names}


def document(app_id: int, seed: int = 0, con_ids: tuple[int, ...] | None = None) -> tuple[int, Rows]:
    """One document: a row for each table, several key-value pairs, contacts `con_ids` (1000 + app_id)."""
    rng = random.Random(f"{seed}/{app_id}")
    contacts = (1000 + app_id,) if con_ids is None else con_ids
    rows: Rows = {}
    for name, columns in COLUMNS.items():
        keys = [{"app_id": app_id}] * _ROWS.get(name, 1)
        if "con_id" in columns:
            keys = [{"app_id": app_id, "con_id": con_id} for con_id in contacts]
        rows[name] = [tuple(_value(name, c, rng, key, i) for c in columns) for i, key in enumerate(keys)]
    return app_id, rows


def with_value(rows: Rows, table: str, column: str, value: Any) -> Rows:
    """`rows` with one value of the table's first row replaced."""
    first, *others = rows[table]
    place = COLUMNS[table].index(column)
    return {**rows, table: [(*first[:place], value, *first[place + 1 :]), *others]}


def _value(table: str, name: str, rng: random.Random, key: dict[str, int], number: int) -> Any:
    column = TABLES[table].column(name)
    assert column is not None
    if name in key:
        return key[name]
    if name in _KEY_NAMES:
        return f"KEY {number}"
    if column.nullable and rng.random() < 0.4:
        return None
    return _made_up(column, rng)


def _made_up(column: Column, rng: random.Random) -> Any:
    if column.references:
        return "BLANK" if column.references.startswith("app_campaign") else rng.choice(ENUM_ROWS)[0]
    match column.type:
        case "decimal":
            assert column.precision is not None and column.scale is not None
            largest = 10**column.precision - 1
            return Decimal(rng.randint(-largest, largest)).scaleb(-column.scale)
        case "bit":
            return rng.randint(0, 1)
        case "tinyint" | "smallint" | "int" | "bigint":
            return rng.randint(*INTEGER_RANGES[column.type])
        case "date":
            return dt.date(1753, 1, 1) + dt.timedelta(days=rng.randrange(3_000_000))
        case "datetime" | "datetime2":
            return dt.datetime(1753, 1, 1) + dt.timedelta(
                days=rng.randrange(3_000_000), microseconds=rng.randrange(86_400_000_000)
            )
        case _:
            return "".join(rng.choices("AÉZ 0", k=rng.randint(1, column.length or 40))).strip() or "X"
