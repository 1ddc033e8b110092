"""Rows of one table from one document (4.3, 4.4, section 6), each a dictionary column -> value.

A row remembers which field gave a column, so that the limits of section 0 (C5, C10) can be applied to the
rows that are really emitted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import field as data_field

from provenir_lab.mapping.contract import Field
from provenir_lab.mapping.reference import values
from provenir_lab.mapping.reference.fields import DIGIT_STEPS, Fields, Row
from provenir_lab.mapping.reference.values import Value, is_blank, is_meaningful

YES = ("y", "yes", "true", "t", "1")


@dataclass
class TableRow:
    """A row on its way; columns that are absent are NULL."""

    cells: dict[str, Value] = data_field(default_factory=dict)
    sources: dict[str, Field] = data_field(default_factory=dict)
    """Column -> the field that the contract maps to it."""

    def set(self, column: str, value: Value, source: Field | None = None) -> None:
        self.cells[column] = value
        if source is not None:
            self.sources[column] = source


def rows_of(table: str, fields: Fields) -> list[TableRow]:
    """All rows of a table, in their order."""
    kind = fields.contract.kinds[table]
    makers = {
        "contact": _contact_rows,
        "address": _child_rows,
        "employment": _child_rows,
        "application": _application_rows,
        "warranty_field": _warranty_rows,
        "add_collateral": _collateral_rows,
        "policy_exceptions": _policy_rows,
    }
    return makers.get(kind, _key_value_rows)(table, fields)


# ---- one value a column


def _generic_row(table: str, fields: Fields, row: Row) -> tuple[TableRow, bool]:
    """4.3, and whether the row holds anything but defaults and keys."""
    made = TableRow()
    has_data = False
    keys = (fields.contract.key_of(table), fields.contract.contact_id_column)
    for field in fields.contract.fields_of(table):
        made.sources.setdefault(field.column, field)
        found = fields.value(field, row)
        earlier = made.cells.get(field.column)
        if found.value is not None and (earlier is None or not found.defaulted):
            made.set(field.column, found.value, field)
        elif earlier is None:
            made.set(field.column, fields.stand_in(field), field)
        has_data = has_data or (found.is_data and field.column not in keys)
    return made, has_data


def _application_rows(table: str, fields: Fields) -> list[TableRow]:
    made, has_data = _generic_row(table, fields, fields.row_of_application(table))
    made.set(fields.contract.key_of(table), fields.document.app_id)
    return [made] if has_data or table == fields.contract.base_table else []


def _contact_rows(table: str, fields: Fields) -> list[TableRow]:
    rows = []
    for contact in fields.contacts.valid:
        made, _ = _generic_row(table, fields, fields.row_of_contact(contact))
        made.set(fields.contract.contact_id_column, contact.con_id)
        made.set(fields.contract.key_of(table), fields.document.app_id)
        rows.append(made)
    return rows


def _child_rows(table: str, fields: Fields) -> list[TableRow]:
    kind = fields.contract.kinds[table]
    rows = []
    for contact in fields.contacts.valid:
        for element in fields.contacts.children(contact, fields.contract.rule(kind)):
            made, has_data = _generic_row(table, fields, fields.row_of_child(kind, contact, element))
            made.set(fields.contract.key_of(table), contact.con_id)
            if has_data and _is_worth_a_row(kind, made.cells, element.attributes):
                rows.append(made)
    return rows


def _is_worth_a_row(kind: str, cells: dict[str, Value], attributes: dict[str, str]) -> bool:
    """The "meaningful" rules of 4.4; defaults count."""
    if kind == "address":
        columns = ["zip", "city", "street_name", "street_number", "state"]
        sources = ["zip_code", "city", "street_name"]
    else:
        columns = ["business_name", "job_title", "zip", "city"]
        sources = ["business_name", "zip_code", "city"]
        if cells.get("monthly_salary"):
            return True
    found = [cells.get(column) for column in columns] + [attributes.get(name) for name in sources]
    return any(not is_blank(value) for value in found)


# ---- rows made by their mapping type


def _parameter(field: Field) -> str:
    step = field.row_type
    return (step.parameter or "") if step else ""


def _number_parameter(field: Field) -> int | None:
    return int(_parameter(field)) if re.fullmatch(r"[+-]?[0-9]+", _parameter(field)) else None


def _key_value_rows(table: str, fields: Fields) -> list[TableRow]:
    rows = []
    for field in fields.contract.fields_of(table):
        cells = _key_value_cells(fields.contract.kinds[table], field, fields)
        if cells is not None:
            made = TableRow(cells, {"score": field} if "score" in cells else {})
            made.set(fields.contract.key_of(table), fields.document.app_id)
            rows.append(made)
    return rows


def _key_value_cells(kind: str, field: Field, fields: Fields) -> dict[str, Value] | None:
    if field.row_type is None or field.row_type.name != kind:
        return None
    text, parameter = fields.for_row_table(field), _parameter(field)
    if kind == "add_score":
        score = values.convert(text, field, fields.boolean_codes)
        return {"score_identifier": parameter, "score": score} if parameter and score is not None else None
    if kind == "add_indicator":
        said_yes = text is not None and text.strip().lower() in YES
        return {"indicator": parameter, "value": "1"} if said_yes and parameter else None
    if text is None or not is_meaningful(text):
        return None
    if kind == "add_history":
        return {"name": f"[{field.attribute}]", "source": f"[{field.path[-1]}]", "value": text.strip()}
    return {"name": field.attribute, "value": text.strip(), "source_report_key": parameter or None}


def _policy_rows(table: str, fields: Fields) -> list[TableRow]:
    mapped = [
        f for f in fields.contract.fields_of(table) if f.row_type and f.row_type.name == "policy_exceptions"
    ]
    shared = next((f for f in mapped if not _parameter(f)), None)
    notes = fields.for_row_table(shared) if shared else None
    rows = []
    for field in mapped:
        text, number = fields.for_row_table(field), _number_parameter(field)
        if text is None or not is_meaningful(text) or number is None:
            continue
        made = TableRow({"policy_exception_type_enum": number, "reason_code": text.strip()})
        made.set("notes", notes.strip() if notes is not None and is_meaningful(notes) else None)
        made.set(fields.contract.key_of(table), fields.document.app_id)
        rows.append(made)
    return rows


def _groups(table: str, kind: str, fields: Fields) -> dict[int, list[Field]]:
    """Fields by the number of their group, in order of the first field of each."""
    groups: dict[int, list[Field]] = {}
    for field in fields.contract.fields_of(table):
        number = _number_parameter(field)
        if field.row_type is not None and field.row_type.name == kind and number is not None:
            groups.setdefault(number, []).append(field)
    return groups


def _warranty_rows(table: str, fields: Fields) -> list[TableRow]:
    groups = _groups(table, "warranty_field", fields)
    flags = {f.column for group in groups.values() for f in group if f.has("char_to_bit")}
    rows = []
    for number, group in groups.items():
        made = TableRow()
        has_data = False
        for field in group:
            text = fields.for_row_table(field)
            if field.has("char_to_bit"):
                made.set(field.column, fields.char_to_bit((text or "").strip()), field)
            elif text is not None and is_meaningful(text):
                has_data = True
                value = _uncut(text, field, fields)
                if value is not None:
                    made.set(field.column, value, field)
        if not has_data:
            continue
        for column in flags - made.cells.keys():  # C18
            made.set(column, 0)
        rows.append(_completed(made, table, {"warranty_type_enum": number}, fields))
    return rows


def _completed(made: TableRow, table: str, number: dict[str, Value], fields: Fields) -> TableRow:
    """The row with its keys, and with what the database would fill in itself; other groups' columns too."""
    for field in fields.contract.fields_of(table):
        made.sources.setdefault(field.column, field)
        default = fields.stand_in(field, contract_default=False)
        if is_blank(made.cells.get(field.column)) and default is not None:
            made.set(field.column, default)
    made.cells |= number
    made.set(fields.contract.key_of(table), fields.document.app_id)
    return made


