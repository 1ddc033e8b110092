"""Random mapping contracts, as the data of a contract file: other names, chains, expressions, limits.

`cases()` is the strategy: a contract with tables for it and some documents that speak its names.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from document_strategies import ATTRIBUTES, Names, document, one_in
from hypothesis import strategies as st

from provenir_lab.mapping.contract import Contract, Field
from provenir_lab.mapping.loading import parse_contract
from provenir_lab.tables import Column, Table

CREDIT_CARD = Names(
    ("Provenir", "Request", "CustData"),
    application="application",
    contact="contact",
    address="contact_address",
    employment="contact_employment",
    role_attribute="ac_role_tp_c",
    roles=("PR", "AUTHU"),
    address_attribute="address_tp_c",
    employment_attribute="employment_tp_c",
)
LENDING = Names(
    ("Provenir", "Request", "CustData"),
    application="IL_application",
    contact="IL_contact",
    address="IL_contact_address",
    employment="IL_contact_employment",
    role_attribute="ac_role_tp_c",
    roles=("PR", "SEC"),
    address_attribute="address_type_code",
    employment_attribute="employment_type_code",
)
FOREIGN = Names(
    ("Envelope", "Case", "Body"),
    application="deal",
    contact="party",
    address="home",
    employment="job",
    role_attribute="kind",
    roles=("MAIN", "CO", "OTHER"),
    address_attribute="sort",
    employment_attribute="sort",
)
USUAL_TABLES = {
    "base": "app_base",
    "contact": "app_contact_base",
    "address": "app_contact_address",
    "employment": "app_contact_employment",
}
FOREIGN_TABLES = {"base": "deals", "contact": "people", "address": "homes", "employment": "jobs"}
PAGES = (("cp1252", None), ("cp932", "cp932"), (None, "utf-8"), (None, "utf-16-le"))
ROW_TABLES = {
    "add_score": "scores",
    "add_indicator": "indicators",
    "add_history": "app_historical_lookup",
    "add_report_lookup": "app_report_results_lookup",
    "policy_exceptions": "app_policy_exceptions_rl",
    "warranty_field": "app_warranties_rl",
    "add_collateral": "app_collateral_rl",
}
GROUPED = ("warranty_field", "add_collateral")

NUMBERS = ("int", "smallint", "bigint", "tinyint", "decimal", "float")
DATES = ("date", "datetime", "smalldatetime")
BITS = ("bit", "boolean")
TYPES = ("string", "string", "string", "decimal", *NUMBERS, *DATES, *BITS, "unheard_of")
CHAINS: tuple[tuple[str, ...], ...] = (
    (),
    (),
    (),
    ("enum",),
    ("enum",),
    ("char_to_bit",),
    ("boolean_to_bit",),
    ("numbers_only",),
    ("extract_numeric",),
    ("extract_date",),
    ("default_getutcdate_if_null",),
    ("numbers_only", "enum"),
    ("enum", "char_to_bit"),
    ("something_unknown",),
)
CHOICES = ("last_valid_pr_contact", "last_valid_pr_contact", "last_valid_sec_contact", "authu_contact")
COLUMNS = {
    "address": ("zip", "city", "street_name", "street_number", "state", "note", "kind_enum"),
    "employment": ("business_name", "monthly_salary", "job_title", "zip", "city", "note", "kind_enum"),
}
PLAIN_COLUMNS = ("one", "two", "three", "four", "five_enum", "wholesale_value")
GROUP_COLUMNS = {
    "make": "string",
    "term": "smallint",
    "wholesale_value": "decimal",
    "bought": "date",
    "used": "bit",
}
"""Columns of warranties and collaterals, one type each."""
ENUMS: dict[str, dict[str, int | str]] = {
    "five_enum": {"Y": 1, "y": 2, "CURR": 3, "12": 4, "PR": 5},
    "kind_enum": {"CURR": 120, "PREV": 121, "": 122, "x": 123},
    "texts_enum": {"Y": "yes@example.test", "N": "", "1": "0042", "curr": "Current"},
    "empty_enum": {},
    "small_enum": {"Y": 4, "N": 3, "": 7},
}
BIT_TABLES = {
    "char_to_bit": {"Y": 1, "N": 0, "U": 1, "D": 0, "R": 1, "P": 0, "J": 1, "": 0, "null": 0, " ": 0},
    "boolean_to_bit": {"true": 1, "false": 0, "1": 1, "0": 0, "yes": 1, "no": 0, "y": 1, "n": 0, "": 0},
}


# ---- expressions

LITERALS = ("0", "12", "2.5", ".5", "1e2", "'Y'", "''", "'12'", '"it\'s"', "'it''s'", "'CURR'", "NULL", "20")
DATE_VALUES = ("DATE('2023-10-11 00:00:00')", "DATE(since)", "date(date)", "DATEADD(day, 30, since)")
PATTERNS = ("'%'", "'V4_%'", "'c_rr'", "'%1%'", "'a.c'", "''", "'%y'", "'%%2%'")
COMPARISONS = ("=", "!=", "<>", "<", "<=", ">", ">=", "=")


def names_in(names: Names) -> tuple[str, ...]:
    """Names that an expression may use: bare, with a tag, in other letters, and unknown ones."""
    tags = ("application", names.application, names.contact, "contact", "product", "Request", names.address)
    dotted = [f"{tag}.{attribute}" for tag in tags for attribute in ("amount", "code", "cc", "Cc", "since")]
    return (
        *ATTRIBUTES,
        *ATTRIBUTES,
        *dotted,
        "AMOUNT",
        "app_id",
        "con_id",
        names.role_attribute,
        "nothing",
        "x.y",
    )


def expression(rng: Random, names: Names, depth: int = 3) -> str:
    """A value in the calculated-field language."""
    choice = rng.randrange(10) if depth else rng.randrange(4)
    if choice < 2:
        return rng.choice(names_in(names))
    if choice == 2:
        return rng.choice(LITERALS)
    if choice == 3:
        return rng.choice(DATE_VALUES)
    value = expression(rng, names, depth - 1)
    if choice == 4:
        return rng.choice((f"-{value}", f"({value})", f"({value}) ** 2", f"2 ** {value}", f"DATE({value})"))
    if choice in (5, 6):
        operator = rng.choice(("+", "-", "*", "/", "//", "%"))
        return f"{value} {operator} {expression(rng, names, depth - 1)}"
    if choice == 7:
        return f"DATEADD(DAY, {value}, {expression(rng, names, depth - 1)})"
    when = f"WHEN {condition(rng, names, depth - 1)} THEN {value}"
    if choice == 8:
        return f"case {when} when {condition(rng, names, depth - 1)} then {rng.choice(names_in(names))} end"
    return f"CASE {when} ELSE {expression(rng, names, depth - 1)} END"


def condition(rng: Random, names: Names, depth: int) -> str:
    """A condition in the calculated-field language."""
    choice = rng.randrange(8) if depth else rng.randrange(4)
    value = expression(rng, names, min(depth, 1))
    if choice < 2:
        return f"{value} {rng.choice(COMPARISONS)} {expression(rng, names, min(depth, 1))}"
    if choice == 2:
        return f"{value} {rng.choice(('IS EMPTY', 'IS NOT EMPTY', 'is null', 'is Not Null'))}"
    if choice == 3:
        return f"{value} {rng.choice(('LIKE', 'NOT LIKE'))} {rng.choice(PATTERNS)}"
    inner = condition(rng, names, depth - 1)
    if choice == 4:
        return f"NOT {inner}"
    if choice == 5:
        return f"({inner})"
    return f"{inner} {rng.choice(('AND', 'or'))} {condition(rng, names, depth - 1)}"


# ---- mapping entries


def paths(names: Names) -> tuple[str, ...]:
    """Paths of mapped elements, likely and unlikely."""
    request, body = names.root[:2], names.root
    inside = (*body, names.application)
    contact = (*inside, names.contact)
    listed = [
        inside,
        (*inside, "product"),
        (*inside, "product"),
        (*inside, "info"),
        (*inside, "product", "part"),
    ]
    listed += [contact, (*contact, names.address), (*contact, names.employment), (*contact, "app_prod_bcard")]
    listed += [names.root[:1], request, body, (*request, "Reports"), (*body, names.contact)]
    return tuple("/" + "/".join(path) for path in listed)


def default(rng: Random, data_type: str) -> Any:
    """A default that fits the type, or none."""
    if rng.randrange(3) == 0:
        return None
    if data_type in NUMBERS:
        return rng.choice(("0", 0, "7", 12, "12", "1.5", "$100"))
    if data_type in DATES:
        return rng.choice(("1900-01-01", "2020-02-29 10:11:12", "1/5/2024"))
    if data_type in BITS:
        return rng.choice(("0", "1", 0, 1, "true", "N"))
    return rng.choice(("UNKNOWN", "00000", "x", "", " spaced ", 0, 12))


def length(rng: Random, data_type: str) -> Any:
    """`data_length`: characters or fraction digits."""
    if data_type == "decimal":
        return rng.choice((None, None, 0, 1, 5))
    return rng.choice((None, None, 1, 3, "9", 50, -1))


def field_entry(rng: Random, names: Names, table: str, kind: str, column: str) -> dict[str, Any]:
    """One entry for a table that gets one row of all its columns."""
    data_type = rng.choice(TYPES)
    chain = list(rng.choice(CHAINS))
    source = rng.randrange(9)
    if source == 4:
        chain.insert(0, rng.choice(CHOICES))
    elif source == 5 and kind != "application":
        chain.insert(0, "curr_address_only")
    elif source in (6, 7) and chain in ([], ["enum"], ["numbers_only"]):
        chain.insert(0, "calculated_field")
    if chain == ["calculated_field", "numbers_only"] and data_type in (*DATES, *BITS):
        data_type = "int"
    if "default_getutcdate_if_null" in chain:
        data_type = rng.choice(DATES)
    if {"enum", "char_to_bit", "boolean_to_bit"}.intersection(chain) and data_type in DATES:
        data_type = "smallint"
    if "enum" in chain and data_type in BITS:
        data_type = "int"
    entry = {
        "xml_path": rng.choice(paths(names)),
        "xml_attribute": rng.choice(ATTRIBUTES),
        "target_table": table,
        "target_column": column,
        "data_type": data_type,
        "data_length": length(rng, data_type),
        "mapping_type": (chain if rng.randrange(2) else ",".join(chain)) or None,
        "default_value": default(rng, data_type),
        "nullable": False if one_in(rng, 20) else rng.choice((True, True, True, True, None)),
    }
    if "enum" in chain and (not column.endswith("_enum") or rng.randrange(2)):
        entry["enum_name"] = rng.choice(sorted(ENUMS))
    if "calculated_field" in chain:
        entry["expression"] = expression(rng, names)
    return entry


def row_entry(rng: Random, names: Names, kind: str, table: str) -> dict[str, Any]:
    """One entry for a table whose rows its mapping type makes."""
    parameter = rng.choice(("1", "2", "2") if kind in GROUPED else ("1", "2", "3", ""))
    chain = [f"{kind}({parameter})" if parameter or rng.randrange(2) else kind]
    column = rng.choice(tuple(GROUP_COLUMNS)) if kind in GROUPED else ""
    data_type = rng.choice(NUMBERS) if kind == "add_score" else GROUP_COLUMNS.get(column, "string")
    if data_type == "bit":
        chain.append("char_to_bit")
    elif kind == "add_collateral" and rng.randrange(3) == 2:
        chain.append(rng.choice(("numbers_only", "extract_numeric", "calculated_field")))
    if rng.randrange(4) == 3:
        chain.insert(0, rng.choice(CHOICES))
    entry = {
        "xml_path": rng.choice(paths(names)),
        "xml_attribute": rng.choice(ATTRIBUTES),
        "target_table": table,
        "data_type": data_type,
        "mapping_type": chain,
        "nullable": True,
    }
    if kind in GROUPED:
        entry["target_column"] = column
        entry["data_length"] = length(rng, data_type)
        entry["default_value"] = default(rng, data_type)
    if "calculated_field" in chain:
        entry["expression"] = expression(rng, names)
    return entry


def key_entry(path: str, attribute: str, table: str, column: str) -> dict[str, Any]:
    """The entry of a table's own id."""
    return {
        "xml_path": path,
        "xml_attribute": attribute,
        "target_table": table,
        "target_column": column,
        "data_type": "int",
        "mapping_type": ["identity_insert"],
        "nullable": False,
    }


