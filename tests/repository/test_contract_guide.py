"""The tables of docs/contract.md, row by row, through the mapper."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from provenir_lab.errors import ContractError, Rejected
from provenir_lab.mapping.loading import parse_contract
from provenir_lab.mapping.plan import compile_mapper

GUIDE = (Path(__file__).parents[2] / "docs" / "contract.md").read_text(encoding="utf-8")


def table(marker: str) -> list[list[str]]:
    """The cells of the table that follows `<!-- test: marker -->` in contract.md, without its heading."""
    lines = GUIDE.split(f"<!-- test: {marker} -->\n\n")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def example(title: str) -> str:
    """The text of a titled code block."""
    return GUIDE.split(f'title="{title}"\n')[1].split("```")[0]


def mapped(entry: dict[str, Any], document: str) -> str:
    """The value of the one column that a contract with the mapping `entry` gives; as the guide writes it."""
    contract = yaml.safe_load(example("loan.yaml"))
    column = "status_enum" if entry.get("mapping_type") == "enum" else "value"
    place = {
        "xml_path": "/Provenir/Request/CustData/loan",
        "target_table": "app_loan",
        "target_column": column,
    }
    contract["mappings"] = [contract["mappings"][0], {"nullable": True, **place, **entry}]
    mapper = compile_mapper(parse_contract(contract, "the guide's"), {})
    rows = mapper.map(document).get("app_loan", [])
    if not rows:
        return "NULL"
    value = rows[0][mapper.columns["app_loan"].index(column)]
    return "NULL" if value is None else value.isoformat() if hasattr(value, "isoformat") else str(value)


@pytest.mark.parametrize("row", table("conversions"), ids=lambda row: "-".join(row[:4]))
def test_conversions_of_the_guide(row: list[str]) -> None:
    text, data_type, data_length, mapping_type, expected = row
    entry = {
        "xml_attribute": "tried",
        "data_type": data_type,
        "data_length": data_length or None,
        "mapping_type": mapping_type or None,
    }
    document = example("loan.xml").replace("<loan ", f'<loan tried="{text.strip("`")}" ')
    assert mapped(entry, document) == expected


@pytest.mark.parametrize("row", table("expressions"), ids=lambda row: row[0])
def test_expressions_of_the_guide(row: list[str]) -> None:
    expression, data_type, expected = row
    entry = {
        "xml_attribute": "tried",
        "data_type": data_type,
        "data_length": 2 if data_type == "decimal" else None,
        "mapping_type": "calculated_field",
        "expression": expression.strip("`"),
    }
    assert mapped(entry, example("loan.xml")) == expected


@pytest.mark.parametrize("row", table("wrong expressions"), ids=lambda row: row[0])
def test_wrong_expressions_of_the_guide(row: list[str]) -> None:
    expression, expected = row
    entry = {
        "xml_attribute": "tried",
        "data_type": "int",
        "mapping_type": "calculated_field",
        "expression": expression.strip("`"),
    }
    with pytest.raises(ContractError, match=re.escape(expected)):
        mapped(entry, example("loan.xml"))


def test_a_contact_with_a_bad_id_rejects_the_document_as_the_guide_says() -> None:
    contract = parse_contract(yaml.safe_load(example("loan.yaml")), "the guide's")
    with pytest.raises(Rejected) as rejection:
        compile_mapper(contract, {}).map(example("loan.xml").replace('con_id="9001"', 'con_id="90-01"'))
    assert rejection.value.category == "invalid_con_id"
