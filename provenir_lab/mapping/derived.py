"""What follows from a contract: the rows of `app_enums`, and tables where none are packaged.

Derived tables make a lab in which a user's own contract can run. They are no copy of the user's database:
what a contract does not say (lengths, precisions, further keys) is chosen so that little is refused.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from provenir_lab.mapping.contract import (
    BIT_TYPES,
    DATE_TYPES,
    INTEGER_TYPES,
    ROW_TYPE_COLUMNS,
    ROW_TYPES,
    Contract,
    Field,
)
from provenir_lab.tables import INTEGER_RANGES, Column, Table, Tables, packaged_tables

ENUM_TABLE = "app_enums"
CAMPAIGN = "app_campaign_cc.campaign_num"
"""What a packaged column refers to that no contract knows of; `load` and `generate` fill it."""
PLAIN_ROW_TYPES = ("add_score", "add_indicator", "add_history", "add_report_lookup")
"""Row-creating types whose tables have no columns of the contract's own."""
NO_VALUE = "(none)"
"""Name of the code for the text ""."""

_PRECISION = 18
_KEY_LENGTH = 100  # of a text in a primary key for which the contract gives no length

EnumRow = tuple[int, str, str, str]


def enum_rows(contract: Contract) -> list[EnumRow]:
    """Rows of `app_enums`: (enum_id, type, value, description), one for each integer code, by code.

    Names that share a code are joined in the description; where two enums share one, it names both.
    """
    users: dict[int, dict[str, list[str]]] = defaultdict(dict)
    for enum, codes in contract.enums.items():
        for text, code in codes.items():
            if isinstance(code, int):
                users[code].setdefault(enum, []).append(text or NO_VALUE)
    rows = []
    for code, names in sorted(users.items()):
        enum, texts = next(iter(names.items()))
        joined = [", ".join(found) for found in names.values()]
        if len(names) > 1:
            joined = [f"{name}: {text}" for name, text in zip(names, joined, strict=True)]
        rows.append((code, _cut(enum, 50), _cut(texts[0], 100), _cut("; ".join(joined), 200)))
    return rows


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


def tables_for(contract: Contract) -> dict[str, Table]:
    """The packaged tables if they can hold every row of the contract, else tables derived from it."""
    packaged = packaged_tables()
    derived = derive_tables(contract)
    own_source = derived[_source_name(contract)] == packaged.get(_source_name(contract))
    if own_source and all(derived[table] == packaged.get(table) for table in contract.tables):
        return packaged
    return derived


def derive_tables(contract: Contract) -> dict[str, Table]:
    """Lookups, target tables (parents first), source table and log of a contract.

    A packaged table is taken as it is where it can hold what the contract maps to it. Else columns come
    from the mappings, keys from the relationships, and columns with fixed codes refer to `app_enums`.
    """
    packaged = packaged_tables()
    enums = _enum_table(contract, packaged[ENUM_TABLE])
    builder = _Builder(contract, packaged, enums.columns[0])
    found = {}
    for name in contract.tables:
        known = packaged.get(name)
        usable = known is not None and enums == packaged[ENUM_TABLE] and builder.holds(known)
        found[name] = known if known is not None and usable else builder.table(name)
    campaigns = CAMPAIGN.partition(".")[0]
    lookups = {ENUM_TABLE: enums}
    if any(column.references == CAMPAIGN for table in found.values() for column in table.columns):
        lookups[campaigns] = packaged[campaigns]
    source = _source_name(contract)
    return {
        **lookups,
        **found,
        source: _source_table(contract, source),
        "processing_log": packaged["processing_log"],
    }


def _enum_table(contract: Contract, packaged: Table) -> Table:
    """The packaged one, with a wider key if the codes need it."""
    low, high = INTEGER_RANGES["smallint"]
    codes = [c for codes in contract.enums.values() for c in codes.values() if isinstance(c, int)]
    if all(low <= code <= high for code in codes):
        return packaged
    key, *others = packaged.columns
    return Table(packaged.name, (replace(key, type="int"), *others))


def _source_name(contract: Contract) -> str:
    return contract.source_table.rpartition(".")[2]


def _source_table(contract: Contract, name: str) -> Table:
    app_id = Column("app_id", "int", nullable=False, primary_key=True)
    return Table(name, (app_id, Column(contract.source_column, "varchar", nullable=False)))


