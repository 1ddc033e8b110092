"""Any value of any column type is read back as it was written, after the column type's own rounding."""

import datetime as dt
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from storage_rows import COLUMNS, SESSION, TABLES, Lab, document

from provenir_lab.storage.cleanup import clean
from provenir_lab.storage.methods import possible_methods
from provenir_lab.storage.reader import comparable, stored_rows
from provenir_lab.tables import INTEGER_RANGES, Column

LAST_MOMENT = dt.datetime(9999, 12, 31, 23, 59, 59, 996_000)


def values(column: Column, codec: str) -> st.SearchStrategy[Any]:
    match column.type:
        case "tinyint" | "smallint" | "int" | "bigint":
            low, high = INTEGER_RANGES[column.type]
            found: st.SearchStrategy[Any] = st.sampled_from([low, high, 0]) | st.integers(low, high)
        case "bit":
            found = st.integers(0, 1)
        case "decimal":
            assert column.precision is not None and column.scale is not None
            scale, largest = column.scale, 10**column.precision - 1
            whole = st.sampled_from([-largest, largest, 0, 1, -1]) | st.integers(-largest, largest)
            found = whole.map(lambda n: Decimal(n).scaleb(-scale))
        case "date":
            found = st.dates(min_value=dt.date(1, 1, 1))
        case "datetime":
            found = st.datetimes(dt.datetime(1753, 1, 1), LAST_MOMENT) | st.just(LAST_MOMENT)
        case _:
            longest = column.length or 500
            characters = st.characters(codec=codec, exclude_characters="\x00")
            found = st.text(characters, min_size=1, max_size=longest).map(lambda t: t.rstrip(" ") or "X")
            if column.length is None:
                found |= st.just("é\\\t\r\n'\"" * 20_000)
    return found | st.none() if column.nullable else found


@st.composite
def documents(draw: st.DrawFn, codec: str) -> dict[str, list[tuple[Any, ...]]]:
    """Rows of application 1; keys and foreign keys fit, everything else is anything."""
    rows = document(1)[1]
    for name, columns in COLUMNS.items():
        found = [c for column in columns if (c := TABLES[name].column(column))]
        loose = {i for i, c in enumerate(found) if not (c.primary_key or c.references)}
        rows[name] = [
            tuple(draw(values(c, codec)) if i in loose else row[i] for i, c in enumerate(found))
            for row in rows[name][:1]
        ]
    return rows


def test_rows_come_back_from_every_write_method(lab: Lab) -> None:
    writers = [lab.writer(write_method=method) for method in possible_methods(lab.engine)]

    server = lab.engine.dialect.name == "mssql"  # slow, and its varchar has a code page

    @settings(max_examples=2 if server else 12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(documents("cp1252" if server else "utf-8"))
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