def _uncut(text: str, field: Field, fields: Fields) -> Value:
    """Texts trimmed but not cut; everything else in its column's type."""
    value = values.convert(text, field, fields.boolean_codes)
    return value.strip() if isinstance(value, str) else value


def _collateral_rows(table: str, fields: Fields) -> list[TableRow]:
    rows = []
    for number, group in _groups(table, "add_collateral", fields).items():
        made = TableRow()
        marks = [_set_collateral(field, made, fields) for field in group]
        if not any(marks):
            continue
        for field in group:
            present = made.cells.get(field.column)
            default = values.typed_default(field, fields.boolean_codes) if present is None else None
            if default is None and is_blank(present):  # a calculated "" is no value for NOT NULL
                default = fields.stand_in(field)
            if default is not None:
                made.set(field.column, default, field)
        rows.append(_completed(made, table, {"sort_order": number}, fields))
    return rows


def _set_collateral(field: Field, made: TableRow, fields: Fields) -> bool:
    """Sets a column of a collateral; whether that makes the collateral worth a row."""
    if field.has("calculated_field"):
        value = fields.calculated(field, fields.application_names)
        if value is not None:
            made.set(field.column, value, field)
        return False
    text = fields.for_row_table(field)
    if field.has("char_to_bit"):
        made.set(field.column, fields.char_to_bit((text or "").strip()), field)
        return False
    if text is None or not is_meaningful(text):
        return False
    digits = field.has(*DIGIT_STEPS)
    if digits and not values.digits(text):
        return False
    value = fields.digits(field, text) if digits else _uncut(text, field, fields)
    if value is not None:
        made.set(field.column, value, field)
    if field.column == "wholesale_value" and not digits:
        amount = values.number(text)
        return amount is not None and amount > 0
    return True
