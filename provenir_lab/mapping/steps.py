"""The converting steps of a chain, each one function of the value before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from provenir_lab.errors import ContractError, Rejected
from provenir_lab.mapping import convert
from provenir_lab.mapping.contract import BIT_TYPES, DATE_TYPES, INTEGER_TYPES, NUMBER_TYPES, Contract, Field
from provenir_lab.tables import Column

Value = object
"""str, int, Decimal, datetime, date or None."""
Step = Callable[[Value], Value]

BIT_STEPS = ("char_to_bit", "boolean_to_bit")
_DIGIT_STEPS = ("numbers_only", "extract_numeric")
_TYPED_STEPS = ("enum", *BIT_STEPS, "calculated_field", "default_getutcdate_if_null")
"""Steps that can give something else than a text."""


def is_text(field: Field) -> bool:
    """Whether a field's column holds texts."""
    return field.data_type not in (*NUMBER_TYPES, *DATE_TYPES, *BIT_TYPES)


def is_blank(value: Value) -> bool:
    """Whether a value is None or a text of white space alone."""
    return value is None or (isinstance(value, str) and not value.strip())


def postponed(convert: Step) -> Step:
    """The same, but what does not fit comes back as the Rejected: another value may yet replace it."""

    def converted(value: Value) -> Value:
        try:
            return convert(value)
        except Rejected as rejected:
            return rejected

    return converted


def raise_postponed(value: Value) -> None:
    """Raises what `postponed` did not."""
    if isinstance(value, Rejected):
        raise value


def generic_conversion(
    field: Field, contract: Contract, column: Column | None, *, limited: bool = True
) -> Step:
    """Conversion to the field's data type; texts come back trimmed and cut, unreadable ones as None.

    `limited` False: as between the steps of a chain, where numbers are rounded and texts left as they are,
    but nothing has to fit yet.
    """
    place = f"{field.table}.{field.column}" if field.column else field.table
    kind = field.data_type
    if kind in NUMBER_TYPES:
        fit = _fit_number(place, field, column) if limited else _round_number(field)
        parse = convert.parse_number

        @lru_cache(1024)  # fees, rates and scores repeat
        def number(value: Value) -> Value:
            found = parse(value) if isinstance(value, str) else value
            return fit(found) if isinstance(found, int | Decimal) else None

        return number
    if kind in DATE_TYPES:
        fit_date = convert.fit_date(place, kind, limited=limited)

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
    if not limited:
        return lambda value: value if value is None else convert.to_text(value)
    fit_text = convert.fit_text(place, field.length, column)
    if not field.has(*_TYPED_STEPS):
        return fit_text  # nothing but texts comes

    def text(value: Value) -> Value:
        return fit_text(value if value is None or isinstance(value, str) else convert.to_text(value))

    return text


def _round_number(field: Field) -> Callable[..., Value]:
    if field.data_type == "float":
        return Decimal
    scale = 0 if field.data_type in INTEGER_TYPES else _scale(field)

    def rounded(number: int | Decimal) -> Value:
        number = Decimal(number)
        fits = not number or number.adjusted() <= convert.LARGEST_EXPONENT
        found = convert.round_half_up(number, scale) if fits else number
        return int(found) if fits and field.data_type in INTEGER_TYPES else found

    return rounded


def _scale(field: Field) -> int:
    return field.length if field.length is not None and field.length >= 0 else 2


def _fit_number(place: str, field: Field, column: Column | None) -> Callable[..., Value]:
    if field.data_type in INTEGER_TYPES:
        return convert.fit_integer(place, field.data_type, column)
    if field.data_type == "decimal":
        fit = convert.fit_decimal(place, _scale(field), column)
    else:
        fit = convert.fit_float(place, column)
    return lambda number: fit(Decimal(number))


def default_text(field: Field) -> str:
    """A field's default as a text; true is 1."""
    return str(int(field.default)) if isinstance(field.default, bool) else str(field.default)


