"""The calculated-field language: text -> tree.

Precedence, loosest first: OR, AND, NOT, a predicate (`IS [NOT] EMPTY`, `IS [NOT] NULL`, `[NOT] LIKE` and
`= != <> < <= > >=`), `+ -`, `* / // %`, unary minus, `**` (groups to the right). Atoms: a number, a 'text' or
"text" (its quote doubled stands for itself), a name (`app_product.regb_start_date`), NULL, `DATE(x)`,
`DATEADD(day, n, x)`, `CASE WHEN condition THEN value ... [ELSE value] END`, parentheses. Keywords ignore
case, texts keep theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from provenir_lab.errors import UsageError
from provenir_lab.mapping.expression_tree import (
    And,
    Arithmetic,
    Case,
    Compare,
    Date,
    DateAdd,
    IsEmpty,
    Like,
    Literal,
    Name,
    Negative,
    Node,
    Not,
    Or,
)

MAX_NESTING = 50
MAX_HEIGHT = 150
"""Deepest nesting, and highest tree (a + b + c has 3 levels): neither may exhaust the stack."""

_SHOWN = 100  # characters of an expression in a message


class ExpressionError(UsageError):
    """An expression does not parse. The message ends with the expression and a caret under the position."""

    def __init__(self, problem: str, text: str, position: int) -> None:
        super().__init__(problem, text, position)
        self.problem = problem
        self.text = text
        self.position = position
        """0 for the first character."""

    def __str__(self) -> str:
        start = max(0, min(self.position - _SHOWN // 2, len(self.text) - _SHOWN))
        end = start + _SHOWN
        line = re.sub(r"\s", " ", self.text[start:end])
        before = "..." if start else ""
        after = "..." if end < len(self.text) else ""
        caret = " " * (len(before) + self.position - start) + "^"
        return f"{self.problem} (character {self.position + 1})\n  {before}{line}{after}\n  {caret}"


# ---- tokens


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the language."""

    kind: str
    """`number`, `text`, `name`, `end`, or for keywords and operators the token itself."""
    text: str
    position: int


_TOKEN = re.compile(
    r"""(?:
      (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4}(?!\w))?)
    | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)
    | (?P<operator>\*\*|//|<=|>=|<>|!=|[-+*/%(),=<>])
    )\s*""",
    re.VERBOSE,
)
_KEYWORDS = frozenset(("AND", "OR", "NOT", "IS", "LIKE", "NULL", "CASE", "WHEN", "THEN", "ELSE", "END"))


def _tokens(text: str) -> list[Token]:
    found = []
    position = len(text) - len(text.lstrip())
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            problem = "the quote is never closed" if text[position] in "'\"" else "unexpected character"
            raise ExpressionError(problem, text, position)
        kind = match.lastgroup or ""
        token = match[kind]
        if kind == "number" and text[match.end(kind) :][:1].isidentifier():
            raise ExpressionError("a number must not run into a name", text, position)
        if kind == "operator":
            kind = "!=" if token == "<>" else token
        elif kind == "name" and token.upper() in _KEYWORDS:
            kind = token.upper()
        found.append(Token(kind, token, position))
        position = match.end()
    return [*found, Token("end", "", len(text))]


# ---- the parser

_COMPARISONS = frozenset(("=", "!=", "<", "<=", ">", ">="))
_OR, _AND, _NOT, _PREDICATE, _SUM, _PRODUCT, _SIGN, _POWER = range(1, 9)
_BINDING = {
    "OR": _OR,
    "AND": _AND,
    "IS": _PREDICATE,
    "LIKE": _PREDICATE,
    "NOT": _PREDICATE,
    **dict.fromkeys(_COMPARISONS, _PREDICATE),
    **dict.fromkeys(("+", "-"), _SUM),
    **dict.fromkeys(("*", "/", "//", "%"), _PRODUCT),
    "**": _POWER,
}
"""How tightly each infix operator binds."""


def parse(text: str) -> Node:
    """The tree of an expression; always a value, never a condition. Raises ExpressionError."""
    parser = _Parser(text)
    node = parser.value(_OR)
    if parser.token.kind != "end":
        raise parser.unexpected("an operator or the end")
    if _height(node) > MAX_HEIGHT:
        raise ExpressionError("too many operators in a row", text, 0)
    return node


def _height(root: Node) -> int:
    highest = 0
    waiting = [(root, 1)]
    while waiting:
        node, level = waiting.pop()
        highest = max(highest, level)
        waiting += [(part, level + 1) for part in node.parts]
    return highest


