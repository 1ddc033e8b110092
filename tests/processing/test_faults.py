"""Every database operation failing in turn, and two processors at once: nothing lost, nothing doubled."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from labs import WHOLE, digests, documents, new_lab
from places import Place
from postgres_server import PostgresServer
from sqlalchemy.engine.default import DefaultDialect

from provenir_lab.api import Lab
from provenir_lab.errors import DatabaseError
from provenir_lab.mapping.plan import Mapper, compile_mapper
from provenir_lab.mock import spoil
from provenir_lab.processing import patience, worker
from provenir_lab.progress import silent
from provenir_lab.storage import database

Make = Callable[[], Exception]
_TEXT = "made up, with the value CANARY in it"


def _sqlite(code: int) -> Exception:
    error = sqlite3.OperationalError(_TEXT)
    error.sqlite_errorcode = code
    return error


PASSING: dict[str, Make] = {
    "sqlite": lambda: _sqlite(5),  # busy: another connection holds the database
    "postgresql": lambda: psycopg.errors.DeadlockDetected(_TEXT),
}
LASTING: dict[str, Make] = {
    "sqlite": lambda: _sqlite(13),  # the disk is full
    "postgresql": lambda: psycopg.errors.DiskFull(_TEXT),
}
OPERATIONS = ("connect", "do_execute", "do_executemany", "do_commit", "do_rollback")
"""Of SQLAlchemy's dialects; PostgreSQL's COPY and SQLite's blobs are opened beside them."""
COPIED: Any = psycopg.Cursor.copy


class Faults:
    """Counts the database operations of this process; number `at` fails, before or after its work."""

    def __init__(self) -> None:
        self.names: list[str] = []
        """What was done, in order."""
        self.at = 0
        self.make: Make = PASSING["sqlite"]
        self.after = False

    def plan(self, at: int = 0, make: Make = PASSING["sqlite"], *, after: bool = False) -> None:
        self.names, self.at, self.make, self.after = [], at, make, after

    @contextmanager
    def around(self, name: str) -> Iterator[None]:
        self.names.append(name)
        fails = len(self.names) == self.at
        if fails and not self.after:
            raise self.make()
        yield
        if fails:
            raise self.make()


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    found = Faults()

    class Watched(sqlite3.Connection):
        def blobopen(self, *arguments: Any, **named: Any) -> sqlite3.Blob:
            with found.around("blobopen"):
                return super().blobopen(*arguments, **named)

    def watch(name: str, real: Any) -> None:
        def watched(dialect: Any, *arguments: Any, **named: Any) -> Any:
            if name == "connect" and dialect.name == "sqlite":
                named["factory"] = Watched
            with found.around(name):
                return real(dialect, *arguments, **named)

        monkeypatch.setattr(DefaultDialect, name, watched)

    for name in OPERATIONS:
        watch(name, getattr(DefaultDialect, name))

    @contextmanager
    def copy(*arguments: Any) -> Iterator[Any]:
        with found.around("copy"), COPIED(*arguments) as stream:
            yield stream

    monkeypatch.setattr(psycopg.Cursor, "copy", copy)
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.001)
    mappers: dict[str, Mapper] = {}  # one for all runs: compiling takes longer than such a run

    def one_mapper(*arguments: Any, **named: Any) -> Mapper:
        if not mappers:
            mappers["one"] = compile_mapper(*arguments, **named)
        return mappers["one"]

    monkeypatch.setattr(worker, "compile_mapper", one_mapper)
    return found


MADE = [spoil(d, "doctype") if n == 5 else d for n, d in enumerate(documents(12))]
"""Twelve documents, one of them faulty."""
Fresh = Callable[[], AbstractContextManager[Lab]]
"""Gives a new lab with the documents."""


@pytest.fixture(scope="module")
def fresh_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    folder = tmp_path_factory.mktemp("template")
    new_lab(f"sqlite:///{folder / 'template.db'}", MADE)

    @contextmanager
    def fresh() -> Iterator[Lab]:
        path = shutil.copy(folder / "template.db", folder / "lab.db")
        yield Lab(f"sqlite:///{path}", progress=silent)
        for left in folder.glob("lab.db*"):
            left.unlink()

    return fresh


@pytest.fixture(scope="module")
def fresh_postgresql(postgres_server: PostgresServer) -> Iterator[Fresh]:
    new_lab(postgres_server.create_database("faults_template"), MADE)

    @contextmanager
    def fresh() -> Iterator[Lab]:
        postgres_server.execute("CREATE DATABASE faults TEMPLATE faults_template")
        yield Lab(postgres_server.url("faults"), progress=silent)
        postgres_server.execute("DROP DATABASE faults WITH (FORCE)")

    yield fresh
    postgres_server.execute("DROP DATABASE faults_template WITH (FORCE)")


@pytest.fixture(scope="module")
def undisturbed() -> dict[tuple[str, str], tuple[list[str], object]]:
    """Database and write method -> the operations of a run, and the tables after it; filled by the tests."""
    return {}


