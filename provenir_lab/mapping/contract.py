"""The mapping contract as a model: what maps to what, and the names and codes that go with it.

`loading.load_contract` makes one from a file; everything here is plain, frozen and asks no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

Path = tuple[str, ...]
"""Tag names from the root down: ("Provenir", "Request")."""

ROW_TYPES = {
    "add_score": "scores",
    "add_indicator": "indicators",
    "add_history": "app_historical_lookup",
    "add_report_lookup": "app_report_results_lookup",
    "policy_exceptions": "app_policy_exceptions_rl",
    "warranty_field": "app_warranties_rl",
    "add_collateral": "app_collateral_rl",
}
"""Row-creating mapping type -> the table it is known by."""

ROW_TYPE_COLUMNS = {
    "add_score": ("score_identifier", "score"),
    "add_indicator": ("indicator", "value"),
    "add_history": ("name", "source", "value"),
    "add_report_lookup": ("name", "value", "source_report_key"),
    "policy_exceptions": ("policy_exception_type_enum", "reason_code", "notes"),
    "warranty_field": ("warranty_type_enum",),
    "add_collateral": ("sort_order",),
}
"""Row-creating mapping type -> the columns it fills itself, beside the key of the application."""

NUMBER_TYPES = ("int", "smallint", "bigint", "tinyint", "decimal", "float")
INTEGER_TYPES = ("int", "smallint", "bigint", "tinyint")
DATE_TYPES = ("date", "datetime", "smalldatetime")
BIT_TYPES = ("bit", "boolean")

ENUM_NAME_PARTS = (
    "status",
    "process",
    "app_source",
    "contact_type",
    "address_type",
    "ownership_type",
    "employment_type",
    "income_type",
    "other_income_type",
    "population_assignment",
    "decision",
)
"""Parts of a column name that tell its enum, tried in this order, where the name itself is no enum's."""


@dataclass(frozen=True, slots=True)
class MappingType:
    """One step of a chain: `numbers_only`, or `add_score(EX_DIE)` with its parameter."""

    name: str
    parameter: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """One mapping entry: an attribute of an element to a column of a table."""

    path: Path
    attribute: str
    table: str
    column: str
    """Empty for row-creating types."""
    data_type: str
    """Lower case; anything but the known types is a string."""
    length: int | None = None
    """Characters of a string (-1: unlimited) or fraction digits of a decimal."""
    types: tuple[MappingType, ...] = ()
    default: str | int | Decimal | bool | None = None
    nullable: bool | None = None
    """None: the contract does not say; counts as not nullable, but only a real column can demand a value."""
    expression: str | None = None
    enum_name: str | None = None
    place: str = ""
    """Where in the file: `mappings[12]`."""

    def has(self, *names: str) -> bool:
        return any(step.name in names for step in self.types)

    @property
    def row_type(self) -> MappingType | None:
        """The first row-creating step, if any."""
        return next((step for step in self.types if step.name in ROW_TYPES), None)


@dataclass(frozen=True, slots=True)
class FilterRule:
    """Which elements of one kind (contact, address, employment) count."""

    element_type: str
    parent_path: Path
    path: Path
    """Absolute path of the elements."""
    required: Mapping[str, bool | tuple[str, ...]]
    """Attribute -> True (present and not empty) or the allowed values."""

    @property
    def element(self) -> str:
        """Local tag name."""
        return self.path[-1]

    @property
    def type_attribute(self) -> str:
        """The first attribute with a list of allowed values; "" if none has."""
        return next((name for name, allowed in self.required.items() if not isinstance(allowed, bool)), "")

    @property
    def type_values(self) -> tuple[str, ...]:
        """The allowed values of the type attribute, most important first."""
        allowed = self.required.get(self.type_attribute, ())
        return () if isinstance(allowed, bool) else allowed


@dataclass(frozen=True, slots=True)
class Relationship:
    """A child table, its parent and the column that joins them."""

    parent_table: str
    child_table: str
    foreign_key_column: str
    parent_path: Path
    child_path: Path
    place: str = ""
    """Where in the file: `relationships[2]`."""