# ---- contracts


def contract_data(rng: Random, names: Names) -> dict[str, Any]:
    """A contract file's data."""
    tables = FOREIGN_TABLES if names is FOREIGN else USUAL_TABLES
    at = {"base": "/" + "/".join(names.root[:2])}
    at["contact"] = "/" + "/".join((*names.root, names.application, names.contact))
    at |= {kind: f"{at['contact']}/{getattr(names, kind)}" for kind in ("address", "employment")}
    entries = [key_entry(at["base"], "ID", tables["base"], "app_id")]
    entries.append(key_entry(at["contact"], "con_id", tables["contact"], "con_id"))
    for kind in ("base", "contact", "address", "employment", "one", "two"):
        if kind not in ("base", "contact") and not rng.randrange(2):
            continue
        table = tables.get(kind, f"app_{kind}")
        role = kind if kind in ("contact", "address", "employment") else "application"
        known = COLUMNS.get(kind, PLAIN_COLUMNS)
        for column in rng.sample(known, rng.randrange(1, 5)):
            entry = field_entry(rng, names, table, role, column)
            if role != "application" and rng.randrange(4):
                entry["xml_path"] = at[role]
            entries.append(entry)
            if "last_valid_pr_contact" in (entry["mapping_type"] or "") and rng.randrange(2):
                entries.append({**entry, "xml_attribute": rng.choice(ATTRIBUTES)})
    for kind in rng.sample(sorted(ROW_TABLES), rng.randrange(4)):
        table = ROW_TABLES[kind] if rng.randrange(4) else f"my_{kind}"
        entries += [row_entry(rng, names, kind, table) for _ in range(rng.randrange(1, 5))]
    used = list(dict.fromkeys(entry["target_table"] for entry in entries))
    order = used[1:]
    rng.shuffle(order)
    data = {
        "xml_root_element": names.root[0],
        "source_table": "app_xml",
        "source_column": "app_xml",
        "source_application_table": names.application,
        "table_insertion_order": [used[0], *order],
        "element_filtering": {"filter_rules": rules(rng, names, at)},
        "relationships": relationships(tables, at, used),
        "mappings": entries,
        "enum_mappings": ENUMS,
        "bit_conversions": BIT_TABLES,
    }
    if names is CREDIT_CARD and one_in(rng, 5):
        del data["source_application_table"]
    return data


