"""Which rows are written, and the tables whose rows are made by mapping types."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from building import (
    APPLICATION,
    CONTACT,
    Row,
    address,
    contact,
    document,
    element,
    entry,
    refused,
    rows,
    shipped,
    small,
)

from provenir_lab.mapping.plan import Mapper, compile_mapper
from provenir_lab.tables import Column, Table

PRODUCT = f"{APPLICATION}/app_product"


def mapper_of(*entries: Row, columns: tuple[Column, ...] = (), **changes: Any) -> Mapper:
    """A mapper whose table `t` has the given real columns."""
    return compile_mapper(small(*entries, **changes), {"t": Table("t", columns)} if columns else {})


def found(mapper: Mapper, *inside: str, **attributes: str | None) -> list[Row]:
    """The rows of table `t`."""
    return rows(mapper, document(*inside, **attributes)).get("t", [])


# ---- tables with one row a document


def test_rows_of_the_shipped_contract_without_any_data() -> None:
    """Tables with a flag, a catch-all code or a calculated text always have a row, the others none."""
    assert [*rows(shipped(), document())] == [
        "app_base",
        "app_operational_cc",
        "app_pricing_cc",
        "app_transactional_cc",
    ]


def test_a_default_alone_is_no_data() -> None:
    mapper = mapper_of(
        entry("t", "a", "date", default_value="1900-01-01"),
        entry("t", "b", default_value="none yet", nullable=None),
        entry("t", "c", "int", default_value=0, nullable=False),
    )
    assert found(mapper) == []
    assert found(mapper, a="", b=" ", c="") == []
    assert found(mapper, a="n/a", c="n/a") == []
    for said in ({"a": "1900-01-01"}, {"b": "none yet"}, {"c": "0"}):
        assert [(r["a"], r["b"], r["c"]) for r in found(mapper, **said)] == [
            (date(1900, 1, 1), "none yet", 0)
        ]


@pytest.mark.parametrize(
    ("changes", "text", "counts"),
    [
        ({"data_type": "bit", "mapping_type": "char_to_bit"}, None, True),
        ({"data_type": "bit", "mapping_type": "boolean_to_bit", "default_value": "0"}, None, True),
        ({"data_type": "bit", "default_value": "1"}, None, False),
        ({"data_type": "bit"}, "0", True),
        ({"data_type": "int", "mapping_type": "enum", "enum_name": "all"}, None, True),
        ({"data_type": "int", "mapping_type": "enum", "enum_name": "some"}, None, False),
        ({"data_type": "int", "mapping_type": "enum", "enum_name": "some"}, "?", False),
        ({"data_type": "int", "mapping_type": "enum", "enum_name": "all"}, "?", True),
        (
            {"mapping_type": "calculated_field", "expression": "CASE WHEN x = '1' THEN x ELSE '' END"},
            None,
            True,
        ),
        ({"mapping_type": "calculated_field", "expression": "CASE WHEN x = '1' THEN x END"}, None, False),
        ({"mapping_type": "calculated_field", "expression": "''", "data_type": "int"}, None, False),
        ({"mapping_type": "last_valid_pr_contact", "xml_path": CONTACT}, "", False),
        ({"mapping_type": "last_valid_pr_contact", "xml_path": CONTACT}, "x", True),
        ({}, " ", False),
        ({}, "0", True),
        ({"data_type": "int"}, "n/a", False),
        ({"data_type": "int"}, "0", True),
    ],
)
def test_what_counts_as_data(changes: Row, text: str | None, counts: bool) -> None:
    mapper = mapper_of(
        entry("t", "v", **{"data_type": "string"} | changes), enums={"all": {"A": 1, "": 9}, "some": {"A": 1}}
    )
    assert len(found(mapper, contact("1", "PR", v=text), v=text)) == counts


def test_the_base_row_is_always_written() -> None:
    assert rows(mapper_of(), document()) == {"app_base": [{"app_id": 7}]}


def test_columns_that_may_not_be_null_are_asked_of_written_rows_alone() -> None:
    mapper = mapper_of(entry("t", "a"), entry("t", "b", nullable=False))
    assert found(mapper) == []
    assert [(r["a"], r["b"]) for r in found(mapper, a="x", b="y")] == [("x", "y")]
    with refused("missing_required: t.b"):
        found(mapper, a="x")


def test_values_that_do_not_fit_are_asked_of_written_rows_alone() -> None:
    """C10 guards rows; an employment that says nothing has none."""
    jobs = f"{CONTACT}/contact_employment"
    contract = small(
        entry("app_contact_employment", "months", "tinyint", xml_path=jobs),
        entry("app_contact_employment", "business_name", xml_path=jobs),
    )
    mapper = compile_mapper(contract, {})
    silent = element("contact_employment", employment_tp_c="CURR", months="300")
    assert "app_contact_employment" not in rows(mapper, document(contact("1", "PR", silent)))
    with refused("value_out_of_range: app_contact_employment.months"):
        rows(mapper, document(contact("1", "PR", silent.replace("months", "business_name='x' months"))))


def test_the_same_column_from_two_places() -> None:
    """Allowed for the roles' choices: the later value wins, if there is one."""
    mapper = mapper_of(
        entry("t", "v", xml_path=CONTACT, mapping_type="last_valid_pr_contact"),
        entry("t", "v", xml_path=CONTACT, mapping_type="last_valid_sec_contact"),
    )
    first, second = contact("1", "PR", v="first"), contact("2", "AUTHU", v="second")
    assert [r["v"] for r in found(mapper, first, second)] == ["second"]
    assert [r["v"] for r in found(mapper, first)] == ["first"]
    assert [r["v"] for r in found(mapper, second)] == ["second"]


