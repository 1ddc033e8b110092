"""The calculated-field language as a tree: what `syntax.parse` makes and `expressions` compiles."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal


class Node:
    """A part of an expression: a value, unless it is a condition."""

    __slots__ = ()
    is_condition = False

    @property
    def parts(self) -> tuple[Node, ...]:
        """The nodes directly below."""
        return _nodes(tuple(getattr(self, field.name) for field in fields(self)))  # type: ignore[arg-type]


def _nodes(value: object) -> tuple[Node, ...]:
    if isinstance(value, tuple):
        return tuple(node for item in value for node in _nodes(item))
    return (value,) if isinstance(value, Node) else ()


class Condition(Node):
    """True or false."""

    __slots__ = ()
    is_condition = True


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A number, a text or NULL."""

    value: Decimal | str | None


@dataclass(frozen=True, slots=True)
class Name(Node):
    """An attribute, with or without the tag before it."""

    name: str


@dataclass(frozen=True, slots=True)
class Negative(Node):
    """-operand"""

    operand: Node


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """left operator right, of numbers."""

    operator: str
    """One of `+ - * / // % **`."""
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Date(Node):
    """DATE(operand)"""

    operand: Node


@dataclass(frozen=True, slots=True)
class DateAdd(Node):
    """DATEADD(day, days, date)"""

    days: Node
    date: Node


@dataclass(frozen=True, slots=True)
class Case(Node):
    """CASE WHEN ... THEN ... ELSE ... END"""

    branches: tuple[tuple[Node, Node], ...]
    """Conditions and their values."""
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Compare(Condition):
    """left operator right, by the comparison rules."""

    operator: str
    """One of `= != < <= > >=`."""
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Like(Condition):
    """operand LIKE 'pattern'"""

    operand: Node
    pattern: str


@dataclass(frozen=True, slots=True)
class IsEmpty(Condition):
    """`IS EMPTY`; not `blank`: `IS NULL`, for which white space is something."""

    operand: Node
    blank: bool


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """NOT operand"""

    operand: Node


@dataclass(frozen=True, slots=True)
class And(Condition):
    """All of them hold."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or(Condition):
    """One of them holds."""

    operands: tuple[Node, ...]
