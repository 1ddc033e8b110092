"""Rows that several mappings fill together: warranties and collateral, one row a group number."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from provenir_lab.errors import Rejected
from provenir_lab.mapping import convert
from provenir_lab.mapping.chains import calculated_result
from provenir_lab.mapping.contract import (
    BIT_TYPES,
    DATE_TYPES,
    NUMBER_TYPES,
    ROW_TYPE_COLUMNS,
    Contract,
    Field,
)
from provenir_lab.mapping.expressions import Get, compile_expression
from provenir_lab.mapping.steps import (
    Value,
    default_of,
    generic_conversion,
    literal_default,
    null_default,
    postponed,
    raise_postponed,
    typed_default,
)
from provenir_lab.tables import Column, Tables

Texts = tuple[str | None, ...]
"""Source values of a table's fields, in the order of the contract."""
Rows = list[tuple[Value, ...]]
Cell = Callable[[str | None, Get], tuple[Value, bool]]
"""Source text -> value of the column, which may be a postponed Rejected, and whether it makes the row worth
writing."""

_NOTHING = ("", "null", "none")


def meaningful(text: str | None) -> str | None:
    """The trimmed text; None if it is blank or says null or none."""
    if not text:
        return None
    text = text.strip()
    return None if text.lower() in _NOTHING else text


def group_number(parameter: str | None) -> int | None:
    """The number in `warranty_field(2)`; None if it is none."""
    try:
        return int(parameter or "")
    except ValueError:
        return None


def group_rows(
    table: str, kind: str, contract: Contract, tables: Tables
) -> Callable[[int, Texts, Get], Rows]:
    """A function `(app_id, texts, names) -> rows` for a table fed by `warranty_field` or `add_collateral`."""
    fields = contract.fields_of(table)
    columns = contract.columns_of(table)
    real = tables.get(table)
    build_cell = _warranty_cell if kind == "warranty_field" else _collateral_cell
    groups: dict[int, list[tuple[int, str, Cell]]] = {}
    defaults: dict[int, dict[str, Value]] = {}
    """For columns of a group that got no value."""
    fallbacks: dict[int, dict[str, Value]] = {}
    """For columns that may not be NULL and still have no value."""
    for index, field in enumerate(fields):
        number = group_number(field.row_type.parameter if field.row_type else None)
        if number is None or not field.column:
            continue
        column = real.column(field.column) if real else None
        groups.setdefault(number, []).append((index, field.column, build_cell(field, contract, column)))
        if kind == "add_collateral":
            generic = generic_conversion(field, contract, column)
            _offer(defaults, number, field, typed_default(field, generic))
            _offer(fallbacks, number, field, null_default(field, column, generic))
    literals = _literals(fields, contract, tables)
    flags = {f.column for f in fields if f.has("char_to_bit")} if kind == "warranty_field" else set()
    blank = {name: 0 if name in flags else None for name in columns}
    required = _required(fields, tables)
    key = contract.key_of(table)
    number_column = ROW_TYPE_COLUMNS[kind][0]

    def rows(app_id: int, texts: Texts, names: Get) -> Rows:
        found: Rows = []
        for number, cells in groups.items():
            row: dict[str, Value] = dict(blank)
            worth = False
            for index, name, cell in cells:
                value, marks = cell(texts[index], names)
                worth = worth or marks
                if value is not None:
                    row[name] = value
            if not worth:
                continue
            for name, default in defaults.get(number, {}).items():
                if row[name] is None:
                    row[name] = default
            row[key], row[number_column] = app_id, number
            for name, fallback in (literals | fallbacks.get(number, {})).items():
                if row[name] in (None, ""):
                    row[name] = fallback
            for name in required:
                if row[name] in (None, ""):
                    raise Rejected("missing_required", f"{table}.{name}")
            for value in row.values():
                raise_postponed(value)
            found.append(tuple([None if value == "" else value for value in row.values()]))
        return found

    return rows


def _offer(found: dict[int, dict[str, Value]], number: int, field: Field, default: Value) -> None:
    """The first default of a group's column is its default."""
    if default is not None:
        found.setdefault(number, {}).setdefault(field.column, default)


def _required(fields: Iterable[Field], tables: Tables) -> list[str]:
    names: dict[str, None] = {}
    for field in fields:
        real = tables.get(field.table)
        column = real.column(field.column) if real else None
        not_null = column is not None and not column.nullable and column.default is None
        if field.column and (field.nullable is False or not_null):
            names[field.column] = None
    return list(names)


def _literals(fields: Iterable[Field], contract: Contract, tables: Tables) -> dict[str, Value]:
    """What the database would fill in itself, were the columns not named in the INSERT."""
    found: dict[str, Value] = {}
    for field in fields:
        real = tables.get(field.table)
        column = real.column(field.column) if real else None
        literal = literal_default(column)
        if column is not None and not column.nullable and literal is not None:
            found[field.column] = default_of(field, literal, generic_conversion(field, contract, column))
    return found


def _uncut(field: Field, contract: Contract, column: Column | None) -> Callable[[Value], Value]:
    """Conversion to the field's type, postponed; texts are trimmed, not cut."""
    if field.data_type in (*NUMBER_TYPES, *DATE_TYPES, *BIT_TYPES):
        return postponed(generic_conversion(field, contract, column))
    fit = convert.fit_text(f"{field.table}.{field.column}", None, column)
    return postponed(lambda value: None if value is None else fit(convert.to_text(value)))


def _flag(contract: Contract) -> Callable[[str | None], Value]:
    bits = contract.bits.get("char_to_bit", {})

    def flag(text: str | None) -> Value:
        text = (text or "").strip()
        return (bits.get(text, bits.get(text.upper(), 0))) if text else 0

    return flag


def _warranty_cell(field: Field, contract: Contract, column: Column | None) -> Cell:
    if field.has("char_to_bit"):
        flag = _flag(contract)
        return lambda text, names: (flag(text), False)
    fit = _uncut(field, contract, column)

    def cell(text: str | None, names: Get) -> tuple[Value, bool]:
        found = meaningful(text)
        return (None, False) if found is None else (fit(found), True)

    return cell


def _collateral_cell(field: Field, contract: Contract, column: Column | None) -> Cell:
    if field.has("calculated_field"):
        # a calculated "" is no value, but the default does not replace it
        typed = calculated_result(field, _uncut(field, contract, column))
        evaluate = compile_expression(field.expression or "").evaluate

        def calculated(text: str | None, names: Get) -> tuple[Value, bool]:
            value = evaluate(names)
            return (None if value is None else typed(value), False)

        return calculated
    if field.has("char_to_bit"):
        flag = _flag(contract)
        return lambda text, names: (flag(text), False)
    fit = _uncut(field, contract, column)
    digits = field.has("numbers_only", "extract_numeric")
    numeric = field.data_type in NUMBER_TYPES
    wholesale = field.column == "wholesale_value"

    def cell(text: str | None, names: Get) -> tuple[Value, bool]:
        found: Value = meaningful(text)
        if found is None:
            return (None, False)
        if digits:
            found = convert.find_number(str(found)) if numeric else convert.digits_of(str(found)) or None
            return (None, False) if found is None else (fit(found), True)
        number = convert.parse_number(str(found))
        marks = not wholesale or (number is not None and number > 0)
        return (fit(found), marks)

    return cell
