"""What a well-formed contract can still have wrong: problems that make it unusable, and warnings."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from provenir_lab.errors import Rejected
from provenir_lab.mapping import convert
from provenir_lab.mapping.contract import (
    BIT_TYPES,
    DATE_TYPES,
    INTEGER_TYPES,
    NUMBER_TYPES,
    ROW_TYPES,
    Contract,
    Field,
    Path,
)
from provenir_lab.mapping.syntax import ExpressionError, parse
from provenir_lab.tables import INTEGER_RANGES

BIT_STEPS = ("char_to_bit", "boolean_to_bit")
REPEATABLE = (*ROW_TYPES, "last_valid_pr_contact", "last_valid_sec_contact")
"""Types whose columns may be mapped more than once."""
UNRELATED = ("add_score", "add_indicator", "add_history", "add_report_lookup")
"""Types whose tables need no relationship."""
KNOWN_TYPES = frozenset(
    (
        *ROW_TYPES,
        *BIT_STEPS,
        "enum",
        "numbers_only",
        "extract_numeric",
        "calculated_field",
        "last_valid_pr_contact",
        "last_valid_sec_contact",
        "authu_contact",
        "curr_address_only",
        "default_getutcdate_if_null",
        "identity_insert",
        "extract_date",
    )
)


def contract_problems(contract: Contract) -> list[str]:
    """Every reason for which a contract cannot be used, each with its place."""
    return [
        *_rule_problems(contract),
        *_repeated_columns(contract.fields),
        *(problem for field in contract.fields for problem in _field_problems(contract, field)),
        *_bit_problems(contract),
        *_relationship_problems(contract),
    ]


def check_contract(contract: Contract) -> list[str]:
    """Warnings: what a usable contract has in it that its owner may not have meant, each with its place."""
    return [
        *_unread_paths(contract),
        *(warning for field in contract.fields for warning in _field_warnings(contract, field)),
        *_order_warnings(contract),
        *_shared_codes(contract),
    ]


# ---- problems


def _rule_problems(contract: Contract) -> Iterator[str]:
    for kind in ("contact", "address"):
        if contract.rule(kind) is None:
            yield f"element_filtering.filter_rules: no rule with element_type {kind}"
    contact = contract.rule("contact")
    if contact is not None and not contact.type_values:
        yield "element_filtering.filter_rules: the contact rule names no attribute with its allowed values"


def _repeated_columns(fields: Iterable[Field]) -> Iterator[str]:
    first: dict[tuple[str, str], str] = {}
    for field in fields:
        if not field.column or field.has(*REPEATABLE):
            continue
        before = first.setdefault((field.table, field.column), field.place)
        if before != field.place:
            yield f"{field.place}.target_column: {field.table}.{field.column} is already mapped by {before}"


def _field_problems(contract: Contract, field: Field) -> Iterator[str]:
    makes_rows = contract.kinds[field.table] in ROW_TYPES
    if not field.column and not makes_rows:
        yield f"{field.place}.target_column: missing ({field.table} gets one row of all its columns)"
    if field.has("enum"):
        name = contract.enum_of(field)
        if name is None:
            yield f"{field.place}.enum_name: missing, and the column's name tells no enum"
        elif name not in contract.enums:
            yield f"{field.place}: enum {name} is not in enum_mappings"
    if field.has("calculated_field") and field.expression:
        try:
            parse(field.expression)
        except ExpressionError as exc:
            yield f"{field.place}.expression: {exc}".replace("\n", "\n    ")
    if field.default is not None and not makes_rows:
        problem = _default_problem(contract, field)
        if problem:
            yield f"{field.place}.default_value: {problem}"


def _default_problem(contract: Contract, field: Field) -> str | None:
    """Why the default does not fit its column; None if it does."""
    text = str(int(field.default) if isinstance(field.default, bool) else field.default)
    if field.data_type in NUMBER_TYPES:
        number = convert.parse_number(text)
        if number is None:
            return f"is no number, but the column is {field.data_type}"
        if field.data_type in INTEGER_TYPES:
            try:
                convert.fit_integer("", field.data_type, None)(number)
            except Rejected:
                return f"is out of the range of {field.data_type}"
    elif field.data_type in DATE_TYPES:
        moment = convert.parse_datetime(text)
        try:
            fits = moment is not None and convert.fit_date("", field.data_type)(moment) is not None
        except Rejected:
            fits = False
        if not fits:
            return f"is no {field.data_type}"
    elif field.data_type in BIT_TYPES:
        known = contract.bits.get("boolean_to_bit", {})
        if known and text.strip().lower() not in known:
            return "is not in bit_conversions.boolean_to_bit"
    return None


def _bit_problems(contract: Contract) -> Iterator[str]:
    needed: dict[str, str] = {}
    for field in contract.fields:
        steps = [step.name for step in field.types if step.name in BIT_STEPS]
        if field.data_type in BIT_TYPES and (not steps or field.default is not None):
            steps.append("boolean_to_bit")
        for step in steps:
            needed.setdefault(step, field.place)
    for step, place in needed.items():
        if not contract.bits.get(step):
            yield f"bit_conversions.{step}: missing, but {place} needs it"


def _relationship_problems(contract: Contract) -> Iterator[str]:
    order = contract.insertion_order
    related = {r.child_table for r in contract.relationships}
    for relationship in contract.relationships:
        child, parent = relationship.child_table, relationship.parent_table
        if order and child not in order:
            yield f"{relationship.place}.child_table: {child} is not in table_insertion_order"
        if child in contract.ancestors(child):
            yield f"{relationship.place}: {child} and {parent} are parents of each other"
    if not contract.relationships:
        return
    for table in order:
        if table in related or table in ("app_base", "processing_log", contract.base_table):
            continue
        if any(not field.has(*UNRELATED) for field in contract.fields_of(table)):
            yield f"table_insertion_order: {table} is the child of no relationship"


# ---- warnings


def _unread_paths(contract: Contract) -> Iterator[str]:
    root = contract.reading_root
    places: dict[Path, list[str]] = defaultdict(list)
    for field in contract.fields:
        places[field.path].append(field.place)
    for rule in contract.rules:
        places[rule.path].append(f"the rule for {rule.element_type}")
    for path, users in places.items():
        if path != root[: len(path)] and path[: len(root)] != root:
            yield f"{', '.join(users)}: /{'/'.join(path)} lies outside /{'/'.join(root)} and is never read"


def _field_warnings(contract: Contract, field: Field) -> Iterator[str]:
    for step in field.types:
        if step.name not in KNOWN_TYPES:
            yield f"{field.place}.mapping_type: {step.name} is not known and has no effect"
    known = (*NUMBER_TYPES, *DATE_TYPES, *BIT_TYPES, "string")
    if field.data_type not in known:
        yield f"{field.place}.data_type: {field.data_type} is not known and counts as string"
    if field.expression and not field.has("calculated_field"):
        yield f"{field.place}.expression: not used, because mapping_type has no calculated_field"
    yield from _row_warnings(contract, field)
    yield from _code_warnings(contract, field)
    cut = field.length if field.data_type == "string" else None
    if field.default is not None and cut is not None and 0 < cut < len(str(field.default)):
        yield f"{field.place}.default_value: longer than data_length, it will be cut"


def _row_warnings(contract: Contract, field: Field) -> Iterator[str]:
    kind = contract.kinds[field.table]
    if kind not in ROW_TYPES:
        if field.row_type:
            yield f"{field.place}.mapping_type: {field.row_type.name} has no effect in {field.table}"
        return
    step = next((step for step in field.types if step.name == kind), None)
    if step is None:
        yield f"{field.place}: makes no rows, {field.table} is filled by {kind} alone"
        return
    parameter = step.parameter or ""
    if kind in ("add_score", "add_indicator") and not parameter:
        yield f"{field.place}.mapping_type: {kind} needs a parameter, no rows without it"
    shares_notes = kind == "policy_exceptions" and not parameter
    numbered = kind in ("policy_exceptions", "warranty_field", "add_collateral")
    if numbered and not shares_notes and not re.fullmatch(r"[+-]?[0-9]+", parameter):
        yield f"{field.place}.mapping_type: {kind} needs a whole number as parameter, no rows without it"


def _code_warnings(contract: Contract, field: Field) -> Iterator[str]:
    """Codes that the column of an enum cannot hold."""
    if not field.has("enum") or field.data_type not in INTEGER_TYPES:
        return
    low, high = INTEGER_RANGES[field.data_type]
    name = contract.enum_of(field) or ""
    for text, code in contract.enums[name].items():
        if not isinstance(code, int):
            yield f'{field.place}: {name}["{text}"] is a text, but the column is {field.data_type}'
        elif not low <= code <= high:
            yield f'{field.place}: {name}["{text}"] is out of the range of {field.data_type}'


def _order_warnings(contract: Contract) -> Iterator[str]:
    for kind, count in Counter(rule.element_type for rule in contract.rules).items():
        if kind not in ("contact", "address", "employment"):
            yield f"element_filtering.filter_rules: element_type {kind} is not known and has no effect"
        elif count > 1:
            yield f"element_filtering.filter_rules: {count} rules for {kind}, only the first counts"
    order = contract.insertion_order
    for table in order:
        if not contract.fields_of(table) and table != "processing_log":
            yield f"table_insertion_order: nothing is mapped to {table}"
        for parent in contract.ancestors(table):
            if parent in order and order.index(parent) > order.index(table):
                yield f"table_insertion_order: {table} is before its parent {parent}; the parent goes first"
    for relationship in contract.relationships:
        if not contract.fields_of(relationship.parent_table):
            yield f"{relationship.place}.parent_table: nothing is mapped to {relationship.parent_table}"


def _shared_codes(contract: Contract) -> Iterator[str]:
    users: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for name, codes in contract.enums.items():
        for text, code in codes.items():
            if isinstance(code, int):
                users[code].append((name, text))
    for code, found in users.items():
        if len({name for name, _ in found}) > 1:
            listed = ", ".join(f'{name}["{text}"]' for name, text in found)
            yield f"enum_mappings: code {code} is shared by {listed}; app_enums has one row for it"
