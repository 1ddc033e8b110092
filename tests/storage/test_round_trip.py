"""Any value of any column type is read back as it was written, after the column type's own rounding."""

import datetime as dt
import itertools
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from storage_rows import COLUMNS, MARKER, SESSION, Lab, document

from provenir_lab.settings import Settings
from provenir_lab.storage import methods
from provenir_lab.storage.cleanup import clean
from provenir_lab.storage.digest import digest_tables
from provenir_lab.storage.methods import possible_methods
from provenir_lab.storage.preflight import preflight
from provenir_lab.storage.reader import comparable, stored_rows
from provenir_lab.storage.schema import Target, create_lab
from provenir_lab.storage.values import adapters, convert, json_values
from provenir_lab.storage.writer import Writer
from provenir_lab.tables import INTEGER_RANGES, Column, Table

LAST_MOMENTS = {
    "datetime": dt.datetime(9999, 12, 31, 23, 59, 59, 998_333),
    "datetime2": dt.datetime.max,
    "smalldatetime": dt.datetime(2079, 6, 6, 23, 59, 29, 998_999),
}
"""The last ones that SQL Server rounds to a moment that it has; the mapper lets none later through."""
UNSHRUNK = (Phase.explicit, Phase.generate)
"""Shrinking takes minutes on a server."""
FIRST_YEARS = {"datetime": 1753, "datetime2": 1, "smalldatetime": 1900}
FLOATS = ["0", "-0", "0.1", "1e-90", "1e-310", "1e-400", "-1.5e300", sys.float_info.max, -sys.float_info.max]
TEXTS = ["", " ", "A  ", "\t\r\n", "é'\"\\"]

_KEY = Column("app_id", "int", nullable=False, primary_key=True)
_PLAIN = (*INTEGER_RANGES, "bit", "float", "date", *FIRST_YEARS)
EVERY_TYPE = Table(
    "every_type",
    (
        _KEY,
        *(Column(f"a_{kind}", kind) for kind in _PLAIN),
        Column("a_sum", "decimal", precision=15, scale=4),
        Column("a_long_number", "decimal", precision=30, scale=10),
        Column("a_name", "varchar", 20),
        Column("a_code", "char", 5),
        Column("n_name", "varchar", 20),
        Column("n_code", "char", 5),
    ),
)
LONG_TEXTS = Table(
    "long_texts",
    (
        replace(_KEY, references="every_type.app_id", cascade=True),
        Column("a_text", "varchar"),
        Column("n_text", "varchar"),
    ),
)
WIDE_TEXTS = Table("wide_texts", (LONG_TEXTS.columns[0], Column("a_text", "varchar", 6000)))
N_TYPES = {"n_name": "nvarchar(20)", "n_code": "nchar(5)", "n_text": "nvarchar(max)"}
"""What these columns are on SQL Server."""


def values(column: Column) -> st.SearchStrategy[Any]:
    match column.type:
        case "tinyint" | "smallint" | "int" | "bigint":
            low, high = INTEGER_RANGES[column.type]
            found: st.SearchStrategy[Any] = st.sampled_from([low, high, 0]) | st.integers(low, high)
        case "bit":
            found = st.integers(0, 1)
        case "float":
            found = st.floats(allow_nan=False, allow_infinity=False).map(Decimal)
            found |= st.sampled_from([Decimal(number) for number in FLOATS])
        case "decimal":
            assert column.precision is not None and column.scale is not None
            scale, largest = column.scale, 10**column.precision - 1
            whole = st.sampled_from([-largest, largest, 0, 1, -1]) | st.integers(-largest, largest)
            found = whole.map(lambda n: Decimal((int(n < 0), tuple(map(int, str(abs(n)))), -scale)))
        case "date":
            found = st.dates() | st.sampled_from([dt.date.min, dt.date.max])
        case "datetime" | "datetime2" | "smalldatetime":
            first, last = dt.datetime(FIRST_YEARS[column.type], 1, 1), LAST_MOMENTS[column.type]
            found = st.datetimes(first, last) | st.sampled_from([first, last])
        case _:
            found = texts(column)
    return found | st.none() if column.nullable else found


