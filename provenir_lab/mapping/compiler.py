"""Writes the function that maps one document: contract -> source text -> compiled function.

Each table becomes a few lines: attributes into variables, one line a column, a test whether the row is worth
writing, a test for values that must be there, and the tuple.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from provenir_lab.errors import Rejected
from provenir_lab.mapping.attributes import Match, node_finder
from provenir_lab.mapping.chains import ColumnPlan, calculated_result
from provenir_lab.mapping.contacts import ContactPlan, child_filter
from provenir_lab.mapping.context import ContextNames, bare_name_check, has_other
from provenir_lab.mapping.contract import Contract, Field, FilterRule
from provenir_lab.mapping.expressions import compile_expression
from provenir_lab.mapping.roles import RoleSources
from provenir_lab.mapping.row_types import RowTypes
from provenir_lab.mapping.source import Bundle, MakeReader, Source
from provenir_lab.mapping.steps import generic_conversion, is_text
from provenir_lab.tables import Column, Tables

Rows = dict[str, list[tuple[Any, ...]]]
"""Table -> row tuples in column order; tables without rows are absent."""

MakeColumn = Callable[[Field, Contract, Column | None, Counter[tuple[str, str]]], ColumnPlan]

_MEANINGFUL = {
    "address": ("zip", "city", "street_name", "street_number", "state"),
    "employment": ("business_name", "monthly_salary", "job_title", "zip", "city"),
}
"""Columns of which one must say something for a row to be written."""
_MEANINGFUL_SOURCE = {
    "address": ("zip_code", "city", "street_name"),
    "employment": ("business_name", "zip_code", "city"),
}
"""... or one of these attributes."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """How the fields of one kind of row find their values: expressions of the source text."""

    value: Callable[[Field], str]
    """Field -> its source value."""
    get: str
    """What an expression's names are looked up with."""
    original: Callable[[Field], str]
    """Calculated field -> the attribute that it is named for."""


