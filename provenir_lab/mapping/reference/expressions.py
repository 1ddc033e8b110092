"""The calculated-field language, evaluated by walking (C7; truth and comparison rules of 5.4, nulls of 5.5).

An expression is read into tuples `(operation, operands...)`; `evaluate` walks them for every document. Values
are None, a text, a Decimal or a datetime.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DecimalException,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from fractions import Fraction
from typing import Any

from provenir_lab.errors import UsageError
from provenir_lab.mapping.reference.values import as_text, is_blank, moment, number

Result = str | Decimal | datetime | None
Tree = tuple[Any, ...]

TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?(?!\w))"
    r"|(?P<text>'(?:''|[^'])*'|\"(?:\"\"|[^\"])*\")"
    r"|(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)"
    r"|(?P<sign>\*\*|//|<>|!=|<=|>=|[-+*/%()=<>,])"
    r"|(?P<end>$))"
)
KEYWORDS = ("AND", "OR", "NOT", "IS", "LIKE", "NULL", "CASE", "WHEN", "THEN", "ELSE", "END")
COMPARISONS = ("=", "!=", "<>", "<", "<=", ">", ">=")

_LIMITS: dict[str, Any] = {"rounding": ROUND_HALF_UP, "Emax": MAX_EMAX, "Emin": MIN_EMIN}
EXACT = Context(prec=50_000, traps=[Inexact, Overflow, InvalidOperation, DivisionByZero], **_LIMITS)
DIVISION = Context(prec=28, traps=[Overflow, InvalidOperation, DivisionByZero], **_LIMITS)


def parse(text: str) -> Tree:
    """The tree of a value expression. Raises UsageError with the position of what does not fit."""
    reader = _Reader(text)
    tree = reader.sum()
    reader.expect("end")
    return tree


class _Reader:
    """Recursive descent, one method per level of precedence."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.kind, self.word = "", ""
        self.advance()

    def advance(self) -> str:
        """Steps to the next token; gives the one left behind."""
        left = self.word
        match = TOKEN.match(self.text, self.position)
        if match is None:
            raise self.problem()
        self.start, self.position = self.position, match.end()
        self.kind = match.lastgroup or "end"
        self.word = match[self.kind]
        if self.kind == "name" and self.word.upper() in KEYWORDS:
            self.kind = self.word.upper()
        elif self.kind == "sign":
            self.kind = self.word
        return left

    def problem(self) -> UsageError:
        return UsageError(f"expression not understood at position {self.position}: {self.text}")

    def accept(self, *kinds: str) -> str | None:
        if self.kind not in kinds:
            return None
        kind = self.kind
        self.advance()
        return kind

    def expect(self, kind: str) -> None:
        if self.kind != kind:
            raise self.problem()
        if kind != "end":
            self.advance()

    # ---- conditions

    def condition(self) -> Tree:
        parts = [self.conjunction()]
        while self.accept("OR"):
            parts.append(self.conjunction())
        return ("or", *parts)

    def conjunction(self) -> Tree:
        parts = [self.negation()]
        while self.accept("AND"):
            parts.append(self.negation())
        return ("and", *parts)

    def negation(self) -> Tree:
        return ("not", self.negation()) if self.accept("NOT") else self.predicate()

    def predicate(self) -> Tree:
        if self.kind == "(":  # around a condition, or around a value? Try the one, then the other
            here = self.position, self.kind, self.word
            try:
                self.advance()
                inside = self.condition()
                self.expect(")")
                return inside
            except UsageError:
                self.position, self.kind, self.word = here
        left = self.sum()
        operator = self.accept(*COMPARISONS)
        if operator:
            return ("compare", operator, left, self.sum())
        if self.accept("IS"):
            negated = self.accept("NOT")
            if not self.accept("NULL"):
                if self.word.upper() != "EMPTY":
                    raise self.problem()
                self.advance()
                found: Tree = ("is empty", left)
            else:
                found = ("is null", left)
        else:
            negated = self.accept("NOT")
            self.expect("LIKE")
            if self.kind != "text":
                raise self.problem()
            found = ("like", left, _unquoted(self.advance()))
        return ("not", found) if negated else found

    # ---- values

    def sum(self) -> Tree:
        tree = self.product()
        while operator := self.accept("+", "-"):
            tree = (operator, tree, self.product())
        return tree

    def product(self) -> Tree:
        tree = self.signed()
        while operator := self.accept("*", "/", "//", "%"):
            tree = (operator, tree, self.signed())
        return tree

    def signed(self) -> Tree:
        return ("minus", self.signed()) if self.accept("-") else self.power()

    def power(self) -> Tree:
        base = self.atom()
        return ("**", base, self.signed()) if self.accept("**") else base

    def atom(self) -> Tree:
        if self.kind == "number":
            return ("literal", Decimal(self.advance()))
        if self.kind == "text":
            return ("literal", _unquoted(self.advance()))
        if self.accept("NULL"):
            return ("literal", None)
        if self.accept("("):
            tree = self.sum()
            self.expect(")")
            return tree
        if self.accept("CASE"):
            return self.case()
        if self.kind != "name":
            raise self.problem()
        name = self.advance()
        if not self.accept("("):
            return ("name", name)
        if name.upper() == "DATE":
            tree = ("date", self.sum())
        elif name.upper() == "DATEADD" and self.word.upper() == "DAY":
            self.advance()
            self.expect(",")
            days = self.sum()
            self.expect(",")
            tree = ("dateadd", days, self.sum())
        else:
            raise self.problem()
        self.expect(")")
        return tree

    def case(self) -> Tree:
        branches = []
        while self.accept("WHEN"):
            condition = self.condition()
            self.expect("THEN")
            branches.append((condition, self.sum()))
        if not branches:
            raise self.problem()
        otherwise: Tree = self.sum() if self.accept("ELSE") else ("literal", None)
        self.expect("END")
        return ("case", branches, otherwise)