class _Builder:
    """Makes the tables of one contract. `enum_key`: the key column of its `app_enums`."""

    def __init__(self, contract: Contract, packaged: Tables, enum_key: Column) -> None:
        self.contract = contract
        self.packaged = packaged
        self.enum_key = enum_key

    # ---- packaged tables

    def holds(self, packaged: Table) -> bool:
        """Whether every row of the contract's table of that name fits into the packaged one."""
        own = {column.name: column for column in self.table(packaged.name).columns}
        demanded = (
            c.name for c in packaged.columns if not (c.nullable or c.default or c.identity or c.computed)
        )
        return all(name in own for name in demanded) and all(
            (real := packaged.column(name)) is not None and _as_wide(real, column)
            for name, column in own.items()
        )

    # ---- tables of its own

    def table(self, name: str) -> Table:
        contract = self.contract
        kind = contract.kinds[name]
        key = contract.key_of(name)
        if kind in PLAIN_ROW_TYPES:
            usual = self.packaged[ROW_TYPES[kind]]
            return Table(name, (self.key(name, primary=True), *usual.columns[1:]))
        mapped = self.mapped(name, kind)
        mapped[key] = self.key(name, primary=kind not in ("contact", "address", "employment"))
        if kind == "contact":
            identity = contract.contact_id_column
            mapped[identity] = Column(identity, "int", nullable=False, primary_key=True, identity=True)
        for column in self.further_keys(name, kind):
            known = mapped.get(column) or Column(column, "int")
            length = known.length or (_KEY_LENGTH if known.type == "varchar" else None)
            mapped[column] = replace(known, nullable=False, primary_key=True, length=length)
        if kind in ("address", "employment") and self.further_keys(name, kind):
            mapped[key] = replace(mapped[key], primary_key=True)
        if kind == "policy_exceptions":
            mapped |= {"reason_code": Column("reason_code", "varchar"), "notes": Column("notes", "varchar")}
        return Table(name, tuple(mapped[column] for column in contract.columns_of(name)))

    def further_keys(self, name: str, kind: str) -> tuple[str, ...]:
        """Columns that, with the key of the parent, tell the rows of a table apart."""
        if kind in ("policy_exceptions", "warranty_field", "add_collateral"):
            return ROW_TYPE_COLUMNS[kind][:1]
        rule = self.contract.rule(kind)
        if rule is None or kind == "contact":
            return ()
        fields = self.contract.fields_of(name)
        return tuple(f.column for f in fields if f.attribute.lower() == rule.type_attribute.lower())[:1]

    def key(self, name: str, primary: bool) -> Column:
        """The column that joins a table to its parent; of the base table its own id."""
        contract = self.contract
        column = Column(contract.key_of(name), "int", nullable=False, primary_key=primary)
        if name == contract.base_table:
            return replace(column, identity=True)
        parent = next(iter(contract.ancestors(name)), None)
        if parent is None:
            child = contract.kinds[name] in ("address", "employment")
            parent = contract.table_of("contact") if child else contract.base_table
        if parent not in contract.tables:
            return column
        contact = contract.kinds[parent] == "contact"
        referred = contract.contact_id_column if contact else contract.key_of(parent)
        return replace(column, references=f"{parent}.{referred}", cascade=True)

    def mapped(self, name: str, kind: str) -> dict[str, Column]:
        """The mapped columns. One that several mappings fill is as wide as the widest."""
        found: dict[str, Column] = {}
        for field in self.contract.fields_of(name):
            column = self.column(field, kind)
            known = found.setdefault(field.column, column)
            if not _as_wide(known, column):
                found[field.column] = column
        return found

    def column(self, field: Field, kind: str) -> Column:
        """The column of a mapping; in tables of groups texts are not cut, so they have no length."""
        column = Column(field.column, "varchar", nullable=field.nullable is not False)
        if self.has_fixed_codes(field):
            enums = f"{ENUM_TABLE}.{self.enum_key.name}"
            return replace(column, type=self.enum_key.type, references=enums)
        if field.data_type in (*INTEGER_TYPES, *DATE_TYPES, "float"):
            return replace(column, type=field.data_type)
        if field.data_type in BIT_TYPES:
            return replace(column, type="bit")
        if field.data_type == "decimal":
            scale = 2 if field.length is None else field.length
            return replace(column, type="decimal", precision=max(_PRECISION, scale + 10), scale=scale)
        cut = field.length is not None and field.length > 0 and kind not in ROW_TYPES
        return replace(column, length=field.length if cut else None)

    def has_fixed_codes(self, field: Field) -> bool:
        """Whether nothing but codes of its enum can stand in a column: calculated values and defaults pass
        an enum by."""
        if field.data_type not in INTEGER_TYPES or not field.types or field.types[-1].name != "enum":
            return False
        codes = self.contract.enums.get(self.contract.enum_of(field) or "", {}).values()
        fixed = all(isinstance(code, int) for code in codes)
        return bool(codes) and fixed and field.default is None and not field.has("calculated_field")


def _as_wide(real: Column, wanted: Column) -> bool:
    """Whether `real` holds all that `wanted` holds."""
    if real.references not in (None, wanted.references, CAMPAIGN):
        return False
    if wanted.type in INTEGER_RANGES and real.type in INTEGER_RANGES:
        (low, high), (real_low, real_high) = INTEGER_RANGES[wanted.type], INTEGER_RANGES[real.type]
        return real_low <= low and high <= real_high
    if wanted.type == "varchar" and real.type in ("varchar", "char"):
        return real.length is None or (wanted.length is not None and wanted.length <= real.length)
    if wanted.type == "decimal" and real.type == "decimal":
        return (real.scale or 0) >= (wanted.scale or 0)
    return real.type == wanted.type
