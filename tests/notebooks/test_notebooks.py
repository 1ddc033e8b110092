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
from provenir_lab.lab.experiment import load_experiment
from provenir_lab.lab.notebooks import run_experiment_notebook
from provenir_lab.lab.record import load_result
from provenir_lab.settings import Database, Settings

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXPERIMENTS = sorted(
    p for p in (ROOT / "experiments").glob("*.yaml") if not p.name.startswith(("campaign", "acc"))
)
sys.path.insert(0, str(ROOT / "tests" / "lab"))


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


def small(name: str, tmp_path: Path) -> dict[str, Any]:
    """The parameters of a run that is as short as its notebook allows."""
    if name == "00-explore":
        return {"count": 3}
    asked: dict[str, Any] = {"documents": 30, "results": str(tmp_path / "results")}
    if name == "40-forecast":
        return asked | {"runs": 1, "documents": 4}
    if name == "90-campaign":
        accepted = {"log_level": {"value": "error", "phase": "I", "experiment": "phase1-logging"}}
        (tmp_path / "accepted.yaml").write_text(yaml.safe_dump(accepted), encoding="utf-8")
        return asked | {"accepted": str(tmp_path / "accepted.yaml")}
    experiment = yaml.safe_load(
        next(p for p in EXPERIMENTS if name in p.read_text(encoding="utf-8")).read_text()
    )
    change = experiment["change"]
    batch = {} if change == "batch_size" else {"batch_size": 5}
    experiment |= {
        "settings": batch,
        "quick": {"candidates": [10 if batch == {} else experiment["candidates"][-1]]},
    }
    if change == "batch_size":
        experiment["candidates"] = [10]
        asked["documents"] = 1000
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(experiment), encoding="utf-8")
    return asked | {"experiment": str(tmp_path / "experiment.yaml")}


@pytest.mark.parametrize(
    "path", [p for p in NOTEBOOKS if p.stem != "01-baseline"], ids=lambda path: path.stem
)
def test_it_runs_under_plain_papermill(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PROVENIR_LAB_DATABASE", raising=False)
    papermill.execute_notebook(
        str(path), str(tmp_path / "out.ipynb"), parameters=small(path.stem, tmp_path), progress_bar=False
    )
    for cell in cells(tmp_path / "out.ipynb"):
        assert not [o for o in cell.get("outputs", []) if o["output_type"] in ("error", "stream")], source(
            cell
        )
    for report in (tmp_path / "results").glob("*/*/report.html"):
        assert load_result(report.parent).headline


def test_an_experiment_runs_through_its_notebook(tmp_path: Path) -> None:
    from test_report import check_page

    database = Database("sqlite", f"sqlite:///{tmp_path / 'lab.db'}")
    asked = small("02-phase1-ablation", tmp_path)
    result = run_experiment_notebook(
        database, asked["experiment"], quick=True, documents=30, results=tmp_path / "results"
    )
    assert result.summary["indicative"]
    assert result.summary["comparisons"][-1]["gates"]["passed"]
    check_page((result.folder / "notebook.html").read_text(encoding="utf-8"))
