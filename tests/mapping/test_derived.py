"""Rows of app_enums and derived tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from loan_contract import APPLICATION, CONTACT, contract_data, mapping, related

from provenir_lab.errors import ContractError
from provenir_lab.mapping.checking import check_contract
from provenir_lab.mapping.contract import Contract
from provenir_lab.mapping.derived import derive_tables, enum_rows, tables_for
from provenir_lab.mapping.loading import load_contract, parse_contract
from provenir_lab.mapping.plan import compile_mapper
from provenir_lab.storage.schema import build_tables
from provenir_lab.tables import Column, packaged_tables

DOCUMENT = """
<Provenir><Request ID="77"><CustData><IL_application source="A" loan_name="Boat" fico="701"
    net_income="12.345" notes_1="slow" warranty_amount="1,000.00" warranty_flag="Y" coll1_make="ACME"
    calc="600">
  <IL_contact con_id="5" ac_role_tp_c="PR" first_name="Ann">
    <IL_contact_address address_type_code="CURR" city="Springfield" zip_code="12345"/>
    <IL_contact_address address_type_code="PREV" city="Shelbyville"/>
  </IL_contact>
  <IL_contact con_id="6" ac_role_tp_c="SEC" first_name="Bob"/>
</IL_application></CustData></Request></Provenir>
"""


def loan_contract(*mappings: dict[str, Any], **changes: Any) -> Contract:
    data = contract_data() | changes
    data["mappings"] += mappings
    return parse_contract(data, "loans.json")


def every_kind() -> Contract:
    """The loan contract with a table of each row-creating type and an application table of its own."""
    data = contract_data()
    data["mappings"][1]["xml_attribute"] = "source"
    data["mappings"] += [
        mapping("city", target_table="loan_home", xml_path=f"{CONTACT}/IL_contact_address"),
        mapping("income", target_table="loan_money", xml_attribute="net_income", data_type="decimal",
                data_length=2),
        mapping("priority_enum", target_table="loan_money", xml_attribute="calc", data_type="smallint",
                mapping_type="calculated_field,enum", expression="calc", enum_name="source_enum"),
        mapping("paid_flag", target_table="loan_money", data_type="bit", mapping_type="char_to_bit",
                default_value="0", nullable=False),
        mapping("", target_table="app_historical_lookup", xml_attribute="notes_1",
                mapping_type="add_history"),
        mapping("", target_table="app_policy_exceptions_rl", xml_attribute="notes_1",
                mapping_type="policy_exceptions(3)"),
        mapping("amount", target_table="app_warranties_rl", xml_attribute="warranty_amount",
                data_type="decimal", mapping_type="warranty_field(1)"),
        mapping("covered_flag", target_table="app_warranties_rl", xml_attribute="warranty_flag",
                data_type="bit", mapping_type="warranty_field(1),char_to_bit"),
        mapping("make", target_table="app_collateral_rl", xml_attribute="coll1_make", data_length=3,
                mapping_type="add_collateral(1)"),
    ]  # fmt: skip
    own = ["loan_money", "app_policy_exceptions_rl", "app_warranties_rl", "app_collateral_rl"]
    data["table_insertion_order"] += own
    data["relationships"] += [related(table, APPLICATION) for table in own]
    return parse_contract(data, "loans.json")


def column(contract: Contract, table: str, name: str) -> Column:
    found = derive_tables(contract)[table].column(name)
    assert found is not None
    return found


# ---- app_enums


def test_the_shipped_codes_are_one_row_each_within_the_columns():
    contract = load_contract()
    rows = enum_rows(contract)

    codes = {code for table in contract.enums.values() for code in table.values()}
    assert [row[0] for row in rows] == sorted(codes)
    for table_column, index in (("type", 1), ("value", 2), ("description", 3)):
        limit = packaged_tables()["app_enums"].column(table_column).length
        assert all(0 < len(row[index]) <= limit for row in rows)


@pytest.mark.parametrize(
    ("code", "row"),
    [
        (1, (1, "app_source_enum", "I", "I")),
        (138, (138, "sc_debit_funding_source_enum", "Western Union", "Western Union, WU")),
        (130, (130, "process_enum", "99500", "process_enum: 99500; sc_debit_funding_source_enum: ACH")),
        (229, (229, "population_assignment_enum", "(none)", "(none)")),
    ],
)
def test_a_row_of_app_enums(code, row):
    assert row in enum_rows(load_contract())
    assert row[0] == code


def test_long_names_are_cut_and_text_codes_have_no_row():
    contract = loan_contract(
        enum_mappings={
            "source_enum": {"A": 1, "B": "mail"},
            "address_type_enum": {"CURR": 2},
            "e" * 60: {"x" * 150: 7, "y" * 150: 7},
        }
    )
    rows = {row[0]: row for row in enum_rows(contract)}

    assert sorted(rows) == [1, 2, 7]
    assert [len(text) for text in rows[7][1:]] == [50, 100, 200]
    assert all(text.endswith("...") for text in rows[7][1:])


# ---- which tables


def test_the_shipped_contract_has_the_packaged_tables():
    assert tables_for(load_contract()) == packaged_tables()


def test_another_source_table_takes_the_place_of_the_packaged_one():
    contract = replace(load_contract(), source_table="staging.app_xml_rl", source_column="app_XML")
    tables = tables_for(contract)

    packaged = packaged_tables()
    assert "app_xml" not in tables
    assert [c.name for c in tables["app_xml_rl"].columns] == ["app_id", "app_XML"]
    assert all(tables[name] == packaged[name] for name in contract.tables)
    assert tables["app_campaign_cc"] == packaged["app_campaign_cc"]


@pytest.mark.parametrize(
    "change",
    [
        {"column": "middle_name"},
        {"length": 200},
        {"length": None},
        {"data_type": "bigint", "length": None},
        {"data_type": "date", "length": None},
    ],
)
def test_a_table_that_cannot_hold_the_mappings_is_derived(change):
    contract = load_contract()
    fields = tuple(
        replace(f, **change) if (f.table, f.column) == ("app_solicited_cc", "first_name") else f
        for f in contract.fields
    )
    tables = tables_for(replace(contract, fields=fields))

    packaged = packaged_tables()
    different = [name for name in contract.tables if tables[name] != packaged[name]]
    assert different == ["app_solicited_cc"]
    name = change.get("column", "first_name")
    assert tables["app_solicited_cc"].column(name) is not None


def test_a_table_that_demands_more_than_is_mapped_is_derived():
    contract = load_contract()
    fields = tuple(f for f in contract.fields if f.column != "product_line_enum")

    tables = tables_for(replace(contract, fields=fields))

    assert tables["app_base"].column("product_line_enum") is None
    assert tables["app_base"].column("app_id") == packaged_tables()["app_base"].column("app_id")


def test_codes_beyond_smallint_widen_every_column_of_codes():
    contract = loan_contract(
        enum_mappings={"source_enum": {"A": 70_000}, "address_type_enum": {"CURR": 1, "PREV": 2}}
    )

    assert column(contract, "app_enums", "enum_id").type == "int"
    assert column(contract, "loan", "source_enum").type == "int"
    assert column(contract, "loan_home", "address_type_enum").type == "int"


# ---- derived tables


def test_tables_come_in_an_order_in_which_they_can_be_made():
    names = list(derive_tables(every_kind()))

    assert names[:4] == ["app_enums", "loan", "loan_person", "loan_home"]
    assert names[-2:] == ["app_xml_staging_rl", "processing_log"]


def test_derived_columns_are_those_of_the_rows():
    contract = every_kind()
    tables = derive_tables(contract)

    for table in contract.tables:
        derived = [c.name for c in tables[table].columns if not c.default]
        assert derived == list(contract.columns_of(table))


@pytest.mark.parametrize(
    ("table", "name", "expected"),
    [
        ("loan", "app_id", Column("app_id", "int", nullable=False, primary_key=True, identity=True)),
        ("loan", "loan_name", Column("loan_name", "varchar", 20)),
        ("loan", "source_enum", Column("source_enum", "smallint", references="app_enums.enum_id")),
        ("loan_person", "con_id", Column("con_id", "int", nullable=False, primary_key=True, identity=True)),
        (
            "loan_person",
            "app_id",
            Column("app_id", "int", nullable=False, references="loan.app_id", cascade=True),
        ),
        (
            "loan_home",
            "con_id",
            Column("con_id", "int", nullable=False, primary_key=True, references="loan_person.con_id",
                   cascade=True),
        ),
        (
            "loan_home",
            "address_type_enum",
            Column("address_type_enum", "smallint", nullable=False, primary_key=True,
                   references="app_enums.enum_id"),
        ),
        ("loan_money", "income", Column("income", "decimal", precision=18, scale=2)),
        ("loan_money", "priority_enum", Column("priority_enum", "smallint")),
        ("loan_money", "paid_flag", Column("paid_flag", "bit", nullable=False)),
        (
            "scores",
            "app_id",
            Column("app_id", "int", nullable=False, primary_key=True, references="loan.app_id", cascade=True),
        ),
        ("scores", "score_identifier", Column("score_identifier", "varchar", 50, nullable=False,
                                              primary_key=True)),
        ("app_collateral_rl", "make", Column("make", "varchar")),
        ("app_collateral_rl", "sort_order", Column("sort_order", "int", nullable=False, primary_key=True)),
        ("app_warranties_rl", "warranty_type_enum", Column("warranty_type_enum", "int", nullable=False,
                                                           primary_key=True)),
        ("app_policy_exceptions_rl", "reason_code", Column("reason_code", "varchar")),
        ("app_xml_staging_rl", "app_XML", Column("app_XML", "varchar", nullable=False)),
    ],
)  # fmt: skip
def test_a_derived_column(table, name, expected):
    assert column(every_kind(), table, name) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"data_type": "string", "data_length": -1}, ("varchar", None, None, None)),
        ({"data_type": "string", "data_length": None}, ("varchar", None, None, None)),
        ({"data_type": "money", "data_length": 7}, ("varchar", 7, None, None)),
        ({"data_type": "decimal", "data_length": None}, ("decimal", None, 18, 2)),
        ({"data_type": "decimal", "data_length": 0}, ("decimal", None, 18, 0)),
        ({"data_type": "decimal", "data_length": 12}, ("decimal", None, 22, 12)),
        ({"data_type": "float"}, ("float", None, None, None)),
        ({"data_type": "tinyint"}, ("tinyint", None, None, None)),
        ({"data_type": "smalldatetime"}, ("smalldatetime", None, None, None)),
        ({"data_type": "boolean"}, ("bit", None, None, None)),
    ],
)
def test_types_of_derived_columns(values, expected):
    found = column(loan_contract(mapping("extra", **values)), "loan", "extra")

    assert (found.type, found.length, found.precision, found.scale) == expected


@pytest.mark.parametrize(
    ("values", "refers"),
    [
        ({}, True),
        ({"default_value": "3"}, False),
        ({"mapping_type": "calculated_field,enum", "expression": "a"}, False),
        ({"mapping_type": "last_valid_pr_contact,enum"}, True),
        ({"mapping_type": "enum,numbers_only"}, False),
        ({"data_type": "string"}, False),
    ],
)
def test_only_columns_of_nothing_but_codes_refer_to_app_enums(values, refers):
    extra = mapping(
        "extra", **({"data_type": "int", "mapping_type": "enum", "enum_name": "source_enum"} | values)
    )

    assert (column(loan_contract(extra), "loan", "extra").references == "app_enums.enum_id") is refers


def test_a_column_that_two_mappings_fill_is_as_wide_as_both():
    contract = loan_contract(
        mapping("holder", data_length=10, mapping_type="last_valid_pr_contact"),
        mapping("holder", data_length=30, mapping_type="last_valid_sec_contact"),
        mapping("holder", data_length=20, mapping_type="last_valid_sec_contact"),
    )

    assert column(contract, "loan", "holder").length == 30


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.sampled_from(["", " ", "x", "/a/b", "enum"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["", "a", "Y"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(st.data())
def test_whatever_stands_in_a_contract_is_refused_or_usable(data):
    contract_file = contract_data()
    for _ in range(data.draw(st.integers(1, 3))):
        node: Any = contract_file
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if not isinstance(node[key], dict | list) or data.draw(st.integers(0, 4)) == 0:
                node[key] = data.draw(json_values)
                break
            node = node[key]
    try:
        contract = parse_contract(contract_file, "loans.json")
    except ContractError:
        return
    check_contract(contract)
    build_tables(tables_for(contract), None, "mssql")
    assert all(isinstance(row[0], int) for row in enum_rows(contract))


def test_rows_of_a_foreign_contract_fit_its_derived_tables_and_cascade(tmp_path: Path):
    contract = every_kind()
    tables = derive_tables(contract)
    rows = compile_mapper(contract, tables).map(DOCUMENT, 77)
    metadata = build_tables(tables, None, "sqlite")
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'loans.db'}")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")
        metadata.create_all(connection)
        enums = [dict(zip(("enum_id", "type", "value", "description"), row, strict=True))
                 for row in enum_rows(contract)]  # fmt: skip
        connection.execute(sa.insert(metadata.tables["app_enums"]), enums)
        for table in contract.tables:
            for row in rows[table]:
                texts = {n: str(v) if n in ("income", "amount") else v
                         for n, v in zip(contract.columns_of(table), row, strict=True)}  # fmt: skip
                connection.execute(sa.insert(metadata.tables[table]), texts)

        def count(table: str) -> int:
            return connection.execute(
                sa.select(sa.func.count()).select_from(metadata.tables[table])
            ).scalar_one()

        written = {table: count(table) for table in contract.tables}
        connection.exec_driver_sql("DELETE FROM loan")
        left = {table: count(table) for table in contract.tables}
    engine.dispose()

    assert written == {
        "loan": 1, "loan_person": 2, "loan_home": 2, "loan_money": 1, "scores": 1, "app_historical_lookup": 1,
        "app_policy_exceptions_rl": 1, "app_warranties_rl": 1, "app_collateral_rl": 1,
    }  # fmt: skip
    assert set(left.values()) == {0}
