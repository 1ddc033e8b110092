"""Mapping chains: from an attribute's text, or a calculated value, to the value of a column.

A chain is composed once, when the contract is compiled, into one function; nothing of the contract is looked
at again per document.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

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
)
from provenir_lab.tables import Column

Value = object
"""str, int, Decimal, datetime, date or None."""
Step = Callable[[Value], Value]

SOURCE_TYPES = (
    "last_valid_pr_contact",
    "last_valid_sec_contact",
    "authu_contact",
    "curr_address_only",
    "calculated_field",
)
"""Types that say where the value comes from, not what becomes of it."""

_BIT_STEPS = ("char_to_bit", "boolean_to_bit")
_DIGIT_STEPS = ("numbers_only", "extract_numeric")
_TYPED_STEPS = ("enum", *_BIT_STEPS, "calculated_field", "default_getutcdate_if_null")
"""Steps that can give something else than a text."""


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """How one column gets its value. `convert` takes the source's value, never None."""

    convert: Callable[[Value], Value]
    on_null: Value
    """The column's value where the source has none at all."""
    on_blank: Value
    """... where it is an empty text."""
    fixed: bool
    """False if `on_null` and `on_blank` depend on the moment: then `convert` must be asked with None."""
    counts: Callable[[Value], bool] | None
    """Whether a source value makes its row worth writing; None: exactly if the column has a value."""
    required: bool
    """Whether a row without a value here is an error."""


def plan_column(
    field: Field, contract: Contract, column: Column | None, unknown: Counter[tuple[str, str]]
) -> ColumnPlan:
    """Compose the chain of one field. `column` is the real or packaged column, None if unknown."""
    generic = generic_conversion(field, contract, column)
    typed_default = _typed_default(field, generic)
    after_source, from_source = _steps_after_source(field)
    steps = [_step(name, field, contract, generic, typed_default, unknown) for name in after_source]
    chain = _compose(after_source, steps, from_source, typed_default, generic)
    finish = _finish(field, column, generic)
    fallback = _null_default(field, column, generic)
    calculated = field.has("calculated_field")

    if calculated:
        chain = _after_calculation(chain, generic, field)

    def inner(value: Value) -> Value:
        return finish(chain(value))

    def final(value: Value) -> Value:
        found = inner(value)
        return fallback if found is None or found == "" else found

    simple = _short_cut(field, after_source, chain, generic, typed_default, fallback) or final
    moment = "default_getutcdate_if_null" in after_source
    on_null, on_blank = (None, None) if moment else (final(None), final(""))
    counts: Callable[[Value], bool] | None = None
    keeps_blank = from_source and not steps
    if keeps_blank or typed_default is not None or fallback is not None:

        def worth(value: Value) -> bool:
            found = inner(value)
            if found is None or (found == "" and not keeps_blank):
                return False
            blank = not calculated and _blank(value)
            return not (blank and found == typed_default and not field.has(*_BIT_STEPS))

        counts = worth

    not_null = column is not None and not column.nullable
    demanded = field.nullable is False or (not_null and (field.nullable is None or _literal(column) is None))
    return ColumnPlan(simple, on_null, on_blank, not moment, counts, demanded)


def _short_cut(
    field: Field, names: list[str], chain: Step, generic: Step, typed_default: Value, fallback: Value
) -> Step | None:
    """For the usual chains a leaner function that gives the same values for anything but None."""
    if not names:
        if fallback is not None:
            return lambda value: fallback if (found := generic(value)) is None else found
        if typed_default is None or field.has("calculated_field"):
            return generic
        return lambda value: typed_default if _blank(value) else generic(value)
    if len(names) > 1 or field.data_type not in (*INTEGER_TYPES, *BIT_TYPES):
        return None
    if names[0] in _BIT_STEPS or (names[0] == "enum" and fallback is None):
        return chain
    return None


def generic_conversion(field: Field, contract: Contract, column: Column | None) -> Step:
    """Conversion to the field's data type; texts come back trimmed and cut, unreadable ones as None."""
    place = f"{field.table}.{field.column}" if field.column else field.table
    kind = field.data_type
    if kind in NUMBER_TYPES:
        fit = _fit_number(place, field, column)
        parse = convert.parse_number

        @lru_cache(1024)  # fees, rates and scores repeat
        def number(value: Value) -> Value:
            found = parse(value) if isinstance(value, str) else value
            return fit(found) if isinstance(found, int | Decimal) else None

        return number
    if kind in DATE_TYPES:
        fit_date = convert.fit_date(kind)

        def moment(value: Value) -> Value:
            found = convert.parse_datetime(value) if isinstance(value, str) else value
            return fit_date(found) if isinstance(found, datetime) else None

        return moment
    if kind in BIT_TYPES:
        bits = contract.bits.get("boolean_to_bit", {})

        def bit(value: Value) -> Value:
            text = "" if value is None else str(value).strip()
            return bits.get(text.lower(), 0) if text else None

        return bit
    fit_text = convert.fit_text(place, field.length, column)
    if not field.has(*_TYPED_STEPS):
        return fit_text  # nothing but texts comes

    def text(value: Value) -> Value:
        return fit_text(value if value is None or isinstance(value, str) else convert.to_text(value))

    return text


def _fit_number(place: str, field: Field, column: Column | None) -> Callable[..., Value]:
    if field.data_type in INTEGER_TYPES:
        return convert.fit_integer(place, field.data_type, column)
    if field.data_type == "decimal":
        scale = field.length if field.length is not None and field.length >= 0 else 2
        fit = convert.fit_decimal(place, scale, column)
        return lambda number: fit(Decimal(number))
    return Decimal


