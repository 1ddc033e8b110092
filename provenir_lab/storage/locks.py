"""What a unique index on `processing_log.app_id` does, for a log of a user's own that has none.

A batch takes the ranges of app_ids that it touches under locks of the database, which end with its
transaction, and reads the log again behind them. So of two processors that hold the same document one writes
it, and the other is refused, as the index would have refused it.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection
from contextlib import closing
from typing import Any

import sqlalchemy as sa

from provenir_lab.errors import DatabaseRefusal, TransientError
from provenir_lab.storage.ids import among, as_parameter, has_unique_ids
from provenir_lab.storage.schema import LOG_TABLE, Target, log_table

_RANGE = 512
"""app_ids under one lock."""
_LOCKS = 512
"""Ranges that lie so many apart share a lock: ids with wide gaps do not fill the server's table of locks."""


def has_unique_log(connection: sa.Connection, target: Target) -> bool:
    """Whether the database itself keeps a document from being logged twice."""
    return has_unique_ids(connection, log_table(target, connection.dialect.name))


class LogLock:
    """Takes the documents of a batch, in its transaction and before anything is written."""

    def __init__(self, engine: sa.Engine, target: Target) -> None:
        self._dialect = engine.dialect.name
        self._table = log_table(target, self._dialect)
        self._name = engine.dialect.identifier_preparer.format_table(self._table)
        # PostgreSQL's locks are of the database, SQL Server's too: the log is part of their name
        self._space = zlib.crc32(self._name.encode()) - 2**31
        app_id = self._table.c.app_id
        self._logged = sa.select(app_id).where(among(app_id, "ids", self._dialect)).limit(1)

    def take(self, connection: sa.Connection, app_ids: Collection[int]) -> None:
        """Waits for other processors that have documents of the same ranges.

        Raises DatabaseRefusal if one of the documents has an outcome by then, TransientError if the other
        one took too long.
        """
        # always in the same order, so that nobody waits in a circle
        ranges = sorted({app_id // _RANGE % _LOCKS for app_id in app_ids})
        if self._dialect == "postgresql":
            _lock_postgresql(connection, self._space, ranges)
        elif self._dialect == "mssql":
            _lock_sqlserver(connection, self._name, self._space, ranges)
        # SQLite: the transaction has the only write lock from its beginning on
        if connection.execute(self._logged, {"ids": as_parameter(app_ids, self._dialect)}).first():
            raise DatabaseRefusal("constraint_violation", f"{LOG_TABLE}: another process was faster")


_POSTGRESQL = sa.text(
    "SELECT pg_advisory_xact_lock(CAST(:space AS int), part) FROM unnest(CAST(:parts AS int[])) AS part"
)


def _lock_postgresql(connection: sa.Connection, space: int, ranges: list[int]) -> None:
    connection.execute(_POSTGRESQL, {"space": space, "parts": ranges})


def _lock_sqlserver(connection: sa.Connection, log: str, space: int, ranges: list[int]) -> None:
    # reading a table begins the implicit transaction that the locks belong to
    steps = [f"DECLARE @got int, @least int = 0, @none int; SELECT @none = app_id FROM {log} WHERE 1 = 0;"]
    steps += [
        f"EXEC @got = sp_getapplock @Resource = 'provenir_lab/{space}/{part}', @LockMode = 'Exclusive', "
        f"@LockOwner = 'Transaction'; IF @got < @least SET @least = @got;"
        for part in ranges
    ]
    driver: Any = connection.connection.driver_connection
    with closing(driver.cursor()) as cursor:
        cursor.execute(" ".join([*steps, "SELECT @least"]))
        while cursor.description is None:  # a message of the server before the result
            cursor.nextset()
        (least,) = cursor.fetchone()
    if least < 0:
        raise TransientError("another processor held documents of the same range too long")