def test_a_default_never_replaces_a_value() -> None:
    """Nor another default."""
    mapper = mapper_of(
        entry("t", "v", xml_path=CONTACT, mapping_type="last_valid_pr_contact", nullable=False,
              default_value="first default"),
        entry("t", "v", xml_path=CONTACT, mapping_type="last_valid_sec_contact", nullable=False,
              default_value="second default"),
        entry("t", "seen", "bit", mapping_type="char_to_bit"),
    )  # fmt: skip
    first, second = contact("1", "PR", v="first"), contact("2", "AUTHU", v="second")
    assert [r["v"] for r in found(mapper, first)] == ["first"]
    assert [r["v"] for r in found(mapper, first, second)] == ["second"]
    assert [r["v"] for r in found(mapper, first, contact("2", "AUTHU", v=" "))] == ["first"]
    assert [r["v"] for r in found(mapper)] == ["first default"]


def test_a_blank_code_is_data_for_texts_alone() -> None:
    for data_type, count in (("string", 1), ("int", 0)):
        calculated = {"mapping_type": "calculated_field,enum", "expression": "x", "enum_name": "some"}
        mapper = mapper_of(entry("t", "v", data_type, **calculated), enums={"some": {"A": " "}})
        assert len(found(mapper, v="A")) == count


def test_a_value_that_a_later_one_replaces_need_not_fit() -> None:
    columns = (Column("v", "varchar", length=6), Column("n", "int"))
    choices = [
        entry(
            "t",
            name,
            data_type,
            xml_path=CONTACT,
            mapping_type=f"last_valid_{role}_contact",
            default_value="9",
        )
        for role in ("pr", "sec")
        for name, data_type in (("v", "string"), ("n", "int"))
    ]
    mapper = mapper_of(*choices, columns=columns)
    too_long, too_large = contact("1", "PR", v="too long"), contact("1", "PR", n="1e12")
    second = contact("2", "AUTHU", v="short", n="5")
    assert [r["v"] for r in found(mapper, too_long, second)] == ["short"]
    assert [r["n"] for r in found(mapper, too_large, second)] == [5]
    for person, reason in ((too_long, "value_too_long: t.v"), (too_large, "value_out_of_range: t.n")):
        with refused(reason):
            found(mapper, person)
        with refused(reason):
            found(mapper, person, contact("2", "AUTHU", v="", n=" "))