def _default_text(field: Field) -> str:
    return str(int(field.default)) if isinstance(field.default, bool) else str(field.default)


def _default(text: str, generic: Step) -> Value:
    """A default in the column's type; None if it does not fit (the contract check reports that)."""
    try:
        return generic(text)
    except Rejected:
        return None


def _typed_default(field: Field, generic: Step) -> Value:
    """What a blank source gives: as in the reference, a default of 0 or false is none."""
    return _default(_default_text(field), generic) if field.default else None


def _literal(column: Column | None) -> str | None:
    """The default that the database itself would fill in, if it is a plain value."""
    return column.default if column is not None and column.default != "now" else None


def _null_default(field: Field, column: Column | None, generic: Step) -> Value:
    """What a column that may not be NULL gets where there is no value."""
    if field.nullable is True and (column is None or column.nullable):
        return None
    if field.default is not None:
        return _default(_default_text(field), generic)
    literal = _literal(column) if column is not None and not column.nullable else None
    return None if literal is None else _default(literal, generic)


def _steps_after_source(field: Field) -> tuple[list[str], bool]:
    """Names of the converting steps, and whether a step before them says where the value comes from."""
    names = [step.name for step in field.types if step.name not in ROW_TYPES]
    sources = [index for index, name in enumerate(names) if name in SOURCE_TYPES]
    return (names[sources[-1] + 1 :], True) if sources else (names, False)


def _step(
    name: str,
    field: Field,
    contract: Contract,
    generic: Step,
    typed_default: Value,
    unknown: Counter[tuple[str, str]],
) -> Step:
    if name == "enum":
        return _enum_step(field, contract, generic, unknown)
    if name in _BIT_STEPS:
        return _bit_step(contract.bits.get(name, {}), upper=name == "char_to_bit")
    if name == "default_getutcdate_if_null":
        return lambda value: generic(datetime.now(UTC).replace(tzinfo=None) if _blank(value) else value)
    if name in _DIGIT_STEPS:
        return _digits_step(field, generic, typed_default)
    return lambda value: typed_default if _blank(value) else generic(value)


def _blank(value: Value) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _enum_step(field: Field, contract: Contract, generic: Step, unknown: Counter[tuple[str, str]]) -> Step:
    codes: Mapping[str, int | str] = contract.enums.get(contract.enum_of(field) or "", {})
    folded: dict[str, int | str] = {}
    for name, code in codes.items():
        folded.setdefault(name.lower(), code)
    catch_all = codes.get("")
    place = (field.table, field.column)
    otherwise: Value = None
    if field.nullable is not True and field.default is not None:
        otherwise = _default(_default_text(field), generic)

    def enum(value: Value) -> Value:
        text = "" if value is None else str(value).strip()
        code = codes.get(text)
        if code is None:
            code = folded.get(text.lower())
            if code is None:
                if catch_all is None:
                    return otherwise
                unknown[place] += 1
                return catch_all
        return code

    return enum


def _bit_step(bits: Mapping[str, int], *, upper: bool) -> Step:
    def bit(value: Value) -> Value:
        text = "" if value is None else str(value).strip()
        if not text:
            return 0
        if not upper:
            return bits.get(text.lower(), 0)
        found = bits.get(text)
        return bits.get(text.upper(), 0) if found is None else found

    return bit


def _digits_step(field: Field, generic: Step, typed_default: Value) -> Step:
    if field.data_type in NUMBER_TYPES:

        def number(value: Value) -> Value:
            if _blank(value):
                return typed_default
            return generic(convert.find_number(value) if isinstance(value, str) else value)

        return number

    def digits(value: Value) -> Value:
        return typed_default if _blank(value) else generic(convert.digits_of(str(value)) or None)

    return digits


def _compose(
    names: list[str], steps: list[Step], from_source: bool, typed_default: Value, generic: Step
) -> Step:
    """One function for the chain. A null ends it, unless it comes from an enum or an enum is next."""
    if not names and not from_source:
        if typed_default is None:
            return generic
        return lambda value: typed_default if _blank(value) else generic(value)
    chain: Step | None = None
    previous = "source" if from_source else ""
    for name, step in zip(names, steps, strict=True):
        goes_on = name == "enum" or previous in ("", "enum", "default_getutcdate_if_null")
        chain = _then(chain, step, goes_on)
        previous = name
    return chain or (lambda value: value)


def _after_calculation(chain: Step, generic: Step, field: Field) -> Step:
    """A result has the column's type before the rest of the chain sees it; only a text keeps a blank one."""
    text_column = field.data_type not in (*NUMBER_TYPES, *DATE_TYPES, *BIT_TYPES)

    def typed(value: Value) -> Value:
        if _blank(value):
            return "" if text_column and value is not None else None
        return generic(value)

    return _then(typed, chain, goes_on=True)


def _then(first: Step | None, second: Step, goes_on: bool) -> Step:
    if first is None:
        return second if goes_on else lambda value: None if value is None else second(value)
    before = first

    def both(value: Value) -> Value:
        found = before(value)
        return None if found is None and not goes_on else second(found)

    return both


def _finish(field: Field, column: Column | None, generic: Step) -> Step:
    """The last conversion: texts to the column's type, trimmed and cut; "" stays for the caller to see."""
    text_column = field.data_type not in (*NUMBER_TYPES, *DATE_TYPES, *BIT_TYPES)
    only_digits = text_column and field.has("numbers_only")

    def finish(value: Value) -> Value:
        if isinstance(value, str):
            if not value.strip():
                return ""
            return generic(convert.digits_of(value) if only_digits else value)
        return generic(value) if text_column and value is not None else value

    return finish
