"""Results that are kept beside the code: the best of each name, whole, and without the machine's traces."""

import json
import shutil
from pathlib import Path

import pytest
from lab_simulation import SimulatedWorkshop, experiment, noisy, run
from test_campaign import LARGE, PREFETCH, Simulation, campaign

from provenir_lab.errors import LabError
from provenir_lab.lab.campaign import load_campaign_result
from provenir_lab.lab.keep import keep_results
from provenir_lab.lab.record import load_result
from provenir_lab.lab.report import render

NAMES = {"phase2", "batch-size"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an experiment's result; tests take copies."""
    workshop = SimulatedWorkshop(noisy(lambda settings: 1000.0, 0.01))
    return run(workshop, experiment(), tmp_path_factory.mktemp("finished")).folder


def single(finished: Path, results: Path, name: str = "batch-size", *, quick: bool = False) -> Path:
    """A copy of the result in `results`, under another name perhaps, and perhaps of the quick form."""
    folder = results / name / ("20260103T000000Z-quick" if quick else finished.name)
    shutil.copytree(finished, folder)
    change(folder / "summary.json", name=name, indicative=quick)
    return folder


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


def test_a_campaign_and_an_experiment_are_kept_and_rendered_from_what_is_kept(
    finished: Path, tmp_path: Path
) -> None:
    simulated = campaign(tmp_path, Simulation(), [LARGE])
    (simulated.folder / "left-from-another-campaign").mkdir()
    own = single(finished, tmp_path / "results")
    single(finished, tmp_path / "results", "not-asked-for")
    (own / "notebook.html").write_text(
        f"<p>{own}/report.html, 'D:\\lab\\results\\x', /mnt/disk/experiments/a.yaml, 7/results/2</p>",
        encoding="utf-8",
    )
    (own / "old-benchmark").mkdir()
    (own / "old-benchmark" / "runs.csv").write_text("order\n", encoding="utf-8")

    reference = tmp_path / "reference"
    kept = reference / "batch-size" / own.name
    assert sorted(keep_results(tmp_path / "results", reference, NAMES)) == [kept, reference / "phase2"]
    assert load_campaign_result(reference / "phase2").headline == simulated.headline
    assert sorted(path.name for path in reference.iterdir()) == ["batch-size", "phase2"]
    assert not (reference / "phase2" / "left-from-another-campaign").exists()
    assert load_result(kept).summary == load_result(own).summary
    notebook = (
        f"<p>results/batch-size/{own.name}/report.html, 'results\\x', experiments/a.yaml, 7/results/2</p>"
    )
    assert (kept / "notebook.html").read_text(encoding="utf-8") == notebook
    assert (kept / "old-benchmark" / "runs.csv").is_file()
    texts = [path.read_text(encoding="utf-8") for path in reference.rglob("*") if path.is_file()]
    assert not [text for text in texts if str(tmp_path) in text]
    page = (kept / "report.html").read_text(encoding="utf-8")
    assert render(kept).read_text(encoding="utf-8") == page


def test_the_newest_full_form_is_kept(finished: Path, tmp_path: Path) -> None:
    reference = tmp_path / "reference"
    quick = single(finished, tmp_path / "quick", quick=True)
    assert keep_results(tmp_path / "quick", reference, NAMES) == [reference / "batch-size" / quick.name]
    full = single(finished, tmp_path / "full")
    assert keep_results(tmp_path, reference, NAMES) == [reference / "batch-size" / full.name]
    assert [path.name for path in (reference / "batch-size").iterdir()] == [full.name]
    assert keep_results(tmp_path / "quick", reference, NAMES) == []


def test_an_unfinished_campaign_is_left_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        campaign(tmp_path, Simulation(stop_at="batch-size"), [LARGE, PREFETCH])
    assert keep_results(tmp_path / "results", tmp_path / "reference", NAMES) == []


def test_a_file_that_names_a_place_of_this_machine_is_not_kept(finished: Path, tmp_path: Path) -> None:
    own = single(finished, tmp_path / "results")
    (own / "notebook.html").write_text(f"<p>{Path.home()}/secret</p>", encoding="utf-8")
    (kept,) = keep_results(tmp_path / "results", tmp_path / "reference", NAMES)
    assert not (kept / "notebook.html").exists()
    assert "notebook.html" not in (kept / "report.html").read_text(encoding="utf-8")

    change(own / "environment.json", system=f"{Path.home()}/secret")
    with pytest.raises(LabError, match=r"environment\.json names a place or the name of this machine"):
        keep_results(tmp_path / "results", tmp_path / "other", NAMES)
    assert list((tmp_path / "other").iterdir()) == []


def test_the_full_form_of_a_campaign_is_kept_rather_than_its_quick_one(tmp_path: Path) -> None:
    quick = campaign(tmp_path, Simulation(), [LARGE], quick=True)
    reference = tmp_path / "reference"
    assert keep_results(tmp_path / "results", reference, NAMES) == [reference / "phase2"]
    assert load_campaign_result(reference / "phase2").headline == quick.headline
    full = campaign(tmp_path, Simulation(), [LARGE])
    assert keep_results(tmp_path / "results", reference, NAMES) == [reference / "phase2"]
    assert load_campaign_result(reference / "phase2").headline == full.headline
