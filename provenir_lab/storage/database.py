"""Engines, connections and transactions; what a database error means, by class and code, never by its text.

Native error texts carry values (the duplicate key, the truncated text), so every error leaves this room as
one of `provenir_lab.errors`, with the native one dropped.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import make_url

from provenir_lab.errors import DatabaseError, TransientError, UsageError
from provenir_lab.files import private
from provenir_lab.settings import Settings
from provenir_lab.storage import drivers
from provenir_lab.storage.refusals import classify
from provenir_lab.storage.urls import missing_driver, parse_url

BUSY_SECONDS = 30
"""How long a lock of another connection is waited for before the attempt counts as a transient failure."""
_UNBROKEN_SECONDS = 2
"""How long SQLite waits without a break: Python sees no Ctrl-C meanwhile."""
IDLE_SECONDS = 300
"""After how long without a statement PostgreSQL ends a transaction: a stopped worker frees what it holds."""

_SQLITE_BEGINNING = b"SQLite format 3\0"
"""What every SQLite file begins with that is not empty."""


@dataclass
class ConnectionCounts:
    """`uses` beyond `connects` are reuses of a kept connection."""

    connects: int = 0
    uses: int = 0


_counts: WeakKeyDictionary[sa.Engine, ConnectionCounts] = WeakKeyDictionary()
_reads: WeakKeyDictionary[sa.Engine, set[Any]] = WeakKeyDictionary()
"""The driver's connections that `reading` has lent."""
_CANCEL_SECONDS = 1
"""How long a server may take to hear that a query is cancelled."""
_IMMEDIATE = "provenir_lab_immediate"
_UNSAID = logging.NullHandler()
LOGIN_SECONDS = 10
_POSTGRESQL_LIMITS = {
    "connect_timeout": LOGIN_SECONDS,
    # a server that is silently gone is noticed after a minute without an answer, after half of one if what
    # was sent is not acknowledged; the system alone waits for hours and a quarter of one
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def open_engine(url: str, settings: Settings, *, read_only: bool = False) -> sa.Engine:
    """An engine for `url`. Nothing is connected yet, and no file is made: only `create_lab` creates.

    `read_only` is for a database of others: SQLite and PostgreSQL then refuse every change.

    Raises UsageError for a URL that `parse_url` refuses, and for a driver that is not installed.
    """
    # what SQLAlchemy says when a connection breaks is a native error, which may hold values: where logging is
    # not configured, Python would send it to standard error
    logging.getLogger("sqlalchemy").addHandler(_UNSAID)
    parsed = parse_url(url)
    if parsed.get_backend_name() == "mssql":
        parsed = drivers.complete(parsed)
    try:
        engine = sa.create_engine(
            parsed,
            hide_parameters=True,
            connect_args=_connect_args(parsed),
            **_pool_options(settings),
        )
    except ImportError as error:
        raise missing_driver(parsed, error.name) from None
    except (sa.exc.ArgumentError, TypeError):
        raise UsageError(f"the database URL {masked(url)} has an option that its driver refuses") from None
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, read_only=read_only)
    else:
        _prepare_server(engine, read_only=read_only)
    _count_connections(engine)
    return engine


def connection_counts(engine: sa.Engine) -> ConnectionCounts:
    """How often connections were made and used by an engine of `open_engine` so far."""
    return _counts[engine]


def masked(url: str) -> str:
    """`url` with every password replaced by `***`, fit for messages and reports."""
    try:
        parsed = make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        return "(not a database URL)"
    query: dict[str, Any] = {
        # in braces a value may hold ; and }}, which stands for }
        key: re.sub(r"(?i)\b(pwd|password)\s*=\s*(\{([^}]|\}\})*(\}|$))?[^;]*", r"\1=***", str(value))
        if key.lower() == "odbc_connect"
        else ("***" if re.search("(?i)pass|pwd|secret|token", key) else value)
        for key, value in parsed.query.items()
    }
    return parsed.set(query=query).render_as_string(hide_password=True).replace("%2A%2A%2A", "***")


def reach(engine: sa.Engine, place: str) -> None:
    """Connects once, to tell early and with `place` (a masked URL) that nobody answers there.

    Raises DatabaseError with what to look at, and UsageError for a file that is no SQLite database. A SQLite
    file that is not there yet is no fault here.
    """
    if engine.dialect.name == "sqlite":
        _refuse_other_file(sqlite_path(engine))
        return
    try:
        with reading(engine):
            pass
    except DatabaseError as error:
        raise DatabaseError(
            f"{place}: {error}; is the server running, and are name, port and login right?"
        ) from None


