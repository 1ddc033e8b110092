"""Documents and contracts in a few words, for the tests of the mapper.

Documents are put together from `element`, `contact` and `document`; contracts from `entry` and `small`; rows
are compared as dictionaries. All identities are invented.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from xml.sax.saxutils import quoteattr

import pytest

from provenir_lab.errors import Rejected
from provenir_lab.mapping.contract import Contract
from provenir_lab.mapping.loading import load_contract, parse_contract
from provenir_lab.mapping.plan import Mapper, compile_mapper
from provenir_lab.tables import Column, Table, packaged_tables

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
APPLICATION = "/Provenir/Request/CustData/application"
CONTACT = f"{APPLICATION}/contact"
BOTH = ("selective", "full")
"""The parse modes."""

Row = dict[str, Any]


class Maps(Protocol):
    """What the helpers need of a mapper."""

    columns: dict[str, tuple[str, ...]]

    def map(self, text: str | None, app_id: int | None = None) -> dict[str, list[tuple[Any, ...]]]: ...


# ---- documents


def element(name: str, /, *inside: str, **attributes: str | None) -> str:
    """An element; attributes that are None are left out, a leading underscore of a name too."""
    written = "".join(
        f" {key.removeprefix('_')}={quoteattr(value)}"
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{''.join(inside)}</{name}>" if inside else f"<{name}{written}/>"


def contact(con_id: str | None = "1", role: str | None = "PR", *inside: str, **attributes: str | None) -> str:
    """A contact that counts: with an id, a role and a last name."""
    given = {"con_id": con_id, "ac_role_tp_c": role, "last_name": "Example"} | attributes
    return element("contact", *inside, **given)


def address(kind: str | None = "CURR", **attributes: str | None) -> str:
    return element("contact_address", address_tp_c=kind, **attributes)


def employment(kind: str | None = "CURR", **attributes: str | None) -> str:
    return element("contact_employment", employment_tp_c=kind, **attributes)


def document(*inside: str, request: Row | None = None, after: str = "", **attributes: str | None) -> str:
    """A document of application 7: `inside` its application element, which has the attributes.

    `request`: attributes of Request; `after`: XML that follows CustData.
    """
    application = element("application", *inside, **attributes)
    return wrapped(element("CustData", application), request=request, after=after)


def wrapped(data: str, *, request: Row | None = None, before: str = "", after: str = "") -> str:
    """A document around a CustData element."""
    return element("Provenir", element("Request", before, data, after, **({"ID": "7"} | (request or {}))))


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.xml").read_text(encoding="utf-8")


# ---- contracts


def entry(table: str, column: str, data_type: str = "string", **changes: Any) -> Row:
    """A mapping of the application attribute named like the column."""
    return {
        "xml_path": APPLICATION,
        "xml_attribute": column or "v",
        "target_table": table,
        "target_column": column,
        "data_type": data_type,
        "nullable": True,
    } | changes


def rule(kind: str, path: str, /, **required: Any) -> Row:
    return {
        "element_type": kind,
        "xml_parent_path": path.rpartition("/")[0],
        "xml_child_path": path,
        "required_attributes": required,
    }


RULES = (
    rule("contact", CONTACT, con_id=True, ac_role_tp_c=["PR", "AUTHU"]),
    rule("address", f"{CONTACT}/contact_address", address_tp_c=["CURR", "PREV"]),
    rule("employment", f"{CONTACT}/contact_employment", employment_tp_c=["CURR", "PREV"]),
)
KEYS = (
    entry("app_base", "app_id", "int", xml_path="/Provenir/Request", xml_attribute="ID", nullable=False,
          mapping_type=["identity_insert"]),
    entry("app_contact_base", "con_id", "int", xml_path=CONTACT, nullable=False,
          mapping_type=["identity_insert"]),
)  # fmt: skip
CHILDREN = ("app_contact_address", "app_contact_employment")
BITS = {
    "char_to_bit": {"Y": 1, "U": 1, "R": 1, "N": 0, "D": 0, "P": 0, "": 0},
    "boolean_to_bit": {"true": 1, "1": 1, "yes": 1, "y": 1, "false": 0, "0": 0, "": 0},
}


def small(
    *entries: Row, enums: Row | None = None, rules: tuple[Row, ...] = RULES, **changes: Any
) -> Contract:
    """A credit-card contract of `app_base`, `app_contact_base` and what the entries name."""
    tables = dict.fromkeys(e["target_table"] for e in (*KEYS, *entries))
    data = {
        "xml_root_element": "Provenir",
        "source_table": "app_xml",
        "source_column": "app_xml",
        "source_application_table": "application",
        "table_insertion_order": list(tables),
        "element_filtering": {"filter_rules": list(rules)},
        "mappings": [*KEYS, *entries],
        "enum_mappings": enums or {},
        "bit_conversions": BITS,
        "relationships": [
            {
                "parent_table": "app_contact_base" if table in CHILDREN else "app_base",
                "child_table": table,
                "foreign_key_column": "con_id" if table in CHILDREN else "app_id",
                "xml_parent_path": "/Provenir/Request",
                "xml_child_path": CONTACT if table == "app_contact_base" else APPLICATION,
            }
            for table in tables
            if table != "app_base"
        ],
    }
    return parse_contract(data | changes, "small.json")


# ---- rows


@cache
def shipped(parse_mode: str = "selective", max_document_mb: int = 16) -> Mapper:
    """The mapper of the packaged contract."""
    return compile_mapper(
        load_contract(), packaged_tables(), parse_mode=parse_mode, max_document_mb=max_document_mb
    )


def rows(mapper: Maps, text: str | None) -> dict[str, list[Row]]:
    """Table -> rows as dictionaries."""
    return {
        table: [dict(zip(mapper.columns[table], row, strict=True)) for row in found]
        for table, found in mapper.map(text).items()
    }


def outcome(mapper: Maps, text: str | None) -> dict[str, list[Row]] | str:
    """Rows, or the category of the rejection."""
    try:
        return rows(mapper, text)
    except Rejected as rejected:
        return rejected.category


def refused(reason: str) -> Any:
    """The context of a rejection with exactly this `category: reason`."""
    return pytest.raises(Rejected, match=f"^{re.escape(reason)}$")


def value(
    text: str | None, data_type: str = "string", *, column: Column | None = None, **changes: Any
) -> Any:
    """What a column of a table with one row a document gets from an attribute's text (None: no attribute).

    `changes`: other keys of the mapping entry; `column`: the real column, named `v`.
    """
    enums = changes.pop("enums", None)
    contract = small(
        entry("facts", "v", data_type, **changes), entry("facts", "seen", "bit", mapping_type="char_to_bit"),
        enums=enums,
    )  # fmt: skip
    tables = {"facts": Table("facts", (column,))} if column else {}
    return rows(compile_mapper(contract, tables), document(v=text))["facts"][0]["v"]