def test_a_default_of_a_calculated_code_is_no_data() -> None:
    """No code is found, and the column that may not be null gets its default: nothing was said."""
    calculated = {"mapping_type": "calculated_field,enum", "expression": "x", "enum_name": "some"}
    mapper = mapper_of(
        entry("t", "v", "int", default_value="1", **calculated),
        columns=(Column("v", "int", nullable=False),),
        enums={"some": {"A": 2}},
    )
    assert found(mapper) == []
    assert [r["v"] for r in found(mapper, v="A")] == [2]
    assert [r["v"] for r in found(mapper, x="7")] == [7]


def test_the_last_element_at_a_path_counts_whole() -> None:
    """Q25: a later element replaces an earlier one; attributes are not merged, siblings may mix."""
    mapper = mapper_of(
        entry("t", "a", xml_path=PRODUCT), entry("t", "b", xml_path=PRODUCT),
        entry("t", "c", xml_path=f"{PRODUCT}/part"),
    )  # fmt: skip
    first = element("app_product", element("part", c="1"), a="1", b="1")
    assert [(r["a"], r["b"], r["c"]) for r in found(mapper, first, element("app_product", a="2"))] == [
        ("2", None, "1")
    ]


def test_attributes_ignoring_case_after_the_exact_name() -> None:
    mapper = mapper_of(entry("t", "Name"))
    assert found(mapper, NAME="a", Name="b", name="c")[0]["Name"] == "b"
    assert found(mapper, NAME="a", name="c")[0]["Name"] == "a"
    assert found(mapper, name="c", NAME="a")[0]["Name"] == "c"


# ---- name and value tables


def test_scores() -> None:
    mapper = mapper_of(
        entry("t", "", "int", xml_attribute="a", mapping_type="add_score(EX_DIE)"),
        entry("t", "", "int", xml_attribute="b", mapping_type=["add_score( V4 )"]),
        entry("t", "", "decimal", xml_attribute="c", data_length=1, mapping_type="add_score(C)"),
    )
    assert mapper.columns["t"] == ("app_id", "score_identifier", "score")
    assert found(mapper, a="12.5", b="0", c="$1,000.25") == [
        {"app_id": 7, "score_identifier": "EX_DIE", "score": 13},
        {"app_id": 7, "score_identifier": "V4", "score": 0},
        {"app_id": 7, "score_identifier": "C", "score": Decimal("1000.3")},
    ]
    assert found(mapper, a="", b="n/a", c=None) == []


@pytest.mark.parametrize(
    ("text", "counts"),
    [("Y", True), (" yes ", True), ("TRUE", True), ("t", True), ("1", True), ("N", False), ("2", False),
     ("", False), ("yes!", False), (None, False)],
)  # fmt: skip
def test_indicators(text: str | None, counts: bool) -> None:
    mapper = mapper_of(entry("t", "", mapping_type="add_indicator(internal_fraud)"))
    expected = [{"app_id": 7, "indicator": "internal_fraud", "value": "1"}]
    assert found(mapper, v=text) == (expected if counts else [])


SAYS_NOTHING = [None, "", " ", "null", "None", " NULL\t"]


def test_history() -> None:
    mapper = mapper_of(entry("t", "", xml_path=PRODUCT, xml_attribute="Risk", mapping_type="add_history"))
    long = "x" * 400
    assert found(mapper, element("app_product", risk=f" {long} ")) == [
        {"app_id": 7, "name": "[Risk]", "source": "[app_product]", "value": long}
    ]
    assert found(mapper, element("app_product", Risk="0"))[0]["value"] == "0"
    for text in SAYS_NOTHING:
        assert found(mapper, element("app_product", Risk=text)) == []


