"""Mappers without one of the four Phase I optimisations: same parts, same rows, slower. For the lab alone.

Each takes out what the fast mapper does once, when the contract is compiled, and does it for every value:

- `enum_cache`: the enum of a column is found by its name and searched entry by entry, first for the exact
  name, then ignoring case;
- `preparsed_types`: the text of `mapping_type` is split into steps, and the conversion of these looked up;
- `indexed_lookup`: an attribute is searched for among all of its element's attributes;
- `regex_cache`: the patterns that a number, date or digits column needs are compiled (Python's `re` has a
  cache of its own, which would hide that: it is emptied).

Nothing else imports this module, so the fast mapper knows nothing of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from provenir_lab.mapping import convert
from provenir_lab.mapping.attributes import Match, Read
from provenir_lab.mapping.chains import ColumnPlan, plan_column
from provenir_lab.mapping.contract import DATE_TYPES, NUMBER_TYPES, Contract, Field, MappingType
from provenir_lab.mapping.nodes import Node, local_name
from provenir_lab.mapping.plan import Mapper
from provenir_lab.mapping.steps import Step, Value, converting_step
from provenir_lab.tables import Column, Tables

Unknown = Counter[tuple[str, str]]


def ablated_mapper(
    contract: Contract,
    tables: Tables,
    without: str,
    *,
    parse_mode: str = "selective",
    max_document_mb: int = 16,
) -> Mapper:
    """As `compile_mapper`, with one optimisation of `ABLATIONS` taken out."""
    hooks = ABLATIONS[without]
    return Mapper(contract, tables, parse_mode=parse_mode, max_document_mb=max_document_mb, **hooks)


# ---- enum_cache


def _searching_step(name: str, field: Field, contract: Contract, *rest: Any) -> Step:
    step = converting_step(name, field, contract, *rest)
    if name != "enum":
        return step

    def enum(value: Value) -> Value:
        text = "" if value is None else convert.to_text(value).strip()
        return step(_searched(contract.enums.get(contract.enum_of(field) or "", {}), text))

    return enum


def _searched(codes: Mapping[str, int | str], text: str) -> str:
    """The name in an enum that a text means; the text if it means none."""
    for name in codes:
        if name == text:
            return name
    for name in codes:
        if name.lower() == text.lower():
            return name
    return text


# ---- preparsed_types


def _column_of_text(field: Field, contract: Contract, column: Column | None, unknown: Unknown) -> ColumnPlan:
    plan = plan_column(field, contract, column, unknown)
    types = ", ".join(map(_written, field.types))
    conversions = {_split(types): plan.convert}

    def convert_by_text(value: Value) -> Value:
        conversion = conversions[_split(types)]
        return plan.on_null if value is None and plan.fixed else conversion(value)

    return replace(plan, convert=convert_by_text, fixed=False)  # asked for missing values too, as ever


def _written(step: MappingType) -> str:
    return step.name if step.parameter is None else f"{step.name}({step.parameter})"


def _split(types: str) -> tuple[tuple[str, str], ...]:
    """Names and parameters of the steps."""
    steps = []
    for step in types.split(","):
        name, _, parameter = step.strip().partition("(")
        steps.append((name.strip(), parameter.rstrip(")").strip()))
    return tuple(steps)


# ---- indexed_lookup


def _searching_reader(names: Sequence[str], *, match: Match | Sequence[Match] = "exact") -> Read:
    matches = [match] * len(names) if isinstance(match, str) else match
    wanted = list(zip(names, matches, strict=True))

    def read(node: Node) -> tuple[str | None, ...]:
        return tuple([_attribute(node, *one) for one in wanted])

    return read


def _attribute(node: Node, name: str, match: Match) -> str | None:
    if match != "last_in_any_case":
        for key, value in node.attributes.items():
            if local_name(key) == name:
                return value
    found = None
    if match != "exact":
        for key, value in node.attributes.items():
            if local_name(key).lower() == name.lower():
                found = value
                if match == "any_case":
                    break
    return found


# ---- regex_cache


def _compiling_column(
    field: Field, contract: Contract, column: Column | None, unknown: Unknown
) -> ColumnPlan:
    plan = plan_column(field, contract, column, unknown)
    compile_patterns = _patterns(field)
    if compile_patterns is None:
        return plan

    def convert_compiling(value: Value) -> Value:
        if isinstance(value, str):
            compile_patterns(value.strip())
        return plan.convert(value)

    return replace(plan, convert=convert_compiling)


def _patterns(field: Field) -> Callable[[str], object] | None:
    """Compiles what the conversion of a text matches it with; None if it matches with nothing."""
    if field.data_type in DATE_TYPES:
        return lambda text: _compiled(convert.ISO_TIME).match(text) or _compiled(convert.US_TIME)
    if field.data_type in NUMBER_TYPES and not field.has("enum"):
        return lambda text: _compiled(convert.NUMBER)
    if field.has("numbers_only", "extract_numeric"):
        return lambda text: _compiled(convert.NOT_DIGITS)
    return None


def _compiled(pattern: str) -> re.Pattern[str]:
    re.purge()
    return re.compile(pattern)


ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "enum_cache": {"make_column": partial(plan_column, make_step=_searching_step)},
    "preparsed_types": {"make_column": _column_of_text},
    "indexed_lookup": {"make_reader": _searching_reader},
    "regex_cache": {"make_column": _compiling_column},
}
"""Name of the optimisation -> what of the mapper is exchanged."""
