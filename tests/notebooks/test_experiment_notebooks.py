"""Experiments that name no notebook, and the campaign's notebook before anything is accepted."""

import sys
from pathlib import Path

import nbformat
import papermill
import pytest
import yaml

from provenir_lab.errors import LabError, UsageError
from provenir_lab.lab import session
from provenir_lab.lab.decisions import NOTHING
from provenir_lab.lab.experiment import load_experiment
from provenir_lab.lab.notebooks import NOTEBOOKS, notebook_of, run_experiment_notebook
from provenir_lab.lab.parameters import TogetherParameters
from provenir_lab.lab.place import ensure_lab, open_place
from provenir_lab.lab.record import interrupted_result
from provenir_lab.settings import Database, Settings

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))

from lab_simulation import SimulatedWorkshop, noisy  # noqa: E402
from test_notebooks import nearly_finished  # noqa: E402

PLAN = {
    "name": "mine",
    "title": "Mine",
    "change": "max_document_mb",
    "candidates": [20],
    "runs": 6,
    "max_runs": 6,
    "documents": {"count": 10, "min_seconds": 0.01},
}


@pytest.mark.parametrize("setting", NOTEBOOKS)
def test_an_experiment_without_a_notebook_gets_the_one_about_its_setting(setting: str) -> None:
    assert setting in Settings.model_fields
    assert (ROOT / NOTEBOOKS[setting]).is_file()
    file = next(
        path
        for path in sorted((ROOT / "experiments").glob("*.yaml"))
        if f"change: {setting}\n" in path.read_text(encoding="utf-8")
    )
    experiment = load_experiment(file)
    assert notebook_of(experiment.model_copy(update={"notebook": None})) == experiment.notebook


def test_where_no_notebook_is_about_the_setting_the_report_says_it_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop = SimulatedWorkshop(noisy(lambda settings: 1000.0, 0.02))  # test_session.py has real runs
    monkeypatch.setattr(session, "DatabaseWorkshop", lambda *_: workshop)
    database = Database("sqlite", f"sqlite:///{(tmp_path / 'lab.db').as_posix()}")
    ensure_lab(open_place(database))
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(PLAN), encoding="utf-8")
    result = run_experiment_notebook(database, tmp_path / "mine.yaml", results=tmp_path / "results")
    assert result.summary["comparisons"][-1]["gates"]["passed"]
    assert "notebook.html" not in result.report.read_text(encoding="utf-8")


def test_a_kernel_that_dies_is_one_line(tmp_path: Path) -> None:
    cell = nbformat.v4.new_code_cell("import os, sys; os.write(2, b'no memory left\\n'); os._exit(9)")
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = tmp_path / "dies.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=metadata), notebook)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**PLAN, "notebook": str(notebook)}), encoding="utf-8")
    database = Database("sqlite", f"sqlite:///{(tmp_path / 'lab.db').as_posix()}")
    with pytest.raises(LabError, match=r"^the notebook's kernel is gone \(.+\): .*finished runs are kept$"):
        run_experiment_notebook(database, tmp_path / "mine.yaml", results=tmp_path / "results")


def test_a_notebook_that_fails_behind_its_runs_leaves_no_finished_result(tmp_path: Path) -> None:
    code = (
        'experiment: str = ""', "from provenir_lab.lab.parameters import ExperimentParameters, check",
        "check(ExperimentParameters, globals()).run()",
        "import datetime\ndatetime.datetime.strptime('Zqx' + 'canary', '%Y')",  # its text holds the value
    )  # fmt: skip
    cells = [nbformat.v4.new_code_cell(text) for text in code]
    cells[0].metadata["tags"] = ["parameters"]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = tmp_path / "fails.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), notebook)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**PLAN, "notebook": str(notebook)}), encoding="utf-8")
    database = Database("sqlite", f"sqlite:///{(tmp_path / 'lab.db').as_posix()}")
    begun = nearly_finished(load_experiment(tmp_path / "mine.yaml"), tmp_path)
    told = r"^fails\.ipynb, cell \d+ \(import datetime\): ValueError in _strptime\.py line \d+$"
    with pytest.raises(LabError, match=told):
        run_experiment_notebook(database, tmp_path / "mine.yaml", results=tmp_path / "results", folder=begun)
    folder = interrupted_result(tmp_path / "results", "mine")
    assert (folder / "report.html").is_file()
    kept = [path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()]
    assert "ValueError in _strptime.py" in (folder / "notebook-failed.html").read_text(encoding="utf-8")
    assert "ValueError in _strptime.py" in (folder / "notebook.ipynb").read_text(encoding="utf-8")
    assert not [text for text in kept if "Zqxcanary" in text]


def test_before_anything_is_accepted_the_campaigns_notebook_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a clone without `experiments/accepted.yaml` it measures the original settings alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PROVENIR_LAB_DATABASE", raising=False)
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "accepted.yaml").write_text("{}\n", encoding="utf-8")
    output = tmp_path / "out.ipynb"
    papermill.execute_notebook(
        str(ROOT / "notebooks" / "90-campaign.ipynb"),
        str(output),
        parameters={"runs": 1, "documents": 5},
        progress_bar=False,
    )
    text = output.read_text(encoding="utf-8")
    assert NOTHING in text
    assert '"output_type": "error"' not in text
    assert list((tmp_path / "results" / "original").glob("*/report.html"))


def test_no_accepted_file_is_no_error_unless_another_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(path: str) -> Path:
        raise UsageError(f"there is no {path}")

    monkeypatch.setattr("provenir_lab.lab.notebooks.find_file", absent)
    assert TogetherParameters().settled().entries == {}
    with pytest.raises(UsageError, match=r"there is no mine\.yaml"):
        TogetherParameters(accepted="mine.yaml").settled()
