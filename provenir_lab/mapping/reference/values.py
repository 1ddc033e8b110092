"""Texts and calculated values to column values (section 3 with C1 to C5, C8 and C10)."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from datetime import date, datetime
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_UP, Context, Decimal

from provenir_lab.errors import Rejected
from provenir_lab.mapping.contract import BIT_TYPES, DATE_TYPES, INTEGER_TYPES, NUMBER_TYPES, Field
from provenir_lab.tables import INTEGER_RANGES, Column

Value = str | int | Decimal | datetime | date | None

NUMBER = re.compile(
    r"\$?"
    r"(?P<number>[+-]?"
    r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+)"
    r"(?:[eE][+-]?[0-9]{1,4})?)"
)
REPAIR = re.compile(r"(\d{4}-\d{1,2}-\d{1,2}\s+\d{1,2}:\d{1,2}):(\d{2})(\.\d+)?", re.ASCII)
DATE_FORMATS = (
    "Y-m-d H:M:S.f",
    "Y-m-d H:M:S",
    "Y-m-d",
    "m/d/Y",
    "m/d/Y H:M:S",
    "m/d/Y I:M:S p",
    "d/m/Y",
    "d/m/Y H:M:S",
)
DATE_PARTS = {
    "Y": r"(?P<Y>[0-9]{4})",
    "f": r"(?P<f>[0-9]+)",
    "p": r"(?P<p>[AaPp][Mm])",
    " ": r"\s+",
    ".": r"\.",
    **{letter: f"(?P<{letter}>[0-9]{{1,2}})" for letter in "mdHIMS"},
}
YEARS = {"date": (1, 9999), "datetime": (1753, 9999), "smalldatetime": (1900, 2079)}
TOO_LATE = {
    "datetime": datetime(9999, 12, 31, 23, 59, 59, 998_334),
    "smalldatetime": datetime(2079, 6, 6, 23, 59, 29, 999_000),
}
"""From then on each type rounds up to a time that it does not have."""


def is_blank(value: object) -> bool:
    """Null, or a text of white space at most."""
    return value is None or (isinstance(value, str) and not value.strip())


def is_meaningful(text: str | None) -> bool:
    """Section 6: not blank, and not the word null or none."""
    return text is not None and text.strip().lower() not in ("", "null", "none")


def number(text: str) -> Decimal | None:
    """C1: the whole trimmed text is a number, or it is none."""
    match = NUMBER.fullmatch(text.strip())
    return Decimal(match["number"].replace(",", "")) if match else None


def first_number(text: str) -> Decimal | None:
    """C1: the first number anywhere in the text."""
    match = NUMBER.search(text)
    return Decimal(match["number"].replace(",", "")) if match else None


def digits(text: str) -> str:
    """The digits 0 to 9 of a text."""
    return "".join(c for c in text if c in "0123456789")


def rounded(value: Decimal, places: int) -> Decimal:
    """Half up, that is, ties away from zero."""
    enough = max(1, value.adjusted() + places + 2)
    context = Context(prec=enough, rounding=ROUND_HALF_UP, Emax=MAX_EMAX, Emin=MIN_EMIN)
    result = value.quantize(Decimal((0, (1,), -places)), context=context)
    return abs(result) if result.is_zero() else result


def moment(text: str) -> datetime | None:
    """The one date parser: 3.3 with C8. Years 1 to 9999."""
    text = text.strip()
    repaired = text
    prefix = REPAIR.match(text)
    if prefix:
        seconds = min(int(prefix[2]), 59)
        repaired = f"{prefix[1]}:{seconds:02}{prefix[3] or ''}"
    for layout in DATE_FORMATS:
        found = _by_layout(repaired, layout)
        if found:
            return found
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).replace(tzinfo=None)
    except ValueError:
        return None


def _by_layout(text: str, layout: str) -> datetime | None:
    match = re.fullmatch("".join(DATE_PARTS.get(c, c) for c in layout), text)
    if not match:
        return None
    parts = match.groupdict()
    hour = int(parts.get("H") or 0)
    if "I" in parts:
        if not 1 <= int(parts["I"]) <= 12:
            return None
        hour = int(parts["I"]) % 12 + (12 if parts["p"].upper() == "PM" else 0)
    fraction = (parts.get("f") or "")[:6].ljust(6, "0")
    try:
        return datetime(
            int(parts["Y"]), int(parts["m"]), int(parts["d"]), hour,
            int(parts.get("M") or 0), int(parts.get("S") or 0), int(fraction),
        )  # fmt: skip
    except ValueError:
        return None


def as_text(value: object) -> str:
    """A typed value as a text: numbers plainly, dates as `YYYY-MM-DD`, with the time if there is one."""
    if isinstance(value, Decimal | int):
        plain = format(Decimal(value), "f")  # str() refuses integers of more than 4,300 digits
        plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
        return "0" if plain == "-0" else plain
    if isinstance(value, datetime):
        day, time = value.isoformat(" ").split(" ")
        return day if time == "00:00:00" else f"{day} {time}"
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def bit(text: str, codes: Mapping[str, int]) -> int:
    """C4: by the `boolean_to_bit` table."""
    return codes.get(text.strip().lower(), 0)


def convert(value: object, field: Field, boolean_codes: Mapping[str, int]) -> Value:
    """3.1: any value to the field's data type; None if it is blank or cannot be read as one."""
    if value is None or is_blank(value):
        return None
    kind = field.data_type
    if kind in NUMBER_TYPES:
        return _numeric(value, field)
    if kind in DATE_TYPES:
        found = value if isinstance(value, datetime) else moment(value) if isinstance(value, str) else None
        if isinstance(value, date) and found is None:
            found = datetime(value.year, value.month, value.day)
        first, last = YEARS[kind]
        if found is None or not first <= found.year <= last:
            return None
        return found.date() if kind == "date" else found
    if kind in BIT_TYPES:
        return bit(as_text(value), boolean_codes)
    return value if isinstance(value, str) else as_text(value)


