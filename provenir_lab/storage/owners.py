"""Who owns a contact: the look-up behind the duplicate check, one way for each `duplicate_check` setting."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice

import sqlalchemy as sa

from provenir_lab.storage.ids import among, as_parameter

CACHED_OWNERS = 200_000
"""Most contacts that a cache remembers (about 25 MB)."""


class OwnerLookup:
    """Finds the owners of contacts that are in the database.

    `per_record` asks for one contact at a time, `per_batch` (and `database`) for all at once, `cache`
    remembers what it found and what was written, and asks for the rest at once. Owners never change while a
    run goes on, so what is remembered stays true.
    """

    def __init__(
        self,
        key: sa.ColumnElement[int],
        owner: sa.ColumnElement[int],
        dialect: str,
        way: str,
        cached: int = CACHED_OWNERS,
    ) -> None:
        """`key` and `owner`: the columns of the table of contacts that hold con_id and app_id."""
        self._dialect = dialect
        self._way = way
        self._size = cached
        self._known: dict[int, int] = {}
        self._one = sa.select(owner).where(key == sa.bindparam("id"))
        self._many = sa.select(key, owner).where(among(key, "ids", dialect))

    def find(self, connection: sa.Connection, con_ids: Collection[int]) -> dict[int, int]:
        """con_id -> app_id of those of `con_ids` that are in the tables."""
        if self._way == "per_record":
            found = {con_id: connection.scalar(self._one, {"id": con_id}) for con_id in con_ids}
            return {con_id: app_id for con_id, app_id in found.items() if app_id is not None}
        if self._way != "cache":
            return self._ask(connection, con_ids)
        known = {con_id: self._known[con_id] for con_id in con_ids if con_id in self._known}
        asked = self._ask(connection, [con_id for con_id in con_ids if con_id not in known])
        self.remember(asked)
        return known | asked

    def remember(self, owners: Mapping[int, int]) -> None:
        """Keeps con_id -> app_id of committed contacts, if this way remembers; the oldest make room."""
        if self._way == "cache":
            self._known.update(owners)
            for con_id in list(islice(self._known, max(0, len(self._known) - self._size))):
                del self._known[con_id]

    def _ask(self, connection: sa.Connection, con_ids: Collection[int]) -> dict[int, int]:
        if not con_ids:
            return {}
        found = connection.execute(self._many, {"ids": as_parameter(con_ids, self._dialect)})
        return {row[0]: row[1] for row in found}
