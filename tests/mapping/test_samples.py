"""The sample documents: the rows of the system in use today, but for what the corrections order."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from provenir_lab.errors import Rejected
from provenir_lab.mapping.loading import load_contract
from provenir_lab.mapping.plan import compile_mapper
from provenir_lab.mapping.reference import ReferenceMapper
from provenir_lab.tables import packaged_tables

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
WITH_ROWS = sorted(path.name.removesuffix(".reference-rows.json") for path in SAMPLES.glob("*.json"))
ALL = sorted(path.stem for path in SAMPLES.glob("*.xml"))
MAPPERS = {"reference": ReferenceMapper, "fast": compile_mapper}


class Difference(NamedTuple):
    """A value that differs on purpose. All values in the samples are invented."""

    sample: str
    table: str
    row: int
    column: str
    correction: str
    ours: Any
    theirs: Any


DIFFERENCES = [
    Difference("extra-contacts", "app_contact_address", 0, "zip", "C1: digits stay digits", "05444", "5444"),
    Difference(
        "old",
        "app_transactional_cc",
        0,
        "iovation_blackbox",
        "C2: -1 means unlimited, the last character stays",
        "...xB0hy5X0B=",
        "...1xB0hy5X0B",
    ),
]


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.xml").read_text(encoding="utf-8")


def reference_rows(name: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = json.loads(
        (SAMPLES / f"{name}.reference-rows.json").read_text(encoding="utf-8"), parse_float=Decimal
    )
    return found


def comparable(value: Any) -> Any:
    """C17: "" is NULL. C22: dates are compared by value."""
    if value == "":
        return None
    if isinstance(value, str) and len(value) >= 19 and value[4] == value[7] == "-" and value[10] == " ":
        return dt.datetime.fromisoformat(value)
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day)
    return value


def shortened(value: Any) -> Any:
    return f"...{value[-10:]}" if isinstance(value, str) and len(value) > 100 else value


@pytest.mark.parametrize("parse_mode", ["selective", "full"])
@pytest.mark.parametrize("kind", MAPPERS)
@pytest.mark.parametrize("name", WITH_ROWS)
def test_rows_equal_but_for_the_corrections(name: str, kind: str, parse_mode: str) -> None:
    mapper = MAPPERS[kind](load_contract(), packaged_tables(), parse_mode=parse_mode)
    ours = {
        table: [dict(zip(mapper.columns[table], row, strict=True)) for row in rows]
        for table, rows in mapper.map(sample(name)).items()
    }
    theirs = reference_rows(name)
    assert {table: len(rows) for table, rows in ours.items()} == {t: len(rows) for t, rows in theirs.items()}
    found = []
    for table, rows in theirs.items():
        for index, (our_row, their_row) in enumerate(zip(ours[table], rows, strict=True)):
            for column in sorted({*our_row, *their_row}):
                our_value, their_value = our_row.get(column), their_row.get(column)
                if comparable(our_value) != comparable(their_value):
                    found.append((name, table, index, column, shortened(our_value), shortened(their_value)))
    assert found == [(*d[:4], d.ours, d.theirs) for d in DIFFERENCES if d.sample == name]


def test_the_blackbox_loses_nothing() -> None:
    mapper = ReferenceMapper(load_contract(), packaged_tables())
    rows = mapper.map(sample("old"))["app_transactional_cc"]
    ours = dict(zip(mapper.columns["app_transactional_cc"], rows[0], strict=True))["iovation_blackbox"]
    assert ours[:-1] == reference_rows("old")["app_transactional_cc"][0]["iovation_blackbox"]


@pytest.mark.parametrize("parse_mode", ["selective", "full"])
@pytest.mark.parametrize("name", ALL)
def test_both_mappers_agree(name: str, parse_mode: str) -> None:
    outcomes = []
    for make in MAPPERS.values():
        mapper = make(load_contract(), packaged_tables(), parse_mode=parse_mode)
        try:
            outcomes.append((mapper.map(sample(name)), dict(mapper.unknown_codes)))
        except Rejected as rejected:
            outcomes.append((rejected.category, {}))
    assert outcomes[0] == outcomes[1]
    expected = "wrong_product_line" if name == "wrong-product" else None
    assert (outcomes[0][0] if isinstance(outcomes[0][0], str) else None) == expected
