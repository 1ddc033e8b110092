"""Transactions of a run that the server or the network breaks: done again, or found to have landed."""

from __future__ import annotations

import socket
import threading

import psycopg
import pytest
from cutting_proxy import AFTER, BEFORE, DEAF, CuttingProxy
from labs import counts, digests, documents, new_lab
from postgres_server import PostgresServer

from provenir_lab.api import Lab
from provenir_lab.progress import silent


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    undisturbed = new_lab(f"sqlite:///{tmp_path_factory.mktemp('expected') / 'lab.db'}", documents(60))
    undisturbed.process()
    return dict(digests(undisturbed))


@pytest.fixture
def lab(postgres_url: str) -> Lab:
    return new_lab(postgres_url, documents(60), "lab", batch_size=20)


@pytest.mark.parametrize(("when", "written"), [(BEFORE, 4), (AFTER, 3)])
def test_a_connection_cut_at_its_commit(
    lab: Lab, postgres_server: PostgresServer, expected: dict[str, object], when: str, written: int
) -> None:
    """The log says whether the batch landed: only one that did not is sent again."""
    with CuttingProxy(postgres_server.port, 2, when) as proxy:
        url = lab.database.url.replace(f":{postgres_server.port}/", f":{proxy.port}/")
        outcome = Lab(url, schema="lab", progress=silent, settings=lab.settings).process()
    assert (outcome.succeeded, outcome.failed, outcome.skipped, outcome.retries) == (60, {}, 0, 1)
    assert proxy.written == written
    assert digests(lab) == expected
    if when == BEFORE:  # else rows are counted as they were sent, with duplicates that were left out
        assert outcome.rows == {table: n for table, n in counts(lab).items() if table != "processing_log"}


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no such limit")
def test_a_network_that_falls_silent_is_noticed(
    lab: Lab, postgres_server: PostgresServer, expected: dict[str, object]
) -> None:
    with CuttingProxy(postgres_server.port, 2, DEAF) as proxy:
        url = lab.database.url.replace(f":{postgres_server.port}/", f":{proxy.port}/")
        silent_soon = f"{url}?tcp_user_timeout=500"
        outcome = Lab(silent_soon, schema="lab", progress=silent, settings=lab.settings).process()
    assert (outcome.succeeded, outcome.failed, outcome.skipped, outcome.retries) == (60, {}, 0, 1)
    assert digests(lab) == expected


CUT_ONCE = (
    "CREATE SEQUENCE lab.inserted",
    "CREATE FUNCTION lab.cut() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN "
    "IF nextval(''lab.inserted'') = 33 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; "
    "RETURN NEW; END'",
)


@pytest.mark.parametrize("method", ["copy", "executemany", "json"])
@pytest.mark.parametrize("table", ["app_contact_address", "processing_log"])
def test_a_connection_cut_in_the_middle_of_an_insert(
    lab: Lab, postgres_server: PostgresServer, expected: dict[str, object], table: str, method: str
) -> None:
    """The server ends the backend at one row of the second batch."""
    database = lab.database.url.rpartition("/")[2]
    trigger = f"CREATE TRIGGER cut BEFORE INSERT ON lab.{table} FOR EACH ROW EXECUTE FUNCTION lab.cut()"
    for statement in (*CUT_ONCE, trigger):
        postgres_server.execute(statement, database)
    outcome = lab.process(write_method=method)
    assert (outcome.succeeded, outcome.failed, outcome.skipped, outcome.retries) == (60, {}, 0, 1)
    assert digests(lab) == expected


def test_a_deadlock_is_retried_and_no_documents_fault(
    lab: Lab, postgres_server: PostgresServer, expected: dict[str, object]
) -> None:
    """Another transaction holds the log and asks for app_base, the run has app_base and asks for the log."""
    name = lab.database.url.rpartition("/")[2]
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"
    with psycopg.connect(host="127.0.0.1", port=postgres_server.port, user="lab", dbname=name) as other:
        # so that the run is the one that notices, and gives way
        other.execute("SET deadlock_timeout = '60s'")
        other.execute("LOCK TABLE lab.processing_log IN SHARE MODE")

        def close_the_circle() -> None:
            while other.execute(waiting, (name,)).fetchone() == (0,):
                threading.Event().wait(0.02)
                other.execute("SELECT pg_stat_clear_snapshot()")
            other.execute("LOCK TABLE lab.app_base IN SHARE MODE")
            other.rollback()

        circle = threading.Thread(target=close_the_circle)
        circle.start()
        outcome = lab.process()
        circle.join()
    assert (outcome.succeeded, outcome.failed, outcome.retries) == (60, {}, 1)
    assert digests(lab) == expected
