"""The source table: which documents are pending, page by page; and putting documents into it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import Any

import sqlalchemy as sa

from provenir_lab.storage.database import reading, translated
from provenir_lab.storage.ids import among, as_parameter, has_unique_ids
from provenir_lab.storage.prefix import (
    Prefix,
    PrefixLength,
    PrefixReader,
    accept_any_bytes,
    decoded,
    least_bytes,
)
from provenir_lab.storage.schema import (
    BLANK_CAMPAIGN,
    CAMPAIGN_TABLE,
    Target,
    build_tables,
    log_table,
    source_table,
)
from provenir_lab.storage.sqlserver import text_key_form

Document = tuple[int, str | None]
"""(app_id, text)."""

_STORED_AT_ONCE = 50  # documents a statement; a heavy one has 2 MB


class Pending:
    """The documents without an outcome in `processing_log`, in app_id order.

    `first` and `last` are an inclusive range of app_ids; None leaves that end open. A page closes early once
    its texts have `page_mb` million characters.
    """

    def __init__(
        self,
        engine: sa.Engine,
        target: Target,
        first: int | None = None,
        last: int | None = None,
        page_mb: int = 64,
    ) -> None:
        self._engine = engine
        self._dialect = engine.dialect.name
        self._room = page_mb * 1_000_000
        self._source = source_table(target, engine.dialect.name)
        self._log = log_table(target, engine.dialect.name)
        self._text = self._source.c[target.source_column]
        self._start = None if first is None else first - 1
        self._last = last
        self._prefixes = PrefixReader(self._source, self._text, self._dialect)

    def count(self) -> int:
        """How many are pending now; an app_id that the source has twice counts once."""
        ids = self._pending(sa.select(self._source.c.app_id).distinct(), self._start).subquery()
        with reading(self._engine) as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(ids)) or 0)

    def repeated(self) -> int:
        """How many pending rows of the source repeat an app_id; these are never read."""
        app_id = self._source.c.app_id
        extra = self._pending(sa.select(sa.func.count() - sa.func.count(app_id.distinct())), self._start)
        with reading(self._engine) as connection:
            if has_unique_ids(connection, self._source):  # spares a walk through the whole table
                return 0
            return int(connection.scalar(extra) or 0)

    def pages(
        self, page_size: int, limit: int | None = None, max_bytes: int | None = None
    ) -> Iterator[list[Prefix]]:
        """Pages of at most `page_size` whole documents, `limit` in all; each is read by key after the last.

        A text that is surely longer than `max_bytes` is left out, where the database tells without reading
        it. Rows added behind the reader are left to the next run. Between pages no connection is held.
        """
        return self._walk(page_size, limit, lambda after, size: self._whole_page(after, size, max_bytes))

    def prefix_pages(self, page_size: int, limit: int | None, length: PrefixLength) -> Iterator[list[Prefix]]:
        """Like `pages`, with the first `length.characters` (as it stands at each page) of every text only."""
        return self._walk(
            page_size, limit, lambda after, size: self._prefix_page(after, size, length.characters)
        )

    def next_id(self) -> int | None:
        """The first pending app_id."""
        query = self._pending(sa.select(sa.func.min(self._source.c.app_id)), self._start)
        with reading(self._engine) as connection:
            found: int | None = connection.scalar(query)
        return found

    def whole(self, app_ids: Collection[int]) -> dict[int, str | None]:
        """The whole texts of documents whose prefix was too short."""
        app_id = self._source.c.app_id
        query = sa.select(app_id, self._text).where(among(app_id, "ids", self._dialect))
        found: dict[int, str | None] = {}
        with reading(self._engine) as connection:
            accept_any_bytes(connection)
            for one, text in connection.execute(query, {"ids": as_parameter(app_ids, self._dialect)}):
                found.setdefault(one, decoded(text))
        return found

    def ranges(self, parts: int, limit: int | None = None) -> list[tuple[int, int]]:
        """At most `parts` disjoint inclusive app_id ranges, near-equal in size, over all that is pending, or
        over the first `limit` of it.
        """
        every = self._pending(sa.select(self._source.c.app_id).distinct(), self._start)
        ids = (every if limit is None else every.order_by(self._source.c.app_id).limit(limit)).subquery()
        part = sa.func.ntile(sa.literal_column(str(int(parts)))).over(order_by=ids.c.app_id)
        cut = sa.select(ids.c.app_id, part.label("part")).subquery()
        low, high = sa.func.min(cut.c.app_id), sa.func.max(cut.c.app_id)
        with reading(self._engine) as connection:
            return [
                (a, b) for a, b in connection.execute(sa.select(low, high).group_by(cut.c.part).order_by(low))
            ]

    def _walk(
        self, page_size: int, limit: int | None, read: Callable[[int | None, int], list[Any]]
    ) -> Iterator[list[Any]]:
        after, left = self._start, limit
        while (left is None or left > 0) and (after is None or after != self._last):
            page = read(after, page_size if left is None else min(page_size, left))
            if not page:
                return
            after = page[-1][0]
            left = None if left is None else left - len(page)
            yield page
            del page  # its texts go before those of the next one come

    def _whole_page(self, after: int | None, size: int, max_bytes: int | None) -> list[Prefix]:
        text: sa.ColumnElement[Any] = self._text
        least = least_bytes(text, self._dialect)
        if least is not None and max_bytes is not None:
            text = sa.case((least > max_bytes, sa.null()), else_=text)
        known = sa.literal_column("0") if least is None else sa.func.coalesce(least, 0)
        query = self._next(after, size, self._source.c.app_id, text, known)
        with reading(self._engine) as connection:
            accept_any_bytes(connection)
            with _streaming(connection).execute(query) as rows:
                return self._close(Prefix(i, decoded(found), True, least) for i, found, least in rows)

    def _prefix_page(self, after: int | None, size: int, characters: int) -> list[Prefix]:
        with reading(self._engine) as connection:
            accept_any_bytes(connection)
            query = self._next(after, size, *self._prefixes.columns(connection, characters))
            # what cannot fill a page is fetched at once, with fewer round trips
            fitting = connection if size * characters <= self._room else _streaming(connection)
            with fitting.execute(query) as rows:
                return self._close(self._prefixes.documents(connection, rows, characters))

    def _next(self, after: int | None, size: int, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        app_id = self._source.c.app_id
        return self._pending(sa.select(*columns), after).order_by(app_id).limit(size)

    def _close(self, documents: Iterable[Any]) -> list[Any]:
        """The first of `documents`, until their texts fill the page."""
        page: dict[int, Any] = {}
        room = self._room
        for document in documents:
            if document[0] not in page:  # a source without a key may repeat an app_id: the first counts
                page[document[0]] = document
                room -= len(document[1] or "")
                if room <= 0:
                    break
        return list(page.values())

    def _pending(self, query: sa.Select[Any], after: int | None) -> sa.Select[Any]:
        """`query` restricted to pending documents with app_id > `after`."""
        app_id, done = self._source.c.app_id, self._log.c.app_id
        outcome = sa.select(sa.literal(1)).where(done == app_id)
        if after is not None:
            query = query.where(app_id > after)
            outcome = outcome.where(done > after)  # spares the planner the log of earlier pages
        if self._last is not None:
            query = query.where(app_id <= self._last)
        return query.where(~outcome.exists())


def _streaming(connection: sa.Connection) -> sa.Connection:
    """Takes few rows at a time from a server: a page that closes early has not loaded the rest."""
    return connection.execution_options(stream_results=True, max_row_buffer=20)


def stored_ids(engine: sa.Engine, target: Target, app_ids: Collection[int]) -> set[int]:
    """Those of `app_ids` that the source table has already."""
    dialect = engine.dialect.name
    app_id = source_table(target, dialect).c.app_id
    query = sa.select(app_id).where(among(app_id, "ids", dialect))
    with reading(engine) as connection:
        return set(connection.scalars(query, {"ids": as_parameter(app_ids, dialect)}))


def store_documents(
    connection: sa.Connection,
    target: Target,
    documents: Iterable[tuple[int, str | None]],
    campaigns: Iterable[str] = (),
) -> int:
    """Adds documents to the source table and new campaign numbers to `app_campaign_cc`; returns how many.

    Documents are streamed; `campaigns` is read after the last one, so it may be filled while they are made.
    Raises DatabaseRefusal if an app_id is there already (`stored_ids` tells beforehand). The caller commits.
    """
    dialect = connection.dialect.name
    table = source_table(target, dialect)
    insert = sa.insert(table)
    count = 0
    stream = iter(documents)
    with translated(connection.engine, table.name):
        while chunk := list(islice(stream, _STORED_AT_ONCE)):
            connection.execute(insert, [{"app_id": i, target.source_column: text} for i, text in chunk])
            count += len(chunk)
        _add_campaigns(connection, target, campaigns)
    return count


def _add_campaigns(connection: sa.Connection, target: Target, campaigns: Iterable[str]) -> None:
    if CAMPAIGN_TABLE not in target.tables:
        return
    metadata = build_tables(
        {CAMPAIGN_TABLE: target.tables[CAMPAIGN_TABLE]}, target.schema, connection.dialect.name
    )
    (table,) = metadata.tables.values()
    form = text_key_form(connection, table)
    known = {form(number) for number in connection.scalars(sa.select(table.c.campaign_num))}
    new = {form(number): number for number in sorted({BLANK_CAMPAIGN, *campaigns})}
    if rows := [{"campaign_num": number} for key, number in new.items() if key not in known]:
        connection.execute(sa.insert(table), rows)
