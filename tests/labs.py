"""Labs with documents, for tests of the whole way from documents to tables."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from provenir_lab.api import Lab
from provenir_lab.mock import MockDocument, generate
from provenir_lab.progress import silent
from provenir_lab.settings import Settings
from provenir_lab.storage.database import open_engine, reading, writing
from provenir_lab.storage.digest import TableDigest, digest_tables
from provenir_lab.storage.log import failures
from provenir_lab.storage.source import store_documents

SAMPLES = Path(__file__).parent / "data" / "samples"
FIRST_ID = 100_001
nightly = pytest.mark.skipif(
    os.environ.get("PROVENIR_LAB_NIGHTLY") != "1",
    reason="takes long and shows little that other tests do not; PROVENIR_LAB_NIGHTLY=1 runs it",
)
WHOLE = "PROVENIR_LAB_TEST_ALL" in os.environ
"""Whether tests take every point they know; without it a part."""
SOON = 10 if WHOLE else 60
"""Seconds within which an interrupted run must end: 10 are promised, a busy machine may take longer."""


@cache
def documents(count: int = 300, profile: str = "compact") -> tuple[MockDocument, ...]:
    """The same mock documents for every test; no contact is shared."""
    return tuple(generate(count, seed=7, profile=profile, start_app_id=FIRST_ID))


def new_lab(url: str, made: Iterable[MockDocument] = (), schema: str | None = None, **settings: Any) -> Lab:
    """A lab in an empty place, with documents."""
    lab = Lab(url, schema=schema, settings=Settings.model_validate(settings), progress=silent)
    lab.init()
    found = list(made)
    put(lab, [(d.app_id, d.text) for d in found], {d.campaign_num for d in found})
    return lab


def put(lab: Lab, texts: Iterable[tuple[int, str | None]], campaigns: Iterable[str] = ()) -> None:
    """Adds documents to a lab as they are."""
    engine = open_engine(lab.database.url, Settings())
    with writing(engine) as connection:
        store_documents(connection, lab.target, texts, campaigns)
    engine.dispose()


def digests(lab: Lab) -> dict[str, TableDigest]:
    """Digests of all tables and of the log's outcomes."""
    engine = open_engine(lab.database.url, Settings())
    columns = {table: lab.contract.columns_of(table) for table in lab.contract.tables}
    found = digest_tables(engine, lab.target, columns)
    engine.dispose()
    return found


def counts(lab: Lab) -> dict[str, int]:
    """Rows of every table and of the log."""
    return {table: found.rows for table, found in digests(lab).items()}


def failed(lab: Lab) -> dict[int, tuple[str, str]]:
    """app_id -> category and reason of the failed documents."""
    engine = open_engine(lab.database.url, Settings())
    found = {app_id: (category, reason) for app_id, category, reason in failures(engine, lab.target)}
    engine.dispose()
    return found


def rows(lab: Lab, query: str) -> list[tuple[Any, ...]]:
    """Rows of a query against a SQLite lab."""
    engine = open_engine(lab.database.url, Settings())
    with reading(engine) as connection:
        found = [tuple(row) for row in connection.execute(sa.text(query))]
    engine.dispose()
    return found


def execute(lab: Lab, statement: str, **values: object) -> None:
    """Changes a lab behind the processor's back, on SQLite foreign keys unwatched."""
    if not lab.database.url.startswith("sqlite:"):
        engine = open_engine(lab.database.url, Settings())
        with writing(engine) as server:
            server.execute(sa.text(statement), values)
        engine.dispose()
        return
    with closing(sqlite3.connect(lab.database.url.removeprefix("sqlite:///"))) as connection:
        connection.execute(statement, values)
        connection.commit()