def texts(column: Column) -> st.SearchStrategy[str]:
    """Texts that fit, empty ones and characters outside the BMP among them."""
    longest = min(column.length or 500, 500)
    characters = st.characters(codec=column.encoding or "utf-8", exclude_characters="\x00")
    found = st.text(characters, max_size=longest) | st.sampled_from([t for t in TEXTS if len(t) <= longest])
    if column.encoding is None:
        found |= st.just("\U0001f600" * (longest // 2))
    if column.length is None:
        return found | st.just("é\\\t\r\n'\"" * 1_500)
    if column.length > longest:
        return found | st.just("é" * column.length)
    return found.filter(lambda text: len(text.encode("utf-16-le")) // 2 <= longest)


@st.composite
def documents(draw: st.DrawFn, tables: dict[str, Table]) -> dict[str, list[tuple[Any, ...]]]:
    """Rows of application 1; keys and foreign keys fit, everything else is anything."""
    rows = document(1)[1]
    for name, columns in COLUMNS.items():
        found = [c for column in columns if (c := tables[name].column(column))]
        loose = {i for i, c in enumerate(found) if not (c.primary_key or c.references)}
        rows[name] = [
            tuple(draw(values(c)) if i in loose else row[i] for i, c in enumerate(found))
            for row in rows[name][:1]
        ]
    return rows


def test_rows_come_back_from_every_write_method(lab: Lab) -> None:
    writers = [lab.writer(write_method=method) for method in possible_methods(lab.engine)]
    tables = preflight(lab.engine, lab.target, COLUMNS)  # on SQL Server a varchar has a code page

    @settings(max_examples=3, deadline=None, phases=UNSHRUNK, suppress_health_check=list(HealthCheck))
    @given(documents(tables))
    @example(document(1)[1])
    def check(rows: dict[str, list[tuple[Any, ...]]]) -> None:
        for writer in writers:
            clean(lab.engine, lab.target)
            writer.write([(1, rows)], [], SESSION)
            found = stored_rows(lab.engine, lab.target, COLUMNS, [1])
            for name, columns in COLUMNS.items():
                wanted = comparable(lab.target, name, columns, rows[name])
                assert sorted(found[name], key=repr) == sorted(wanted, key=repr)

    check()


@pytest.fixture
def every_type(engine: sa.Engine, target: Target) -> Target:
    """A place with a column of every type."""
    every = {table.name: table for table in (EVERY_TYPE, LONG_TEXTS, WIDE_TEXTS)}
    if engine.dialect.name != "mssql":
        place = replace(target, tables=every)
        create_lab(engine, place, [], MARKER)
        return place
    plain = {
        name: Table(name, tuple(c for c in t.columns if c.name not in N_TYPES)) for name, t in every.items()
    }
    create_lab(engine, replace(target, tables=plain), [], MARKER)
    lab = Lab(engine, target)
    for name, table in every.items():
        for column in table.columns:
            if column.name in N_TYPES:
                lab.run(f"ALTER TABLE {{}}{name} ADD {column.name} {N_TYPES[column.name]}")
    return replace(target, tables=every)


def test_every_type_comes_back_from_every_write_method(engine: sa.Engine, every_type: Target) -> None:
    check_every_type(engine, every_type, possible_methods(engine))


@pytest.mark.parametrize("place", ["mssql", "mssqlpython"], indirect=True)
def test_json_brings_every_type_to_sql_server(
    engine: sa.Engine, every_type: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for escapes and long texts, which Babelfish does not give back: `json` is not offered there."""
    monkeypatch.setattr(methods, "reads_json", lambda _: True)
    check_every_type(engine, every_type, ["json"], plain)


def plain(value: Any) -> Any:
    """A text without what JSON escapes, and not too long."""
    return re.sub(r'[\x00-\x1f"\\]', "", value)[:4000] if isinstance(value, str) else value


def check_every_type(
    engine: sa.Engine,
    every_type: Target,
    named_methods: Iterable[str],
    mend: Callable[[Any], Any] = lambda value: value,
) -> None:
    """Writes rows of any values, each made by `mend` from the drawn one, and reads them."""
    columns = {name: [c.name for c in table.columns] for name, table in every_type.tables.items()}
    place = replace(every_type, tables=preflight(engine, every_type, columns))
    writers = [
        Writer(engine, place, columns, Settings.model_validate({"write_method": method}))
        for method in named_methods
    ]
    wide = {c.counted for table in place.tables.values() for c in table.columns if c.name in N_TYPES}
    assert wide == {"utf-16-le" if engine.dialect.name == "mssql" else None}
    app_ids = itertools.count(1)
    loose = {name: st.tuples(*map(values, place.tables[name].columns[1:])) for name in columns}

    @settings(max_examples=12, deadline=None, phases=UNSHRUNK, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.fixed_dictionaries(loose), min_size=1, max_size=8))
    def check(drawn: list[dict[str, tuple[Any, ...]]]) -> None:
        for writer in writers:
            batch = [
                (i, {name: [(i, *map(mend, row))] for name, row in rows.items()})
                for i, rows in zip(app_ids, drawn, strict=False)
            ]
            writer.write(batch, [], SESSION)
            found = stored_rows(engine, place, columns, [app_id for app_id, _ in batch])
            for name, named in columns.items():
                mapped = [row for _, rows in batch for row in rows[name]]
                wanted = comparable(place, name, named, mapped)
                assert sorted(found[name], key=repr) == sorted(wanted, key=repr), writer.method

    check()
    digest_tables(engine, place, columns)


def test_json_says_numbers_and_moments_as_every_server_reads_them() -> None:
    columns = [Column("a", "decimal", precision=12, scale=8), Column("b", "smalldatetime")]
    row = (Decimal("0E-8"), dt.datetime(2024, 2, 29, 10, 30, 29, 999_000))
    adapted = convert([row], adapters(columns, "mssql"))
    assert convert(adapted, json_values(columns)) == [("0.00000000", "2024-02-29 10:31:00")]
