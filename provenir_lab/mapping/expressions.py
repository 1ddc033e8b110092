"""Calculated fields: an expression is parsed once and compiled to nested functions.

A value is None (missing), a text, an exact number or a time. The logic has two values: a missing operand
compares as "". Two texts compare as numbers if both are numbers, else case-sensitively; a time and a text
compare as times; what cannot be read so compares as false (a number with such a text as different).
Arithmetic on anything but numbers, and what has no result (division by zero), is None.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from typing import Any

from provenir_lab.mapping import expression_tree as tree
from provenir_lab.mapping.convert import parse_datetime, parse_number, to_text
from provenir_lab.mapping.expression_tree import Node
from provenir_lab.mapping.syntax import parse

Value = str | Decimal | datetime | None
Get = Callable[[str], str | None]
"""Name as written in the expression -> text of the attribute, None if missing. Looking up ignores case."""
Evaluate = Callable[[Get], Value]
Test = Callable[[Get], bool]
Compare = Callable[[Any, Any], bool]
Calculate = Callable[[Get], Decimal | None]

_FAILURES = [InvalidOperation, DivisionByZero, Overflow]
_EXACT = Context(prec=50_000, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact, *_FAILURES])
_DIVISION = Context(prec=28, rounding=ROUND_HALF_UP, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=_FAILURES)
"""Sums and products are exact (null rather than rounded), quotients have 28 digits."""
_LARGEST_EXPONENT = 100
_MOST_DAYS = 3_660_000  # more than the years 1 to 9999 have


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression."""

    text: str
    names: frozenset[str]
    """Names it reads, as written."""
    evaluate: Evaluate


def compile_expression(text: str) -> Expression:
    """Raises `syntax.ExpressionError`, with the position, if it does not parse."""
    root = parse(text)
    return Expression(text, _names(root), _value(root))


def _names(root: Node) -> frozenset[str]:
    found = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tree.Name):
            found.add(node.name)
        waiting += node.parts
    return frozenset(found)


def _nothing(name: str) -> None:
    """Stands for the attributes where none are read."""


# ---- values


def _value(node: Node) -> Evaluate:
    """The function of a value node. What reads no attribute is calculated here and now."""
    compiled = _dynamic_value(node)
    if isinstance(node, tree.Name) or _names(node):
        return compiled
    constant = compiled(_nothing)
    return lambda get: constant


def _dynamic_value(node: Node) -> Evaluate:
    match node:
        case tree.Literal(value):
            return lambda get: value
        case tree.Name(name):
            return lambda get: get(name)
        case tree.Date(operand):
            return _date(_value(operand))
        case tree.DateAdd(days, date):
            return _date_add(days, _date(_value(date)))
        case tree.Case(branches, otherwise):
            compiled = tuple((_test(condition), _value(value)) for condition, value in branches)
            return _case(compiled, _value(otherwise))
    return _number(node)


def _date(operand: Evaluate) -> Callable[[Get], datetime | None]:
    def date(get: Get) -> datetime | None:
        value = operand(get)
        if isinstance(value, str):
            return parse_datetime(value)
        return value if isinstance(value, datetime) else None

    return date


def _date_add(days: Node, date: Callable[[Get], datetime | None]) -> Evaluate:
    count = _value(days)
    # a blank count is no days, but a calculation without result is no count
    may_be_blank = isinstance(days, tree.Name | tree.Literal | tree.Case)

    def date_add(get: Get) -> datetime | None:
        start = date(get)
        value = count(get)
        if may_be_blank and _is_blank(value):
            value = Decimal(0)
        number = _as_number(value)
        if start is None or number is None or abs(number) > _MOST_DAYS:
            return None
        try:
            return datetime.combine(start, time()) + timedelta(days=int(number))
        except OverflowError:
            return None

    return date_add


def _case(branches: tuple[tuple[Test, Evaluate], ...], otherwise: Evaluate) -> Evaluate:
    def case(get: Get) -> Value:
        for test, value in branches:
            if test(get):
                return value(get)
        return otherwise(get)

    return case


# ---- numbers


def _number(node: Node) -> Calculate:
    """The function of a node whose value is used as a number; None for what is no number."""
    match node:
        case tree.Arithmetic(symbol, left, right):
            return _arithmetic(_OPERATIONS[symbol], _number(left), _number(right))
        case tree.Negative(operand):
            return _arithmetic(_EXACT.subtract, lambda get: Decimal(0), _number(operand))
        case tree.Name(name):

            def number_of(get: Get) -> Decimal | None:
                text = get(name)
                return None if text is None else parse_number(text)

            return number_of
    value = _value(node)
    if _names(node):
        return lambda get: _as_number(value(get))
    constant = _as_number(value(_nothing))
    return lambda get: constant


def _as_number(value: Value) -> Decimal | None:
    if isinstance(value, str):
        return parse_number(value)
    return value if isinstance(value, Decimal) else None


