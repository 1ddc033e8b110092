"""Measurement with real parts: SQLite, the processor in processes of its own, generated documents."""

import json
import sqlite3
import sys
from pathlib import Path

import pytest

from provenir_lab.errors import GuardError, LabError, UsageError
from provenir_lab.lab.campaign import run_campaign
from provenir_lab.lab.experiment import Documents
from provenir_lab.lab.measure import DatabaseBench
from provenir_lab.lab.place import Place, ensure_lab, open_place
from provenir_lab.lab.record import Result
from provenir_lab.lab.session import run_baseline, run_experiment
from provenir_lab.lab.workload import FIRST_APP_ID, count_for, prepare
from provenir_lab.settings import Database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database("sqlite", f"sqlite:///{tmp_path / 'lab.db'}")


@pytest.fixture
def place(database: Database) -> Place:
    place = open_place(database)
    ensure_lab(place)
    return place


def execute(tmp_path: Path, statement: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(tmp_path / "lab.db") as connection:
        return connection.execute(statement).fetchall()


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("session")
    database = Database("sqlite", f"sqlite:///{folder / 'lab.db'}")
    ensure_lab(open_place(database))
    return run_baseline(database, runs=2, documents=40, results=folder / "results")


def test_a_real_baseline(baseline: Result) -> None:
    measured = [run for run in baseline.runs if run.part == "measure"]
    assert len(measured) == 2
    for run in baseline.runs:
        assert run.valid, run.void
        assert (run.documents, run.succeeded, run.failed) == (40, 40, 0)
        assert run.seconds > 0 and run.wall_seconds > run.seconds
        assert sum(run.stages.values()) <= run.seconds * 1.01
        assert run.peak_memory_mb > 10
        assert sum(documents for documents, _ in run.slices) == 40
    assert len({run.digest for run in baseline.runs}) == 1
    assert baseline.summary["workload"]["count"] == 40


def test_its_files_are_those_that_are_documented(baseline: Result) -> None:
    names = {path.name for path in baseline.folder.iterdir()}
    assert {
        "experiment.yaml", "environment.json", "runs.csv", "summary.json", "report.html", "figures",
        "baseline_metrics.json",
    } <= names  # fmt: skip
    environment = json.loads((baseline.folder / "environment.json").read_text(encoding="utf-8"))
    assert environment["python"] == sys.version.split()[0]
    assert environment["database"] == "sqlite"
    assert environment["database_version"] == sqlite3.sqlite_version


def test_no_invented_identity_reaches_a_result(baseline: Result, tmp_path: Path) -> None:
    """Names, numbers and addresses of the documents stand in the tables alone."""
    database = baseline.folder.parents[2] / "lab.db"
    with sqlite3.connect(database) as connection:
        rows = connection.execute("select first_name, last_name, ssn from app_contact_base").fetchall()
        streets = connection.execute("select street_name from app_contact_address").fetchall()
    values = {str(v) for row in (*rows, *streets) for v in row if v and len(str(v)) >= 5}
    assert values
    for file in baseline.folder.rglob("*"):
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            assert [value for value in values if f">{value}<" in text or f'"{value}"' in text] == []


def test_a_write_method_that_the_database_does_not_know_is_refused_before_anything_runs(
    place: Place, database: Database, tmp_path: Path
) -> None:
    plan = {"name": "write", "title": "Write", "change": "write_method", "candidates": ["json", "copy"],
            "runs": 6, "max_runs": 6, "documents": {"count": 20}}  # fmt: skip
    (tmp_path / "write.yaml").write_text(json.dumps(plan), encoding="utf-8")
    campaign = {"name": "all", "title": "All", "experiments": ["write.yaml"]}
    (tmp_path / "campaign.yaml").write_text(json.dumps(campaign), encoding="utf-8")
    message = "write_method=copy does not work on sqlite: use auto or executemany, json"
    with pytest.raises(UsageError, match=message):
        run_experiment(database, tmp_path / "write.yaml", results=tmp_path / "results")
    new = Database("sqlite", f"sqlite:///{(tmp_path / 'new.db').as_posix()}")  # the lab is made first
    with pytest.raises(UsageError, match=message):
        run_campaign(new, tmp_path / "campaign.yaml", results=tmp_path / "results")
    assert list((tmp_path / "results").rglob("*.*")) == []


def test_what_a_document_costs_in_reading_and_parsing_stands_in_the_report(baseline: Result) -> None:
    (variant,) = baseline.summary["variants"]
    assert 5_000 < variant["bytes_parsed"] <= variant["characters_read"] < 20_000
    cell = f"{variant['characters_read']:,} / {variant['bytes_parsed']:,}"
    assert cell in baseline.report.read_text(encoding="utf-8")


def test_a_database_that_is_no_lab_is_refused(tmp_path: Path, database: Database) -> None:
    sqlite3.connect(tmp_path / "lab.db").close()
    with pytest.raises(UsageError, match="is no lab"):
        run_baseline(database, runs=2, documents=10, results=tmp_path / "results")


def test_documents_of_others_are_neither_touched_nor_measured(
    place: Place, database: Database, tmp_path: Path
) -> None:
    execute(tmp_path, "insert into app_xml (app_id, app_xml) values (7, '<x/>')")
    result = run_baseline(database, runs=1, documents=10, results=tmp_path / "results")
    assert {run.documents for run in result.runs} == {10}
    assert execute(tmp_path, "select app_id from app_xml where app_id < 400000000") == [(7,)]
    assert execute(tmp_path, "select count(*) from processing_log where app_id = 7") == [(0,)]


def test_the_databases_own_documents_can_be_measured(
    place: Place, database: Database, tmp_path: Path
) -> None:
    from provenir_lab import Lab

    Lab(database).generate(12, seed=3)
    result = run_baseline(database, runs=1, documents=10, profile="stored", results=tmp_path / "results")
    assert result.summary["workload"]["profile"] == "stored"
    assert {run.documents for run in result.runs} == {10}
    assert {run.succeeded for run in result.runs} == {10}


def test_no_stored_documents_is_one_clear_line(place: Place, database: Database, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no documents to measure on"):
        run_baseline(database, runs=1, documents=10, profile="stored", results=tmp_path / "results")


def test_the_bench_proves_the_state_of_tables_and_documents(place: Place, tmp_path: Path) -> None:
    workload = prepare(place, Documents(), 20)
    assert (workload.first, workload.last, workload.count) == (FIRST_APP_ID, FIRST_APP_ID + 19, 20)
    bench = DatabaseBench(place, workload)
    try:
        assert bench.prove_ready() == ""
        outcome = bench.process("baseline", {"batch_size": 7})
        assert (outcome["documents"], outcome["settings"]["batch_size"]) == (20, 7)
        assert "app_base holds 20 rows" in bench.prove_ready()
        assert bench.digests()["app_base"][0] == 20
        bench.clear()
        assert bench.prove_ready() == ""
        execute(tmp_path, f"delete from app_xml where app_id = {FIRST_APP_ID}")
        assert "19 documents of" in bench.prove_ready()
    finally:
        bench.close()


def test_the_bench_refuses_rows_that_the_lab_did_not_write(place: Place, tmp_path: Path) -> None:
    bench = DatabaseBench(place, prepare(place, Documents(), 5))
    try:
        bench.process("baseline", {})
        execute(tmp_path, f"delete from processing_log where app_id = {FIRST_APP_ID}")
        with pytest.raises(GuardError):
            bench.clear()
    finally:
        bench.close()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; sys.exit(3)", "ended with status 3 and no outcome"),
        ('print(\'{"error": "database unavailable"}\')', "database unavailable"),
    ],
)
def test_a_process_that_fails_is_told(place: Place, code: str, message: str) -> None:
    bench = DatabaseBench(place, prepare(place, Documents(), 5), command=(sys.executable, "-c", code))
    try:
        with pytest.raises(LabError, match=message):
            bench.process("baseline", {})
    finally:
        bench.close()