def rules(rng: Random, names: Names, at: dict[str, str]) -> list[dict[str, Any]]:
    """Filter rules for contacts, addresses and employments."""
    contact: dict[str, Any] = {"con_id": True, names.role_attribute: list(names.roles)}
    kept = rng.choice((("CURR", "PREV"), ("CURR", "PREV"), ("CURR",), ("NOW", "CURR")))
    address: dict[str, Any] = {names.address_attribute: list(kept)}
    employment: dict[str, Any] = {names.employment_attribute: ["CURR", "PREV"]}
    if one_in(rng, 4):
        contact["last_name"] = True
    if one_in(rng, 4):
        address["city"] = True
    return [
        {
            "element_type": kind,
            "xml_child_path": at[kind],
            "xml_parent_path": "/x",
            "required_attributes": rule,
        }
        for kind, rule in (("contact", contact), ("address", address), ("employment", employment))
    ]


def relationships(tables: dict[str, str], at: dict[str, str], used: list[str]) -> list[dict[str, Any]]:
    """Every table but the first is a child: of the contacts, or of the applications."""
    kinds = {table: kind for kind, table in tables.items()}
    listed = []
    for table in used[1:]:
        kind = kinds.get(table, "")
        child = kind in ("address", "employment")
        listed.append(
            {
                "parent_table": tables["contact" if child else "base"],
                "child_table": table,
                "foreign_key_column": "con_id" if child else "app_id",
                "xml_parent_path": at["contact" if child else "base"],
                "xml_child_path": at.get(kind, at["base"]),
            }
        )
    return listed


