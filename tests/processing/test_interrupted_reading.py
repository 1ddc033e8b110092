"""A run that is told to end while the server makes it wait for documents: one line, and nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import psycopg
import pytest
from labs import SOON, WHOLE, documents, new_lab
from postgres_server import PostgresServer

SLOW = (
    "CREATE FUNCTION lab.slow(text) RETURNS text LANGUAGE plpgsql STABLE AS "
    "'BEGIN PERFORM pg_sleep(120); RETURN $1; END'",
    "ALTER TABLE lab.app_xml RENAME TO documents",
    "CREATE VIEW lab.app_xml AS SELECT app_id, lab.slow(app_xml) AS app_xml FROM lab.documents",
)
SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"

CASES = [("fetch=whole", "SIGTERM"), ("prefetch=2", "SIGINT"), ("workers=2", "SIGINT")]
if WHOLE:
    CASES += [("fetch=whole", "SIGINT"), ("prefetch=2", "SIGTERM"), ("workers=2", "SIGTERM")]


@pytest.mark.skipif(sys.platform == "win32", reason="there a signal ends a process at once")
@pytest.mark.parametrize(("setting", "name"), CASES)
def test_one_line_is_said_when_a_fetch_is_interrupted(
    postgres_url: str, postgres_server: PostgresServer, setting: str, name: str
) -> None:
    lab = new_lab(postgres_url, documents(300), "lab")
    database = postgres_url.rpartition("/")[2]
    for statement in SLOW:
        postgres_server.execute(statement, database)
    command = [sys.executable, "-m", "provenir_lab", "process", "--database", postgres_url, "--schema", "lab"]
    run = subprocess.Popen(
        [*command, "--set", setting, "--quiet"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_for_sleep(postgres_server)
        run.send_signal(getattr(signal, name))
        said, complained = run.communicate(timeout=SOON)
    finally:
        run.kill()
        run.wait()
    assert (said, complained.count("\n")) == ("", 1), complained
    assert "interrupted; what is done is kept" in complained
    assert run.returncode == 1
    assert lab.status().pending == 300


def wait_for_sleep(server: PostgresServer) -> None:
    with psycopg.connect(
        host="127.0.0.1", port=server.port, user="lab", dbname="postgres", autocommit=True
    ) as connection:
        while connection.execute(SLEEPING).fetchone() == (0,):
            threading.Event().wait(0.05)
