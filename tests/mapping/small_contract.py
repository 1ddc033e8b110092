"""A small contract to try one rule at a time, the documents for it, and the reference mapper of both."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from strategies import BIT_TABLES, ENUMS, USUAL_TABLES, key_entry, relationships

from provenir_lab.errors import Rejected
from provenir_lab.mapping.loading import parse_contract
from provenir_lab.mapping.reference import ReferenceMapper
from provenir_lab.tables import Table

REQUEST = "/Provenir/Request"
APPLICATION = f"{REQUEST}/CustData/application"
CONTACT = f"{APPLICATION}/contact"
ADDRESS = f"{CONTACT}/contact_address"
EMPLOYMENT = f"{CONTACT}/contact_employment"
CARD = f"{CONTACT}/app_prod_bcard"
NOW = dt.datetime(2024, 5, 6, 7, 8, 9)
PR = 'con_id="1" ac_role_tp_c="PR" last_name="Example"'
AUTHU = 'con_id="2" ac_role_tp_c="AUTHU" last_name="Sample"'


def entry(column: str = "one", **changes: Any) -> dict[str, Any]:
    """A mapping entry: `x` of the application to a nullable text column of app_base."""
    plain = {
        "xml_path": APPLICATION,
        "xml_attribute": "x",
        "target_table": "app_base",
        "target_column": column,
        "data_type": "string",
        "nullable": True,
    }
    return plain | changes


def row_entry(kind: str, table: str, **changes: Any) -> dict[str, Any]:
    """A mapping entry of a row-creating type."""
    return entry("", **{"target_table": table, "mapping_type": [kind], "xml_attribute": "x"} | changes)


def mapper(
    *entries: dict[str, Any], tables: dict[str, Table] | None = None, **options: Any
) -> ReferenceMapper:
    """A reference mapper of a small credit-card contract with these entries."""
    keys = [
        key_entry(REQUEST, "ID", "app_base", "app_id"),
        key_entry(CONTACT, "con_id", "app_contact_base", "con_id"),
    ]
    used = list(dict.fromkeys([e["target_table"] for e in (*keys, *entries)]))
    at = {"base": REQUEST, "contact": CONTACT, "address": ADDRESS, "employment": EMPLOYMENT}
    required = {
        "contact": {"con_id": True, "ac_role_tp_c": ["PR", "AUTHU"]},
        "address": {"address_tp_c": ["CURR", "PREV"]},
        "employment": {"employment_tp_c": ["CURR", "PREV"]},
    }
    data = {
        "xml_root_element": "Provenir",
        "source_table": "app_xml",
        "source_column": "app_xml",
        "source_application_table": "application",
        "table_insertion_order": used,
        "element_filtering": {
            "filter_rules": [
                {"element_type": kind, "xml_child_path": at[kind], "required_attributes": rule}
                for kind, rule in required.items()
            ]
        },
        "relationships": relationships(USUAL_TABLES, at, used),
        "mappings": [*keys, *entries],
        "enum_mappings": ENUMS,
        "bit_conversions": BIT_TABLES,
    }
    options.setdefault("clock", lambda: NOW)
    return ReferenceMapper(parse_contract(data, "small.json"), tables or {}, **options)


def document(inside: str = "", **attributes: str) -> str:
    """A document whose application has these attributes and children."""
    written = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return (
        f'<Provenir top="t"><Request ID="7" Process="20000"><CustData><application{written}>'
        f"{inside}</application></CustData></Request></Provenir>"
    )


def value_of(text: str, **changes: Any) -> Any:
    """What an attribute's text becomes in a column."""
    return mapper(entry(**changes)).map(document(x=text))["app_base"][0][1]


def rejection(found: ReferenceMapper, text: str | None, app_id: int | None = None) -> str:
    """The category for which a document is rejected."""
    with pytest.raises(Rejected) as caught:
        found.map(text, app_id)
    return caught.value.category