def _numeric(value: object, field: Field) -> Value:
    if isinstance(value, datetime | date):
        return None
    amount = Decimal(value) if isinstance(value, Decimal | int) else number(str(value))
    if amount is None or field.data_type == "float":
        return amount
    if field.data_type in INTEGER_TYPES:
        return int(rounded(amount, 0))
    return rounded(amount, 2 if field.length is None else field.length)


def default_of(field: Field, boolean_codes: Mapping[str, int]) -> Value:
    """The field's default, converted to its type (C5); None if it has none."""
    default = int(field.default) if isinstance(field.default, bool) else field.default
    text = None if default is None else str(default)
    found = finished(convert(text, field, boolean_codes), field)
    return None if is_blank(found) else found


def typed_default(field: Field, boolean_codes: Mapping[str, int]) -> Value:
    """What stands in for a blank source: the default, but 0 and false are none there."""
    return default_of(field, boolean_codes) if field.default else None


def finished(value: Value, field: Field) -> Value:
    """The end of 3.2 for texts: trim, cut, trim. A blank text stays "" here."""
    if not isinstance(value, str):
        return value
    value = value.strip()
    if field.length is not None and field.length >= 0:
        value = value[: field.length]
    return value.strip()


def check(value: Value, data_type: str, column: Column | None, place: str) -> Value:
    """What fits into the column, as the column holds it. Raises Rejected (C10)."""
    if isinstance(value, str):
        _check_text(value, column, place)
    elif isinstance(value, int):
        for name in (data_type, column.type if column else ""):
            low, high = INTEGER_RANGES.get(name, (value, value))
            if not low <= value <= high:
                raise Rejected("value_out_of_range", place)
    elif isinstance(value, Decimal):
        if column and column.precision is not None:
            scale = column.scale or 0
            value = rounded(value, scale) if data_type == "float" else value
            if abs(value) >= Decimal((0, (1,), column.precision - scale)):
                raise Rejected("value_out_of_range", place)
        elif abs(value) > Decimal(sys.float_info.max) if data_type == "float" else value.adjusted() > 100:
            raise Rejected("value_out_of_range", place)  # no database holds more
    elif isinstance(value, datetime) and data_type in TOO_LATE and value >= TOO_LATE[data_type]:
        raise Rejected("value_out_of_range", place)
    return value


def _check_text(text: str, column: Column | None, place: str) -> None:
    if any(c == "\0" or 0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise Rejected("not_representable", place)
    if column is None:
        return
    if column.encoding is not None:
        try:
            text.encode(column.encoding)
        except UnicodeEncodeError:
            raise Rejected("not_representable", place) from None
    taken = len(text)
    if column.counted == "utf-16-le":
        taken = sum(2 if ord(c) > 0xFFFF else 1 for c in text)
    elif column.counted is not None:
        taken = len(text.encode(column.counted))
    if column.length is not None and taken > column.length:
        raise Rejected("value_too_long", place)
