"""Mapping chains: from an attribute's text, or a calculated value, to the value of a column.

A chain is composed once, when the contract is compiled, into one function; nothing of the contract is looked
at again per document.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from provenir_lab.mapping import convert
from provenir_lab.mapping.contract import BIT_TYPES, INTEGER_TYPES, NUMBER_TYPES, ROW_TYPES, Contract, Field
from provenir_lab.mapping.steps import (
    BIT_STEPS,
    Step,
    Value,
    converting_step,
    generic_conversion,
    is_blank,
    is_text,
    literal_default,
    null_default,
    typed_default,
)
from provenir_lab.tables import Column

SOURCE_TYPES = (
    "last_valid_pr_contact",
    "last_valid_sec_contact",
    "authu_contact",
    "curr_address_only",
    "calculated_field",
)
"""Types that say where the value comes from, not what becomes of it."""

_PASS_NULL_ON = ("enum", "default_getutcdate_if_null")
"""Steps whose null does not end a chain."""


MakeStep = Callable[..., Step]
"""Makes a step of its name; called as `converting_step` is."""


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
    bare: Callable[[Value], Value]
    """`convert` without the default of a column that may not be null; an empty text stays one."""
    fallback: Value
    """That default."""


def plan_column(
    field: Field,
    contract: Contract,
    column: Column | None,
    unknown: Counter[tuple[str, str]],
    make_step: MakeStep = converting_step,
) -> ColumnPlan:
    """Compose the chain of one field. `column` is the real or packaged column, None if unknown."""
    generic = generic_conversion(field, contract, column)
    names, from_source = _steps_after_source(field)
    calculated = field.has("calculated_field")
    blank = None if from_source else typed_default(field, generic)
    between = generic_conversion(field, contract, column, limited=False) if field.types else generic
    finish = _finish(field, generic)
    fallback = null_default(field, column, generic)

    def composed(counter: Counter[tuple[str, str]]) -> tuple[Step, Step]:
        """The chain without and with its last conversion."""
        default = typed_default(field, generic)
        steps = [make_step(name, field, contract, column, between, default, counter) for name in names]
        chain = _compose(names, steps, from_source, blank, generic)
        if calculated:
            chain = _then(calculated_result(field, between), chain)
        return chain, _then(chain, finish)

    chain, inner = composed(unknown)

    def final(value: Value) -> Value:
        found = inner(value)
        return fallback if found is None or found == "" else found

    codes_are_numbers = all(isinstance(code, int) for code in _codes(field, contract))
    simple = _short_cut(field, names, chain, generic, blank, fallback) if codes_are_numbers else None
    moment = "default_getutcdate_if_null" in names
    on_null, on_blank = (None, None) if moment else (final(None), final(""))
    counts: Callable[[Value], bool] | None = None
    keeps_blank = calculated and is_text(field)
    if keeps_blank or field.default is not None or fallback is not None:
        _, uncounted = composed(Counter())  # asking twice finds no more unknown codes

        def worth(value: Value) -> bool:
            found = uncounted(value)
            if found is None or (found == "" and not keeps_blank):
                return False
            defaulted = is_blank(value) and not calculated and found == typed_default(field, generic)
            return not defaulted or field.has(*BIT_STEPS)

        counts = worth

    not_null = column is not None and not column.nullable
    demanded = field.nullable is False or (
        not_null and (field.nullable is None or literal_default(column) is None)
    )
    return ColumnPlan(simple or final, on_null, on_blank, not moment, counts, demanded, inner, fallback)


def _codes(field: Field, contract: Contract) -> list[int | str]:
    return list(contract.enums.get(contract.enum_of(field) or "", {}).values()) if field.has("enum") else []


def _short_cut(
    field: Field, names: list[str], chain: Step, generic: Step, blank: Value, fallback: Value
) -> Step | None:
    """For the usual chains a leaner function that gives the same values for anything but None."""
    if not names:
        if fallback is not None:
            return lambda value: fallback if (found := generic(value)) is None else found
        if blank is None:
            return generic
        return lambda value: blank if is_blank(value) else generic(value)
    if len(names) > 1 or field.data_type not in (*INTEGER_TYPES, *BIT_TYPES) or field.has("calculated_field"):
        return None
    return chain if names[0] in BIT_STEPS or (names[0] == "enum" and fallback is None) else None


def _steps_after_source(field: Field) -> tuple[list[str], bool]:
    """Names of the converting steps, and whether a step before them says where the value comes from."""
    names = [step.name for step in field.types if step.name not in ROW_TYPES]
    sources = [index for index, name in enumerate(names) if name in SOURCE_TYPES]
    return (names[sources[-1] + 1 :], True) if sources else (names, False)


def _compose(names: list[str], steps: list[Step], from_source: bool, blank: Value, generic: Step) -> Step:
    """One function for the chain. A null ends it, unless it comes from an enum or an enum is next."""
    if not names:
        if from_source:
            return lambda value: value
        return lambda value: blank if is_blank(value) else generic(value)
    chain = steps[-1]
    for index in range(len(names) - 2, -1, -1):
        goes_on = names[index] in _PASS_NULL_ON or names[index + 1] == "enum"
        chain = _then(steps[index], chain, goes_on=goes_on)
    if from_source and names[0] != "enum":
        return _then(lambda value: value, chain, goes_on=False)
    return chain


def _then(first: Step, rest: Step, *, goes_on: bool = True) -> Step:
    """Both, one after the other; without `goes_on` a null of the first ends it."""

    def both(value: Value) -> Value:
        found = first(value)
        return None if found is None and not goes_on else rest(found)

    return both


def calculated_result(field: Field, generic: Step) -> Step:
    """A result in the column's type, as the rest of the chain sees it; only a text keeps a blank one."""
    text = is_text(field)

    def typed(value: Value) -> Value:
        if is_blank(value):
            return "" if text and value is not None else None
        return generic(value)

    return typed


def _finish(field: Field, generic: Step) -> Step:
    """The last conversion: texts to the column's type, trimmed and cut; "" stays for the caller to see."""
    text = is_text(field)
    number = field.data_type in NUMBER_TYPES
    only_digits = text and field.has("numbers_only")

    def finish(value: Value) -> Value:
        if isinstance(value, str):
            if not value.strip():
                return ""
            if only_digits:
                value = convert.digits_of(value)
            return generic(value) if value else ""
        return value if value is None or not (text or number) else generic(value)

    return finish