class RowsCompiler:
    """Writes the function `(document, contacts, app_id) -> rows` for one contract."""

    def __init__(
        self,
        contract: Contract,
        tables: Tables,
        contacts: ContactPlan,
        unknown: Counter[tuple[str, str]],
        make_reader: MakeReader,
        make_column: MakeColumn,
    ) -> None:
        self.contract = contract
        self.tables = tables
        self.source = Source()
        self.names: set[str] = set()
        """Names that app-level expressions read."""
        self._contacts = contacts
        self._unknown = unknown
        self._make_reader = make_reader
        self._make_column = make_column
        self._flat: dict[tuple[str, ...], tuple[str, Bundle]] = {}
        self.roles = RoleSources(contract, contacts, self.source, make_reader)

    def function(self) -> Callable[..., Rows]:
        body = self.source
        for table in self.contract.tables:
            kind = self.contract.kinds[table]
            if kind == "application":
                self._application_table(table)
            elif kind == "contact":
                self._contact_table(table)
            elif kind in ("address", "employment"):
                self._child_table(table, kind)
            else:
                RowTypes(self, table, kind).add()
        names = self._name_lines()
        head = ["    out = {}", "    ancestors, root, data = document"]
        for path, (variable, bundle) in self._flat.items():
            find = body.bind("find", node_finder(self.contract.reading_root, path))
            head.append(f"    {variable} = {find}(ancestors, root)")
            head += bundle.lines()
        body.lines[:0] = [*head, *self.roles.lines(), *names]
        body.add("return out")
        rows: Callable[..., Rows] = body.compile("document, contacts, app_id", "rows")
        return rows

    def _name_lines(self) -> list[str]:
        """Lines that look up the app-level names: at their usual places, else everywhere."""
        if not self.names:
            return []
        used = tuple(sorted(self.names))
        context = ContextNames(self.contract)
        everything = (
            f"{self.source.bind('everything', context.everything)}({used!r}, document, contacts, app_id)"
        )
        places = {name: context.place(name) for name in used}
        doubts: list[str] = []
        entries: list[str] = []
        missing: dict[tuple[str, str], list[str]] = {}
        for name, place in places.items():
            if place is None:
                return [f"    names = {everything}"]
            value = self.flat(
                place.path, place.attribute, match="exact" if place.tag is None else "last_in_any_case"
            )
            entries.append(f"{name!r}: {value} and {value}.strip()")
            if place.tag is None:
                doubts.append(f"not {self.source.bind('sure', bare_name_check(name))}({value}, data)")
            else:
                missing.setdefault((place.tag, self._flat[place.path][0]), []).append(f"{value} is None")
        other = self.source.bind("has_other", has_other)
        for (tag, element), tests in missing.items():
            doubts.append(f"(({' or '.join(tests)}) and {other}(root, {tag!r}, {element}))")
        return [
            f"    if {' or '.join(doubts)}: names = {everything}",
            "    else: names = {" + ", ".join(entries) + "}",
        ]

    # ---- where values come from

    def flat(self, path: tuple[str, ...], attribute: str, match: Match = "any_case") -> str:
        """The variable of an attribute of the last element at a path."""
        if path not in self._flat:
            variable = self.source.name("e")
            self._flat[path] = (variable, Bundle(self.source, variable, self._make_reader))
        return self._flat[path][1].variable(attribute, match)

    def context_free(self, field: Field) -> str:
        """Expression for a value that needs no row: of a role's choice, or of the last node at the path."""
        role = self.roles.expression(field)
        return role if role is not None else self.flat(field.path, field.attribute)

    def name(self, name: str) -> str:
        """Expression for a name of the app-level context."""
        self.names.add(name)
        return f"names[{name!r}]"

    def _segment(self, field: Field, own_path: tuple[str, ...] = ()) -> str | None:
        """How a path leads into a row's context: `own` attribute, `none`, or None if it does not."""
        if own_path and field.path[: len(own_path)] == own_path:
            return "own" if field.path == own_path else "none"
        index = next((i for i, tag in enumerate(field.path) if "contact" in tag), None)
        if index is None:
            return None
        return "own" if index == len(field.path) - 1 else "none"

    def _application_value(self, field: Field, has_context: bool) -> str:
        role = self.roles.expression(field)
        if role is not None:
            return role
        segment = self._segment(field) if has_context else None
        if segment is not None:
            return self.name(field.attribute) if segment == "own" else "None"
        return self.flat(field.path, field.attribute)

    # ---- columns

    def column_plan(self, field: Field) -> ColumnPlan:
        return self._make_column(field, self.contract, self._column(field), self._unknown)

    def _column(self, field: Field) -> Column | None:
        table = self.tables.get(field.table)
        return table.column(field.column) if table else None

    def _assign(self, target: str, field: Field, scope: _Scope) -> tuple[list[str], str]:
        """Lines that compute a column, and the expression that tells whether its row is worth writing."""
        if field.has("calculated_field"):
            return self._assign_calculated(target, field, scope)
        plan = self.column_plan(field)
        convert = self.source.bind("k", plan.convert)
        value, lines = scope.value(field), []
        if not value.isidentifier():
            variable = self.source.name("v")
            lines.append(f"{variable} = {value}")
            value = variable
        null, blank = self.source.bind("d", plan.on_null), self.source.bind("d", plan.on_blank)
        if not plan.fixed:
            lines.append(f"{target} = {convert}({value})")
        elif plan.on_null == plan.on_blank:
            lines.append(f"{target} = {convert}({value}) if {value} else {blank}")
        else:
            otherwise = f"{null} if {value} is None else {blank}"
            lines.append(f"{target} = {convert}({value}) if {value} else ({otherwise})")
        if plan.counts is None:
            return lines, f"{target} is not None"
        return lines, f"{self.source.bind('counts', plan.counts)}({value})"

    def _assign_calculated(self, target: str, field: Field, scope: _Scope) -> tuple[list[str], str]:
        result = self.source.name("x")
        evaluate = self.source.bind("calculate", compile_expression(field.expression or "").evaluate)
        lines = [f"{result} = {evaluate}({scope.get})"]
        position = [step.name for step in field.types].index("calculated_field")
        if [step.name for step in field.types[position + 1 : position + 2]] == ["enum"]:
            # no result: the enum sees the attribute itself; a real result passes the enum by
            passing = replace(field, types=(*field.types[: position + 1], *field.types[position + 2 :]))
            plan = self.column_plan(replace(field, types=field.types[position + 1 :]))
            passed_by = self.source.bind("k", self.column_plan(passing).bare)
            convert = self.source.bind("k", plan.bare)
            generic = generic_conversion(field, self.contract, self._column(field), limited=False)
            typed = self.source.bind("typed", calculated_result(field, generic))
            counts = self.source.name("counts")
            lines += [
                f"{result} = {typed}({result})",
                f"if {result} is None: {target} = {convert}({scope.original(field)})",
                f"elif {result} == '': {target} = {convert}('')",
                f"else: {target} = {passed_by}({result})",
                f"{counts} = {target} is not None" + ("" if is_text(field) else f" and {target} != ''"),
                f"if {target} is None or {target} == '': {target} = {self.source.bind('d', plan.fallback)}",
            ]
            return lines, counts
        plan = self.column_plan(field)
        convert = self.source.bind("k", plan.convert)
        null = self.source.bind("d", plan.on_null)
        lines.append(f"{target} = {convert}({result}) if {result} is not None else {null}")
        if plan.counts is None:
            return lines, f"{target} is not None"
        counts = f"{self.source.bind('counts', plan.counts)}({result})"
        if not is_text(field):
            counts += f" and {target} is not None"  # only a text keeps a calculated ""
        return lines, counts

    def _row(self, table: str, fields: tuple[Field, ...], scope: _Scope, keys: dict[str, str]) -> _RowSource:
        """The lines for one row; `keys` gives the expressions of the columns that are set last."""
        lines: list[str] = []
        counts: list[str] = []
        targets: dict[str, str] = dict(keys)
        required: dict[str, str] = {}
        marks: list[int] = []
        for field in fields:
            marks.append(len(lines))
            if field.column in keys or not field.column:
                continue
            target = self.source.name("c")
            found, count = self._assign(target, field, scope)
            lines += found
            earlier = targets.get(field.column)
            if earlier is not None:  # the same column again: a default never replaces a value
                lines.append(f"if {earlier} is not None and not ({count}): {target} = {earlier}")
            targets[field.column] = target
            if self.column_plan(field).required:
                required[field.column] = target
            counts.append(count if not self._always_counts(field) else "True")
        columns = self.contract.columns_of(table)
        values = ", ".join(targets[name] for name in columns)
        checks = [
            f"if {targets[name]} is None: {self.source.bind('missing', _missing(f'{table}.{name}'))}()"
            for name in required
        ]
        return _RowSource(lines, counts, checks, f"({values},)", targets, [*marks, len(lines)])

    def _always_counts(self, field: Field) -> bool:
        """A flag is data even where it is 0 for want of a value."""
        return [step.name for step in field.types] in (["char_to_bit"], ["boolean_to_bit"])

    # ---- tables

    def _application_table(self, table: str) -> None:
        fields = self.contract.fields_of(table)
        has_context = any(f.has("calculated_field") for f in fields)
        scope = _Scope(
            value=lambda field: self._application_value(field, has_context),
            get=self._get(name for f in fields for name in _names(f)),
            original=lambda field: self.name(field.attribute),
        )
        row = self._row(table, fields, scope, {self.contract.key_of(table): "app_id"})
        self.source.add(*row.lines)
        depth = 1
        if table != self.contract.base_table and "True" not in row.counts:
            self.source.add(f"if {' or '.join(row.counts) or 'False'}:")
            depth = 2
        self.source.add(*row.checks, f"out[{table!r}] = [{row.values}]", depth=depth)

    def _get(self, names: Any) -> str:
        """What looks up app-level names: they are all known beforehand."""
        found = set(names)
        self.names |= found
        return "names.get" if found else "None"

    def _contact_table(self, table: str) -> None:
        fields = self.contract.fields_of(table)
        own = Bundle(self.source, "contact.node", self._make_reader, depth=2)
        current = Bundle(self.source, "address", self._make_reader, depth=2)

        def value(field: Field) -> str:
            role = self.roles.expression(field)
            if role is not None:
                return role
            if field.has("curr_address_only"):
                return current.variable(field.attribute)
            if field.path == self.contract.application_path:
                return self.flat(field.path, field.attribute, "exact")
            segment = self._segment(field, self._contacts.rule.path)
            if segment is None:
                return self.flat(field.path, field.attribute)
            return own.variable(field.attribute, "any_case") if segment == "own" else "None"

        scope = self._element_scope(fields, value, own, {})
        keys = {self.contract.contact_id_column: "contact.id", self.contract.key_of(table): "app_id"}
        row = self._row(table, fields, scope, keys)
        find = current.lines()
        if find:
            address_of = self.source.bind("own_address", self._contacts.own_address)
            find = [f"        address = {address_of}(contact)", *find]
        self.source.add("rows = []", "for contact in contacts.valid:")
        self.source.lines += [*own.lines(always_there=True), *find]
        self.source.add(*row.lines, *row.checks, f"rows.append({row.values})", depth=2)
        self.source.add(f"if rows: out[{table!r}] = rows")

    def _child_table(self, table: str, kind: str) -> None:
        rule = self.contract.rule(kind)
        if rule is None:
            return
        fields = self.contract.fields_of(table)
        own = Bundle(self.source, "node", self._make_reader, depth=4)

        def value(field: Field) -> str:
            role = self.roles.expression(field)
            return role if role is not None else own.variable(field.attribute, "any_case")

        scope = self._element_scope(
            fields, value, own, {self.contract.contact_id_attribute: "contact.id_text"}
        )
        tells = _MEANINGFUL[kind]
        first = tuple(f for f in fields if f.column in tells)
        fields = (*first, *(f for f in fields if f.column not in tells))
        row = self._row(table, fields, scope, {self.contract.key_of(table): "contact.id"})
        said = [self._says(f, row.targets[f.column]) for f in first]
        for attribute in _MEANINGFUL_SOURCE[kind]:
            text = own.variable(attribute)
            said.append(f"({text} and {text}.strip())")
        self._child_loop(rule)
        self.source.lines += own.lines(always_there=True)
        # a row that says nothing is dropped before its other values are looked at
        self.source.add(
            *row.lines[: row.marks[len(first)]], f"if not ({' or '.join(said)}): continue", depth=4
        )
        self.source.add(*row.lines[row.marks[len(first)] :], depth=4)
        if "True" not in row.counts:
            self.source.add(f"if not ({' or '.join(row.counts) or 'False'}): continue", depth=4)
        self.source.add(*row.checks, f"rows.append({row.values})", depth=4)
        self.source.add(f"if rows: out[{table!r}] = rows")

    @staticmethod
    def _says(field: Field, target: str) -> str:
        return target if is_text(field) or field.column == "monthly_salary" else f"{target} is not None"

    def _child_loop(self, rule: FilterRule) -> None:
        has_children = self.source.bind("has_children", self._contacts.has_children)
        passes = self.source.bind("passes", child_filter(rule, self._make_reader))
        self.source.add("rows = []", "for contact in contacts.valid:")
        self.source.add(f"if {has_children}(contact, root):", depth=2)
        self.source.add(f"for node in contact.node.named({rule.element!r}):", depth=3)
        self.source.add(f"if not {passes}(node): continue", depth=4)

    def _element_scope(
        self, fields: tuple[Field, ...], value: Callable[[Field], str], own: Bundle, extra: dict[str, str]
    ) -> _Scope:
        """Names are the attributes of the row's own element, and `extra` ones."""
        given = {key.lower(): expression for key, expression in extra.items()}
        used = sorted({name for f in fields for name in _names(f)})
        entries = {n: given.get(n.lower()) or own.variable(n, "any_case") for n in used}
        get = "{" + ", ".join(f"{n!r}: {v}" for n, v in entries.items()) + "}.get"
        return _Scope(value, get, lambda field: own.variable(field.attribute, "any_case"))


@dataclass(frozen=True, slots=True)
class _RowSource:
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


def _names(field: Field) -> frozenset[str]:
    if not field.has("calculated_field"):
        return frozenset()
    return compile_expression(field.expression or "").names


def _missing(place: str) -> Callable[[], None]:
    def missing() -> None:
        raise Rejected("missing_required", place)

    return missing