def test_history_of_the_last_contact() -> None:
    """Q25: without a role the last element at the path supplies the value, whoever that is."""
    first = contact("1", "PR", address(mailing_city="Springfield"), drivers_license="A1")
    second = contact("2", "AUTHU", drivers_license="B2")
    found = rows(shipped(), document(first, second))["app_historical_lookup"]
    assert {r["name"]: r["value"] for r in found} == {
        "[drivers_license]": "B2",
        "[mailing_city]": "Springfield",
    }


def test_reports() -> None:
    mapper = mapper_of(
        entry("t", "", xml_attribute="a", mapping_type="add_report_lookup(GIACT)"),
        entry("t", "", xml_attribute="b", mapping_type="add_report_lookup"),
        entry("t", "", xml_attribute="c", mapping_type="add_report_lookup()"),
    )
    assert found(mapper, a=" x ", b="y", c="z") == [
        {"app_id": 7, "name": "a", "value": "x", "source_report_key": "GIACT"},
        {"app_id": 7, "name": "b", "value": "y", "source_report_key": None},
        {"app_id": 7, "name": "c", "value": "z", "source_report_key": None},
    ]
    for text in SAYS_NOTHING:
        assert found(mapper, a=text) == []


def test_policy_exceptions() -> None:
    mapper = mapper_of(
        entry("t", "", xml_attribute="a", mapping_type="policy_exceptions(610)"),
        entry("t", "", xml_attribute="notes", mapping_type="policy_exceptions()"),
        entry("t", "", xml_attribute="other", mapping_type="policy_exceptions()"),
        entry("t", "", xml_attribute="b", mapping_type="policy_exceptions(611)"),
    )
    reasons = {"a": " R1 ", "b": "x" * 50}
    assert found(mapper, notes=" why ", other="not this", **reasons) == [
        {"app_id": 7, "policy_exception_type_enum": 610, "reason_code": "R1", "notes": "why"},
        {"app_id": 7, "policy_exception_type_enum": 611, "reason_code": "x" * 50, "notes": "why"},
    ]
    assert [r["notes"] for r in found(mapper, notes="none", **reasons)] == [None, None]
    for text in SAYS_NOTHING:
        assert found(mapper, a=text, notes="why") == []


def test_notes_without_an_exception_are_not_looked_at() -> None:
    entries = [
        entry("t", "", xml_attribute="notes", mapping_type="policy_exceptions()"),
        entry("t", "", xml_attribute="a", mapping_type="policy_exceptions(1)"),
    ]
    mapper = mapper_of(*entries, columns=(Column("notes", "varchar", length=4),))
    assert found(mapper, notes="too long") == []
    assert [r["notes"] for r in found(mapper, notes="why?", a="x")] == ["why?"]
    with refused("value_too_long: t.notes"):
        found(mapper, notes="too long", a="x")


def test_rows_come_in_the_order_of_the_contract_and_may_repeat() -> None:
    mapper = mapper_of(
        entry("t", "", xml_attribute="b", mapping_type="add_history"),
        entry("t", "", xml_attribute="a", mapping_type="add_history"),
        entry("t", "", xml_attribute="b", mapping_type="add_history"),
    )
    assert [r["name"] for r in found(mapper, a="1", b="2")] == ["[b]", "[a]", "[b]"]


# ---- rows that several mappings fill

WARRANTY = [
    entry("t", "amount", "decimal", xml_attribute="a1", mapping_type="warranty_field(2)"),
    entry("t", "name", xml_attribute="n1", data_length=3, mapping_type="warranty_field(2)"),
    entry("t", "used", "bit", xml_attribute="u1", mapping_type=["warranty_field(2)", "char_to_bit"]),
    entry("t", "amount", "decimal", xml_attribute="a2", mapping_type="warranty_field(1)", default_value="9"),
    entry("t", "term", "smallint", xml_attribute="t2", mapping_type="warranty_field(1)"),
    entry("t", "name", xml_attribute="n3", mapping_type="warranty_field(x)"),
]