def test_the_same_workload_is_the_same_documents(place: Place) -> None:
    first = prepare(place, Documents(seed=4), 15)
    prepare(place, Documents(seed=5), 30)
    assert prepare(place, Documents(seed=4), 15) == first


def test_documents_that_are_there_are_kept_when_more_are_wanted(place: Place) -> None:
    ten = prepare(place, Documents(), 10)
    grown = prepare(place, Documents(), 25, ten)
    fresh = prepare(place, Documents(), 25)
    assert grown == fresh
    assert prepare(place, Documents(seed=2), 25, ten) == prepare(place, Documents(seed=2), 25)
    shared = Documents(duplicate_contacts=0.5)
    assert prepare(place, shared, 25, prepare(place, shared, 10)) == prepare(place, shared, 25)


def test_count_grows_until_runs_are_long_enough() -> None:
    asked: list[int] = []

    def seconds_for(count: int) -> float:
        asked.append(count)
        return 0.3 + count / 1000

    count = count_for(Documents(min_seconds=2), 1, seconds_for)
    assert seconds_for(count) >= 2
    assert asked == sorted(asked)
    assert count_for(Documents(min_seconds=2), 1, seconds_for, available=500) == 500
    assert count_for(Documents(min_seconds=0.1), 900, seconds_for) == 900
    asked.clear()  # a known pace leaves one try where it holds, and no more than others where it does not
    assert count_for(Documents(min_seconds=2), 1, seconds_for, pace=1000) == 2300
    assert asked == [2300]
    assert count_for(Documents(min_seconds=2), 3000, seconds_for, pace=10) == 3000
    with pytest.raises(LabError, match=r"do not make a run last 2 s; set documents\.count"):
        count_for(Documents(min_seconds=2), 1, lambda count: 0.0001)
