"""Writes the function that maps one document: contract -> source text -> compiled function.

Each table becomes a few lines: attributes into variables, one line a column, a test whether the row is worth
writing, a test for values that must be there, and the tuple.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from provenir_lab.mapping.attributes import Match, node_finder
from provenir_lab.mapping.contacts import ContactPlan, child_filter
from provenir_lab.mapping.context import ContextNames, bare_name_check, has_other
from provenir_lab.mapping.contract import Contract, Field, FilterRule
from provenir_lab.mapping.roles import RoleSources
from provenir_lab.mapping.row_lines import MakeColumn, RowWriter, Scope, expression_names
from provenir_lab.mapping.row_types import RowTypes
from provenir_lab.mapping.source import Bundle, MakeReader, Source
from provenir_lab.mapping.steps import is_text
from provenir_lab.tables import Tables

Rows = dict[str, list[tuple[Any, ...]]]
"""Table -> row tuples in column order; tables without rows are absent."""

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
        self._make_reader = make_reader
        self._flat: dict[tuple[str, ...], tuple[str, Bundle]] = {}
        self._writer = RowWriter(self.source, contract, tables, unknown, make_column)
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
                place.path, place.attribute, match="exact" if place.keeps_case else "last_in_any_case"
            )
            entries.append(f"{name!r}: {value} and {value}.strip()")
            if place.tag is None:
                doubts.append(f"not {self.source.bind('sure', bare_name_check(name))}({value}, data)")
            elif place.keeps_case:
                doubts.append(f"{value} is None")
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

    # ---- tables

    def _application_table(self, table: str) -> None:
        fields = self.contract.fields_of(table)
        has_context = any(f.has("calculated_field") for f in fields)
        scope = Scope(
            value=lambda field: self._application_value(field, has_context),
            get=self._get(name for f in fields for name in expression_names(f)),
            original=lambda field: self.name(field.attribute),
        )
        row = self._writer.row(table, fields, scope, {self.contract.key_of(table): "app_id"})
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
        row = self._writer.row(table, fields, scope, keys)
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
        row = self._writer.row(table, fields, scope, {self.contract.key_of(table): "contact.id"})
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
    ) -> Scope:
        """Names are the attributes of the row's own element, and `extra` ones."""
        given = {key.lower(): expression for key, expression in extra.items()}
        used = sorted({name for f in fields for name in expression_names(f)})
        entries = {n: given.get(n.lower()) or own.variable(n, "any_case") for n in used}
        get = "{" + ", ".join(f"{n!r}: {v}" for n, v in entries.items()) + "}.get"
        return Scope(value, get, lambda field: own.variable(field.attribute, "any_case"))
