"""Contract files: JSON or YAML text -> a validated `Contract`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

from provenir_lab.errors import ContractError, UsageError
from provenir_lab.mapping import contract as model
from provenir_lab.mapping.checking import contract_problems
from provenir_lab.mapping.contract import Contract, Field, FilterRule, MappingType, Relationship
from provenir_lab.tables import NAME, NAME_RULE

SHIPPED = "credit_card.json"
STEP = re.compile(r"(\w+)\s*(?:\((.*)\))?", re.DOTALL)


def load_contract(path: Path | str | None = None) -> Contract:
    """The contract of a `.json`, `.yaml` or `.yml` file; None: the shipped credit-card contract.

    Raises UsageError if the file cannot be read, ContractError with every problem found in it.
    """
    source = resources.files("provenir_lab.contracts") / SHIPPED if path is None else Path(path)
    where = SHIPPED if path is None else str(path)
    try:
        raw = source.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{where}: no such contract file") from None
    except OSError as exc:
        raise UsageError(f"{where}: the contract file cannot be read ({exc.strerror})") from None
    return parse_contract(_decode(raw, where), where)


def parse_contract(data: object, name: str) -> Contract:
    """A contract from its data as a JSON or YAML reader gives it; `name` is used in messages.

    Raises ContractError with every problem, each with its place: `mappings[12].target_table: missing`.
    """
    reader = _Reader()
    contract = reader.contract(data, name)
    problems = reader.problems
    if contract is not None:
        problems += contract_problems(contract)
    if problems or contract is None:
        raise ContractError(name, problems)
    return contract


def _decode(raw: bytes, where: str) -> object:
    kind = Path(where).suffix.lower()
    if kind not in (".json", ".yaml", ".yml"):
        raise UsageError(f"{where}: a contract is a .json, .yaml or .yml file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ContractError(where, ["not UTF-8 text"]) from None
    return _read_json(text, where) if kind == ".json" else _read_yaml(text, where)


def _read_json(text: str, where: str) -> object:
    def refuse(constant: str) -> None:
        raise ContractError(where, [f"{constant} is not a JSON value"])

    try:
        return json.loads(text, parse_float=Decimal, parse_constant=refuse)
    except json.JSONDecodeError as exc:
        raise ContractError(where, [f"line {exc.lineno}, column {exc.colno}: {exc.msg}"]) from None
    except RecursionError:
        raise ContractError(where, ["nested too deeply"]) from None


def _read_yaml(text: str, where: str) -> object:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ContractError(where, [f"{place}{exc.problem}"]) from None
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        raise ContractError(where, [f"not readable as YAML ({type(exc).__name__})"]) from None


def _fingerprint(data: object) -> str:
    """The order of keys carries meaning (priorities, first names of codes), so it counts."""
    canonical = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _plain(value: object) -> object:
    """JSON and YAML readers give different types for the same fraction."""
    return float(value) if isinstance(value, Decimal) else str(value)


class _Reader:
    """Takes the parts of a contract out of loosely typed data and notes every problem with its place."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def note(self, place: str, problem: str) -> None:
        self.problems.append(f"{place}: {problem}")

    # ---- parts

    def contract(self, data: object, name: str) -> Contract | None:
        """None if there is too little for a model."""
        if not isinstance(data, Mapping):
            self.note("file", "must be an object with the keys of a contract")
            return None
        checks = data.get("source_application_table") is not None
        found = Contract(
            name=Path(name).stem,
            fingerprint=_fingerprint(data),
            root=self.text(data, "xml_root_element"),
            source_table=self.name(data, "source_table", parts=2),
            source_column=self.name(data, "source_column"),
            application_element=self.text(data, "source_application_table", required=checks) or "application",
            checks_product_line=checks,
            schema=self.name(data, "target_schema", required=False) or "dbo",
            insertion_order=self.names(data, "table_insertion_order"),
            rules=tuple(self.rules(data)),
            fields=tuple(self.fields(data)),
            relationships=tuple(self.relationships(data)),
            enums=self.codes(data, "enum_mappings"),
            bits=self.codes(data, "bit_conversions", bits=True),
        )
        return found if found.fields else None

    def rules(self, data: Mapping[str, Any]) -> Iterator[FilterRule]:
        filtering = data.get("element_filtering")
        if not isinstance(filtering, Mapping):
            self.note("element_filtering", "missing" if filtering is None else "must be an object")
            return
        for place, entry in self.entries(filtering, "filter_rules", "element_filtering."):
            kind = self.text(entry, "element_type", place)
            path = self.path(entry, "xml_child_path", place)
            parent = entry.get("xml_parent_path") and self.path(entry, "xml_parent_path", place)
            required = self.required_attributes(entry, place)
            if kind and path:
                yield FilterRule(kind, parent or path[:-1], path, required)

    def required_attributes(self, entry: Mapping[str, Any], place: str) -> dict[str, bool | tuple[str, ...]]:
        given = entry.get("required_attributes")
        place = f"{place}.required_attributes"
        if not isinstance(given, Mapping):
            self.note(place, "missing" if given is None else "must be an object")
            return {}
        found: dict[str, bool | tuple[str, ...]] = {}
        for attribute, allowed in given.items():
            if isinstance(allowed, list) and allowed and all(isinstance(v, str) and v for v in allowed):
                found[attribute] = tuple(allowed)
            elif allowed is True:
                found[attribute] = True
            elif allowed is not False:  # false: not required
                self.note(f"{place}.{attribute}", "must be true or a list of allowed texts")
        return found

    def fields(self, data: Mapping[str, Any]) -> Iterator[Field]:
        for place, entry in self.entries(data, "mappings"):
            before = len(self.problems)
            types = self.types(entry, place)
            names = {step.name for step in types}
            data_type = self.text(entry, "data_type", place).lower()
            field = Field(
                path=self.path(entry, "xml_path", place),
                attribute=self.text(entry, "xml_attribute", place, required="calculated_field" not in names),
                table=self.name(entry, "target_table", place),
                column=self.name(
                    entry, "target_column", place, required=not names.intersection(model.ROW_TYPES)
                ),
                data_type=data_type,
                length=self.length(entry, place, data_type),
                types=types,
                default=self.default(entry, place),
                nullable=self.flag(entry, "nullable", place),
                expression=self.text(entry, "expression", place, required="calculated_field" in names)
                or None,
                enum_name=self.text(entry, "enum_name", place, required=False) or None,
                place=place,
            )
            if len(self.problems) == before:
                yield field

    def relationships(self, data: Mapping[str, Any]) -> Iterator[Relationship]:
        for place, entry in self.entries(data, "relationships"):
            before = len(self.problems)
            found = Relationship(
                parent_table=self.name(entry, "parent_table", place),
                child_table=self.name(entry, "child_table", place),
                foreign_key_column=self.name(entry, "foreign_key_column", place),
                parent_path=self.path(entry, "xml_parent_path", place),
                child_path=self.path(entry, "xml_child_path", place),
                place=place,
            )
            if len(self.problems) == before:
                yield found

    def codes(self, data: Mapping[str, Any], key: str, bits: bool = False) -> dict[str, dict[str, Any]]:
        """Tables of text -> code (a number or a text; for bits 0 or 1)."""
        tables = data.get(key, {})
        if not isinstance(tables, Mapping):
            self.note(key, "must be an object")
            return {}
        found: dict[str, dict[str, Any]] = {}
        for name, table in tables.items():
            place = f"{key}.{name}"
            if not isinstance(table, Mapping):
                self.note(place, "must be an object")
                continue
            found[str(name)] = codes = {}
            for text, code in table.items():
                if not isinstance(text, str):
                    self.note(place, f"the key {text} must be a text: put it in quotes")
                elif bits and code not in (0, 1):
                    self.note(f'{place}["{text}"]', "must be 0 or 1")
                elif not bits and (isinstance(code, bool) or not isinstance(code, int | str)):
                    self.note(f'{place}["{text}"]', "must be a whole number or a text")
                elif not bits and isinstance(code, int) and abs(code) >= 2**31:
                    self.note(f'{place}["{text}"]', "is too large for a code")
                else:
                    codes[text] = int(code) if bits else code
        return found

    # ---- values

    def entries(
        self, data: Mapping[str, Any], key: str, above: str = ""
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The objects of a list that must be there and hold something, each with its place."""
        given = data.get(key)
        if not isinstance(given, list) or not given:
            missing = given is None or given == []
            self.note(above + key, "missing or empty" if missing else "must be a list")
            return
        for index, entry in enumerate(given):
            place = f"{above}{key}[{index}]"
            if isinstance(entry, Mapping):
                yield place, entry
            else:
                self.note(place, "must be an object")

    def text(self, data: Mapping[str, Any], key: str, above: str = "", required: bool = True) -> str:
        """A trimmed text; "" if there is none."""
        place = f"{above}.{key}" if above else key
        given = data.get(key)
        if given is not None and not isinstance(given, str):
            self.note(place, "must be a text")
            return ""
        found = (given or "").strip()
        if required and not found:
            self.note(place, "missing" if given is None else "empty")
        return found

    def name(
        self, data: Mapping[str, Any], key: str, above: str = "", required: bool = True, parts: int = 1
    ) -> str:
        """What a table or column is called; with `parts` 2, a schema and a dot may stand before it."""
        found = self.text(data, key, above, required)
        self.check_name(found, f"{above}.{key}" if above else key, parts)
        return found

    def check_name(self, name: str, place: str, parts: int = 1) -> None:
        if name and not all(NAME.fullmatch(part) for part in name.split(".", parts - 1)):
            self.note(place, NAME_RULE)

    def path(self, data: Mapping[str, Any], key: str, above: str) -> model.Path:
        given = self.text(data, key, above)
        segments = tuple(given.rstrip("/").split("/"))
        if given and (segments[0] or len(segments) < 2 or not all(segments[1:])):
            self.note(f"{above}.{key}", "must be an absolute path such as /Provenir/Request")
            return ()
        return segments[1:]

    def names(self, data: Mapping[str, Any], key: str) -> tuple[str, ...]:
        given = data.get(key)
        if not isinstance(given, list) or not given or not all(isinstance(n, str) and n for n in given):
            self.note(key, "missing" if given is None else "must be a list of names")
            return ()
        for index, name in enumerate(given):
            self.check_name(name, f"{key}[{index}]")
        return tuple(dict.fromkeys(given))

    def flag(self, data: Mapping[str, Any], key: str, above: str) -> bool | None:
        given = data.get(key)
        if given is None or isinstance(given, bool):
            return given
        self.note(f"{above}.{key}", "must be true or false")
        return None

    def length(self, data: Mapping[str, Any], above: str, data_type: str) -> int | None:
        """Only texts and decimals have one; -1 is kept for texts alone."""
        given = data.get("data_length")
        if isinstance(given, str) and re.fullmatch(r"\s*-?[0-9]{1,9}\s*", given):
            given = int(given)
        if given is None or given == "":
            return None
        if isinstance(given, bool) or not isinstance(given, int):
            self.note(f"{above}.data_length", "must be a whole number")
        elif data_type == "decimal":
            if -1 <= given <= 28:
                return None if given == -1 else given
            self.note(f"{above}.data_length", "the fraction digits of a decimal are 0 to 28")
        elif data_type not in (*model.NUMBER_TYPES, *model.DATE_TYPES, *model.BIT_TYPES):
            if given == -1 or given > 0:
                return given
            self.note(f"{above}.data_length", "must be at least 1, or -1 for no limit")
        return None

    def default(self, data: Mapping[str, Any], above: str) -> str | int | Decimal | bool | None:
        given = data.get("default_value")
        if isinstance(given, float):
            return Decimal(repr(given))
        if given is not None and not isinstance(given, str | int | Decimal):
            self.note(f"{above}.default_value", "must be a text (put it in quotes) or a number")
            return None
        return None if isinstance(given, str) and not given.strip() else given

    def types(self, data: Mapping[str, Any], above: str) -> tuple[MappingType, ...]:
        given = data.get("mapping_type")
        if isinstance(given, str):
            given = re.split(r",(?![^(]*\))", given)  # commas in parentheses belong to the parameter
        if given is not None and not isinstance(given, list):
            self.note(f"{above}.mapping_type", "must be a text or a list of texts")
            return ()
        steps = []
        for step in given or ():
            if isinstance(step, str) and not step.strip():
                continue
            match = STEP.fullmatch(step.strip()) if isinstance(step, str) else None
            if match is None:
                self.note(f"{above}.mapping_type", "each step is a name, or a name(parameter)")
                continue
            parameter = match[2]
            steps.append(MappingType(match[1], parameter if parameter is None else parameter.strip()))
        return tuple(steps)
