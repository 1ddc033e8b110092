"""Rows that would collide, settled in memory before a batch is written.

Contacts (corrections C14, C21): a con_id that another application owns is left out with its addresses and
employments, and the document's log row says so. Within a document the first address or employment of a key
wins; of a key-value pair the last wins.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provenir_lab.storage.keys import keys_of
from provenir_lab.tables import Tables

Rows = Mapping[str, Sequence[tuple[Any, ...]]]
"""A mapped document: table -> row tuples in the order of the mapper's columns."""

Owners = Callable[[Collection[int]], Mapping[int, int]]
"""con_ids -> the app_id of those that are in the database already."""


@dataclass(frozen=True)
class Settled:
    """A batch without collisions."""

    rows: dict[str, list[tuple[Any, ...]]]
    """Table -> the rows of all documents."""
    contacts_left_out: dict[int, int]
    """app_id -> how many of its contacts another application owns; only where there are any."""
    keys_settled: int
    """Rows left out because another row of the same document has their key."""


class Duplicates:
    """Settles batches; knows where the keys are in the row tuples."""

    def __init__(
        self,
        tables: Tables,
        columns: Mapping[str, Sequence[str]],
        text_keys: Mapping[str, Callable[[str], str]] | None = None,
    ) -> None:
        """`columns` is the mapper's; `text_keys`: key-value table -> what makes equal the texts that the
        database takes for the same key."""
        self._text_keys = text_keys or {}
        self._names = tuple(columns)
        keys = keys_of(tables, columns)
        self._contact = keys.contact
        self._con_id = columns[keys.contact].index(keys.contact_key) if keys.contact else 0
        self._children: dict[str, int] = {}
        self._last: dict[str, tuple[int, ...]] = {}
        self._first: dict[str, tuple[int, ...]] = {}
        for name, named in columns.items():
            key = tables[name].primary_key
            places = tuple(named.index(column) for column in key) if set(key) <= set(named) else ()
            if name in keys.children:
                self._children[name] = named.index(keys.children[name])
                self._first[name] = places
            elif name in keys.key_value:
                self._last[name] = places

    def settle(self, documents: Iterable[tuple[int, Rows]], owners: Owners) -> Settled:
        """The rows of `documents` (in the order of writing) with every collision settled.

        `owners` is asked once, for all con_ids of the batch. Within the batch the earlier document owns.
        """
        batch = list(documents)
        left_out: dict[int, int] = {}
        refused = self._refused(batch, owners)
        keys_settled = 0
        merged: dict[str, list[tuple[Any, ...]]] = {name: [] for name in self._names}
        for app_id, rows in batch:
            others = refused.get(app_id)
            if others:
                left_out[app_id] = len(others)
            for name, found in rows.items():
                kept = found
                if others and name == self._contact:
                    kept = [row for row in kept if row[self._con_id] not in others]
                elif others and name in self._children:
                    place = self._children[name]
                    kept = [row for row in kept if row[place] not in others]
                if len(kept) > 1:
                    before = len(kept)
                    if name in self._last:
                        kept = _unique(kept, self._last[name], last=True, form=self._text_keys.get(name))
                    elif name in self._first:
                        kept = _unique(kept, self._first[name], last=False)
                    keys_settled += before - len(kept)
                merged[name].extend(kept)
        return Settled(merged, left_out, keys_settled)

    def _refused(self, batch: list[tuple[int, Rows]], owners: Owners) -> dict[int, set[int]]:
        """app_id -> its con_ids that belong to another application."""
        if self._contact is None:
            return {}
        wanted = [
            (app_id, row[self._con_id]) for app_id, rows in batch for row in rows.get(self._contact, ())
        ]
        owner = dict(owners({con_id for _, con_id in wanted})) if wanted else {}
        refused: dict[int, set[int]] = {}
        for app_id, con_id in wanted:
            if owner.setdefault(con_id, app_id) != app_id:
                refused.setdefault(app_id, set()).add(con_id)
        return refused


def _unique(
    rows: Sequence[tuple[Any, ...]],
    places: tuple[int, ...],
    *,
    last: bool,
    form: Callable[[str], str] | None = None,
) -> Sequence[tuple[Any, ...]]:
    keys = [tuple([row[place] for place in places]) for row in rows]
    if form is not None:
        keys = [tuple([form(part) if isinstance(part, str) else part for part in key]) for key in keys]
    if len(set(keys)) == len(rows):
        return rows
    kept: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for key, row in zip(keys, rows, strict=True):
        if last or key not in kept:
            kept[key] = row
    return list(kept.values())
