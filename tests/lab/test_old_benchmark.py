"""The old parallel benchmark done again: start-up, the quotients taken for efficiency, waiting."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from lab_simulation import SimulatedWorkshop, experiment, noisy, run
from rights import open_to_others

from provenir_lab.lab.old_benchmark import (
    DOCUMENTS,
    FOLDER,
    OldBenchmark,
    measure_old_benchmark,
    stored_old_benchmark,
)
from provenir_lab.lab.record import STAGES, Folder, Result, Run, load_result
from provenir_lab.settings import Settings


def rate(settings: Settings) -> float:
    return {1: 1000, 2: 1500, 4: 1200}[settings.workers]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Result:
    plan = experiment(name="scaling", change="workers", candidates=[2, 4], documents={"count": 8000})
    return run(SimulatedWorkshop(noisy(rate, 0.001)), plan, tmp_path_factory.mktemp("scaling"))


@pytest.fixture
def scaling(measured: Result, tmp_path: Path) -> Result:
    """A copy, so that what is kept with it is the test's own."""
    shutil.copytree(measured.folder, tmp_path / "scaling")
    return load_result(tmp_path / "scaling")


def test_fifty_documents_are_mostly_start_up(scaling: Result) -> None:
    found = measure_old_benchmark(SimulatedWorkshop(noisy(rate, 0.001)), scaling, 3)
    assert {run.documents for run in found.short} == {DOCUMENTS}
    rows = found.start_up.rows
    assert [(row[0], row[1]) for row in rows] == [("50", 1), ("50", 2), ("50", 4)] + [
        ("8,000", workers) for workers in (1, 2, 4)
    ]
    # a simulated process takes half a second to start; 50 documents a twentieth, 8,000 eight seconds
    assert rows[0][4] == "91%" and rows[3][4] == "6%"
    assert found.start_up.title == "50 documents: 91% of the time is start-up; 8,000 documents: 6%"


def test_runs_are_kept_and_not_repeated(scaling: Result) -> None:
    measure_old_benchmark(SimulatedWorkshop(noisy(rate, 0.001)), scaling, 2)
    again = SimulatedWorkshop(noisy(rate, 0.001))
    found = measure_old_benchmark(again, scaling, 3)
    assert again.calls.count("process") == 3
    stored = stored_old_benchmark(load_result(scaling.folder))
    assert stored is not None and stored.short == found.short
    assert stored.start_up == found.start_up
    assert len(Folder(scaling.folder / FOLDER).runs()) == 9
    assert open_to_others(scaling.folder / FOLDER) == []


def busy(run: Run, workers: int) -> Run:
    """The run with workers that report a tenth of their time as waiting and the rest as work."""
    seconds = dict.fromkeys(STAGES, run.seconds * workers * 0.9 / (len(STAGES) - 1))
    return replace(run, stages={**seconds, "wait": run.seconds * workers * 0.1})


def test_busy_seconds_and_the_first_row_go_over_100_percent_and_efficiency_does_not(scaling: Result) -> None:
    workers = {v["variant"]: v["settings"]["workers"] for v in scaling.summary["variants"]}
    runs = tuple(busy(run, workers[run.variant]) for run in scaling.runs)
    found = OldBenchmark(replace(scaling, runs=runs), ())
    assert list(found.formulas.rows) == [
        (1, "100%", "100%", "1.00", "100%", "10%"),
        (2, "200%", "150%", "1.50", "75%", "10%"),
        (4, "400%", "120%", "1.20", "30%", "10%"),
    ]
    shown = {row["workers"]: f"{row['efficiency']:.0%}" for row in scaling.summary["scaling"]}
    assert shown == {row[0]: row[4] for row in found.formulas.rows}  # as the report has it
    assert (
        found.formulas.title
        == "4 workers: 400% by busy seconds, 120% by the first row, and an efficiency of 30%"
    )


def test_without_one_worker_there_is_no_speed_up(scaling: Result) -> None:
    many = tuple(replace(run, void="left out") if run.variant == "baseline" else run for run in scaling.runs)
    rows = OldBenchmark(replace(scaling, runs=many), ()).formulas.rows
    assert [(row[0], *row[3:5]) for row in rows] == [(2, "–", "–"), (4, "–", "–")]
