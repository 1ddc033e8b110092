"""Every notebook of the project: no outputs in git, thin, strict, and executed by papermill with a tiny
workload.
"""

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

import papermill
import pytest
import yaml

from provenir_lab.lab.campaign import load_campaign
from provenir_lab.lab.conduct import conduct
from provenir_lab.lab.experiment import Documents, Experiment, adjusted, load_experiment, together
from provenir_lab.lab.notebooks import run_experiment_notebook
from provenir_lab.lab.place import ensure_lab, open_place
from provenir_lab.lab.record import load_result
from provenir_lab.lab.session import DatabaseWorkshop
from provenir_lab.settings import Database, Settings

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))

from lab_simulation import SimulatedWorkshop, noisy  # noqa: E402
from test_report import check_page  # noqa: E402

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FILES = sorted((ROOT / "experiments").glob("*.yaml"))
EXPERIMENTS = [p for p in FILES if not p.name.startswith(("campaign", "accepted"))]


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


def source(cell: dict[str, Any]) -> str:
    text = cell["source"]
    return text if isinstance(text, str) else "".join(text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_templates_are_stripped_and_thin(path: Path) -> None:
    code = [cell for cell in cells(path) if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert [i for i, cell in enumerate(code) if "parameters" in cell["metadata"].get("tags", [])] == [0]
    assert re.match(r"# .+", source(cells(path)[0]))
    tree = ast.parse("\n".join(source(cell) for cell in code))
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.For))]
    assert len(ast.unparse(tree).splitlines()) <= 40


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_parameters_have_plain_types_and_are_described(path: Path) -> None:
    for name, parameter in papermill.inspect_notebook(str(path)).items():
        assert parameter["inferred_type_name"] in ("str", "int", "float", "bool", "dict"), name
        assert parameter["help"], name


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_experiment_files_can_be_run_in_both_forms(path: Path) -> None:
    experiment = load_experiment(path)
    assert experiment.name == path.stem
    experiment.check(Settings())
    experiment.as_quick().check(Settings())
    assert (ROOT / str(experiment.notebook)).is_file()


def test_the_campaign_names_experiments_that_exist() -> None:
    for path in (ROOT / "experiments").glob("campaign-*.yaml"):
        plan = load_campaign(path)
        assert [load_experiment(path.parent / name) for name in plan.experiments]


def nearly_finished(experiment: Experiment, tmp_path: Path) -> str:
    """The folder of a session that was interrupted before its last run, so that a notebook has one run
    to do.
    """
    database = Database("sqlite", f"sqlite:///{(tmp_path / 'lab.db').as_posix()}")
    place = open_place(database)
    ensure_lab(place)
    workshop = SimulatedWorkshop(
        noisy(lambda settings: 1000.0, 0.01),
        interrupt_at=13,
        environment=DatabaseWorkshop(place).environment(),
    )
    folder = tmp_path / "results" / experiment.name / "interrupted"
    with pytest.raises(KeyboardInterrupt):
        conduct(workshop, experiment, Settings(), tmp_path / "results", folder)
    return str(folder)


def parameters_of(name: str, tmp_path: Path) -> dict[str, Any]:
    """Parameters with which a notebook is done quickly; what it runs, it runs for real."""
    if name == "00-explore":
        return {"count": 3}
    if name == "40-forecast":
        return {"runs": 1, "documents": 4, "results": str(tmp_path / "results")}
    if name == "90-campaign":
        accepted = {"log_level": {"value": "error", "phase": "I", "experiment": "phase1-logging"}}
        (tmp_path / "accepted.yaml").write_text(yaml.safe_dump(accepted), encoding="utf-8")
        experiment = together({"log_level": "error"}, Documents(count=20)).as_quick()
        return {"accepted": "accepted.yaml", "folder": nearly_finished(experiment, tmp_path)}
    file = next(p for p in EXPERIMENTS if f"notebooks/{name}.ipynb" in p.read_text(encoding="utf-8"))
    experiment = load_experiment(file).as_quick()
    experiment = experiment.model_copy(update={"candidates": experiment.candidates[:1]})
    count = experiment.minimum_documents(Settings()) if experiment.change in ("batch_size", "workers") else 20
    documents = experiment.documents.model_copy(update={"count": count})
    folder = nearly_finished(experiment.model_copy(update={"documents": documents}), tmp_path)
    return {"folder": folder} | ({"old_runs": 1} if name == "30-parallel-scaling" else {})


@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p.stem != "01-baseline"], ids=lambda p: p.stem)
def test_it_runs_under_plain_papermill(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PROVENIR_LAB_DATABASE", raising=False)
    output, asked = tmp_path / "out.ipynb", parameters_of(path.stem, tmp_path)
    papermill.execute_notebook(str(path), str(output), parameters=asked, progress_bar=False)
    for cell in cells(output):
        kinds = [shown["output_type"] for shown in cell.get("outputs", [])]
        assert not {"error", "stream"} & set(kinds), source(cell)
    for report in (tmp_path / "results").glob("*/*/report.html"):
        last = load_result(report.parent).runs[-1]
        assert last.valid, last.void
        assert last.peak_memory_mb != 80.0  # the last run was not simulated


def noisy_baseline(database: Database, results: Path) -> None:
    """A simulated baseline of this machine and database, with a noise floor above any threshold."""
    place = open_place(database)
    ensure_lab(place)
    workshop = SimulatedWorkshop(
        noisy(lambda settings: 1000.0, 0.1), environment=DatabaseWorkshop(place).environment()
    )
    baseline = Experiment(name="baseline", title="Baseline", documents=Documents(count=20))
    conduct(workshop, baseline, Settings(), results)


def test_a_baseline_file_runs_through_its_notebook_as_it_says(tmp_path: Path) -> None:
    database = Database("sqlite", f"sqlite:///{tmp_path / 'lab.db'}")
    plan = {
        "name": "small-batches", "title": "Small batches", "settings": {"batch_size": 7}, "runs": 2,
        "documents": {"count": 20, "duplicate_contacts": 0.5, "min_seconds": 0.01}, "threshold_percent": 7,
    }  # fmt: skip
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    result = run_experiment_notebook(database, tmp_path / "mine.yaml", results=tmp_path / "results")
    assert result.folder.parent == tmp_path / "results" / "small-batches"
    assert Experiment.model_validate(result.experiment) == Experiment.model_validate(plan)
    assert result.summary["variants"][0]["settings"]["batch_size"] == 7
    assert (result.folder / "notebook.html").is_file()


def test_an_experiment_runs_through_its_notebook(tmp_path: Path) -> None:
    database = Database("sqlite", f"sqlite:///{tmp_path / 'lab.db'}")
    plan = yaml.safe_load((ROOT / "experiments" / "phase1-ablation.yaml").read_text(encoding="utf-8"))
    plan["quick"] = {"candidates": ["enum_cache"]}
    (tmp_path / "ablation.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    noisy_baseline(database, tmp_path / "results")
    file = tmp_path / "ablation.yaml"
    folder = nearly_finished(adjusted(load_experiment(file), None, 20, quick=True), tmp_path)
    result = run_experiment_notebook(
        database, file, quick=True, documents=20, results=tmp_path / "results", folder=folder
    )
    assert result.folder == Path(folder)
    assert result.summary["threshold_source"] == "the noise floor of the last stored baseline"
    assert result.summary["indicative"]
    assert result.runs[-1].valid and len(result.runs) == 14
    check_page((result.folder / "notebook.html").read_text(encoding="utf-8"))
