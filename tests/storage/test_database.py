import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from storage_rows import TABLES, Lab

from provenir_lab.errors import DatabaseError, DatabaseRefusal, TransientError, UsageError
from provenir_lab.settings import Settings
from provenir_lab.storage import database
from provenir_lab.storage.database import (
    cancel_reading,
    connection_counts,
    masked,
    open_engine,
    reading,
    writing,
)
from provenir_lab.storage.schema import Target, is_lab


@pytest.mark.parametrize(
    "url, shown",
    [
        ("postgresql+psycopg://u:s3cret@h:5432/d", "postgresql+psycopg://u:***@h:5432/d"),
        ("mssql+pyodbc://u:s3cret@h/d?driver=X", "mssql+pyodbc://u:***@h/d?driver=X"),
        ("mssql+pyodbc://h/d?pwd=s3cret", "mssql+pyodbc://h/d?pwd=***"),
        ("mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BPWD%3D{s3;cret}%3BUID%3Du", None),
        ("mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3Bpassword+%3D+s3cret", None),
        ("mssql+pyodbc:///?odbc_connect=PWD%3D{ab}}s3cret}%3BUID%3Du", None),
        ("mssql+pyodbc:///?odbc_connect=PWD%3D{ab}s3cret%3BUID%3Du", None),
        ("mssql+pyodbc:///?odbc_connect=PWD%3D{ab}}%3Bs3cret", None),
        ("sqlite:///lab.db", "sqlite:///lab.db"),
        ("s3cret", "(not a database URL)"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str | None) -> None:
    assert "cret" not in masked(url)
    if "UID" in url:
        assert masked(url).endswith("%3D***%3BUID%3Du")
    if shown is not None:
        assert masked(url) == shown


@pytest.mark.parametrize(
    "url, says",
    [
        ("lab.db", "not a database URL"),
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
        ("nonesuch://h/d", "nonesuch is not supported"),
        ("oracle://h/d", "supported are SQLite, PostgreSQL and SQL Server"),
        ("mssql+pymssql://h/d", r"use mssql\+pyodbc or mssql\+mssqlpython"),
        ("postgresql+asyncpg://h/d", r"use postgresql\+psycopg"),
        ("mssql+pyodbc://h/d?driver=No+Such+Driver", "'No Such Driver' is not"),
        ("postgresql+psycopg://h:port/d", "not a database URL"),
    ],
)
def test_an_unusable_url_is_one_clear_line(url: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        open_engine(url, Settings())
    assert "\n" not in str(caught.value)


def test_a_missing_driver_names_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageError, match=r"provenir_lab\[postgresql\]"):
        open_engine("postgresql://h/d", Settings())


def test_reading_a_missing_file_makes_none(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url, Settings())
    with pytest.raises(UsageError, match="init"):
        is_lab(engine, Target(None, TABLES))
    assert not database.sqlite_path(engine).exists()


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
class TestSqlite:
    @pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
    def test_the_file_is_its_owners_alone(self, lab: Lab) -> None:
        assert stat.S_IMODE(database.sqlite_path(lab.engine).stat().st_mode) == 0o600

    def test_every_connection_enforces_keys_and_waits(self, lab: Lab) -> None:
        with lab.engine.connect() as one, lab.engine.connect() as two:
            for connection in (one, two):
                pragmas = [
                    connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                    for name in ("foreign_keys", "journal_mode", "synchronous", "busy_timeout")
                ]
                assert pragmas == [1, "wal", 1, 2_000]

    def test_a_reader_does_not_wait_for_a_writer(self, lab: Lab) -> None:
        with writing(lab.engine) as writer:
            writer.exec_driver_sql("DELETE FROM app_enums")
            with reading(lab.engine) as reader:
                assert reader.exec_driver_sql("SELECT count(*) FROM app_enums").scalar() == 39

    def test_a_writer_takes_the_lock_at_once_and_a_second_one_is_transient(
        self, lab: Lab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(database, "BUSY_SECONDS", 0)
        impatient = open_engine(str(lab.engine.url), Settings())
        with writing(lab.engine), pytest.raises(TransientError), writing(impatient):
            pass
        impatient.dispose()

    def test_a_full_file_is_no_documents_fault(self, lab: Lab) -> None:
        with pytest.raises(database.DatabaseError, match="disk is full"), writing(lab.engine) as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=1")
            connection.exec_driver_sql("INSERT INTO app_xml VALUES (1, hex(zeroblob(100000)))")


def test_an_exception_rolls_back(lab: Lab) -> None:
    table = f"{lab.target.schema}.app_enums" if lab.target.schema else "app_enums"
    with pytest.raises(KeyError), writing(lab.engine) as connection:
        connection.execute(sa.text(f"DELETE FROM {table}"))
        raise KeyError
    assert lab.rows("SELECT count(*) FROM {}app_enums") == [(39,)]


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_a_database_that_was_opened_to_read_cannot_be_changed(lab: Lab) -> None:
    table = f"{lab.target.schema}.app_enums" if lab.target.schema else "app_enums"
    url = lab.engine.url.render_as_string(hide_password=False)
    engine = open_engine(url, Settings(), read_only=True)
    with pytest.raises(DatabaseError), writing(engine) as connection:
        connection.execute(sa.text(f"DELETE FROM {table}"))
    with reading(engine) as connection:
        assert connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) == 39
    engine.dispose()


def test_a_refusal_says_no_value(lab: Lab) -> None:
    table = f"{lab.target.schema}.app_campaign_cc" if lab.target.schema else "app_campaign_cc"
    insert = sa.text(f"INSERT INTO {table} (campaign_num) VALUES (:number)")
    with pytest.raises(DatabaseRefusal) as caught, writing(lab.engine) as connection:
        for _ in range(2):
            connection.execute(insert, {"number": "CANARY"})
    assert caught.value.category == "constraint_violation"
    assert "CANARY" not in repr(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_cut_connection_is_transient_and_replaced(lab: Lab) -> None:
    with pytest.raises(TransientError), reading(lab.engine) as connection:
        own = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        killer = threading.Thread(target=lab.rows, args=(f"SELECT pg_terminate_backend({own})",))
        killer.start()
        killer.join()
        connection.exec_driver_sql("SELECT 1")
    with reading(lab.engine) as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_what_is_read_is_cancelled_from_another_thread(lab: Lab) -> None:
    endless = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
        "postgresql": "SELECT pg_sleep(600)",
    }
    ended = threading.Event()

    def cancel() -> None:
        while not ended.wait(0.1):
            cancel_reading(lab.engine)

    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        with pytest.raises(DatabaseError), reading(lab.engine) as connection:
            connection.exec_driver_sql(endless[lab.engine.dialect.name])
    finally:
        ended.set()
        thread.join()
    cancel_reading(lab.engine)  # there is nothing to cancel
    with reading(lab.engine) as connection:
        assert connection.scalar(sa.select(1)) == 1


def test_a_server_that_is_not_there_is_transient() -> None:
    engine = open_engine("postgresql://lab@127.0.0.1:1/none", Settings())
    with pytest.raises(TransientError), reading(engine):
        pass


@pytest.mark.parametrize(
    ("url", "name", "value"),
    [
        ("postgresql://h/d", "tcp_user_timeout", 30_000),
        ("postgresql://h/d?tcp_user_timeout=500", "tcp_user_timeout", "500"),
        ("postgresql://h/d?keepalives=0", "keepalives", "0"),
        ("mssql+mssqlpython://u:p@h/d", "timeout", 10),
    ],
)
def test_a_silent_network_has_limits_that_the_url_may_set(url: str, name: str, value: object) -> None:
    pytest.importorskip("mssql_python" if url.startswith("mssql") else "psycopg")
    engine = open_engine(url, Settings())
    given: dict[str, object] = {}

    @sa.event.listens_for(engine, "do_connect")
    def look(_: object, __: object, ___: object, options: dict[str, object]) -> None:
        given.update(options)
        raise InterruptedError

    with pytest.raises(InterruptedError), engine.connect():
        pass
    assert given[name] == value


BREAKS = """
import logging, sys, sqlalchemy as sa
from provenir_lab.settings import Settings
from provenir_lab.storage.database import open_engine
for _ in range(2):
    engine = open_engine("sqlite:///" + sys.argv[1], Settings())
@sa.event.listens_for(engine, "reset")
def fail(*_): raise ValueError("Zqxcanary")
engine.connect().close()
print(len(logging.getLogger("sqlalchemy").handlers))
"""


def test_what_the_pool_says_of_broken_connections_goes_nowhere(tmp_path: Path) -> None:
    """In a process of its own: pytest configures logging."""
    (tmp_path / "lab.db").touch()
    command = [sys.executable, "-c", BREAKS, str(tmp_path / "lab.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["1"], "")


def test_connections_are_kept_or_made_anew_and_counted(lab: Lab) -> None:
    url = lab.engine.url.render_as_string(hide_password=False)
    for settings, wanted in ((Settings(), (1, 3)), (Settings(pool="none"), (3, 3))):
        engine = open_engine(url, settings)
        for _ in range(3):
            with reading(engine) as connection:
                connection.exec_driver_sql("SELECT 1")
        counts = connection_counts(engine)
        assert (counts.connects, counts.uses) == wanted
        engine.dispose()


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_kept_connection_that_died_is_found_by_the_ping(lab: Lab) -> None:
    engine = open_engine(lab.engine.url.render_as_string(hide_password=False), Settings(pool_pre_ping=True))
    with reading(engine) as connection:
        own = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    lab.rows(f"SELECT pg_terminate_backend({own})")
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar() != own
    engine.dispose()