@pytest.mark.parametrize(
    ("kind", "method", "step"),
    [("sqlite", "executemany", 24), ("postgresql", "copy", 100), ("postgresql", "executemany", 100)],
)
@pytest.mark.parametrize(
    ("errors", "after", "case"),
    [(PASSING, False, 0), (PASSING, True, 1), (LASTING, False, 2), (LASTING, True, 3)],
    ids=["passing-before", "passing-after", "lasting-before", "lasting-after"],
)
def test_operations_of_a_run_fail_in_turn(
    request: pytest.FixtureRequest,
    faults: Faults,
    undisturbed: dict[tuple[str, str], tuple[list[str], object]],
    kind: str,
    method: str,
    step: int,
    errors: dict[str, Make],
    after: bool,
    case: int,
) -> None:
    """A passing failure is survived by the run itself or, like any other one, by a second run.

    The four cases share every sixth operation of a run on SQLite, every 25th on PostgreSQL;
    `PROVENIR_LAB_TEST_ALL` gives all to each.
    """
    fresh: Fresh = request.getfixturevalue(f"fresh_{kind}")
    settings: dict[str, Any] = {"batch_size": 4, "write_method": method}
    if (kind, method) not in undisturbed:
        faults.plan()
        with fresh() as lab:
            lab.process(**settings)
            names = faults.names
            faults.plan()
            undisturbed[kind, method] = names, digests(lab)
    names, expected = undisturbed[kind, method]
    special = "blobopen" if kind == "sqlite" else method.replace("executemany", "do_executemany")
    assert {*OPERATIONS, special} - {"do_executemany"} <= set(names)
    for at in range(1, len(names) + 1) if WHOLE else range(1 + case * step // 4, len(names) + 1, step):
        faults.plan(at, errors[kind], after=after)
        with fresh() as lab:
            try:
                outcome = lab.process(**settings)
            except DatabaseError as error:
                assert "CANARY" not in str(error)
            else:
                assert outcome.documents == 12
            faults.plan()
            lab.process(**settings)
            assert digests(lab) == expected, f"operation {at} of {len(names)}, {names[at - 1]}"


def test_a_passing_failure_in_the_middle_does_not_end_the_run(fresh_sqlite: Fresh, faults: Faults) -> None:
    """At the very first contact it may: the address may be wrong."""
    lengths = []
    for batch_size in (12, 1):
        faults.plan()
        with fresh_sqlite() as lab:
            lab.process(batch_size=batch_size)
        lengths.append(len(faults.names))
    for at in range(lengths[0], lengths[1] - 1, 1 if WHOLE else 13):
        faults.plan(at, PASSING["sqlite"])
        with fresh_sqlite() as lab:
            assert lab.process(batch_size=1).documents == 12


class Release(logging.Handler):
    """Ends what holds the database when the run says that it tries again."""

    def __init__(self, end: Callable[[], object]) -> None:
        super().__init__()
        self.said: list[str] = []
        self._end = end

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())
        self._end()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_lock_is_waited_for_when_a_run_starts(
    request: pytest.FixtureRequest, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked before the first batch is asked again, as all later questions are."""
    fresh: Fresh = request.getfixturevalue(f"fresh_{kind}")
    monkeypatch.setattr(database, "BUSY_SECONDS", 1)  # for PostgreSQL, 0 means no limit
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.001)
    with fresh() as lab:
        assert sum(lab.process().failed.values()) == 1
        held = sa.create_engine(lab.database.url)
        with held.connect() as other:
            log = f"{lab.target.schema}.processing_log"
            lock = {"sqlite": "BEGIN IMMEDIATE", "postgresql": f"LOCK {log} IN ACCESS EXCLUSIVE MODE"}
            other.execute(sa.text(lock[kind]))
            release = Release(other.rollback)
            logger = logging.getLogger("provenir_lab.processing.patience")
            logger.addHandler(release)
            try:
                outcome = lab.process(retry_failed=True)
            finally:
                logger.removeHandler(release)
        held.dispose()
        assert release.said == ["transient database error, trying again"]
        assert (outcome.documents, outcome.succeeded) == (1, 0)


SCRIPT = (
    "import sys\n"
    "from provenir_lab.api import Lab\n"
    "from provenir_lab.settings import Settings\n"
    "lab = Lab(sys.argv[1], schema=sys.argv[2] or None)\n"
    "print('ready', flush=True)\n"
    "sys.stdin.readline()\n"
    "outcome = lab.process(batch_size=3, stop_after_failures=0, workers=int(sys.argv[3]))\n"
    "print(outcome.succeeded, sum(outcome.failed.values()), outcome.skipped, *outcome.failed)\n"
)


@pytest.mark.parametrize("workers", [1, 2])
def test_two_processors_at_once_on_the_same_documents(place: Place, workers: int) -> None:
    if not WHOLE and (place.kind == "sqlite") == (workers == 2):
        pytest.skip("the other number of workers shows the same; dev.py faults runs both")
    made = [spoil(d, "doctype") if n % 10 == 3 else d for n, d in enumerate(documents(120))]
    lab = new_lab(place.url, made, place.schema)
    lab.process(stop_after_failures=0)
    expected = digests(lab)
    lab.clean()
    command = [sys.executable, "-c", SCRIPT, place.url, place.schema or "", str(workers)]
    pair = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for child in pair:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    threads = [threading.Thread(target=tell, args=(child,)) for child in pair]
    for thread in threads:
        thread.start()
    ends = [child.communicate()[0].split() for child in pair]
    assert [child.returncode for child in pair] == [0, 0]
    assert sum(int(succeeded) for succeeded, *_ in ends) == 108
    assert sum(int(failed) for _, failed, *_ in ends) == 12
    assert {category for _, _, _, *categories in ends for category in categories} == {"forbidden_doctype"}
    assert digests(lab) == expected


def tell(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()
