"""The first characters of long texts: most of a document is never needed, so most of it is not read.

PostgreSQL and SQL Server cut on the server. SQLite would load a text whole to cut it, so there the first
bytes are read as an incremental blob, where the table allows it.
"""

from __future__ import annotations

import codecs
import sqlite3
from bisect import bisect_left
from collections import deque
from collections.abc import Collection, Iterator
from itertools import accumulate
from typing import Any, NamedTuple

import sqlalchemy as sa

_LEAST, _MOST = 4_000, 4_000_000
_REMEMBERED = 2_000  # documents
_SOON, _LATER = 100, 500  # documents to learn from at first, and every further time
_IN_VAIN = 20
"""What parsing a beginning in vain costs, against reading it: 15 to 25 times as much, measured on SQLite."""

BLOBS_A_CONNECTION = 20_000
"""About 100 bytes are lost for each."""
_BLOBS = "blobs"

_utf8 = codecs.getincrementaldecoder("utf-8")
_KEPT = "surrogateescape"
"""Bytes that are no UTF-8 become characters that no document may hold: it is rejected, and not its page."""


# numbers of ODBC (sqlext.h), so that pyodbc need not be imported
_SQL_DRIVER_NAME = 6
_SQL_WIDE_TEXTS = (-8, -9, -10)


class Prefix(NamedTuple):
    """A document, or its beginning."""

    app_id: int
    text: str | None
    complete: bool
    """Whether `text` is surely all of it."""
    size: int
    """Bytes that the whole text has at least, as UTF-8; 0 for NULL, and where the database does not say."""


class Need(NamedTuple):
    """What one document turned out to need."""

    length: int
    """Up to the end of what is mapped, in bytes of UTF-8: characters at least."""
    size: int
    """Of the whole text, in characters or bytes."""


class PrefixLength:
    """How many characters to read of each text, so that reading costs least.

    A longer prefix costs reading for every longer document; one that is too short is parsed in vain and the
    document read whole. `learn` takes the length at which the last documents would have cost least in all.
    """

    def __init__(self, characters: int = 16_000) -> None:
        self.characters = characters
        self._recent: deque[Need] = deque(maxlen=_REMEMBERED)
        self._missing = _SOON

    def learn(self, needs: Collection[Need]) -> None:
        """Of documents in the order in which they were read."""
        self._recent.extend(needs)
        self._missing -= len(needs)
        if self._missing <= 0:
            self._missing = _LATER
            self.characters = self._cheapest()

    def _cheapest(self) -> int:
        sizes = sorted(need.size for need in self._recent)
        shorter = [0, *accumulate(sizes)]  # what the so many shortest documents have together
        needs = sorted(self._recent)
        read_again = sum(need.size for need in needs)
        costs = {}
        for missed, need in zip(range(len(needs), -1, -1), [Need(_LEAST, 0), *needs], strict=True):
            read_again -= need.size  # sizes of the documents that need more
            length = max(_LEAST, need.length)
            if length <= _MOST:
                whole = bisect_left(sizes, length)
                read = shorter[whole] + length * (len(sizes) - whole)
                costs[length] = read + read_again + _IN_VAIN * length * missed
        return min(costs, key=lambda length: costs[length])