def _arithmetic(
    operate: Callable[[Decimal, Decimal], Decimal | None], left: Calculate, right: Calculate
) -> Calculate:
    def arithmetic(get: Get) -> Decimal | None:
        a = left(get)
        if a is None:
            return None
        b = right(get)
        if b is None:
            return None
        try:
            return operate(a, b)
        except ArithmeticError:  # division by zero, or no such number
            return None

    return arithmetic


def _floor_divide(a: Decimal, b: Decimal) -> Decimal:
    quotient = _EXACT.divide_int(a, b)
    exact = not _EXACT.remainder(a, b)
    return quotient if exact or (a < 0) == (b < 0) else _EXACT.subtract(quotient, Decimal(1))


def _modulo(a: Decimal, b: Decimal) -> Decimal:
    """The sign of the result is that of `b`."""
    rest = _EXACT.remainder(a, b)
    return _EXACT.add(rest, b) if rest and (rest < 0) != (b < 0) else rest


def _power(a: Decimal, b: Decimal) -> Decimal | None:
    if abs(b) > _LARGEST_EXPONENT or b != b.to_integral_value():
        return None
    if not b:
        return Decimal(1)
    result = _EXACT.power(a, abs(b))
    return result if b > 0 else _DIVISION.divide(Decimal(1), result)


_OPERATIONS: dict[str, Callable[[Decimal, Decimal], Decimal | None]] = {
    "+": _EXACT.add,
    "-": _EXACT.subtract,
    "*": _EXACT.multiply,
    "/": _DIVISION.divide,
    "//": _floor_divide,
    "%": _modulo,
    "**": _power,
}


# ---- conditions


def _test(node: Node) -> Test:
    """The function of a condition."""
    match node:
        case tree.Compare(symbol, left, right):
            return _compare(symbol, left, right)
        case tree.IsEmpty(operand, blank):
            return _is_empty(_value(operand), blank)
        case tree.Like(operand, pattern):
            return _like(_value(operand), pattern)
        case tree.Not(operand):
            inner = _test(operand)
            return lambda get: not inner(get)
        case tree.And(operands):
            return _all(tuple(map(_test, operands)))
        case tree.Or(operands):
            return _any(tuple(map(_test, operands)))
    raise TypeError(type(node).__name__)


def _all(tests: tuple[Test, ...]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda get: first(get) and second(get)
    return lambda get: all(test(get) for test in tests)


def _any(tests: tuple[Test, ...]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda get: first(get) or second(get)
    return lambda get: any(test(get) for test in tests)


def _is_blank(value: Value) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _is_empty(operand: Evaluate, blank: bool) -> Test:
    if blank:
        return lambda get: _is_blank(operand(get))
    return lambda get: operand(get) in (None, "")


def _like(operand: Evaluate, pattern: str) -> Test:
    matches = _like_pattern(pattern).fullmatch

    def like(get: Get) -> bool:
        value = operand(get)
        if value is None:
            value = ""
        return matches(value if isinstance(value, str) else to_text(value)) is not None

    return like


def _like_pattern(pattern: str) -> re.Pattern[str]:
    """`%` is any run of characters, `_` any one character, all else itself, whatever its case."""
    first, *others = [
        "".join("." if c == "_" else re.escape(c) for c in part) for part in re.split("%+", pattern)
    ]
    # the earliest place of each part is as good as any, so nothing but the last part is ever tried again
    middle = "".join(f"(?>.*?{part})" for part in others[:-1])
    last = f".*{others[-1]}" if others else ""
    return re.compile(first + middle + last, re.IGNORECASE | re.DOTALL)


# ---- comparisons

_COMPARISONS: dict[str, Compare] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _compare(symbol: str, left: Node, right: Node) -> Test:
    compare = _COMPARISONS[symbol]
    different = symbol == "!="
    left_value, right_value = _value(left), _value(right)
    if isinstance(left, tree.Name) and isinstance(right, tree.Literal) and isinstance(right.value, str):
        return _compare_attribute(left.name, compare, right.value)
    return lambda get: _holds(compare, different, left_value(get), right_value(get))


def _compare_attribute(name: str, compare: Compare, text: str) -> Test:
    """The usual comparison, `name = 'text'`, with what can be known of the literal known beforehand."""
    number = parse_number(text)
    if number is None:
        return lambda get: compare(get(name) or "", text)

    def test(get: Get) -> bool:
        given = get(name) or ""
        found = parse_number(given)
        return compare(given, text) if found is None else compare(found, number)

    return test


def _holds(compare: Compare, different: bool, left: Value, right: Value) -> bool:
    """Whether a comparison holds; `different`: it is `!=`."""
    if left is None:
        left = ""
    if right is None:
        right = ""
    if isinstance(left, datetime) or isinstance(right, datetime):
        first, second = _as_time(left), _as_time(right)
        return first is not None and second is not None and compare(first, second)
    if isinstance(left, str) and isinstance(right, str):
        a, b = parse_number(left), parse_number(right)
        return compare(left, right) if a is None or b is None else compare(a, b)
    a, b = _as_number(left), _as_number(right)
    return different if a is None or b is None else compare(a, b)


def _as_time(value: Value) -> datetime | None:
    if isinstance(value, str):
        return parse_datetime(value)
    return value if isinstance(value, datetime) else None