def _unquoted(quoted: str) -> str:
    return quoted[1:-1].replace(quoted[0] * 2, quoted[0])


# ---- walking


def find(name: str, names: Mapping[str, str]) -> str | None:
    """The value of a name: written exactly so, else the first one equal ignoring case."""
    if name in names:
        return names[name]
    return next((value for key, value in names.items() if key.lower() == name.lower()), None)


def evaluate(tree: Tree, names: Mapping[str, str]) -> Result:
    """The value of an expression in a context of names; None for null."""
    operation, *operands = tree
    if operation == "literal":
        return operands[0]  # type: ignore[no-any-return]
    if operation == "name":
        return find(operands[0], names)
    if operation == "case":
        branches, otherwise = operands
        for condition, value in branches:
            if holds(condition, names):
                return evaluate(value, names)
        return evaluate(otherwise, names)
    if operation == "date":
        value = evaluate(operands[0], names)
        return moment(value) if isinstance(value, str) else value if isinstance(value, datetime) else None
    if operation == "dateadd":
        return _date_add(operands[0], evaluate(operands[1], names), names)
    numbers = [_operand(evaluate(operand, names)) for operand in operands]
    if any(n is None for n in numbers):
        return None
    try:
        return _arithmetic(operation, *[n for n in numbers if n is not None])
    except (DecimalException, ZeroDivisionError, OverflowError):
        return None


def _operand(value: Result) -> Decimal | None:
    """C9: what is no number makes the result null."""
    return number(value) if isinstance(value, str) else value if isinstance(value, Decimal) else None


def _arithmetic(operation: str, left: Decimal, right: Decimal = Decimal(0)) -> Decimal | None:
    if operation == "minus":
        return EXACT.minus(left)
    if operation == "+":
        return EXACT.add(left, right)
    if operation == "-":
        return EXACT.subtract(left, right)
    if operation == "*":
        return EXACT.multiply(left, right)
    if operation == "/":
        return DIVISION.divide(left, right)
    if operation == "**":
        return _power(left, right)
    quotient = Decimal(math.floor(Fraction(left) / Fraction(right)))
    return quotient if operation == "//" else EXACT.subtract(left, EXACT.multiply(quotient, right))


def _power(base: Decimal, exponent: Decimal) -> Decimal | None:
    if exponent != exponent.to_integral_value() or abs(exponent) > 100:
        return None
    result = Decimal(1)
    for _ in range(abs(int(exponent))):
        result = EXACT.multiply(result, base)
    return result if exponent >= 0 else DIVISION.divide(Decimal(1), result)


def _date_add(days_tree: Tree, start: Result, names: Mapping[str, str]) -> datetime | None:
    days = evaluate(days_tree, names)
    if is_blank(days) and days_tree[0] in ("name", "literal", "case"):
        days = Decimal(0)  # a blank number of days is none; a calculation that failed is not
    count, day = _operand(days), moment(start) if isinstance(start, str) else start
    if count is None or not isinstance(day, datetime):
        return None
    try:
        return datetime(day.year, day.month, day.day) + timedelta(days=int(count))
    except OverflowError:
        return None


def holds(tree: Tree, names: Mapping[str, str]) -> bool:
    """Whether a condition is true; there is no third value."""
    operation, *operands = tree
    if operation == "or":
        return any(holds(operand, names) for operand in operands)
    if operation == "and":
        return all(holds(operand, names) for operand in operands)
    if operation == "not":
        return not holds(operands[0], names)
    if operation == "compare":
        operator, left, right = operands
        return compare(operator, evaluate(left, names), evaluate(right, names))
    value = evaluate(operands[0], names)
    if operation == "is empty":
        return is_blank(value)
    if operation == "is null":
        return value is None or value == ""
    return _like("" if value is None else as_text(value), operands[1])


def _like(text: str, pattern: str) -> bool:
    """Ignores case; `%` is any run of characters, `_` any one."""
    parts = {"%": ".*", "_": "."}
    expression = "".join(parts.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(expression, text, re.IGNORECASE | re.DOTALL) is not None


def compare(operator: str, left: Result, right: Result) -> bool:
    """5.4: dates as dates, a date with a text that is one, numbers as numbers, else texts by case."""
    a: Any = "" if left is None else left
    b: Any = "" if right is None else right
    if isinstance(a, datetime) or isinstance(b, datetime):
        a = moment(a) if isinstance(a, str) else a
        b = moment(b) if isinstance(b, str) else b
        if not (isinstance(a, datetime) and isinstance(b, datetime)):
            return False
    else:
        left_number, right_number = _operand(a), _operand(b)
        if left_number is not None and right_number is not None:
            a, b = left_number, right_number
        elif isinstance(a, Decimal) or isinstance(b, Decimal):
            return operator in ("!=", "<>")  # a number and a text that is none
    ordered: bool = {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "=": a == b}.get(operator, a != b)
    return ordered