def accept_any_bytes(connection: sa.Connection) -> None:
    """Lets a database give back what is no text throughout: SQLite keeps any bytes, and SQL Server halves of
    characters, which cutting makes too under most collations."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        driver.text_factory = decoded
    # FreeTDS does not hand out the bytes of the server
    elif connection.dialect.driver == "pyodbc" and "msodbcsql" in driver.getinfo(_SQL_DRIVER_NAME).lower():
        for kind in _SQL_WIDE_TEXTS:
            driver.add_output_converter(kind, _decoded_wide)


def _decoded_wide(value: bytes) -> str:
    return value.decode("utf-16-le", "surrogatepass")


def decoded(value: str | bytes | None) -> str | None:
    """A text as the driver gives it, or the bytes of one."""
    return value.decode("utf-8", _KEPT) if isinstance(value, bytes) else value


def least_bytes(text: sa.ColumnElement[Any], dialect: str) -> sa.ColumnElement[Any] | None:
    """Bytes that a text has at least as UTF-8, told without reading it; None if the database cannot."""
    if dialect == "postgresql":
        return sa.func.octet_length(text)
    # in two bytes a character perhaps, which UTF-8 may need one for
    if dialect == "mssql":
        return sa.func.datalength(text) / sa.literal_column("2")
    if sqlite3.sqlite_version_info >= (3, 43):
        return sa.func.octet_length(text) / sa.literal_column("2")
    return None


class PrefixReader:
    """Reads prefixes of one text column: `columns` is what to select, `documents` takes it from there."""

    def __init__(self, table: sa.Table, text: sa.Column[Any], dialect: str) -> None:
        self._table = table
        self._text = text
        self._dialect = dialect
        self._blobs: bool | None = None

    def columns(self, connection: sa.Connection, characters: int) -> list[sa.ColumnElement[Any]]:
        """What to select: app_id, and what `documents` makes a prefix of."""
        app_id, text = self._table.c.app_id, self._text
        if self._dialect == "sqlite":
            if self._blobs is None:
                self._blobs = _has_blob_access(connection, self._table)
            if self._blobs:
                return [app_id, text.is_(None), sa.literal_column("0")]
        # sizes in bytes are in the row; counting characters would read all of the text
        size = {"postgresql": sa.func.octet_length, "mssql": sa.func.datalength}.get(self._dialect)
        cut = sa.func.substring if self._dialect == "mssql" else sa.func.substr
        bytes_of = size(text) if size else sa.func.length(sa.cast(text, sa.LargeBinary))
        return [app_id, cut(text, 1, characters), bytes_of]

    def documents(
        self, connection: sa.Connection, rows: sa.CursorResult[Any], characters: int
    ) -> Iterator[Prefix]:
        """The prefixes of `rows`."""
        if not self._blobs:
            for row in rows:
                app_id, text, size = tuple(row)
                least = (size or 0) if self._dialect == "postgresql" else (size or 0) // 2
                yield Prefix(app_id, decoded(text), text is None or size <= characters, least)
            return
        found = rows.all()
        _count_blobs(connection, len(found))
        driver: Any = connection.connection.driver_connection
        for row in found:
            app_id, missing, _ = tuple(row)
            if missing:
                yield Prefix(app_id, None, True, 0)
                continue
            with driver.blobopen(self._table.name, self._text.name, app_id, readonly=True) as blob:
                size = len(blob)
                data = blob.read(characters)
            complete = size <= characters
            # a character cut in two at the end is left out
            yield Prefix(app_id, _utf8(_KEPT).decode(data, complete), complete, size)


def _count_blobs(connection: sa.Connection, opened: int) -> None:
    """Has the connection replaced after its present use once it opened many: Python's module keeps a weak
    reference to every blob until the connection is closed."""
    opened += connection.info.get(_BLOBS, 0)
    connection.info[_BLOBS] = opened
    if opened >= BLOBS_A_CONNECTION:
        connection.connection.invalidate(soft=True)


def _has_blob_access(connection: sa.Connection, table: sa.Table) -> bool:
    """Whether app_id is the rowid, which blobs are opened by, and texts are kept as UTF-8."""
    named = connection.exec_driver_sql("SELECT pk, type, name FROM pragma_table_info(?)", (table.name,)).all()
    key = [(row.type.upper(), row.name) for row in named if row.pk]
    listed = connection.exec_driver_sql(
        "SELECT type, wr FROM pragma_table_list(?) WHERE schema = 'main'", (table.name,)
    ).first()
    encoding = connection.exec_driver_sql("PRAGMA encoding").scalar()
    plain_table = listed is not None and listed.type == "table" and not listed.wr
    can_open = hasattr(sqlite3.Connection, "blobopen")
    return can_open and plain_table and key == [("INTEGER", "app_id")] and encoding == "UTF-8"