def test_warranties() -> None:
    """One row a number, in order of first mention; a flag that a group lacks is 0 (C18)."""
    mapper = mapper_of(*WARRANTY)
    assert mapper.columns["t"] == ("amount", "name", "used", "term", "app_id", "warranty_type_enum")
    rows_found = found(mapper, a1="1,000.00", n1=" long name ", u1="Y", t2="24", n3="never")
    assert [tuple(row.values()) for row in rows_found] == [
        (Decimal(1000), "long name", 1, None, 7, 2),
        (None, None, 0, 24, 7, 1),
    ]


@pytest.mark.parametrize("text", SAYS_NOTHING)
def test_a_warranty_needs_something_said(text: str | None) -> None:
    """A flag does not make one, nor does a default."""
    mapper = mapper_of(*WARRANTY)
    assert found(mapper, a1=text, n1=text, u1="Y", a2=text) == []
    assert [r["name"] for r in found(mapper, n1=text, a1="5")] == [None]


def collateral_mapper(*more: Row, **changes: Any) -> Mapper:
    return mapper_of(
        entry("t", "make", xml_attribute="make", data_length=3, mapping_type="add_collateral(1)"),
        entry("t", "miles", "int", xml_attribute="miles", mapping_type="add_collateral(1),numbers_only"),
        entry("t", "new", "bit", xml_attribute="new", mapping_type="add_collateral(1),char_to_bit"),
        entry("t", "wholesale_value", "decimal", xml_attribute="worth", mapping_type="add_collateral(1)"),
        entry("t", "year", "smallint", xml_attribute="year", mapping_type="add_collateral(1)",
              default_value="1900"),
        entry("t", "kind", "int", mapping_type="add_collateral(1),calculated_field",
              expression="CASE WHEN make = 'BOAT' THEN 420 END", default_value=423),
        *more,
        **changes,
    )  # fmt: skip


def test_collateral() -> None:
    expected = {
        "make": "BOAT", "miles": 12, "new": 1, "wholesale_value": Decimal("1200.50"), "year": 1999,
        "kind": 420, "app_id": 7, "sort_order": 1,
    }  # fmt: skip
    said = {"make": " BOAT ", "miles": "12 miles", "new": "Y", "worth": "1,200.50", "year": "1999"}
    assert found(collateral_mapper(), **said) == [expected]


@pytest.mark.parametrize(
    ("attributes", "counts"),
    [
        ({}, False),
        ({"new": "Y"}, False),
        ({"make": "none"}, False),
        ({"make": "x"}, True),
        ({"miles": "0"}, True),
        ({"miles": "unknown"}, False),
        ({"worth": "0"}, False),
        ({"worth": "0.00"}, False),
        ({"worth": "-5"}, False),
        ({"worth": "0.01"}, True),
        ({"worth": "a lot"}, False),
        ({"year": "0"}, True),
    ],
)
def test_what_makes_a_collateral(attributes: dict[str, str], counts: bool) -> None:
    rows_found = found(collateral_mapper(), **attributes)
    assert len(rows_found) == counts
    for row in rows_found:
        assert row["new"] == 0
        assert row["kind"] == 423
        assert row["year"] == (0 if "year" in attributes else 1900)


def test_any_number_found_in_a_wholesale_value_makes_a_collateral() -> None:
    """With `numbers_only` the exception for worthless ones does not hold."""
    types = "add_collateral(1),numbers_only"
    mapper = mapper_of(entry("t", "wholesale_value", "decimal", mapping_type=types, xml_attribute="v"))
    for text in ("0", "worth -2.5"):
        assert len(found(mapper, v=text)) == 1
    assert found(mapper, v="nothing") == []


