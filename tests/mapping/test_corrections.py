"""The corrections C1 to C20: where the rows differ on purpose from those of the system in use today.

One direct example each; the other mapping tests have the details. C21 to C23 are the storage's.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from building import (
    APPLICATION,
    BOTH,
    CONTACT,
    address,
    contact,
    document,
    element,
    employment,
    entry,
    outcome,
    refused,
    rows,
    shipped,
    small,
    value,
    wrapped,
)

from provenir_lab.errors import ContractError
from provenir_lab.mapping.plan import Mapper, compile_mapper
from provenir_lab.tables import Column, Table


def first(table: str, column: str, text: str, mapper: Mapper | None = None) -> Any:
    """A column of the first row of a table."""
    return rows(mapper or shipped(), text)[table][0][column]


def pricing(column: str, **attributes: str) -> Any:
    return first("app_pricing_cc", column, document(element("rmts_info", **attributes)))


def calculated(expression: str, data_type: str = "string", **attributes: str) -> Any:
    mapper = compile_mapper(
        small(
            entry("t", "v", data_type, mapping_type="calculated_field", expression=expression),
            entry("t", "seen", "bit", mapping_type="char_to_bit"),
        ),
        {},
    )
    return first("t", "v", document(**attributes), mapper)


def test_c1_one_number_rule() -> None:
    assert pricing("card_annual_fee", annual_fee="$1,025.505") == Decimal("1025.51")
    assert pricing("card_over_limit_fee", over_limit_fee="12.5") == 13
    assert pricing("card_over_limit_fee", over_limit_fee="2020-01-01") is None
    assert pricing("card_late_payment_fee", late_payment_fee="Up to $40") == 40
    assert pricing("card_late_payment_fee", late_payment_fee="$25.00") == 25
    job = employment(b_name="Example Co", b_other_income_amt="1,234")
    assert first("app_contact_employment", "other_monthly_income", document(contact("1", "PR", job))) == 1234
    zips = document(contact("1", "PR", address(zip="01234-5678")))
    assert first("app_contact_address", "zip", zips) == "012345678"
    assert first("scores", "score", document(element("app_product", EX_DIE_score="$1,000.5"))) == 1001
    assert value("7", "decimal", default_value="$1,000.005") == Decimal(7)
    assert value(None, "decimal", default_value="$1,000.005") == Decimal("1000.01")
    assert calculated("a + b", a="0.1", b="0.2") == "0.3"


def test_c2_minus_one_is_no_limit() -> None:
    box = "0400" * 500 + "x"
    assert (
        first("app_transactional_cc", "iovation_blackbox", document(request={"iovation_blackbox": box}))
        == box
    )


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-inf", "٣", "1_000", "Ⅷ"])
def test_c3_no_numbers(text: str) -> None:
    assert pricing("card_purchase_apr", apr=text) is None
    assert pricing("card_late_payment_fee", late_payment_fee=text.replace("1_000", "")) is None
    assert calculated("a + 1", a=text) is None


def test_c4_bits_without_a_bit_type() -> None:
    assert [value(text, "bit") for text in ("0", "N", "false", "1", "true", "")] == [0, 0, 0, 1, 1, None]
    assert value(None, "bit", default_value="0") == 0


def test_c5_defaults_are_typed() -> None:
    text = document(contact("1", "PR", birth_date="99/99/9999"))
    assert first("app_contact_base", "birth_date", text) == date(1900, 1, 1)
    assert first("app_base", "receive_date", document()) == datetime(1900, 1, 1)
    assert value("n/a", "int", default_value="999999", nullable=False) == 999999


def test_c5_missing_required() -> None:
    with refused("missing_required: facts.v"):
        value(None, "int", nullable=False)


def test_c6_names_come_from_the_application_alone() -> None:
    """An `application` among the reports neither supplies nor overrides."""
    product = element("app_product", adverse_actn1_type_cd="13")
    report = element("Reports", element("application", population_assignment="SB"))
    text = document(product, after=report, population_assignment="DN")
    assert first("app_operational_cc", "cb_score_factor_type_1", text) == "DN"
    group = element("group", element("application", population_assignment="SB"))
    assert (
        first(
            "app_operational_cc",
            "cb_score_factor_type_1",
            text.replace("<app_product", f"{group}<app_product"),
        )
        == "DN"
    )


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("CASE WHEN n > 0 THEN 'more' ELSE 'none' END", "none"),
        ("CASE WHEN (n > 0 OR m > 0) AND NOT m > 5 THEN 'y' END", "y"),
        ("CASE WHEN name = 'Ann' AND m = 3 THEN CASE WHEN n = 0 THEN 'nested' END END", "nested"),
        ("CASE WHEN name NOT LIKE 'b%' THEN 'not' END", "not"),
        ("CASE WHEN name LIKE 'a.n' THEN 'pattern' ELSE 'text' END", "text"),
        ("m % 2", "1"),
        ("DATEADD(day, m, since)", "2024-03-01"),
        ("NAME", "Ann"),
    ],
)
def test_c7_a_real_grammar(expression: str, expected: str) -> None:
    assert calculated(expression, n="0", m="3", name="Ann", since="2/27/2024 1:02:03 PM") == expected


def test_c7_what_does_not_parse_is_refused_when_loading() -> None:
    with pytest.raises(ContractError, match=r"(?s)mappings\[2\]\.expression.*\n.*\^"):
        small(entry("t", "v", mapping_type="calculated_field", expression="CASE WHEN a THEN"))


def test_c8_one_date_parser() -> None:
    for text in (
        " 1/5/2024 1:02:03 PM",
        "2024-01-05T13:02:03Z",
        "2024-01-05 13:02:03-08:00",
        "2024-1-5 13:2:3 ",
    ):
        assert value(text, "datetime") == datetime(2024, 1, 5, 13, 2, 3)
        assert calculated("CASE WHEN DATE(v) = DATE('1/5/2024 1:02:03 PM') THEN 'same' END", v=text) == "same"
    assert value("1752-12-31", "datetime") is None
    assert value("1752-12-31", "date") == date(1752, 12, 31)


def test_c9_no_number_makes_no_result() -> None:
    job = employment(b_name="Example Co", b_salary="about 24,000", b_salary_basis_tp_c="ANNUM")
    assert first("app_contact_employment", "monthly_salary", document(contact("1", "PR", job))) is None
    good = document(contact("1", "PR", job.replace("about ", "")))
    assert first("app_contact_employment", "monthly_salary", good) == Decimal(2000)


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("256", Column("v", "tinyint"), "value_out_of_range"),
        ("1000", Column("v", "decimal", precision=5, scale=2), "value_out_of_range"),
        ("four letters", Column("v", "varchar", length=4), "value_too_long"),
        ("Łódź", Column("v", "varchar", length=10, encoding="cp1252"), "not_representable"),
    ],
)
def test_c10_what_cannot_fit(text: str, column: Column, reason: str) -> None:
    data_type = {"tinyint": "int", "varchar": "string"}.get(column.type, column.type)
    with refused(f"{reason}: facts.v"):
        value(text, data_type, column=column)


@pytest.mark.parametrize(
    ("text", "encoding", "counted", "taken"),
    [
        ("\U0001f600\U0001f600", None, "utf-16-le", 4),
        ("éàü", None, "utf-16-le", 3),
        ("éàü", None, "utf-8", 6),
        ("日本", "cp932", "cp932", 4),
        ("éàü", "cp1252", None, 3),
    ],
)
def test_c10_lengths_count_what_the_database_counts(
    text: str, encoding: str | None, counted: str | None, taken: int
) -> None:
    fits = Column("v", "varchar", length=taken, encoding=encoding, counted=counted)
    assert value(text, column=fits) == text
    with refused("value_too_long: facts.v"):
        value(text, column=replace(fits, length=taken - 1), data_length=50)


@pytest.mark.parametrize("app_id", ["0", "+7", "7_7", "1234567890", "７"])
def test_c11_app_ids(app_id: str) -> None:
    assert outcome(shipped(), document(request={"ID": app_id})) == "invalid_app_id"
    with refused("app_id_mismatch: ID differs from the id it is stored under"):
        shipped().map(document(), 8)


def test_c11_con_ids() -> None:
    assert outcome(shipped(), document(contact("12a"))) == "invalid_con_id"
    assert "app_contact_base" not in rows(shipped(), document(contact(" ")))


def test_c12_the_order_is_the_contracts() -> None:
    contract = small(entry("b", "v"), entry("a", "v"))
    assert [*compile_mapper(contract, {}).columns] == ["app_base", "app_contact_base", "b", "a"]


def test_c13_entities_are_resolved_once() -> None:
    product = "<app_product VeridQA_Result='&amp;lt; &amp;amp; &lt;'/>"
    text = wrapped(f"<CustData><application>{product}</application></CustData>")
    assert first("app_report_results_lookup", "value", text) == "&lt; &amp; <"


def test_c14_one_contact_element_per_con_id() -> None:
    card = element("app_prod_bcard", allocated_credit_line="500")
    text = document(
        contact("1", "PR", address(city="Right", home_phone="1"), card),
        contact("1", "AUTHU", address("PREV", city="Wrong"), employment(b_name="Wrong Co")),
        contact("1", "PR", address(city="Wrong", home_phone="2"), last_name=""),
    )  # fmt: skip
    found = rows(shipped(), text)
    assert [r["city"] for r in found["app_contact_address"]] == ["Right"]
    assert [r["home_phone"] for r in found["app_contact_base"]] == ["1"]
    assert found["app_pricing_cc"][0]["credit_line"] == 500
    assert "app_contact_employment" not in found


@pytest.mark.parametrize("parse_mode", BOTH)
def test_c15_doctypes_and_limits(parse_mode: str) -> None:
    mapper = shipped(parse_mode)
    assert outcome(mapper, "<!DOCTYPE Provenir>" + document()) == "forbidden_doctype"
    assert outcome(mapper, document("<a>" * 300 + "</a>" * 300)) == "too_large"
    assert outcome(mapper, document() + " " * 16_000_000) == "too_large"
    assert outcome(mapper, document("<a/>").replace("</application>", "")) == "malformed_xml"


def test_c16_unknown_codes_are_counted() -> None:
    mapper = compile_mapper(shipped().contract, {})
    texts = [document(population_assignment=code, product_line=line) for code, line in (
        ("CM", ""), ("ZZ", ""), ("YY", "gold"), ("", ""), ("cm", ""))]  # fmt: skip
    codes = [first("app_pricing_cc", "population_assignment_enum", text, mapper) for text in texts]
    assert codes[1] == codes[2] == codes[3] != codes[0] == codes[4]
    assert mapper.unknown_codes == {
        ("app_pricing_cc", "population_assignment_enum"): 2,
        ("app_base", "product_line_enum"): 1,
    }


def test_c16_each_code_of_a_mapped_document_is_counted_once() -> None:
    enums = {"e": {"A": 1, "": 9}}
    code = {"mapping_type": "enum", "enum_name": "e", "default_value": "7", "nullable": False}
    contract = small(entry("t", "v", "int", **code), entry("t", "w", "int", default_value=0), enums=enums)
    mapper = compile_mapper(contract, {})
    rows(mapper, document(v="?"))
    assert mapper.unknown_codes == {("t", "v"): 1}
    with refused("value_out_of_range: t.w"):
        rows(mapper, document(v="?", w="1e10"))
    rows(mapper, document(v="A"))
    assert mapper.unknown_codes == {("t", "v"): 1}


def test_c17_blank_is_null() -> None:
    card = element("app_prod_bcard", allocated_credit_line="", account_number=" ")
    text = document(
        contact("1", "PR", card, address(unit="  ")), element("app_product", adverse_actn1_type_cd="")
    )
    found = rows(shipped(), text)
    assert not [cell for table in found.values() for row in table for cell in row.values() if cell == ""]
    assert found["app_operational_cc"][0]["cb_score_factor_type_1"] is None


def test_c18_flags_of_warranty_groups() -> None:
    contract = small(
        entry("t", "amount", "int", xml_attribute="a1", mapping_type="warranty_field(1)"),
        entry("t", "flag", "bit", xml_attribute="f1", mapping_type="warranty_field(1),char_to_bit"),
        entry("t", "amount", "int", xml_attribute="a2", mapping_type="warranty_field(2)"),
    )
    found = rows(compile_mapper(contract, {}), document(a1="5", f1="Y", a2="6"))["t"]
    assert [(r["amount"], r["flag"]) for r in found] == [(5, 1), (6, 0)]


@pytest.mark.parametrize("parse_mode", BOTH)
def test_c19_only_the_first_custdata(parse_mode: str) -> None:
    text = document(
        contact("1", first_name="Ann"), after=element("Reports", contact("2", first_name="Mallory"))
    )
    second = element("CustData", element("application", contact("3", first_name="Mallory")))
    found = rows(shipped(parse_mode), text.replace("</Request>", f"{second}</Request>{second}"))
    assert [r["first_name"] for r in found["app_contact_base"]] == ["Ann"]
    broken = outcome(shipped(parse_mode), text.replace("</Reports>", ""))
    assert broken == (rows(shipped(), text) if parse_mode == "selective" else "malformed_xml")


@pytest.mark.parametrize("parse_mode", BOTH)
@pytest.mark.parametrize("encoding", ["utf-8", "UTF-16", "windows-1252", "no-such-thing"])
@pytest.mark.parametrize("mark", ["", "\ufeff", "ï»¿"])
def test_c20_text_is_text(encoding: str, mark: str, parse_mode: str) -> None:
    plain = document(contact(first_name="Zoë Łuk"))
    text = f"{mark}<?xml version='1.0' encoding='{encoding}'?>\r\n{plain}"
    assert rows(shipped(parse_mode), text) == rows(shipped(), plain)
    assert first("app_contact_base", "first_name", text) == "Zoë Łuk"
    newlines = document(contact(first_name="a\nb")).replace("a&#10;b", "a\r\nb")
    assert first("app_contact_base", "first_name", newlines, shipped(parse_mode)) == "a b"


# ---- what stays as it is


def test_q2_exclude_default_when_record_empty_is_ignored() -> None:
    contract = small(
        entry("t", "a", default_value="x", exclude_default_when_record_empty=True), entry("t", "b", "int")
    )
    assert rows(compile_mapper(contract, {}), document(b="1"))["t"][0]["a"] == "x"


def test_q19_what_follows_full_seconds_is_dropped() -> None:
    assert value("2024-01-02 03:04:05 PM", "datetime") == datetime(2024, 1, 2, 3, 4, 5)


def test_q20_day_and_month_change_places_where_they_must() -> None:
    assert value("13/02/2024", "date") == date(2024, 2, 13)
    assert value("12/02/2024", "date") == date(2024, 12, 2)
    assert value("12/02/24", "date") is None


def test_q30_texts_without_numbers_only_keep_their_punctuation() -> None:
    assert value("012-34-5678", data_length=9) == "012-34-56"


def test_widths_come_from_the_tables() -> None:
    """C10: the same contract, with and without a narrower table."""
    contract = small(entry("t", "v", xml_path=CONTACT, mapping_type="last_valid_pr_contact"))
    text = document(contact("1", "PR", v="five!"))
    assert first("t", "v", text, compile_mapper(contract, {})) == "five!"
    narrow = {"t": Table("t", (Column("v", "varchar", length=4),))}
    with refused("value_too_long: t.v"):
        first("t", "v", text, compile_mapper(contract, narrow))


def test_paths_are_absolute_and_exact() -> None:
    """A path that the document has elsewhere only gives nothing."""
    contract = small(
        entry("t", "v", xml_path=f"{APPLICATION}/a/b"), entry("t", "seen", "bit", mapping_type="char_to_bit")
    )
    mapper = compile_mapper(contract, {})
    assert first("t", "v", document("<b v='1'/><a v='2'/><A><b v='3'/></A>"), mapper) is None
    assert first("t", "v", document("<a><b v='1'/></a><a/>"), mapper) == "1"
