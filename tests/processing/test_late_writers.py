"""Several processors that hold the same documents, on the lab's tables and on a log without a unique index:
one writes each document, whoever is late, and nobody fails it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy as sa
from labs import FIRST_ID, counts, digests, documents, new_lab
from places import Place

from provenir_lab.api import Lab
from provenir_lab.errors import DatabaseError
from provenir_lab.mapping.plan import Mapper, compile_mapper
from provenir_lab.mock import MockDocument, spoil
from provenir_lab.processing.commit import Committer, Failure
from provenir_lab.processing.outcome import Tally
from provenir_lab.processing.patience import Patience
from provenir_lab.processing.place import fitted
from provenir_lab.settings import Settings
from provenir_lab.storage import database
from provenir_lab.storage.database import open_engine, reading, writing
from provenir_lab.storage.locks import has_unique_log
from provenir_lab.storage.log import logged
from provenir_lab.storage.writer import Session, Writer

MADE = [spoil(d, "doctype") if n % 10 == 3 else d for n, d in enumerate(documents(60))]
STOPS_ITSELF = Path(__file__).with_name("stops_itself.py")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    lab = new_lab(f"sqlite:///{tmp_path_factory.mktemp('expected') / 'lab.db'}", MADE)
    lab.process()
    return dict(digests(lab))


@pytest.fixture(params=["index", "own"])
def lab(place: Place, request: pytest.FixtureRequest) -> Lab:
    """With the lab's unique index on the log, and as a user's own table may be."""
    return _lab(place, MADE, own=request.param == "own")


@pytest.fixture
def own_lab(place: Place) -> Lab:
    return _lab(place, documents(12), own=True)


def _lab(place: Place, made: list[MockDocument] | tuple[MockDocument, ...], *, own: bool) -> Lab:
    lab = new_lab(place.url, made, place.schema)
    if own:
        _drop_index(lab, place, "ux_processing_log_app_id")
    return lab


def _drop_index(lab: Lab, place: Place, name: str) -> None:
    schema = f"{place.schema}." if place.schema else ""
    index = f"{name} ON {schema}processing_log" if place.kind == "mssql" else f"{schema}{name}"
    _run(lab, f"DROP INDEX {index}")


def _run(lab: Lab, statement: str) -> None:
    engine = open_engine(lab.database.url, Settings())
    with writing(engine) as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


def _has_unique_log(lab: Lab) -> bool:
    engine = open_engine(lab.database.url, Settings())
    with reading(engine) as connection:
        found = has_unique_log(connection, lab.target)
    engine.dispose()
    return found


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_what_counts_as_a_unique_log(place: Place) -> None:
    lab = new_lab(place.url, (), place.schema)
    assert _has_unique_log(lab)
    _drop_index(lab, place, "ux_processing_log_app_id")
    assert not _has_unique_log(lab)
    schema = f"{place.schema}." if place.schema else ""
    for unique, columns, counts_as in (
        ("", "app_id", False),
        ("UNIQUE", "app_id, status", False),
        ("UNIQUE", "app_id", True),
    ):
        _run(lab, f"CREATE {unique} INDEX some_log ON {schema}processing_log ({columns})")
        assert _has_unique_log(lab) is counts_as
        _drop_index(lab, place, "some_log")
    where = "WHERE status = 'success'"
    _run(lab, f"CREATE UNIQUE INDEX some_log ON {schema}processing_log (app_id) {where}")
    assert not _has_unique_log(lab)


class Paused(Writer):
    """Waits before its commit, all rows sent, until it is told to go on."""

    reached: threading.Event
    go_on: threading.Event

    def _verify(self, *arguments: Any) -> None:
        super()._verify(*arguments)
        self.reached.set()
        assert self.go_on.wait(60)


@pytest.fixture(scope="module")
def mapper() -> Mapper:
    lab = Lab("sqlite:///unused.db")
    return compile_mapper(lab.contract, lab.target.tables)


@pytest.fixture
def committer(own_lab: Lab, mapper: Mapper) -> Iterator[Callable[..., tuple[Committer, Tally, Writer]]]:
    """Makes committers of processors of their own: session number and kind of writer are given."""
    engines: list[sa.Engine] = []

    def make(number: int, kind: type[Writer] = Writer) -> tuple[Committer, Tally, Writer]:
        engine = open_engine(own_lab.database.url, Settings())
        engines.append(engine)
        target = fitted(engine, own_lab.target, own_lab.contract, "here")
        writer = kind(engine, target, mapper.columns, Settings())
        session, tally = Session(f"20260102_030405-0123abcd-000{number}"), Tally()

        def read_log(ids: Any) -> Any:
            return logged(engine, target, ids)

        return Committer(writer, read_log, session, 0, tally, Patience(10)), tally, writer

    yield make
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize("overlap", ["documents", "failures"])
def test_a_batch_waits_for_another_one_of_the_same_documents_and_leaves_them_out(
    own_lab: Lab,
    mapper: Mapper,
    committer: Callable[..., tuple[Committer, Tally, Paused]],
    overlap: str,
) -> None:
    """Both have read and mapped overlapping documents before either writes."""
    mapped = [(d.app_id, mapper.map(d.text)) for d in documents(12)]
    failures: list[Failure] = [(FIRST_ID + 100 + n, "malformed_xml", "line 1") for n in range(12)]
    a, b = (mapped, failures) if overlap == "documents" else (failures, mapped)
    work = [(a[:8], b[:4]), (a[4:], b[4:])]
    (first, first_tally, paused), (second, second_tally, _) = committer(1, Paused), committer(2)
    paused.reached, paused.go_on = threading.Event(), threading.Event()
    threads = []
    for one, parts in zip((first, second), work, strict=True):
        arguments = parts if overlap == "documents" else parts[::-1]
        threads.append(threading.Thread(target=one.commit, args=arguments))
    threads[0].start()
    assert paused.reached.wait(60)
    threads[1].start()
    threads[1].join(0.5)
    assert threads[1].is_alive()
    paused.go_on.set()
    for thread in threads:
        thread.join(60)
    assert (first_tally.documents, first_tally.skipped) == (12, 0)
    assert (second_tally.documents, second_tally.skipped) == (12, 4)
    assert (counts(own_lab)["app_base"], counts(own_lab)["processing_log"]) == (12, 24)


def test_a_log_that_must_be_waited_for_too_long_is_a_passing_failure(
    own_lab: Lab,
    mapper: Mapper,
    committer: Callable[..., tuple[Committer, Tally, Paused]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mapped = [(d.app_id, mapper.map(d.text)) for d in documents(12)]
    first, first_tally, paused = committer(1, Paused)
    monkeypatch.setattr(database, "BUSY_SECONDS", 1)
    second, second_tally, _ = committer(2)
    paused.reached, paused.go_on = threading.Event(), threading.Event()
    holder = threading.Thread(target=first.commit, args=(mapped, []))
    holder.start()
    assert paused.reached.wait(60)
    second._patience = Patience(60, lambda _: paused.go_on.set())
    second.commit(mapped, [])
    holder.join(60)
    assert (first_tally.succeeded, second_tally.succeeded, second_tally.skipped) == (12, 0, 12)
    assert second_tally.retries >= 1


TWO_AT_ONCE = (
    "import sys\n"
    "from provenir_lab.api import Lab\n"
    "lab = Lab(sys.argv[1], schema=sys.argv[2] or None)\n"
    "print('ready', flush=True)\n"
    "sys.stdin.readline()\n"
    "asked = dict(app_id_start=int(sys.argv[3]), app_id_end=int(sys.argv[4]))\n"
    "outcome = lab.process(batch_size=3, stop_after_failures=0, **asked)\n"
    "print(outcome.succeeded, sum(outcome.failed.values()), outcome.skipped, *outcome.failed)\n"
)


def test_two_processors_at_once_on_overlapping_ranges(lab: Lab, expected: dict[str, object]) -> None:
    ranges = ((FIRST_ID, FIRST_ID + 39), (FIRST_ID + 10, FIRST_ID + 59))
    place = (lab.database.url, lab.target.schema or "")
    pair = [
        subprocess.Popen(
            [sys.executable, "-c", TWO_AT_ONCE, *place, str(first), str(last)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for first, last in ranges
    ]
    for child in pair:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in pair:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    ends = [child.communicate(timeout=120)[0].split() for child in pair]
    assert [child.returncode for child in pair] == [0, 0]
    assert sum(int(succeeded) for succeeded, *_ in ends) == 54
    assert sum(int(failed) for _, failed, *_ in ends) == 6
    assert {category for _, _, _, *categories in ends for category in categories} == {"forbidden_doctype"}
    assert digests(lab) == expected


@contextmanager
def stopped(lab: Lab, where: str) -> Iterator[subprocess.Popen[str]]:
    """A run that stands still with its first batch."""
    command = [sys.executable, str(STOPS_ITSELF), lab.database.url, lab.target.schema or "", where]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        process = psutil.Process(child.pid)
        while process.status() != psutil.STATUS_STOPPED:
            assert child.poll() is None
            threading.Event().wait(0.02)
        yield child
    finally:
        child.kill()
        child.wait()


def go_on(child: subprocess.Popen[str]) -> list[int]:
    """What the run says at its end: documents that succeeded, failed, were skipped."""
    child.send_signal(signal.SIGCONT)
    said, _ = child.communicate(timeout=120)
    assert child.returncode == 0
    return [int(number) for number in said.split()]


needs_stop = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes cannot be stopped here")


@needs_stop
def test_a_worker_stopped_before_its_transaction_comes_too_late(
    lab: Lab, expected: dict[str, object]
) -> None:
    with stopped(lab, "before") as child:
        assert lab.process().documents == 60
        assert go_on(child) == [0, 0, 30]
    assert digests(lab) == expected


@needs_stop
@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_worker_stopped_inside_its_transaction_loses_it(lab: Lab, expected: dict[str, object]) -> None:
    """The server ends the idle transaction, so its documents can be done meanwhile."""
    with stopped(lab, "inside") as child:
        assert lab.process().documents == 60
        assert go_on(child) == [0, 0, 30]
    assert digests(lab) == expected


@needs_stop
@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_worker_stopped_inside_its_transaction_keeps_sqlites_file(
    lab: Lab, expected: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can take the file from it: the other run ends with a message, the stopped one goes on."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0)
    with stopped(lab, "inside") as child:
        with pytest.raises(DatabaseError, match="held the database file too long"):
            lab.process(retry_seconds=0)
        assert go_on(child) == [54, 6, 0]
    assert lab.process().documents == 0
    assert digests(lab) == expected
