"""Text to typed values: numbers, dates, bits, texts. Every value conversion of the fast mapper, once.

The factories give a function `text -> value | None` for one column; it trims, gives None for what cannot be
read, and raises Rejected (naming the place, never the value) for what can be read but does not fit.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import Any

from provenir_lab.errors import Rejected
from provenir_lab.tables import INTEGER_RANGES, Column, length_of

Convert = Callable[[Any], Any]
"""Text of an attribute -> value of a column, None for no value."""

NUMBER = r"\$?([+-]?(?=\.?[0-9])(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]*)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,4})?)"
"""A number in a text: optional dollar sign, sign, thousands commas, fraction, exponent."""
ISO_TIME = (
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:\s+([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:\.([0-9]+))?)?"
)
US_TIME = (
    r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})"
    r"(?:\s+([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:\s+([AaPp])[Mm])?)?"
)
NOT_DIGITS = r"[^0-9]+"

_NUMBER, _ISO, _US, _NOT_DIGITS = map(re.compile, (NUMBER, ISO_TIME, US_TIME, NOT_DIGITS))
_EXACT = Context(prec=20_000, rounding=ROUND_HALF_UP)
LARGEST_EXPONENT = 100  # beyond every column; keeps 1e9999 from becoming that many digits
_LARGEST_FLOAT = Decimal(sys.float_info.max)
_CACHED = 4096  # codes, fees and dates repeat from document to document

YEARS = {"date": (1, 9999), "datetime": (1753, 9999), "smalldatetime": (1900, 2079)}
"""First and last year that each type holds; others count as unreadable."""
LAST = {
    "datetime": datetime(9999, 12, 31, 23, 59, 59, 998_333),
    "smalldatetime": datetime(2079, 6, 6, 23, 59, 29, 998_999),
}
"""The last time that each type rounds to one that it has (SQL Server's, on every database)."""


@lru_cache(_CACHED)
def parse_number(text: str) -> Decimal | None:
    """The number that the whole text is, or None."""
    match = _NUMBER.fullmatch(text.strip())
    return Decimal(match[1].replace(",", "")) if match else None


@lru_cache(_CACHED)
def find_number(text: str) -> Decimal | None:
    """The first number anywhere in a text, or None."""
    match = _NUMBER.search(text)
    return Decimal(match[1].replace(",", "")) if match else None


@lru_cache(_CACHED)
def parse_datetime(text: str) -> datetime | None:
    """The wall time that a text gives, or None; year 1 to 9999, no offset, microseconds.

    In this order: `Y-m-d[ H:M:S[.f]]` (what follows full seconds is dropped, seconds over 59 count as 59),
    `m/d/Y[ H:M:S[ AM|PM]]`, `d/m/Y[ H:M:S]`, ISO 8601 as `datetime.fromisoformat` reads it.
    """
    text = text.strip()
    match = _ISO.match(text)
    if match:
        found = _from_iso(match, len(text))
        if found:
            return found
    else:
        match = _US.fullmatch(text)
        if match:
            return _from_us(match)
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).replace(tzinfo=None)
    except ValueError:
        return None


def _from_iso(match: re.Match[str], length: int) -> datetime | None:
    year, month, day, hour, minute, second, fraction = match.groups()
    whole = match.end() == length
    if hour is None:
        return _datetime(year, month, day) if whole else None
    if len(second) == 2:
        second = min(second, "59")
    elif not whole:
        return None
    return _datetime(year, month, day, hour, minute, second, (fraction or "")[:6].ljust(6, "0"))


def _from_us(match: re.Match[str]) -> datetime | None:
    first, second_part, year, hour, minute, second, half = match.groups(default="")
    if not half:
        time = (hour, minute, second) if hour else ()
        return _datetime(year, first, second_part, *time) or _datetime(year, second_part, first, *time)
    if not 1 <= int(hour) <= 12:
        return None
    hours = int(hour) % 12 + (12 if half in "Pp" else 0)
    return _datetime(year, first, second_part, str(hours), minute, second)


def _datetime(*parts: str) -> datetime | None:
    try:
        return datetime(*map(int, parts))  # type: ignore[arg-type]
    except ValueError:
        return None


def digits_of(text: str) -> str:
    """The digits 0 to 9 of a text, in order."""
    return _NOT_DIGITS.sub("", text)


def round_half_up(number: Decimal, scale: int) -> Decimal:
    """Rounded to `scale` fraction digits, ties away from zero."""
    return number.quantize(Decimal(1).scaleb(-scale), context=_EXACT)