class _Parser:
    """Precedence climbing: one loop for all infix operators, one method for what can begin an operand."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.index = 0
        self.depth = 0

    # ---- tokens

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def take(self) -> Token:
        token = self.token
        if token.kind != "end":
            self.index += 1
        return token

    def accept(self, kind: str) -> bool:
        found = self.token.kind == kind
        if found:
            self.take()
        return found

    def expect(self, kind: str) -> Token:
        if self.token.kind != kind:
            raise self.unexpected(kind if kind.isalpha() else f'"{kind}"')
        return self.take()

    def unexpected(self, wanted: str) -> ExpressionError:
        found = "the expression ends" if self.token.kind == "end" else f"here is {self.token.text}"
        return ExpressionError(f"expected {wanted}, but {found}", self.text, self.token.position)

    # ---- expressions

    def value(self, binding: int) -> Node:
        """An operand that must not be a condition."""
        start = self.token.position
        return self.checked(self.expression(binding), start, condition=False)

    def condition(self, binding: int) -> Node:
        start = self.token.position
        return self.checked(self.expression(binding), start, condition=True)

    def checked(self, node: Node, start: int, condition: bool) -> Node:
        if node.is_condition == condition:
            return node
        problem = "a value stands where a condition is expected"
        if not condition:
            problem = "a condition stands where a value is expected (use CASE WHEN ... THEN ... END)"
        raise ExpressionError(problem, self.text, start)

    def expression(self, binding: int) -> Node:
        """Operands joined by operators that bind at least as tightly as `binding`."""
        start = self.token.position
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise ExpressionError(f"nested more than {MAX_NESTING} levels deep", self.text, start)
        node = self.operand()
        while _BINDING.get(self.token.kind, 0) >= binding:
            node = self.joined(node, start)
        self.depth -= 1
        return node

    def joined(self, left: Node, start: int) -> Node:
        """`left` with the operator that follows and that operator's right side."""
        operator = self.take().kind
        level = _BINDING[operator]
        self.checked(left, start, condition=level < _NOT)
        if operator == "OR":
            return Or((*(left.operands if isinstance(left, Or) else (left,)), self.condition(_AND)))
        if operator == "AND":
            return And((*(left.operands if isinstance(left, And) else (left,)), self.condition(_NOT)))
        if level > _PREDICATE:
            return Arithmetic(operator, left, self.value(_SIGN if operator == "**" else level + 1))
        if operator in _COMPARISONS:
            return Compare(operator, left, self.value(_SUM))
        negated = operator == "NOT" or (operator == "IS" and self.accept("NOT"))
        if operator == "IS":
            predicate: Node = self.emptiness(left)
        else:
            if negated:
                self.expect("LIKE")
            predicate = Like(left, self.pattern())
        return Not(predicate) if negated else predicate

    def emptiness(self, operand: Node) -> Node:
        if not self.accept("NULL"):
            if self.token.text.upper() != "EMPTY":
                raise self.unexpected("EMPTY or NULL")
            self.take()
            return IsEmpty(operand, blank=True)
        return IsEmpty(operand, blank=False)

    def pattern(self) -> str:
        if self.token.kind != "text":
            raise self.unexpected("a quoted pattern")
        return _unquoted(self.take().text)

    def operand(self) -> Node:
        begin = _PREFIXES.get(self.token.kind)
        if begin is None:
            raise self.unexpected("a value")
        return begin(self, self.take())

    def name(self, token: Token) -> Node:
        """A name, unless it is followed by its arguments."""
        if not self.accept("("):
            return Name(token.text)
        function = {"DATE": self.date, "DATEADD": self.date_add}.get(token.text.upper())
        if function is None:
            raise ExpressionError("only DATE and DATEADD are functions", self.text, token.position)
        node = function()
        self.expect(")")
        return node

    def group(self) -> Node:
        node = self.expression(_OR)
        self.expect(")")
        return node

    def negation(self) -> Node:
        return Not(self.condition(_NOT))

    def date(self) -> Node:
        return Date(self.value(_OR))

    def date_add(self) -> Node:
        if self.token.text.upper() != "DAY":
            raise self.unexpected("the unit DAY")
        self.take()
        self.expect(",")
        days = self.value(_OR)
        self.expect(",")
        return DateAdd(days, self.value(_OR))

    def case(self) -> Node:
        branches = []
        self.expect("WHEN")
        while True:
            condition = self.condition(_OR)
            self.expect("THEN")
            branches.append((condition, self.value(_OR)))
            if not self.accept("WHEN"):
                break
        otherwise = self.value(_OR) if self.accept("ELSE") else Literal(None)
        self.expect("END")
        return Case(tuple(branches), otherwise)


def _unquoted(text: str) -> str:
    quote = text[0]
    return text[1:-1].replace(quote * 2, quote)


_PREFIXES: dict[str, Callable[[_Parser, Token], Node]] = {
    "number": lambda parser, token: Literal(Decimal(token.text)),
    "text": lambda parser, token: Literal(_unquoted(token.text)),
    "NULL": lambda parser, token: Literal(None),
    "name": lambda parser, token: parser.name(token),
    "-": lambda parser, token: Negative(parser.value(_SIGN)),
    "NOT": lambda parser, token: parser.negation(),
    "CASE": lambda parser, token: parser.case(),
    "(": lambda parser, token: parser.group(),
}
"""What can begin an operand."""
