"""Tables whose rows are made by mapping types: scores, indicators, histories, reports, exceptions, groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from provenir_lab.mapping import convert
from provenir_lab.mapping.contract import Field, MappingType
from provenir_lab.mapping.groups import group_number, group_rows, meaningful
from provenir_lab.mapping.row_lines import expression_names
from provenir_lab.mapping.steps import Value, generic_conversion

if TYPE_CHECKING:
    from provenir_lab.mapping.compiler import RowsCompiler

_TRUE = ("y", "yes", "true", "t", "1")


class RowTypes:
    """Writes the lines for one such table."""

    def __init__(self, compiler: RowsCompiler, table: str, kind: str) -> None:
        self._compiler = compiler
        self._source = compiler.source
        self._table = table
        self._kind = kind
        self._fields = compiler.contract.fields_of(table)

    def add(self) -> None:
        if self._kind in ("warranty_field", "add_collateral"):
            self._add_groups()
            return
        add_row: dict[str, Callable[[Field, MappingType, str], None]] = {
            "add_score": self._score,
            "add_indicator": self._indicator,
            "add_history": self._history,
            "add_report_lookup": self._report,
            "policy_exceptions": self._exception,
        }
        self._source.add("rows = []")
        for field in self._fields:
            step = field.row_type
            if step is not None and step.name == self._kind:
                add_row[self._kind](field, step, self._value(field))
        if self._kind == "policy_exceptions":
            self._notes()
        self._source.add(f"if rows: out[{self._table!r}] = rows")

    def _value(self, field: Field) -> str:
        value = self._compiler.context_free(field)
        if value.isidentifier():
            return value
        variable = self._source.name("v")
        self._source.add(f"{variable} = {value}")
        return variable

    def _append(self, value: str, converter: object, row: str) -> None:
        """Append a row if the source says something and its conversion gives a value `x`."""
        convert_name = self._source.bind("k", converter)
        self._source.add(f"if {value}:")
        self._source.add(f"x = {convert_name}({value})", f"if x is not None: rows.append(({row}))", depth=2)

    def _text(self, column: str) -> Callable[[str], Value]:
        """A meaningful text, trimmed and checked against the column, not cut."""
        table = self._compiler.tables.get(self._table)
        fit = convert.fit_text(f"{self._table}.{column}", None, table.column(column) if table else None)

        def text(value: str) -> Value:
            found = meaningful(value)
            return None if found is None else fit(found)

        return text

    def _score(self, field: Field, step: MappingType, value: str) -> None:
        if not step.parameter:
            return
        table = self._compiler.tables.get(self._table)
        named = replace(field, column="score")
        column = table.column("score") if table else None
        score = generic_conversion(named, self._compiler.contract, column)
        self._append(value, score, f"app_id, {step.parameter!r}, x")

    def _indicator(self, field: Field, step: MappingType, value: str) -> None:
        if not step.parameter:
            return

        def indicator(text: str) -> Value:
            return "1" if text.strip().lower() in _TRUE else None

        self._append(value, indicator, f"app_id, {step.parameter!r}, x")

    def _history(self, field: Field, step: MappingType, value: str) -> None:
        name, source = f"[{field.attribute}]", f"[{field.path[-1]}]"
        self._append(value, self._text("value"), f"app_id, {name!r}, {source!r}, x")

    def _report(self, field: Field, step: MappingType, value: str) -> None:
        self._append(
            value, self._text("value"), f"app_id, {field.attribute!r}, x, {step.parameter or None!r}"
        )

    def _exception(self, field: Field, step: MappingType, value: str) -> None:
        number = group_number(step.parameter)
        if number is not None:
            self._append(value, self._text("reason_code"), f"app_id, {number}, x")

    def _notes(self) -> None:
        """`policy_exceptions()`: the first such mapping supplies the last column of all rows."""
        field = next((f for f in self._fields if f.row_type and f.row_type.parameter in (None, "")), None)
        notes = "None"
        if field is not None:
            value, text = self._value(field), self._source.bind("k", self._text("notes"))
            notes = f"{text}({value}) if {value} else None"
        self._source.add(f"notes = ({notes}) if rows else None")
        self._source.add("rows = [(*row, notes) for row in rows]")

    def _add_groups(self) -> None:
        compiler = self._compiler
        names = {name for field in self._fields for name in expression_names(field)}
        compiler.names |= names
        rows_of = self._source.bind(
            "groups", group_rows(self._table, self._kind, compiler.contract, compiler.tables)
        )
        values = [self._value(f) for f in self._fields]
        get = "names.get" if names else "None"
        self._source.add(f"rows = {rows_of}(app_id, ({', '.join(values)},), {get})")
        self._source.add(f"if rows: out[{self._table!r}] = rows")