def default_of(field: Field, text: str, generic: Step) -> Value:
    """A default in the column's type.

    Raises ContractError if the column cannot hold it.
    """
    try:
        return generic(text)
    except Rejected as rejected:
        problem = f"{field.place}.default_value: {rejected.category} in {rejected.reason}"
        raise ContractError("contract", [problem]) from None


def typed_default(field: Field, generic: Step) -> Value:
    """What a blank source gives: as in the reference, a default of 0 or false is none."""
    return default_of(field, default_text(field), generic) if field.default else None


def literal_default(column: Column | None) -> str | None:
    """The default that the database itself would fill in, if it is a plain value."""
    return column.default if column is not None and column.default != "now" else None


def null_default(field: Field, column: Column | None, generic: Step) -> Value:
    """What a column that may not be NULL gets where there is no value."""
    if field.nullable is True and (column is None or column.nullable):
        return None
    if field.default is not None:
        return default_of(field, default_text(field), generic)
    literal = literal_default(column) if column is not None and not column.nullable else None
    return None if literal is None else default_of(field, literal, generic)


def converting_step(
    name: str,
    field: Field,
    contract: Contract,
    column: Column | None,
    generic: Step,
    blank: Value,
    unknown: Counter[tuple[str, str]],
) -> Step:
    """The step of a name; unknown names only convert. `blank`: what a blank value gives where one may."""
    if name == "enum":
        return _enum_step(field, contract, column, unknown)
    if name in BIT_STEPS:
        return _bit_step(contract.bits.get(name, {}), upper=name == "char_to_bit")
    if name == "default_getutcdate_if_null":
        return lambda value: generic(datetime.now(UTC).replace(tzinfo=None) if is_blank(value) else value)
    if name in _DIGIT_STEPS:
        return _digits_step(field, generic, blank)
    return lambda value: blank if is_blank(value) else generic(value)


def _enum_step(
    field: Field, contract: Contract, column: Column | None, unknown: Counter[tuple[str, str]]
) -> Step:
    codes: Mapping[str, int | str] = contract.enums.get(contract.enum_of(field) or "", {})
    folded: dict[str, int | str] = {}
    for name, code in codes.items():
        folded.setdefault(name.lower(), code)
    catch_all = codes.get("")
    place = (field.table, field.column)
    otherwise: Value = None
    if field.nullable is not True and field.default is not None:
        otherwise = default_of(field, default_text(field), generic_conversion(field, contract, column))

    def enum(value: Value) -> Value:
        text = "" if value is None else convert.to_text(value).strip()
        code = codes.get(text)
        if code is None:
            code = folded.get(text.lower())
            if code is None:
                if catch_all is None:
                    return otherwise
                unknown[place] += 1
                return catch_all
        return code

    refused = _codes_that_do_not_fit(field, column, codes)
    if not refused:
        return enum

    def checked(value: Value) -> Value:
        code = enum(value)
        if code in refused:
            raise Rejected("value_out_of_range", ".".join(place))
        return code

    return checked


def _codes_that_do_not_fit(
    field: Field, column: Column | None, codes: Mapping[str, int | str]
) -> set[object]:
    if field.data_type not in INTEGER_TYPES:
        return set()
    fit = convert.fit_integer("", field.data_type, column)
    refused: set[object] = set()
    for code in codes.values():
        try:
            if isinstance(code, int):
                fit(code)
        except Rejected:
            refused.add(code)
    return refused


def _bit_step(bits: Mapping[str, int], *, upper: bool) -> Step:
    def bit(value: Value) -> Value:
        text = "" if value is None else convert.to_text(value).strip()
        if not text:
            return 0
        if not upper:
            return bits.get(text.lower(), 0)
        found = bits.get(text)
        return bits.get(text.upper(), 0) if found is None else found

    return bit


def _digits_step(field: Field, generic: Step, blank: Value) -> Step:
    if field.data_type in NUMBER_TYPES:

        def number(value: Value) -> Value:
            if is_blank(value):
                return blank
            return generic(convert.find_number(value) if isinstance(value, str) else value)

        return number

    def digits(value: Value) -> Value:
        return blank if is_blank(value) else generic(convert.digits_of(convert.to_text(value)) or None)

    return digits
