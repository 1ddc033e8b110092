"""Lines of the compiled function for one row: its columns, whether it is worth writing, its tuple."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from provenir_lab.errors import Rejected
from provenir_lab.mapping.chains import ColumnPlan, calculated_result
from provenir_lab.mapping.contract import Contract, Field
from provenir_lab.mapping.expressions import compile_expression
from provenir_lab.mapping.source import Source
from provenir_lab.mapping.steps import Value, generic_conversion, is_text, postponed, raise_postponed
from provenir_lab.tables import Column, Tables

MakeColumn = Callable[[Field, Contract, Column | None, Counter[tuple[str, str]]], ColumnPlan]


@dataclass(frozen=True, slots=True)
class Scope:
    """How the fields of one kind of row find their values: expressions of the source text."""

    value: Callable[[Field], str]
    """Field -> its source value."""
    get: str
    """What an expression's names are looked up with."""
    original: Callable[[Field], str]
    """Calculated field -> the attribute that it is named for."""


@dataclass(frozen=True, slots=True)
class RowLines:
    """One row's part of the source."""

    lines: list[str]
    """Compute the columns."""
    counts: list[str]
    """Expressions of which one must hold for the row to be worth writing."""
    checks: list[str]
    """Reject the document where a value must be there and is not."""
    values: str
    """The tuple."""
    targets: dict[str, str]
    """Column -> expression of its value."""
    marks: list[int]
    """Number of lines before each field's, and before the end."""


class RowWriter:
    """Writes the lines of rows that have one column a field."""

    def __init__(
        self,
        source: Source,
        contract: Contract,
        tables: Tables,
        unknown: Counter[tuple[str, str]],
        make_column: MakeColumn,
    ) -> None:
        self._source = source
        self._contract = contract
        self._tables = tables
        self._unknown = unknown
        self._make_column = make_column

    def row(self, table: str, fields: tuple[Field, ...], scope: Scope, keys: dict[str, str]) -> RowLines:
        """The lines for one row; `keys` gives the expressions of the columns that are set last."""
        lines: list[str] = []
        counts: list[str] = []
        targets: dict[str, str] = dict(keys)
        required: dict[str, str] = {}
        marks: list[int] = []
        for index, field in enumerate(fields):
            marks.append(len(lines))
            if field.column in keys or not field.column:
                continue
            plan = self._plan(field)
            again = any(later.column == field.column for later in fields[index + 1 :])
            target = self._source.name("c")
            found, count = self._assign(target, field, scope, _postponed(plan) if again else plan)
            lines += found
            earlier = targets.get(field.column)
            if earlier is not None:  # the same column again: a default never replaces a value
                lines.append(f"if {earlier} is not None and not ({count}): {target} = {earlier}")
                if not again:
                    lines.append(f"{self._source.bind('fits', raise_postponed)}({target})")
            targets[field.column] = target
            if plan.required:
                required[field.column] = target
            counts.append(count if not _always_counts(field) else "True")
        columns = self._contract.columns_of(table)
        values = ", ".join(targets[name] for name in columns)
        checks = [
            f"if {targets[name]} is None: {self._source.bind('missing', _missing(f'{table}.{name}'))}()"
            for name in required
        ]
        return RowLines(lines, counts, checks, f"({values},)", targets, [*marks, len(lines)])

    def _plan(self, field: Field) -> ColumnPlan:
        return self._make_column(field, self._contract, self._column(field), self._unknown)

    def _column(self, field: Field) -> Column | None:
        table = self._tables.get(field.table)
        return table.column(field.column) if table else None

    def _assign(self, target: str, field: Field, scope: Scope, plan: ColumnPlan) -> tuple[list[str], str]:
        """Lines that compute a column, and the expression that tells whether its row is worth writing."""
        if field.has("calculated_field"):
            return self._assign_calculated(target, field, scope, plan)
        convert = self._source.bind("k", plan.convert)
        value, lines = scope.value(field), []
        if not value.isidentifier():
            variable = self._source.name("v")
            lines.append(f"{variable} = {value}")
            value = variable
        null, blank = self._source.bind("d", plan.on_null), self._source.bind("d", plan.on_blank)
        if not plan.fixed:
            lines.append(f"{target} = {convert}({value})")
        elif plan.on_null == plan.on_blank:
            lines.append(f"{target} = {convert}({value}) if {value} else {blank}")
        else:
            otherwise = f"{null} if {value} is None else {blank}"
            lines.append(f"{target} = {convert}({value}) if {value} else ({otherwise})")
        if plan.counts is None:
            return lines, f"{target} is not None"
        return lines, f"{self._source.bind('counts', plan.counts)}({value})"

    def _assign_calculated(
        self, target: str, field: Field, scope: Scope, plan: ColumnPlan
    ) -> tuple[list[str], str]:
        result = self._source.name("x")
        evaluate = self._source.bind("calculate", compile_expression(field.expression or "").evaluate)
        lines = [f"{result} = {evaluate}({scope.get})"]
        position = [step.name for step in field.types].index("calculated_field")
        if [step.name for step in field.types[position + 1 : position + 2]] == ["enum"]:
            found, counts = self._assign_calculated_code(target, result, field, position, scope)
            return lines + found, counts
        convert = self._source.bind("k", plan.convert)
        null = self._source.bind("d", plan.on_null)
        lines.append(f"{target} = {convert}({result}) if {result} is not None else {null}")
        if plan.counts is None:
            return lines, f"{target} is not None"
        return lines, f"{self._source.bind('counts', plan.counts)}({result})"

    def _assign_calculated_code(
        self, target: str, result: str, field: Field, position: int, scope: Scope
    ) -> tuple[list[str], str]:
        """No result: the enum sees the attribute itself; a real result passes the enum by."""
        passing = replace(field, types=(*field.types[: position + 1], *field.types[position + 2 :]))
        plan = self._plan(replace(field, types=field.types[position + 1 :]))
        passed_by = self._source.bind("k", self._plan(passing).bare)
        convert = self._source.bind("k", plan.bare)
        generic = generic_conversion(field, self._contract, self._column(field), limited=False)
        typed = self._source.bind("typed", calculated_result(field, generic))
        counts = self._source.name("counts")
        lines = [
            f"{result} = {typed}({result})",
            f"if {result} is None: {target} = {convert}({scope.original(field)})",
            f"elif {result} == '': {target} = {convert}('')",
            f"else: {target} = {passed_by}({result})",
            f"{counts} = {target} is not None" + ("" if is_text(field) else f" and {target} != ''"),
            f"if {target} is None or {target} == '': {target} = {self._source.bind('d', plan.fallback)}",
        ]
        return lines, counts


def expression_names(field: Field) -> frozenset[str]:
    """The names that a calculated field's expression reads."""
    if not field.has("calculated_field"):
        return frozenset()
    return compile_expression(field.expression or "").names


def _always_counts(field: Field) -> bool:
    """A flag is data even where it is 0 for want of a value."""
    return [step.name for step in field.types] in (["char_to_bit"], ["boolean_to_bit"])


def _postponed(plan: ColumnPlan) -> ColumnPlan:
    """For a column that a later field may fill: what does not fit is no reason to reject yet."""
    counts = plan.counts

    def worth(value: Value) -> bool:
        try:
            return counts is not None and counts(value)
        except Rejected:
            return True

    return replace(plan, convert=postponed(plan.convert), counts=None if counts is None else worth)


def _missing(place: str) -> Callable[[], None]:
    def missing() -> None:
        raise Rejected("missing_required", place)

    return missing