# ---- values to columns


def fit_integer(place: str, data_type: str, column: Column | None) -> Callable[[Decimal | int], int]:
    """Number -> integer of a column; raises Rejected `value_out_of_range`."""
    low, high = INTEGER_RANGES[data_type]
    if column is not None and column.type in INTEGER_RANGES:
        real_low, real_high = INTEGER_RANGES[column.type]
        low, high = max(low, real_low), min(high, real_high)

    def fit(number: Decimal | int) -> int:
        if not isinstance(number, int):
            if number and number.adjusted() > LARGEST_EXPONENT:
                raise Rejected("value_out_of_range", place)
            number = int(round_half_up(number, 0))
        if not low <= number <= high:
            raise Rejected("value_out_of_range", place)
        return number

    return fit


def fit_decimal(place: str, scale: int, column: Column | None) -> Callable[[Decimal], Decimal]:
    """Number -> decimal of a column; raises Rejected `value_out_of_range`."""
    unit = Decimal(1).scaleb(-scale)
    top: Decimal | None = None
    if column is not None and column.precision is not None:
        top = Decimal(1).scaleb(column.precision - (column.scale or 0))

    def fit(number: Decimal) -> Decimal:
        if number and number.adjusted() > LARGEST_EXPONENT:
            raise Rejected("value_out_of_range", place)
        number = number.quantize(unit, ROUND_HALF_UP, _EXACT)
        if top is not None and not -top < number < top:
            raise Rejected("value_out_of_range", place)
        return number

    return fit


def fit_float(place: str, column: Column | None) -> Callable[[Decimal], Decimal]:
    """Number -> number of a floating point column; raises Rejected `value_out_of_range`.

    A real column that is a decimal rounds and limits it.
    """
    if column is not None and column.precision is not None:
        return fit_decimal(place, column.scale or 0, column)

    def fit(number: Decimal) -> Decimal:
        if not -_LARGEST_FLOAT <= number <= _LARGEST_FLOAT:
            raise Rejected("value_out_of_range", place)
        return number

    return fit


def fit_text(place: str, length: int | None, column: Column | None) -> Convert:
    """Text -> text of a column: trimmed, cut to `length` (-1, None: not cut), trimmed again; blank is None.

    Raises Rejected `value_too_long` or `not_representable`.
    """
    cut = length if length is not None and length >= 0 else None
    limited = column is not None and column.type in ("varchar", "char")
    limit = column.length if column is not None and limited else None
    measured = column is not None and (column.encoding is not None or column.counted is not None)
    if cut is None or measured or (limit is not None and limit < cut):
        return _fit_checked_text(place, cut, limit, column if measured else None)

    def fit(text: Any) -> str | None:
        if not text:
            return None
        text = text.strip()
        return (text if len(text) <= cut else text[:cut].rstrip()) or None

    return fit


def _fit_checked_text(place: str, cut: int | None, limit: int | None, measured: Column | None) -> Convert:
    """`measured`: a column with a code page, or whose length counts something else than characters."""

    def fit(text: Any) -> str | None:
        if not text:
            return None
        text = text.strip()
        if cut is not None and len(text) > cut:
            text = text[:cut].rstrip()
        if limit is not None and len(text) > limit:
            raise Rejected("value_too_long", place)
        if measured is not None and not text.isascii():
            _check_encodable(text, measured.encoding, place)
            if limit is not None and length_of(text, measured) > limit:
                raise Rejected("value_too_long", place)
        return text or None

    return fit


def _check_encodable(text: str, encoding: str | None, place: str) -> None:
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        raise Rejected("not_representable", place) from None


def fit_date(place: str, data_type: str, *, limited: bool = True) -> Callable[[datetime], date | None]:
    """Time -> date or datetime of a column; None where its type does not hold the year.

    Raises Rejected `value_out_of_range` for what its type would round to a time that it lacks, unless not
    `limited`.
    """
    first, last = YEARS[data_type]
    only_date = data_type == "date"
    end = LAST.get(data_type, datetime.max) if limited else datetime.max

    def fit(moment: datetime) -> date | None:
        if not first <= moment.year <= last:
            return None
        if moment > end:
            raise Rejected("value_out_of_range", place)
        return moment.date() if only_date else moment

    return fit


def to_text(value: object) -> str:
    """A calculated value as a text: dates as `YYYY-MM-DD`, with the time where there is one."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else value.isoformat(" ")
    if isinstance(value, Decimal):
        return format(value.normalize(_EXACT) if value else Decimal(0), "f")
    return str(value)
