"""Batches of mapped documents into the tables: one transaction with their log rows, counted at its end."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from provenir_lab.errors import DatabaseError, DatabaseRefusal
from provenir_lab.settings import Settings
from provenir_lab.storage.database import reading, translated, writing
from provenir_lab.storage.duplicates import Duplicates, Rows, Settled
from provenir_lab.storage.ids import among, as_parameter
from provenir_lab.storage.keys import Keys, keys_of
from provenir_lab.storage.locks import LogLock
from provenir_lab.storage.log import FAILED, SUCCESS
from provenir_lab.storage.methods import Insert, choose_method, make_insert, make_new_only_insert
from provenir_lab.storage.owners import OwnerLookup
from provenir_lab.storage.refusals import classify
from provenir_lab.storage.schema import LOG_TABLE, Target, build_tables
from provenir_lab.storage.sqlserver import text_key_forms

_LOG_COLUMNS = (
    "app_id",
    "status",
    "failure_reason",
    "processing_time",
    "session_id",
    "app_id_start",
    "app_id_end",
)
_REASON_LENGTH = 500


@dataclass(frozen=True)
class Session:
    """Who writes: what the log rows carry. The range is None in limit mode."""

    session_id: str
    app_id_start: int | None = None
    app_id_end: int | None = None


@dataclass(frozen=True)
class Written:
    """What one batch put into the database."""

    rows: dict[str, int]
    """Rows per table."""
    duplicate_contacts: int
    """Contacts left out because another application owns their con_id."""
    duplicate_keys: int
    """Rows left out because another row of the same document has their key."""
    seconds: dict[str, float]
    """Wall time of the stages `duplicate_check`, `write` (rows, log, counting) and `commit`."""


@dataclass(frozen=True)
class _Contacts:
    table: str
    lookup: OwnerLookup
    con_id: int
    """Place of the key in a row tuple."""
    app_id: int

    def owners(self, settled: Settled) -> dict[int, int]:
        """con_id -> app_id of the contacts of a batch."""
        return {row[self.con_id]: row[self.app_id] for row in settled.rows[self.table]}


def utc_now() -> dt.datetime:
    """The current UTC time, naive as the log column is."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


def duplicates_in(engine: sa.Engine, target: Target, columns: Mapping[str, Sequence[str]]) -> Duplicates:
    """What settles batches as this database tells keys apart. `columns` is the mapper's."""
    key_value = {name: target.tables[name] for name in keys_of(target.tables, columns).key_value}
    tables = build_tables(key_value, target.schema, engine.dialect.name).tables.values()
    return Duplicates(target.tables, columns, text_key_forms(engine, tables))


