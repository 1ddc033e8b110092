"""A sound contract of another product line, as data: other elements, other tables, other keys."""

from __future__ import annotations

from typing import Any

APPLICATION = "/Provenir/Request/CustData/IL_application"
CONTACT = f"{APPLICATION}/IL_contact"


def mapping(column: str, **changes: Any) -> dict[str, Any]:
    entry = {
        "xml_path": APPLICATION,
        "xml_attribute": column or "anything",
        "target_table": "loan",
        "target_column": column,
        "data_type": "string",
        "data_length": 20,
        "mapping_type": None,
        "default_value": None,
        "nullable": True,
        "required": False,
    }
    return {key: value for key, value in (entry | changes).items() if value != "absent"}


def related(child: str, path: str, parent: str = "loan", key: str = "app_id") -> dict[str, Any]:
    return {
        "parent_table": parent,
        "child_table": child,
        "foreign_key_column": key,
        "xml_parent_path": "/Provenir/Request",
        "xml_child_path": path,
    }


def rule(kind: str, path: str, **required: Any) -> dict[str, Any]:
    return {
        "element_type": kind,
        "xml_parent_path": path.rpartition("/")[0],
        "xml_child_path": path,
        "required_attributes": required,
    }


def contract_data() -> dict[str, Any]:
    """Applications are `loan`, contacts `loan_person`, addresses `loan_home`; `scores` has key and value."""
    return {
        "xml_root_element": "Provenir",
        "xml_application_path": APPLICATION,
        "source_table": "app_xml_staging_rl",
        "source_column": "app_XML",
        "source_application_table": "IL_application",
        "target_schema": "migration",
        "table_insertion_order": ["loan", "loan_person", "loan_home", "scores", "processing_log"],
        "element_filtering": {
            "filter_rules": [
                rule("contact", CONTACT, con_id=True, ac_role_tp_c=["PR", "SEC"]),
                rule("address", f"{CONTACT}/IL_contact_address", address_type_code=["CURR", "PREV"]),
            ]
        },
        "mappings": [
            mapping("app_id", xml_path="/Provenir/Request", xml_attribute="ID", data_type="int",
                    mapping_type=["identity_insert"], nullable=False),
            mapping("source_enum", data_type="smallint", mapping_type=["enum"]),
            mapping("loan_name"),
            mapping("con_id", target_table="loan_person", xml_path=CONTACT, data_type="int",
                    mapping_type=["identity_insert"], nullable=False),
            mapping("first_name", target_table="loan_person", xml_path=CONTACT),
            mapping("address_type_enum", target_table="loan_home", xml_path=f"{CONTACT}/IL_contact_address",
                    xml_attribute="address_type_code", data_type="smallint", mapping_type=["enum"]),
            mapping("", target_table="scores", xml_attribute="fico", data_type="int",
                    mapping_type=["add_score(FICO)"]),
        ],
        "relationships": [
            related("loan_person", CONTACT),
            related("loan_home", f"{CONTACT}/IL_contact_address", "loan_person", "con_id"),
        ],
        "enum_mappings": {"source_enum": {"A": 1, "": 9}, "address_type_enum": {"CURR": 20, "PREV": 21}},
        "bit_conversions": {"char_to_bit": {"Y": 1, "": 0}, "boolean_to_bit": {"1": 1, "0": 0}},
        "validation_rules": {"anything": [1, 2]},
    }  # fmt: skip
