import dataclasses
import datetime as dt
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storage_rows import COLUMNS, ENUM_ROWS, MARKER, SESSION, TABLES, Lab, document, with_value

from provenir_lab.settings import Settings
from provenir_lab.storage.cleanup import clean
from provenir_lab.storage.database import open_engine
from provenir_lab.storage.digest import digest_tables
from provenir_lab.storage.schema import Target, create_lab
from provenir_lab.storage.values import canonical, convert
from provenir_lab.storage.writer import Session
from provenir_lab.tables import Column


def digests(lab: Lab) -> dict[str, tuple[int, str]]:
    found = digest_tables(lab.engine, lab.target, COLUMNS)
    return {name: dataclasses.astuple(digest) for name, digest in found.items()}


def test_order_batches_and_times_do_not_matter(lab: Lab) -> None:
    documents = [document(i) for i in range(1, 21)]
    lab.writer().write(documents, [(30, "too_large", "x")], SESSION)
    first = digests(lab)
    assert first["app_base"][0] == 20
    assert first["processing_log"][0] == 21
    clean(lab.engine, lab.target)
    random.Random(3).shuffle(documents)
    lab.writer().write([], [(30, "too_large", "x")], Session("another", 5, 6))
    for start in range(0, 20, 7):
        lab.writer().write(documents[start : start + 7], [], SESSION)
    assert digests(lab) == first


@pytest.mark.parametrize(
    "table, column, value",
    [
        ("app_base", "ip_address", "other"),
        ("app_base", "booked_date", dt.datetime(2001, 1, 1)),
        ("app_pricing_cc", "card_purchase_apr", Decimal("0.01")),
        ("app_contact_base", "birth_date", dt.date(2001, 1, 1)),
        ("app_transactional_cc", "alloy_tag_list", None),
    ],
)
def test_one_changed_value_changes_its_tables_digest_alone(
    lab: Lab, table: str, column: str, value: object
) -> None:
    rows = with_value(document(1)[1], "app_transactional_cc", "alloy_tag_list", "some")
    lab.writer().write([(1, rows)], [], SESSION)
    before = digests(lab)
    clean(lab.engine, lab.target)
    lab.writer().write([(1, with_value(rows, table, column, value))], [], SESSION)
    assert {name for name, digest in digests(lab).items() if digest != before[name]} == {table}


def test_a_failure_changes_the_logs_digest(lab: Lab) -> None:
    lab.writer().write([], [(1, "too_large", "x")], SESSION)
    before = digests(lab)
    clean(lab.engine, lab.target)
    lab.writer().write([], [(1, "malformed_xml", "x")], SESSION)
    assert {name for name, digest in digests(lab).items() if digest != before[name]} == {"processing_log"}


def test_digests_agree_between_databases(lab: Lab, tmp_path: Path) -> None:
    other = Lab(
        open_engine(f"sqlite:///{(tmp_path / 'other.db').as_posix()}", Settings()), Target(None, TABLES)
    )
    create_lab(other.engine, other.target, ENUM_ROWS, MARKER)
    for each in (lab, other):
        each.writer().write([document(i) for i in range(1, 101)], [(999, "too_large", "x")], SESSION)
    assert digests(lab) == digests(other)
    other.engine.dispose()


def one(column: Column, value: object) -> Any:
    ((changed,),) = convert([(value,)], canonical([column]))
    return changed


@pytest.mark.parametrize(
    "first, second, same",
    [
        # SQL Server's datetime has ticks of 1/300 s, shown as .000, .003 and .007
        (dt.datetime(2020, 1, 1, 0, 0, 0, 3000), dt.datetime(2020, 1, 1, 0, 0, 0, 3333), True),
        (dt.datetime(2020, 1, 1, 0, 0, 0, 7000), dt.datetime(2020, 1, 1, 0, 0, 0, 6667), True),
        (dt.datetime(2020, 1, 1, 0, 0, 0, 1666), dt.datetime(2020, 1, 1), True),
        (dt.datetime(2020, 1, 1, 0, 0, 0, 1667), dt.datetime(2020, 1, 1, 0, 0, 0, 3000), True),
        (dt.datetime(2020, 1, 1, 0, 0, 0, 3000), dt.datetime(2020, 1, 1, 0, 0, 0, 7000), False),
        (dt.datetime(2020, 1, 1, 23, 59, 59, 999_000), dt.datetime(2020, 1, 2), True),
        ("2020-01-01 00:00:00.003000", dt.datetime(2020, 1, 1, 0, 0, 0, 3333), True),
        (
            dt.datetime(9999, 12, 31, 23, 59, 59, 997_000),
            dt.datetime(9999, 12, 31, 23, 59, 59, 996_667),
            True,
        ),
    ],
)
def test_moments_compare_as_sql_server_keeps_them(first: object, second: object, same: bool) -> None:
    column = Column("c", "datetime")
    assert (one(column, first) == one(column, second)) is same


def test_a_smalldatetime_is_kept_to_the_minute() -> None:
    column = Column("c", "smalldatetime")
    minute = dt.datetime(2020, 1, 1, 10, 30)
    assert one(column, minute.replace(second=29, microsecond=998_000)) == one(column, minute)
    assert one(column, minute.replace(second=29, microsecond=999_000)) == one(
        column, minute.replace(minute=31)
    )


@pytest.mark.parametrize("kind", ["datetime", "smalldatetime"])
def test_a_moment_past_the_last_one_of_its_type_is_no_obstacle(kind: str) -> None:
    assert one(Column("c", kind), "9999-12-31 23:59:59.999") == "9999-12-31 23:59:59.999000"


@pytest.mark.parametrize(
    "column, values",
    [
        (
            Column("c", "decimal", precision=12, scale=2),
            [Decimal("1.5"), 1.5, Decimal("1.50"), Decimal("1.495")],
        ),
        (
            Column("c", "decimal", precision=12, scale=2),
            [Decimal("0"), -0.0, Decimal("-0.00"), Decimal("0E+3")],
        ),
        (Column("c", "bit"), [1, True]),
        (Column("c", "float"), [Decimal("0.1"), 0.1]),
        (Column("c", "float"), [Decimal("0"), -0.0, 0, 1e-310, Decimal("1e-400")]),
        (Column("c", "char", 5), ["AB", "AB   "]),
        (Column("c", "date"), [dt.date(2020, 2, 3), "2020-02-03", dt.datetime(2020, 2, 3)]),
    ],
)
def test_forms_of_one_value_are_equal(column: Column, values: list[object]) -> None:
    assert len({repr(one(column, value)) for value in values}) == 1


@given(st.integers(-(10**12) + 1, 10**12 - 1))
def test_a_decimal_survives_being_a_float(cents: int) -> None:
    column = Column("c", "decimal", precision=12, scale=2)
    exact = Decimal(cents).scaleb(-2)
    assert one(column, float(exact)) == one(column, exact)