class Writer:
    """Writes batches; one for each worker. `columns` is the mapper's: table -> columns of its row tuples."""

    def __init__(
        self,
        engine: sa.Engine,
        target: Target,
        columns: Mapping[str, Sequence[str]],
        settings: Settings,
        clock: Callable[[], dt.datetime] = utc_now,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._dialect = dialect = engine.dialect.name
        metadata = build_tables({**target.tables, LOG_TABLE: target.log}, target.schema, dialect)
        tables = {table.name: table for table in metadata.tables.values()}
        order = [name for name in target.target_tables if name in columns]
        self.method = method = choose_method(engine, settings.write_method)
        """The write method in use, what `auto` became."""
        self._inserts = {
            name: make_insert(method, engine, tables[name], target.tables[name], columns[name])
            for name in order
        }
        self._insert_log = make_insert(method, engine, tables[LOG_TABLE], target.log, _LOG_COLUMNS)
        app_id = target.log.column("app_id")
        self._lock = None if app_id is not None and app_id.unique else LogLock(engine, target)
        self._duplicates = duplicates_in(engine, target, columns)
        keys = keys_of(target.tables, order)
        self._count = _count_query([tables[name] for name in order], keys, dialect)
        self._base = tables[keys.base].c[keys.base_key] if keys.base is not None else None
        self._contacts: _Contacts | None = None
        if keys.contact is not None:
            name, named, owner = keys.contact, columns[keys.contact], keys.owners[keys.contact]
            key, owned_by = tables[name].c[keys.contact_key], tables[name].c[owner]
            lookup = OwnerLookup(key, owned_by, dialect, settings.duplicate_check)
            self._contacts = _Contacts(name, lookup, named.index(keys.contact_key), named.index(owner))
            if settings.duplicate_check == "database":
                plain = target.tables[name]
                self._inserts[name] = make_new_only_insert(engine, tables[name], plain, named)
        self._by_database = settings.duplicate_check == "database"

    def write(
        self,
        documents: Sequence[tuple[int, Rows]],
        failures: Sequence[tuple[int, str, str]],
        session: Session,
    ) -> Written:
        """Writes the rows of `documents` (app_id, rows) and a log row for each of them and of `failures`
        (app_id, category, reason), all in one transaction.

        Raises DatabaseRefusal if the database refuses a row (some document of the batch is at fault, or has
        an outcome already),
        TransientError (if it came from the commit, the log tells whether the batch landed) or DatabaseError;
        the batch is then rolled back.
        """
        try:
            return self._write(documents, failures, session)
        except DatabaseRefusal as refusal:
            # Another worker may have written a contact after it was looked up. Larger batches are split by
            # the caller and so looked up again; a document alone is at fault only if it fails twice.
            if len(documents) != 1 or refusal.category != "constraint_violation":
                raise
        try:
            return self._write(documents, failures, session)
        except DatabaseRefusal as refusal:
            raise self._explained(refusal, documents[0][0]) from None

    def _explained(self, refusal: DatabaseRefusal, app_id: int) -> DatabaseRefusal:
        """What to say of a document that the database refuses: that somebody has loaded it, if so."""
        if self._base is None or refusal.category != "constraint_violation":
            return refusal
        with reading(self._engine) as connection:
            if connection.scalar(sa.select(sa.literal(1)).where(self._base == app_id)) is None:
                return refusal
        reason = f"already in {self._base.table.name}, loaded outside of this log; left as it is"
        return DatabaseRefusal(refusal.category, reason)

    def _write(
        self,
        documents: Sequence[tuple[int, Rows]],
        failures: Sequence[tuple[int, str, str]],
        session: Session,
    ) -> Written:
        asked = time.perf_counter()
        with writing(self._engine) as connection:
            if self._lock is not None:
                self._lock.take(connection, [*(d[0] for d in documents), *(f[0] for f in failures)])
            started = time.perf_counter()
            settled = self._settle(documents, None if self._by_database else connection)
            checking = time.perf_counter() - started
            for name, insert in self._inserts.items():
                self._insert(connection, name, insert, settled.rows[name])
                if self._by_database and self._contacts and name == self._contacts.table:
                    # the conflict clause let the owned ones pass
                    begun = time.perf_counter()
                    settled = self._settle(documents, connection)
                    checking += time.perf_counter() - begun
            log_rows = self._log_rows(documents, failures, settled, session)
            self._insert(connection, LOG_TABLE, self._insert_log, log_rows)
            self._verify(connection, documents, settled)
            written = time.perf_counter()
        committed = time.perf_counter()
        if self._contacts:
            self._contacts.lookup.remember(self._contacts.owners(settled))
        return Written(
            {name: len(rows) for name, rows in settled.rows.items()},
            sum(settled.contacts_left_out.values()),
            settled.keys_settled,
            {
                "wait": started - asked,  # for a connection, and for other writers of the same documents
                "duplicate_check": checking,
                "write": written - started - checking,
                "commit": committed - written,
            },
        )

    def _insert(
        self, connection: sa.Connection, table: str, insert: Insert, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        if not rows:
            return
        try:
            with translated(self._engine, table):
                insert(connection, rows)
        except (OverflowError, UnicodeError) as error:  # found by the driver before anything was sent
            raise classify(error, table) from None

    def _settle(self, documents: Sequence[tuple[int, Rows]], connection: sa.Connection | None) -> Settled:
        """The batch without collisions; with no connection, of the batch alone."""
        contacts = self._contacts
        if contacts is None or connection is None:
            return self._duplicates.settle(documents, lambda _: {})
        return self._duplicates.settle(documents, lambda ids: contacts.lookup.find(connection, ids))

    def _log_rows(
        self,
        documents: Sequence[tuple[int, Rows]],
        failures: Sequence[tuple[int, str, str]],
        settled: Settled,
        session: Session,
    ) -> list[tuple[Any, ...]]:
        tail = (self._clock(), session.session_id, session.app_id_start, session.app_id_end)
        left_out = settled.contacts_left_out
        notes = {app_id: f"duplicate_contact: {n}" for app_id, n in left_out.items()}
        return [(app_id, SUCCESS, notes.get(app_id), *tail) for app_id, _ in documents] + [
            (app_id, FAILED, f"{category}: {reason}"[:_REASON_LENGTH], *tail)
            for app_id, category, reason in failures
        ]

    def _verify(
        self, connection: sa.Connection, documents: Sequence[tuple[int, Rows]], settled: Settled
    ) -> None:
        """Counts what the tables hold for the batch's ids: row counts that a driver reports prove nothing."""
        if self._count is None or not documents:
            return
        con_ids = self._contacts.owners(settled) if self._contacts else ()
        ids = {
            "app_ids": as_parameter([app_id for app_id, _ in documents], self._dialect),
            "con_ids": as_parameter(con_ids, self._dialect),
        }
        counts = connection.execute(self._count, ids).one()
        for name, count in zip(self._inserts, counts, strict=True):
            if count > len(settled.rows[name]):  # left there by others; the split finds whose they are
                raise DatabaseRefusal(
                    "constraint_violation", f"{name}: holds rows of this application already"
                )
            if count < len(settled.rows[name]):
                raise DatabaseError(f"{name}: {count} of {len(settled.rows[name])} rows arrived; rolled back")


def _count_query(tables: Sequence[sa.Table], keys: Keys, dialect: str) -> sa.Select[Any] | None:
    """One row: how many rows each table has for the batch's app_ids (con_ids in tables without app_id)."""
    if not tables:
        return None
    counts = []
    for table in tables:
        child = table.name not in keys.owners
        key = table.c[keys.children[table.name] if child else keys.owners[table.name]]
        name = "con_ids" if child else "app_ids"
        counts.append(sa.select(sa.func.count()).where(among(key, name, dialect)).scalar_subquery())
    return sa.select(*counts)