def test_values_of_groups_are_checked() -> None:
    columns = (Column("make", "varchar", length=4), Column("miles", "tinyint"))
    mapper = collateral_mapper(columns=columns)
    assert found(mapper, make="BOAT", miles="255")
    with refused("value_too_long: t.make"):
        found(mapper, make="BOATS")
    with refused("value_out_of_range: t.miles"):
        found(mapper, miles="256 miles")
    assert found(mapper, new="Y", worth="0", kind="1e12") == []
    demanding = collateral_mapper(columns=(Column("make", "varchar", length=4, nullable=False),))
    with refused("missing_required: t.make"):
        found(demanding, miles="1")
    assert found(demanding) == []


def test_values_of_groups_that_are_not_written_need_not_fit() -> None:
    entries = [
        entry("t", "n", "tinyint", xml_attribute="x", mapping_type="add_collateral(1),calculated_field",
              expression="x + 0"),
        entry("t", "make", xml_attribute="make", mapping_type="add_collateral(1)"),
    ]  # fmt: skip
    mapper = mapper_of(*entries)
    assert found(mapper, x="256") == []
    with refused("value_out_of_range: t.n"):
        found(mapper, x="256", make="BOAT")


def test_calculated_texts_of_collateral_are_not_cut() -> None:
    types = "add_collateral(1),calculated_field"
    mapper = mapper_of(
        entry("t", "a", data_length=2, mapping_type=types, expression="x"),
        entry("t", "b", data_length=2, mapping_type=types, expression="x + 1"),
        entry("t", "make", xml_attribute="x", mapping_type="add_collateral(1)"),
    )
    assert [(r["a"], r["b"]) for r in found(mapper, x=" 1234.50 ")] == [("1234.50", "1235.5")]


def test_a_calculated_nothing_keeps_the_default_out() -> None:
    """Section 6: what the expression gives is set, "" too; the default is for columns that are not."""
    types = "add_collateral(1),calculated_field"
    mapper = mapper_of(
        entry(
            "t",
            "a",
            mapping_type=types,
            expression="CASE WHEN x = '1' THEN NULL ELSE '' END",
            default_value="d",
        ),
        entry("t", "make", xml_attribute="make", mapping_type="add_collateral(1)"),
    )
    assert [r["a"] for r in found(mapper, make="BOAT")] == [None]
    assert [r["a"] for r in found(mapper, make="BOAT", x="1")] == ["d"]


def test_defaults_of_collateral_columns_that_may_not_be_null() -> None:
    """Also a default of 0, and where there is none the one of the database, in every group."""
    columns = (Column("a", "int", nullable=False), Column("b", "int", nullable=False, default="3"))
    mapper = mapper_of(
        entry("t", "a", "int", mapping_type="add_collateral(1)", default_value=0),
        entry("t", "b", "int", mapping_type="add_collateral(1)"),
        entry("t", "make", xml_attribute="m1", mapping_type="add_collateral(1)"),
        entry("t", "a", "int", mapping_type="add_collateral(2)", default_value="5"),
        entry("t", "make", xml_attribute="m2", mapping_type="add_collateral(2)"),
        columns=columns,
    )
    assert [(r["a"], r["b"]) for r in found(mapper, m1="BOAT", m2="CAR")] == [(0, 3), (5, 3)]


# ---- order


def test_tables_come_parents_first_and_absent_ones_not_at_all() -> None:
    mapper = mapper_of(
        entry("t", "", mapping_type="add_history"),
        entry("app_contact_address", "city", xml_path=f"{CONTACT}/contact_address"),
        table_insertion_order=["t", "app_contact_address", "app_contact_base", "app_base"],
    )
    text = document(contact("1", "PR", address(city="Springfield")), v="x")
    assert [*mapper.columns] == ["app_base", "t", "app_contact_base", "app_contact_address"]
    assert [*rows(mapper, text)] == [*mapper.columns]
    assert [*rows(mapper, document())] == ["app_base"]


def test_a_row_has_every_mapped_column() -> None:
    """C22: whatever the document says."""
    empty, full = rows(shipped(), document()), rows(shipped(), document(contact("1", "PR", address())))
    for name, columns in shipped().columns.items():
        for row in (*empty.get(name, []), *full.get(name, [])):
            assert tuple(row) == columns
