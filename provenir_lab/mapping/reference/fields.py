"""From a mapping entry to a value: extraction (2.3), chains (4.2), defaults (4.3) and names (5.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from provenir_lab.mapping.contract import (
    BIT_TYPES,
    DATE_TYPES,
    NUMBER_TYPES,
    Contract,
    Field,
    MappingType,
    Path,
)
from provenir_lab.mapping.reference import expressions, values
from provenir_lab.mapping.reference.contacts import Contact, Contacts
from provenir_lab.mapping.reference.document import Document, Node
from provenir_lab.mapping.reference.values import Value, is_blank
from provenir_lab.tables import Tables

CHOSEN_CONTACT = ("last_valid_pr_contact", "last_valid_sec_contact", "authu_contact")
BIT_STEPS = ("char_to_bit", "boolean_to_bit")
DIGIT_STEPS = ("numbers_only", "extract_numeric")


@dataclass(frozen=True)
class Row:
    """What a row is made from. `names`: what its expressions see; None for tables without any."""

    kind: str
    """`contact`, `address`, `employment` or `application`."""
    names: dict[str, str] | None = None
    contact: Contact | None = None
    """Of a contact row."""
    element: Node | None = None
    """The element of a contact, an address or an employment."""


@dataclass(frozen=True)
class Found:
    """The value of a field in a row."""

    value: Value
    defaulted: bool = False
    """It stands in for a blank source."""
    is_data: bool = False
    """It makes its row worth writing (4.4 with C17)."""


class Fields:
    """Values of the mapping entries for one document."""

    def __init__(
        self,
        document: Document,
        contract: Contract,
        tables: Tables,
        contacts: Contacts,
        unknown_codes: Counter[tuple[str, str]],
        clock: Callable[[], datetime],
    ) -> None:
        self.document = document
        self.contract = contract
        self.tables = tables
        self.contacts = contacts
        self.unknown_codes = unknown_codes
        self.clock = clock
        self.boolean_codes = contract.bits.get("boolean_to_bit", {})
        self.char_codes = contract.bits.get("char_to_bit", {})

    # ---- names of expressions

    @cached_property
    def application_names(self) -> dict[str, str]:
        """5.1 with C6: later assignments win."""
        names: dict[str, str] = {}
        primary = self.contacts.primary
        if primary is not None:
            trimmed = {name: value.strip() for name, value in primary.element.attributes.items()}
            names |= {f"contact.{name}": value for name, value in trimmed.items()}
            names |= trimmed
        names["app_id"] = str(self.document.app_id)
        top, inside = self.contract.reading_root, self.contract.application_path
        seen = [p for p in self.document.flat if len(p) < len(top) or p[: len(inside)] == inside]
        mapped = {field.path for field in self.contract.fields}
        tags = {path[-1] for path in mapped}
        elsewhere = [path for path in seen if path not in mapped and path[-1] in tags]
        for path in elsewhere + [path for path in seen if path not in elsewhere]:
            self._add_names(path, names)
        return names

    def _add_names(self, path: Path, names: dict[str, str]) -> None:
        tag = path[-1]
        for name, value in self.document.flat[path].items():
            if tag == self.contract.application_element:
                names[f"application.{name.lower()}"] = value
                if tag != "application":
                    names[f"{tag}.{name}"] = value
            else:
                names[f"{tag}.{name.lower()}"] = value
            names[name] = value

    def row_of_contact(self, contact: Contact) -> Row:
        return Row("contact", contact.element.attributes, contact, contact.element)

    def row_of_child(self, kind: str, contact: Contact, element: Node) -> Row:
        key = self.contract.contact_id_attribute
        names = {**element.attributes, key: contact.element.attributes[key]}
        return Row(kind, names, None, element)

    def row_of_application(self, table: str) -> Row:
        calculated = any(field.has("calculated_field") for field in self.contract.fields_of(table))
        return Row("application", self.application_names if calculated else None)

    # ---- extraction

    def extract(self, field: Field, row: Row) -> str | None:
        """2.3 without calculated fields: the text that a field starts from."""
        if field.has(*CHOSEN_CONTACT):
            return self.chosen_contact(field)
        if row.kind == "contact" and field.path == self.contract.application_path:
            return self.document.flat.get(field.path, {}).get(field.attribute)
        if row.kind in ("address", "employment") and row.element is not None:
            return expressions.find(field.attribute, row.element.attributes)
        if row.names is not None:
            level = self._contact_level(field.path, row.kind)
            if level is not None:
                below = field.path[level + 1 :]  # a contact's dictionary holds nothing by these names
                return None if below else expressions.find(field.attribute, row.names)
        return self.from_flat_map(field)

    def _contact_level(self, path: Path, kind: str) -> int | None:
        """2.3 step 5: the segment of a path that stands for the row's context itself."""
        own = self.contacts.contact_rule.path
        if kind == "contact" and path[: len(own)] == own:
            return len(own) - 1
        return next((level for level, segment in enumerate(path) if "contact" in segment), None)

    def from_flat_map(self, field: Field) -> str | None:
        """2.3 step 6."""
        return expressions.find(field.attribute, self.document.flat.get(field.path, {}))

    def for_row_table(self, field: Field) -> str | None:
        """Section 6: steps 1 and 6 alone."""
        return self.chosen_contact(field) if field.has(*CHOSEN_CONTACT) else self.from_flat_map(field)

    def chosen_contact(self, field: Field) -> str | None:
        """2.5; the first such type of the chain."""
        kind = self.contract.kinds[field.table]
        name = next(step.name for step in field.types if step.name in CHOSEN_CONTACT)
        if name == "authu_contact":
            return self.contacts.authorised_user(field)
        return self.contacts.last_valid(
            field,
            CHOSEN_CONTACT.index(name),
            from_address_table=kind == "address",
            history=kind == "add_history",
        )

    # ---- values

    def value(self, field: Field, row: Row) -> Found:
        """3.2: extract, apply the chain or the plain rule, convert, trim and cut."""
        calculated = field.has("calculated_field")
        source = None if calculated else self.extract(field, row)
        default = values.typed_default(field, self.boolean_codes)
        result: Value = self._chain(field, row, source) if field.types else source
        if not field.types and is_blank(source):
            result = default
        is_text = field.data_type not in (*NUMBER_TYPES, *DATE_TYPES, *BIT_TYPES)
        if isinstance(result, str) and is_text and field.has("numbers_only"):
            result = values.digits(result)
        value = values.finished(values.convert(result, field, self.boolean_codes), field)
        if is_blank(value):
            return Found(None, is_data=calculated and is_text and result is not None)
        stands_in = not calculated and is_blank(source) and value == default and not field.has(*BIT_STEPS)
        return Found(value, defaulted=stands_in, is_data=not stands_in)

    def stand_in(self, field: Field, *, contract_default: bool = True) -> Value:
        """4.3 with C5: what a column gets that may not be NULL and has no value; None if there is nothing.

        The contract's default, else the one that the database itself would fill in, if it is a plain value.
        """
        table = self.tables.get(field.table)
        column = table.column(field.column) if table else None
        demanded = column is not None and not column.nullable
        if field.nullable and not demanded:
            return None
        default = values.default_of(field, self.boolean_codes) if contract_default else None
        if default is None and demanded and column is not None and column.default != "now":
            default = values.convert(column.default, field, self.boolean_codes)
        return default

    def _chain(self, field: Field, row: Row, value: Value) -> Value:
        """4.2: one type after the other; a null ends it unless an enum comes next."""
        names = [step.name for step in field.types]
        for index, step in enumerate(field.types):
            if step.name == "enum" and index and names[index - 1] == "calculated_field":
                if value is None:
                    value = self._original(field, row)
                elif not is_blank(value):
                    continue
            value = self._apply(step, value, field, row)
            may_be_null = step.name in ("enum", "default_getutcdate_if_null") or names[index + 1 :][:1] == [
                "enum"
            ]
            if value is None and not may_be_null:
                return None
        return value

    def _original(self, field: Field, row: Row) -> str | None:
        found = expressions.find(field.attribute, row.names or {})
        return None if is_blank(found) else found

    def _apply(self, step: MappingType, value: Value, field: Field, row: Row) -> Value:
        """1.4: one mapping type."""
        text = "" if value is None else values.as_text(value).strip()
        if step.name in CHOSEN_CONTACT:
            return self.chosen_contact(field)
        if step.name == "curr_address_only":
            return self._current_address(field, row.contact) if row.contact else value
        if step.name == "calculated_field":
            return self.calculated(field, row.names or {})
        if step.name == "enum":
            return self._enum(field, text)
        if step.name == "char_to_bit":
            return self.char_to_bit(text)
        if step.name == "boolean_to_bit":
            return values.bit(text, self.boolean_codes) if text else 0
        if step.name == "default_getutcdate_if_null" and not text:
            return values.convert(self.clock(), field, self.boolean_codes)
        if not text:
            return values.typed_default(field, self.boolean_codes)
        if step.name in DIGIT_STEPS:
            return self.digits(field, value)
        return values.convert(value, field, self.boolean_codes)

    def _current_address(self, field: Field, contact: Contact) -> str | None:
        address = self.contacts.current_address(contact)
        return None if address is None else address.attributes.get(field.attribute)

    def calculated(self, field: Field, names: dict[str, str]) -> Value:
        """5.2: null is null, a blank text stays one for text columns, all else is converted."""
        result = expressions.evaluate(expressions.parse(field.expression or ""), names)
        is_text = field.data_type not in (*NUMBER_TYPES, *DATE_TYPES, *BIT_TYPES)
        if result is not None and is_blank(result):
            return "" if is_text else None
        return values.convert(result, field, self.boolean_codes)

    def char_to_bit(self, text: str) -> int:
        """`text` is trimmed."""
        if not text:
            return 0
        return self.char_codes.get(text, self.char_codes.get(text.upper(), 0))

    def digits(self, field: Field, value: Value) -> Value:
        """C1: the first number for numeric types, every digit for the others; `value` is not blank."""
        if field.data_type not in NUMBER_TYPES:
            return values.convert(values.digits(values.as_text(value)), field, self.boolean_codes)
        found = values.first_number(value) if isinstance(value, str) else value
        return values.convert(found, field, self.boolean_codes)

    def _enum(self, field: Field, text: str) -> Value:
        """1.5."""
        codes = self.contract.enums.get(self.contract.enum_of(field) or "", {})
        if text in codes:
            return codes[text]
        for name, code in codes.items():
            if name.lower() == text.lower():
                return code
        if "" in codes:
            self.unknown_codes[field.table, field.column] += 1
            return codes[""]
        return None if field.nullable else values.default_of(field, self.boolean_codes)
