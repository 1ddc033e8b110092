"""The scripts in docs/rights: what they grant is enough to process, and not enough for anything else."""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from labs import documents, put

from provenir_lab.api import Lab
from provenir_lab.errors import DatabaseError
from provenir_lab.mapping.derived import enum_rows
from provenir_lab.progress import silent
from provenir_lab.settings import Settings
from provenir_lab.storage.database import open_engine, writing
from provenir_lab.storage.schema import Marker, Target, create_lab
from provenir_lab.storage.writer import utc_now

SCRIPTS = Path(__file__).parents[2] / "docs" / "rights"
PASSWORD = "Made-up-" + secrets.token_hex(8)
FORBIDDEN = [
    "DELETE FROM {}app_base",
    "DELETE FROM {}processing_log",
    "UPDATE {}app_base SET fico_score = NULL",
    "DELETE FROM {}app_xml",
    "INSERT INTO {}app_campaign_cc (campaign_num) VALUES ('X')",
    "SELECT * FROM {}secret",
    "DROP TABLE {}app_base",
    "DROP TABLE {}secret",
    "CREATE TABLE {}other (id int)",
]


def statements(script: str, **names: str) -> list[str]:
    """The statements of a script of docs/rights, with other names put in."""
    text = re.sub(r"--.*", "", (SCRIPTS / script).read_text(encoding="utf-8"))
    for name, other in names.items():
        text = re.sub(rf"\b{name}\b", other, text)
    return [part.strip() for part in re.split(r";|^GO$", text, flags=re.MULTILINE) if part.strip()]


def run(url: str, *commands: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for command in commands:
            connection.exec_driver_sql(command)
    engine.dispose()


def own_tables(url: str, schema: str) -> Lab:
    """Tables as a user's own: no lab, ids that are plain columns, documents, and a table that is none of the
    processor's business."""
    lab = Lab(url, schema=schema, progress=silent)
    plain = {
        name: replace(table, columns=tuple(replace(c, identity=False) for c in table.columns))
        if name != "processing_log"
        else table
        for name, table in lab.target.tables.items()
    }
    engine = open_engine(url, Settings())
    target = Target(schema, plain, lab.target.source_table, lab.target.source_column)
    create_lab(engine, target, enum_rows(lab.contract), Marker("made-up", utc_now(), "0"))
    with writing(engine) as connection:
        connection.exec_driver_sql(f"DROP TABLE {schema}.provenir_lab_marker")
        connection.exec_driver_sql(f"CREATE TABLE {schema}.secret (id int)")
    engine.dispose()
    made = documents()[:20]
    put(lab, [(d.app_id, d.text) for d in made], {d.campaign_num for d in made})
    return lab


def as_login(url: str, login: str) -> str:
    return sa.make_url(url).set(username=login, password=PASSWORD).render_as_string(hide_password=False)


def refused(url: str, schema: str, command: str) -> bool:
    engine = open_engine(url, Settings())
    try:
        with writing(engine) as connection:
            connection.exec_driver_sql(command.format(f"{schema}."))
    except DatabaseError:
        return True
    finally:
        engine.dispose()
    return False


def check(url: str, schema: str) -> None:
    lab = Lab(url, schema=schema, progress=silent)
    for setting in ("per_batch", "database"):
        outcome = lab.process(workers=1, limit=10, duplicate_check=setting)
        assert (outcome.succeeded, dict(outcome.failed)) == (10, {})
    assert not lab.verify(None).differing
    assert [command for command in FORBIDDEN if not refused(url, schema, command)] == []
    assert lab.status().pending == 0


def test_postgresql(postgres_url: str) -> None:
    login = f"processor_{secrets.token_hex(4)}"
    own_tables(postgres_url, "migration")
    run(postgres_url, *statements("postgresql.sql", provenir_processor=login))
    try:
        check(as_login(postgres_url, login), "migration")
    finally:
        run(postgres_url, f"DROP OWNED BY {login}", f"DROP ROLE {login}")


def test_postgresql_lab(postgres_url: str) -> None:
    login, schema = f"lab_{secrets.token_hex(4)}", f"lab_{secrets.token_hex(4)}"
    own_tables(postgres_url, "migration")
    run(postgres_url, *statements("postgresql-lab.sql", provenir_lab=login, lab=schema))
    url = as_login(postgres_url, login)
    try:
        lab = Lab(url, schema=schema, progress=silent)
        lab.init()
        lab.generate(10)
        assert lab.process(workers=1).succeeded == 10
        lab.clean()
        assert all(refused(url, "migration", command) for command in FORBIDDEN)
    finally:
        run(postgres_url, f"DROP OWNED BY {login}", f"DROP ROLE {login}")


@pytest.fixture
def sqlserver_login() -> Iterator[str]:
    """The name of a login that is gone after the test."""
    login = f"processor_{secrets.token_hex(4)}"
    yield login
    if url := os.environ.get("PROVENIR_LAB_TEST_SQLSERVER"):
        run(url, f"DROP USER IF EXISTS {login}")
        with suppress(sa.exc.DBAPIError):  # the login may not have been made
            run(url, f"DROP LOGIN {login}")


def test_sqlserver(sqlserver_login: str, sqlserver_schema: tuple[str, str]) -> None:
    (url, schema), login = sqlserver_schema, sqlserver_login
    own_tables(url, schema)
    granted = statements("sqlserver.sql", provenir_processor=login, migration=schema)
    # the right that identity columns ask for: these tables have none
    run(url, *(s.replace("put a password here", PASSWORD) for s in granted if "GRANT ALTER" not in s))
    mine = as_login(url, login)
    # Babelfish checks foreign keys with the login's rights and not with those of the tables, so rows with
    # foreign keys cannot be tried there: a document that fails shows that it reads, locks, counts and logs
    lab = Lab(url, schema=schema, progress=silent)
    put(lab, [(1, "<no document")])
    outcome = Lab(mine, schema=schema, progress=silent).process(workers=1, app_id_start=1, app_id_end=1)
    assert dict(outcome.failed) == {"malformed_xml": 1}
    assert [command for command in FORBIDDEN if not refused(mine, schema, command)] == []