@dataclass(frozen=True)
class Contract:
    """A validated contract. `fingerprint`: first 8 hex digits of the SHA-256 of its canonical content."""

    name: str
    fingerprint: str
    root: str
    source_table: str
    source_column: str
    application_element: str
    """Local name of the element that holds the product line's data."""
    checks_product_line: bool
    """False where the contract names no application element: documents of any line are taken."""
    schema: str
    insertion_order: tuple[str, ...]
    rules: tuple[FilterRule, ...]
    fields: tuple[Field, ...]
    relationships: tuple[Relationship, ...]
    enums: Mapping[str, Mapping[str, int | str]]
    bits: Mapping[str, Mapping[str, int]]
    """`char_to_bit` and `boolean_to_bit`: text -> 0/1."""

    # ---- elements

    def rule(self, element_type: str) -> FilterRule | None:
        return next((rule for rule in self.rules if rule.element_type == element_type), None)

    @cached_property
    def reading_root(self) -> Path:
        """Path of the element outside which nothing but attributes of its ancestors can matter."""
        paths = [f.path for f in self.fields] + [r.path for r in self.rules]
        for path in paths:
            if self.application_element in path[1:]:
                return path[: path.index(self.application_element)]
        deep = [p for p in paths if not any(len(q) > len(p) and q[: len(p)] == p for q in paths)]
        common = deep[0]
        for path in deep[1:]:
            common = common[
                : next(
                    (i for i, (a, b) in enumerate(zip(common, path, strict=False)) if a != b),
                    min(len(common), len(path)),
                )
            ]
        return common

    @cached_property
    def application_path(self) -> Path:
        return (*self.reading_root, self.application_element)

    @cached_property
    def app_id_place(self) -> tuple[Path, str]:
        """Path and attribute of the application's id."""
        for f in self.fields:
            if f.has("identity_insert") and f.path == self.reading_root[: len(f.path)]:
                return f.path, f.attribute
        return self.reading_root[:2], "ID"

    @cached_property
    def contact_id_attribute(self) -> str:
        table = self.table_of("contact")
        ids = (f.attribute for f in self.fields if f.table == table and f.has("identity_insert"))
        return next(ids, "con_id")

    # ---- tables

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """Target tables: the base table, the insertion order, the rest by name; parents always first."""
        used = {f.table for f in self.fields}
        ordered = [t for t in (self.base_table, *self.insertion_order) if t in used]
        placed: dict[str, None] = {}
        for table in (*ordered, *sorted(used.difference(ordered))):
            placed.update(dict.fromkeys(reversed((table, *self.ancestors(table)))))
        return tuple(t for t in placed if t in used)

    def ancestors(self, table: str) -> tuple[str, ...]:
        """Its parent by the relationships, the parent's parent, and so on; ends with itself in a circle."""
        parents = {r.child_table: r.parent_table for r in reversed(self.relationships)}
        found: list[str] = []
        while (parent := parents.get(table)) is not None and parent not in found:
            found.append(parent)
            table = parent
        return tuple(found)

    def fields_of(self, table: str) -> tuple[Field, ...]:
        return tuple(f for f in self.fields if f.table == table)

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Table -> what makes its rows: `contact`, `address`, `employment`, a row-creating type, or
        `application` (one row a document)."""
        return {table: self._kind(table) for table in self.tables}

    def table_of(self, kind: str) -> str | None:
        return next((table for table, found in self.kinds.items() if found == kind), None)

    def _kind(self, table: str) -> str:
        known = {
            "app_contact_base": "contact",
            "app_contact_address": "address",
            "app_contact_employment": "employment",
        }
        known |= {name: kind for kind, name in ROW_TYPES.items()}
        if table in known:
            return known[table]
        row_types = {f.row_type.name if f.row_type else None for f in self.fields_of(table)}
        if len(row_types) == 1 and None not in row_types:
            return str(row_types.pop())
        for kind, usual in (
            ("contact", "app_contact_base"),
            ("address", "app_contact_address"),
            ("employment", "app_contact_employment"),
        ):
            rule = self.rule(kind)
            taken = any(f.table == usual for f in self.fields)
            if (
                rule
                and not taken
                and any(r.child_table == table and r.child_path == rule.path for r in self.relationships)
            ):
                return kind
        return "application"

    @cached_property
    def base_table(self) -> str | None:
        """The table of the applications themselves: the parent of all."""
        if any(f.table == "app_base" for f in self.fields):
            return "app_base"
        children = {r.child_table for r in self.relationships}
        parents = [r.parent_table for r in self.relationships if r.parent_table not in children]
        return next((p for p in parents if any(f.table == p for f in self.fields)), None)

    def key_of(self, table: str) -> str:
        """The column that joins a table to its parent (`app_id`, for children of contacts `con_id`); for the
        base table its own id."""
        if table == self.base_table:
            ids = (f.column for f in self.fields_of(table) if f.has("identity_insert"))
            return next(ids, "app_id")
        joined = (r.foreign_key_column for r in self.relationships if r.child_table == table)
        child = self.kinds[table] in ("address", "employment")
        return next(joined, self.contact_id_column if child else "app_id")

    @cached_property
    def contact_id_column(self) -> str:
        table = self.table_of("contact")
        ids = (f.column for f in self.fields if f.table == table and f.has("identity_insert"))
        return next(ids, "con_id")

    def columns_of(self, table: str) -> tuple[str, ...]:
        """Columns of a table's rows: mapped ones in the order of the file, then keys that are not mapped."""
        kind = self.kinds[table]
        key = self.key_of(table)
        if kind in ROW_TYPE_COLUMNS and kind not in ("warranty_field", "add_collateral"):
            return (key, *ROW_TYPE_COLUMNS[kind])
        columns = [f.column for f in self.fields_of(table) if f.column]
        if kind == "contact":
            columns += [self.contact_id_column]
        columns += [key, *ROW_TYPE_COLUMNS.get(kind, ())]
        return tuple(dict.fromkeys(columns))

    # ---- codes

    def enum_of(self, field: Field) -> str | None:
        """Name of the enum that a field's `enum` step uses; None if there is none to be found."""
        if field.enum_name:
            return field.enum_name
        if field.column in self.enums or field.column.endswith("_enum"):
            return field.column
        part = next((part for part in ENUM_NAME_PARTS if part in field.column), None)
        return f"{part}_enum" if part else None