def _refuse_other_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            begins = file.read(len(_SQLITE_BEGINNING))
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"{path}: cannot be read as a database ({error.strerror}): name a file") from None
    if begins not in (b"", _SQLITE_BEGINNING):
        raise UsageError(f"{path} is not a SQLite database: name another file, such as sqlite:///lab.db")


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection to read from; sees what was committed when its first query ran.

    Raises TransientError or DatabaseError in place of whatever the driver raises.
    """
    with translated(engine), engine.connect() as connection:
        lent = connection.connection.driver_connection
        reads = _reads.setdefault(engine, set())
        reads.add(lent)
        try:
            yield connection
        finally:
            reads.discard(lent)


def cancel_reading(engine: sa.Engine) -> None:
    """Cancels, from any thread, the queries that connections of `reading` wait for: they raise DatabaseError.

    SQL Server's drivers are not asked: a query there goes on.
    """
    for lent in [*_reads.get(engine, ())]:
        with suppress(engine.dialect.loaded_dbapi.Error):  # it has ended by itself, or the server is gone
            if engine.dialect.name == "sqlite":
                lent.interrupt()
            elif engine.dialect.name == "postgresql":
                lent.cancel_safe(timeout=_CANCEL_SECONDS)


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection inside one write transaction: committed at the end, rolled back on any exception.

    On SQLite it is BEGIN IMMEDIATE: the write lock is waited for at the start, where waiting is harmless.
    """
    with (
        translated(engine),
        engine.connect().execution_options(**{_IMMEDIATE: True}) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def translated(engine: sa.Engine, table: str | None = None) -> Iterator[None]:
    """Raises what `classify` says in place of any error of the driver; `table` is where the work was."""
    module = engine.dialect.loaded_dbapi
    native = module.Error
    try:
        yield
    except getattr(module, "ConnectionStringParseError", ()):  # mssql-python's, before it connects
        raise UsageError("the database URL has an option that its driver does not know") from None
    except (sa.exc.DBAPIError, native) as error:
        raise classify(error, table) from None
    except sa.exc.TimeoutError:
        raise DatabaseError("no connection became free in the pool") from None


def create_file(engine: sa.Engine) -> None:
    """Makes the file of a SQLite database, readable by its owner alone, if there is none; else does nothing.

    Raises UsageError if its folder does not exist or may not be written.
    """
    if engine.dialect.name != "sqlite":
        return
    path = sqlite_path(engine)
    try:
        with open(path, "xb", opener=private):
            pass
    except FileExistsError:
        return
    except OSError as error:
        problem = f"cannot create the database file {path}"
        if not path.parent.is_dir():
            raise UsageError(f"{problem}: there is no folder {path.parent}: make the folder first") from None
        raise UsageError(f"{problem} ({error.strerror}): name a folder that may be written") from None


def sqlite_path(engine: sa.Engine) -> Path:
    """The file of a SQLite engine."""
    return Path(str(engine.url.database))


def _connect_args(url: sa.URL) -> dict[str, Any]:
    """Options of the driver; what `url` says of limits in the network is left as it says."""
    if url.get_backend_name() == "postgresql":
        limits = {name: value for name, value in _POSTGRESQL_LIMITS.items() if name not in url.query}
        # whatever the database keeps its texts in: what is sent is UTF-8, the server turns it into that
        return {"client_encoding": "utf8", **limits}
    if url.get_backend_name() == "mssql" and "timeout" not in str(url.query).lower():
        return {"timeout": LOGIN_SECONDS}
    return {}


def _pool_options(settings: Settings) -> dict[str, Any]:
    if settings.pool == "none":
        return {"poolclass": sa.NullPool}
    return {
        "poolclass": sa.QueuePool,
        "pool_recycle": settings.pool_recycle_seconds or -1,
        "pool_pre_ping": settings.pool_pre_ping,
    }


def _count_connections(engine: sa.Engine) -> None:
    counts = _counts.setdefault(engine, ConnectionCounts())

    @event.listens_for(engine, "connect")
    def _connected(*_: Any) -> None:
        counts.connects += 1

    @event.listens_for(engine, "checkout")
    def _used(*_: Any) -> None:
        counts.uses += 1


def _prepare_server(engine: sa.Engine, *, read_only: bool) -> None:
    limits = {
        "postgresql": f"SET lock_timeout = {BUSY_SECONDS * 1000}; "
        f"SET idle_in_transaction_session_timeout = {IDLE_SECONDS * 1000}; "
        # a statement sees what was committed before it: what is read behind a lock is not of old
        "SET default_transaction_isolation = 'read committed'"
        + ("; SET default_transaction_read_only = on" if read_only else ""),
        "mssql": f"SET LOCK_TIMEOUT {BUSY_SECONDS * 1000}",
    }

    @event.listens_for(engine, "connect")
    def _set_limits(connection: Any, _: Any) -> None:
        with closing(connection.cursor()) as cursor:
            cursor.execute(limits[engine.dialect.name])
        connection.commit()


def _prepare_sqlite(engine: sa.Engine, *, read_only: bool) -> None:
    path = sqlite_path(engine)
    pragmas = [f"busy_timeout={min(BUSY_SECONDS, _UNBROKEN_SECONDS) * 1000}", "foreign_keys=ON"]
    if not read_only:
        pragmas += ["journal_mode=WAL", "synchronous=NORMAL"]  # the first would be written into the file

    @event.listens_for(engine, "do_connect")
    def _open(_: Any, __: Any, ___: Any, options: dict[str, Any]) -> Any:
        if not path.exists():
            raise UsageError(f"there is no database file {path}: `provenir-lab init` creates it")
        if read_only:
            return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, **options)
        return None  # opened as usual

    @event.listens_for(engine, "connect")
    def _set_pragmas(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours, see below
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()
        if connection.execute("PRAGMA foreign_keys").fetchone() != (1,):
            raise DatabaseError("this SQLite does not enforce foreign keys: clearing would leave orphans")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        if not connection.get_execution_options().get(_IMMEDIATE):
            connection.exec_driver_sql("BEGIN")
            return
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                return
            except sa.exc.OperationalError as error:
                if time.monotonic() >= deadline or not isinstance(classify(error), TransientError):
                    raise
