"""A user's own contract, with its own elements, tables and key columns, all the way into its own tables."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from provenir_lab.api import Lab
from provenir_lab.errors import UsageError
from provenir_lab.progress import silent

APPLICATION = "/Provenir/Request/CustData/deal"
PERSON = f"{APPLICATION}/party"
HOME = f"{PERSON}/home"


def field(
    path: str, attribute: str, table: str, column: str, data_type: str = "string", **more: Any
) -> dict[str, Any]:
    entry = {"xml_path": path, "xml_attribute": attribute, "target_table": table, "target_column": column}
    return entry | {"data_type": data_type, "nullable": True} | more


def related(child: str, key: str, path: str, parent: str = "loan") -> dict[str, Any]:
    entry = {"parent_table": parent, "child_table": child, "foreign_key_column": key}
    return entry | {"xml_parent_path": "/Provenir/Request", "xml_child_path": path}


CONTRACT = {
    "xml_root_element": "Provenir",
    "source_table": "staging",
    "source_column": "body",
    "source_application_table": "deal",
    "table_insertion_order": ["loan", "loan_person", "loan_home", "loan_scores", "app_warranties_rl"],
    "element_filtering": {
        "filter_rules": [
            {
                "element_type": "contact",
                "xml_parent_path": APPLICATION,
                "xml_child_path": PERSON,
                "required_attributes": {"person_id": True, "role": ["PR", "SEC"]},
            },
            {
                "element_type": "address",
                "xml_parent_path": PERSON,
                "xml_child_path": HOME,
                "required_attributes": {"kind": ["CURR", "PREV"]},
            },
        ]
    },
    "relationships": [
        related("loan_person", "loan_no", PERSON),
        related("loan_home", "person_no", HOME, "loan_person"),
        related("loan_scores", "loan_no", APPLICATION),
        related("app_warranties_rl", "loan_no", APPLICATION),
    ],
    "enum_mappings": {"role_enum": {"PR": 1, "SEC": 2}, "kind_enum": {"CURR": 11, "PREV": 12}},
    "bit_conversions": {"char_to_bit": {"Y": 1, "N": 0}, "boolean_to_bit": {"true": 1, "false": 0}},
    "mappings": [
        field("/Provenir/Request", "ID", "loan", "loan_no", "int", mapping_type=["identity_insert"]),
        field(APPLICATION, "amount", "loan", "amount", "decimal", data_length=2),
        field(PERSON, "person_id", "loan_person", "person_no", "int", mapping_type=["identity_insert"]),
        field(PERSON, "first_name", "loan_person", "first_name", data_length=20),
        field(PERSON, "role", "loan_person", "role_enum", "smallint", mapping_type=["enum"]),
        field(HOME, "kind", "loan_home", "kind_enum", "smallint", mapping_type=["enum"]),
        field(HOME, "city", "loan_home", "city", data_length=20),
        field(APPLICATION, "fico", "loan_scores", "", "int", mapping_type=["add_score(FICO)"]),
        field(
            APPLICATION, "gap", "app_warranties_rl", "amount", "decimal", mapping_type=["warranty_field(1)"]
        ),
    ],
}


def document(loan_no: int, person_id: int, name: str) -> str:
    home = '<home kind="CURR" city="Sampleton"/>'
    person = (
        f'<party person_id="{person_id}" role="PR" first_name="{name}" last_name="Example">{home}</party>'
    )
    deal = f'<deal amount="1,000.505" fico="700" gap="12">{person}</deal>'
    return f'<Provenir><Request ID="{loan_no}"><CustData>{deal}</CustData></Request></Provenir>'


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Three loans; the third names a person that the first one owns."""
    contract = tmp_path / "loans.json"
    contract.write_text(json.dumps(CONTRACT), encoding="utf-8")
    made = Lab(f"sqlite:///{(tmp_path / 'loans.db').as_posix()}", contract=contract, progress=silent)
    made.init()
    for loan_no, person_id in ((1, 10), (2, 20), (3, 10)):
        file = tmp_path / f"{loan_no}.xml"
        file.write_text(document(loan_no, person_id, f"Name{loan_no}"), encoding="utf-8")
    made.load(tmp_path)
    return made


def rows(tmp_path: Path, table: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(tmp_path / "loans.db")) as connection:
        return connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()


def test_documents_become_rows_of_the_users_own_tables(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.process()
    assert outcome.succeeded == 3
    assert [row[:2] for row in rows(tmp_path, "loan")] == [(1, "1000.51"), (2, "1000.51"), (3, "1000.51")]
    assert len(rows(tmp_path, "loan_scores")) == 3
    assert len(rows(tmp_path, "app_warranties_rl")) == 3


def test_a_person_that_another_loan_owns_is_left_out_with_the_home(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.process()
    assert outcome.duplicate_contacts == 1
    assert {row[1] for row in rows(tmp_path, "loan_person")} == {"Name1", "Name2"}
    assert len(rows(tmp_path, "loan_home")) == 2


def test_verifying_and_cleaning_know_the_users_own_keys(lab: Lab, tmp_path: Path) -> None:
    lab.process()
    assert lab.verify(None).equal
    lab.clean()
    assert [rows(tmp_path, table) for table in ("loan", "loan_person", "loan_home")] == [[], [], []]


def test_another_contract_than_the_labs_own_is_told_apart(lab: Lab) -> None:
    shipped = Lab(lab.database.url, progress=silent)
    with pytest.raises(UsageError, match="holds no table app_xml: name the contract"):
        shipped.status()
