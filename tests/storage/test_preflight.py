from dataclasses import replace

import pytest
import sqlalchemy as sa
from storage_rows import COLUMNS, ENUM_ROWS, MARKER, TABLES, Lab

from provenir_lab.errors import PreflightError
from provenir_lab.storage.database import create_file
from provenir_lab.storage.preflight import preflight
from provenir_lab.storage.schema import Target, create_lab
from provenir_lab.tables import Column, Table

CODES = [row[0] for row in ENUM_ROWS]


def problems(lab: Lab, enum_ids: list[int] | None = None) -> list[str]:
    with pytest.raises(PreflightError) as caught:
        preflight(lab.engine, lab.target, COLUMNS, CODES if enum_ids is None else enum_ids)
    return caught.value.problems


def test_a_new_lab_fits_its_contract(lab: Lab) -> None:
    found = preflight(lab.engine, lab.target, COLUMNS, CODES)
    for name in COLUMNS:
        assert [c.name for c in found[name].columns] == [c.name for c in TABLES[name].columns]
        for column, plain in zip(found[name].columns, TABLES[name].columns, strict=True):
            assert (column.length, column.nullable, column.type) == (plain.length, plain.nullable, plain.type)


def test_every_missing_piece_is_named_at_once(lab: Lab) -> None:
    lab.run("DROP TABLE {}scores")
    lab.run("ALTER TABLE {}app_base DROP COLUMN ip_address")
    lab.run("ALTER TABLE {}processing_log DROP COLUMN session_id")
    lab.run("DROP TABLE {}app_xml")
    assert sorted(problems(lab, [*CODES, 700, 701])) == [
        "app_base.ip_address is missing",
        "app_enums lacks 2 codes of the contract: 700, 701",
        "processing_log.session_id is missing",
        "table app_xml is missing",
        "table scores is missing",
    ]


def test_an_empty_place_lacks_everything(engine: sa.Engine, target: Target) -> None:
    create_file(engine)
    with pytest.raises(PreflightError, match="table app_base is missing") as caught:
        preflight(engine, target, COLUMNS, CODES, "sandbox")
    assert len(caught.value.problems) == len(COLUMNS) + 3
    assert str(caught.value).startswith("sandbox does not fit the contract")


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "change, says",
    [
        ("app_base ALTER ip_address TYPE varchar(20)", "app_base.ip_address is varchar(20), narrower than"),
        (
            "app_transactional_cc ALTER alloy_tag_list TYPE varchar(500)",
            "narrower than the contract's varchar(max)",
        ),
        ("scores ALTER score TYPE smallint", "scores.score is smallint, narrower than the contract's int"),
        ("app_pricing_cc ALTER monthly_debt TYPE numeric(9,2)", "numeric(9, 2), narrower than"),
        ("app_pricing_cc ALTER monthly_debt TYPE numeric(15,1)", "numeric(15, 1), narrower than"),
        ("app_base ALTER booked_date TYPE varchar(30)", "is varchar(30), the contract needs datetime"),
        ("app_solicited_cc ALTER birth_date TYPE text", "is text, the contract needs date"),
        ("app_base ADD branch int NOT NULL", "app_base.branch needs a value, the contract maps none"),
    ],
)
def test_what_would_make_documents_fail_is_found(lab: Lab, change: str, says: str) -> None:
    lab.run(f"ALTER TABLE {{}}{change}")
    (problem,) = problems(lab)
    assert says in problem


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_wider_and_stricter_columns_refine_the_limits(lab: Lab) -> None:
    lab.run("ALTER TABLE {}app_base ALTER ip_address TYPE varchar(60)")
    lab.run("ALTER TABLE {}app_base ALTER booked_date SET NOT NULL")
    lab.run("ALTER TABLE {}scores ALTER score TYPE bigint")
    lab.run("ALTER TABLE {}app_base ADD branch int NOT NULL DEFAULT 0")
    base = preflight(lab.engine, lab.target, COLUMNS, CODES)["app_base"]
    ip_address, booked = base.column("ip_address"), base.column("booked_date")
    assert ip_address is not None and booked is not None
    assert (ip_address.length, booked.nullable) == (60, False)


@pytest.mark.parametrize("place", ["mssql"], indirect=True)
def test_texts_with_a_code_page_say_which(lab: Lab) -> None:
    name = preflight(lab.engine, lab.target, COLUMNS, CODES)["app_contact_base"].column("first_name")
    assert name is not None
    assert name.encoding == "cp1252"


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_float_is_double_or_a_decimal_that_rounds(engine: sa.Engine, target: Target) -> None:
    sums = Table("sums", (Column("app_id", "int", primary_key=True), Column("amount", "float")))
    lab = Lab(engine, replace(target, tables={"sums": sums}))
    create_lab(engine, lab.target, [], MARKER)
    columns = {"sums": ["app_id", "amount"]}
    assert preflight(engine, lab.target, columns)["sums"].columns[1].type == "float"
    lab.run("ALTER TABLE {}sums ALTER amount TYPE real")
    with pytest.raises(PreflightError, match="is real, narrower than the contract's float"):
        preflight(engine, lab.target, columns)
    lab.run("ALTER TABLE {}sums ALTER amount TYPE numeric(10,2)")
    amount = preflight(engine, lab.target, columns)["sums"].columns[1]
    assert (amount.type, amount.precision, amount.scale) == ("decimal", 10, 2)
