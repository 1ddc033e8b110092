"""The reference mapper: which documents are taken, and what fits into a column."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from small_contract import APPLICATION, AUTHU, PR, document, entry, mapper, rejection

from provenir_lab.errors import Rejected
from provenir_lab.tables import Column, Table

# ---- limits (C5, C10)


def table(column: Column) -> dict[str, Table]:
    return {"app_base": Table("app_base", (Column("app_id", "int"), column))}


@pytest.mark.parametrize(
    ("column", "changes", "text", "category"),
    [
        (Column("one", "int"), {"data_type": "tinyint"}, "256", "value_out_of_range"),
        (Column("one", "tinyint"), {"data_type": "int"}, "-1", "value_out_of_range"),
        (Column("one", "int"), {"data_type": "int"}, "1e9999", "value_out_of_range"),
        (
            Column("one", "decimal", precision=5, scale=2),
            {"data_type": "decimal"},
            "999.995",
            "value_out_of_range",
        ),
        (Column("one", "varchar", length=3), {}, "abcd", "value_too_long"),
        (Column("one", "varchar", encoding="cp1252"), {}, "Ł", "not_representable"),
        (Column("one", "varchar", nullable=False), {}, "", "missing_required"),
        (Column("one", "varchar"), {"nullable": False}, "", "missing_required"),
    ],
)
def test_what_cannot_fit_rejects_the_document(
    column: Column, changes: dict[str, Any], text: str, category: str
) -> None:
    with pytest.raises(Rejected) as caught:
        mapper(entry(**changes), tables=table(column)).map(document(x=text))
    assert (caught.value.category, caught.value.reason) == (category, "app_base.one")


@pytest.mark.parametrize(
    ("column", "changes", "text", "value"),
    [
        (
            Column("one", "decimal", precision=5, scale=2),
            {"data_type": "decimal"},
            "999.994",
            Decimal("999.99"),
        ),
        (Column("one", "varchar", length=3), {"data_length": 3}, "abcd", "abc"),
        (Column("one", "bit", nullable=False, default="0"), {"data_type": "bit"}, "", 0),
        (Column("one", "varchar"), {"nullable": None}, "", None),
        (Column("one", "varchar", nullable=False), {"default_value": "d"}, "", "d"),
    ],
)
def test_what_fits(column: Column, changes: dict[str, Any], text: str, value: Any) -> None:
    assert mapper(entry(**changes), tables=table(column)).map(document(x=text))["app_base"] == [(7, value)]


def test_rows_that_are_dropped_reject_nothing() -> None:
    limits = {
        "app_one": Table("app_one", (Column("one", "tinyint", nullable=False), Column("app_id", "int")))
    }
    assert "app_one" not in mapper(entry(target_table="app_one", data_type="int"), tables=limits).map(
        document(x="")
    )


# ---- documents (C11, C15, C19, C20, 4.1)

GOOD = document(x="1")


@pytest.mark.parametrize(
    ("text", "category"),
    [
        (None, "malformed_xml"), (" \n", "malformed_xml"), ("<Provenir>", "malformed_xml"),
        (GOOD[:-50], "malformed_xml"), ("<!DOCTYPE x>" + GOOD, "forbidden_doctype"),
        ("\ufeff<?xml version='1.0'?><!-- c --><!DOCTYPE x [<!ENTITY e 'v'>]>" + GOOD, "forbidden_doctype"),
        ("\ufeff\ufeff<!DOCTYPE x [<!ENTITY e 'v'>]>" + GOOD, "forbidden_doctype"),
        (GOOD.replace("Provenir", "provenir"), "not_provenir"),
        (GOOD.replace(' ID="7"', ""), "missing_app_id"),
        (GOOD.replace('ID="7"', 'id="7"'), "missing_app_id"), (GOOD.replace('"7"', '" "'), "missing_app_id"),
        (GOOD.replace('"7"', '"+7"'), "invalid_app_id"), (GOOD.replace('"7"', '"0"'), "invalid_app_id"),
        (GOOD.replace('"7"', '"1234567890"'), "invalid_app_id"),
        (GOOD.replace("application", "IL_application"), "wrong_product_line"),
        (GOOD.replace("CustData", "Data"), "wrong_product_line"), ("<a>" * 300 + "</a>" * 300, "too_large"),
        (GOOD.replace("20000", "x" * 17_000_000), "too_large"),
        (GOOD.replace("20000", "x" * 11_000_000), "too_large"),
    ],
    ids=range(19),
)  # fmt: skip
@pytest.mark.parametrize("parse_mode", ["selective", "full"])
def test_documents_that_are_not_taken(text: str | None, category: str, parse_mode: str) -> None:
    broken_tail_only = text == GOOD[:-50]
    found = mapper(entry(), parse_mode=parse_mode)
    assert rejection(found, text) == category or broken_tail_only


def test_the_id_must_be_that_of_the_row() -> None:
    assert rejection(mapper(), GOOD, 8) == "app_id_mismatch"
    assert mapper().map(GOOD, 7)["app_base"] == [(7,)]


def test_a_larger_limit_takes_a_larger_document() -> None:
    large = GOOD.replace(
        "</CustData>", "</CustData>" + "<r>" + "y" * 9_000_000 + "</r><r>" + "y" * 9_000_000 + "</r>"
    )
    assert rejection(mapper(), large) == "too_large"
    assert mapper(entry(), max_document_mb=20).map(large) == mapper(entry()).map(GOOD)


@pytest.mark.parametrize("parse_mode", ["selective", "full"])
@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + GOOD, "ï»¿" + GOOD, " \r\n" + GOOD, "\x01 " + GOOD,
        "<?xml version='1.0' encoding='UTF-16'?>" + GOOD,
        GOOD.replace("<CustData>", "<!-- </CustData> --><CustData><![CDATA[</CustData>]]><?p </CustData>?>"),
        GOOD.replace("<Provenir", "<Provenir xmlns='a' xmlns:n='b'").replace("application", "n:application"),
        GOOD.replace("</CustData>", "</CustData><CustData><application x='2'/></CustData>"),
        GOOD.replace("<Request", "<CustData><application x='2'/></CustData><Request", 1),
        GOOD.replace("<Request", "<Request ID='8'/><Request", 1), GOOD.replace('x="1"', "x='&#49;'"),
        GOOD.replace("</CustData>", "<CustData><application x='2'/></CustData></CustData>"),
        GOOD.replace("<application", "<application x='2'/><application"),
    ],
    ids=range(13),
)  # fmt: skip
def test_other_clothes_the_same_rows(text: str, parse_mode: str) -> None:
    assert mapper(entry(), parse_mode=parse_mode).map(text) == {"app_base": [(7, "1")]}


def test_a_broken_tail_is_seen_in_full_mode_alone() -> None:
    broken = GOOD.replace("</CustData>", "</CustData><oops>")
    assert mapper(entry()).map(broken) == {"app_base": [(7, "1")]}
    assert rejection(mapper(entry(), parse_mode="full"), broken) == "malformed_xml"


def test_contacts_outside_the_first_reading_root_are_not_seen() -> None:
    outside = f"<contact {AUTHU}/><CustData><application><contact {AUTHU}/></application></CustData>"
    text = document(f"<contact {PR}/>").replace("</CustData>", "</CustData>" + outside, 1)
    for parse_mode in ("selective", "full"):
        assert mapper(parse_mode=parse_mode).map(text)["app_contact_base"] == [(1, 7)]


def test_the_last_element_at_a_path_replaces_the_earlier_ones_wholly() -> None:
    product = {"xml_path": f"{APPLICATION}/product"}
    found = mapper(entry("one", **product), entry("two", **product, xml_attribute="Y"))
    assert found.map(document('<product x="1" y="1"/><product y=" 2 "/>'))["app_base"] == [(7, None, "2")]


def test_messages_hold_no_values() -> None:
    secret = document(f"<contact {PR.replace('1', 'SECRET')}/>")
    with pytest.raises(Rejected) as caught:
        mapper().map(secret)
    assert "SECRET" not in str(caught.value)
