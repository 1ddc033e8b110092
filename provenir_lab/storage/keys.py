"""Which columns tie a contract's tables together: read off their definitions, not off their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from provenir_lab.tables import Column, Table, Tables

CONTACT_TABLE = "app_contact_base"
"""What the table of contacts is called where a contract does not choose another name."""


@dataclass(frozen=True)
class Keys:
    """The keys of a set of target tables."""

    base: str | None
    """The table of the applications: the one that has no parent among the others and is a parent itself."""
    base_key: str
    """Its key, the app_id."""
    contact: str | None
    """The table of the contacts: child of the base and parent of others (or called app_contact_base)."""
    contact_key: str
    """Its key, the con_id."""
    owners: Mapping[str, str] = field(default_factory=dict)
    """Table -> its column that holds the app_id."""
    children: Mapping[str, str] = field(default_factory=dict)
    """Table without an app_id -> its column that holds the con_id."""
    key_value: frozenset[str] = frozenset()
    """Tables of names and values: their key is an app_id and a text."""


def keys_of(tables: Tables, names: Iterable[str]) -> Keys:
    """The keys of the target tables `names`, from the foreign keys in their definitions."""
    wanted = {name: tables[name] for name in names if name in tables}
    parents = {name: _parents(table, wanted) for name, table in wanted.items()}
    used = {parent for found in parents.values() for parent in found}
    base = next((name for name in wanted if name in used and not parents[name]), None)
    if base is None and len(wanted) == 1:
        base = next(iter(wanted))
    base_key = _only_key(wanted[base]) if base else "app_id"
    owners = {name: found[base] for name, found in parents.items() if base in found} if base else {}
    contact = CONTACT_TABLE if CONTACT_TABLE in wanted else next((n for n in owners if n in used), None)
    children = {
        name: found[contact]
        for name, found in parents.items()
        if contact is not None and contact in found and name not in owners
    }
    return Keys(
        base=base,
        base_key=base_key,
        contact=contact,
        contact_key=_only_key(wanted[contact]) if contact else "con_id",
        owners={base: base_key, **owners} if base else owners,
        children=children,
        key_value=frozenset(n for n, owner in owners.items() if _is_key_value(wanted[n], owner)),
    )


def _parents(table: Table, among: Mapping[str, Table]) -> dict[str, str]:
    """Parent table -> the column that refers to it."""
    found: dict[str, str] = {}
    for column in table.columns:
        parent = _parent(column)
        if parent in among and parent != table.name:
            found.setdefault(parent, column.name)
    return found


def _parent(column: Column) -> str:
    return column.references.rpartition(".")[0] if column.references and column.cascade else ""


def _only_key(table: Table) -> str:
    return table.primary_key[0]


def _is_key_value(table: Table, owner: str) -> bool:
    others = [c for c in table.columns if c.primary_key and c.name != owner]
    return len(others) == 1 and others[0].type in ("varchar", "char") and owner in table.primary_key