# ---- tables

KEYS = ("app_id", "con_id", "sort_order", "warranty_type_enum", "policy_exception_type_enum")


def tables_for(rng: Random, contract: Contract) -> dict[str, Table]:
    """Tables for a contract; now and then narrow, NOT NULL, in a code page, or not known."""
    found = {}
    for table in contract.tables:
        if one_in(rng, 10):
            continue
        fields = contract.fields_of(table)
        columns = [
            column(rng, name, [field for field in fields if field.column == name])
            for name in contract.columns_of(table)
        ]
        found[table] = Table(table, tuple(columns))
    return found


def column(rng: Random, name: str, fields: list[Field]) -> Column:
    """A column that usually has room for what is mapped to it."""
    if name in KEYS:
        return Column(name, "int", nullable=False)
    if not fields:  # of a row-creating type; the names in it are the contract's own
        sizes = (4, 60, None) if name in ("value", "reason_code", "notes") else (None,)
        return Column(name, "bigint" if name == "score" else "varchar", length=rng.choice(sizes))
    kind, length = fields[0].data_type, fields[0].length
    odd = rng.randrange(40)
    nullable = odd != 1
    if kind in ("int", "bigint", "smallint", "tinyint"):
        literal = rng.choice((None, "0", "1")) if not nullable else None
        return Column(name, "tinyint" if odd == 2 else kind, nullable=nullable, default=literal)
    if kind == "decimal":
        scale = 2 if length is None else length
        return Column(name, kind, precision=scale + (3 if odd == 2 else 10), scale=scale, nullable=nullable)
    if kind in ("float", *DATES, *BITS):
        return Column(name, "bit" if kind == "boolean" else kind, nullable=nullable)
    room = all(len(str(field.default or "")) <= 4 for field in fields)  # a default must fit its column
    size = 4 if odd == 2 and room else rng.choice((None, 60))
    encoding, counted = rng.choice(PAGES) if odd == 3 else (None, None)
    return Column(name, "varchar", length=size, nullable=nullable, encoding=encoding, counted=counted)


# ---- cases


@dataclass(frozen=True, repr=False)
class Case:
    """A contract with its tables, and documents for it."""

    contract: Contract
    tables: dict[str, Table]
    documents: list[str]


def random_case(rng: Random, count: int) -> Case:
    """A contract, its tables and `count` documents."""
    names = rng.choice((CREDIT_CARD, CREDIT_CARD, LENDING, FOREIGN))
    contract = parse_contract(contract_data(rng, names), "random.json")
    return Case(contract, tables_for(rng, contract), [document(rng, names) for _ in range(count)])


def cases(count: int = 5) -> st.SearchStrategy[Case]:
    """Random cases, as a strategy."""
    return st.randoms(use_true_random=False).map(lambda rng: random_case(rng, count))
