"""The baseline notebook, executed by papermill as users do, with a tiny workload."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from provenir_lab.errors import UsageError
from provenir_lab.lab.notebooks import find_file, run_baseline_notebook
from provenir_lab.lab.parameters import BaselineParameters, check
from provenir_lab.progress import Step
from provenir_lab.settings import Database

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))


def test_it_runs_into_results_with_its_page_and_report(tmp_path: Path) -> None:
    from test_report import check_page

    steps: list[Step] = []
    database = Database("sqlite", f"sqlite:///{tmp_path / 'secret-place.db'}")
    result = run_baseline_notebook(
        database, runs=2, documents=30, results=tmp_path / "results", progress=steps.append
    )
    assert result.folder.parent == tmp_path / "results" / "baseline"
    assert {run.documents for run in result.runs} == {30}
    assert steps[-1].done == len(result.runs)
    page = (result.folder / "notebook.html").read_text(encoding="utf-8")
    check_page(page)
    assert "asked.run()" in re.sub("<[^>]+>", "", page)
    assert "median of 2 runs" in page
    report = result.report.read_text(encoding="utf-8")
    check_page(report)
    assert 'href="notebook.html"' in report
    executed = json.loads((result.folder / "notebook.ipynb").read_text(encoding="utf-8"))
    assert [
        c for c in executed["cells"] if any(o["output_type"] == "error" for o in c.get("outputs", []))
    ] == []
    for name in ("notebook.ipynb", "notebook.html", "report.html"):  # a URL may hold a password
        assert "secret-place" not in (result.folder / name).read_text(encoding="utf-8")


def test_a_mistake_in_a_parameter_is_one_line_with_the_cell(tmp_path: Path) -> None:
    database = Database("sqlite", f"sqlite:///{tmp_path / 'lab.db'}")
    with pytest.raises(
        UsageError, match=r"^01-baseline\.ipynb, cell \d: .*profile: Input should be 'compact'"
    ):
        run_baseline_notebook(database, runs=2, documents=5, profile="tiny", results=tmp_path / "results")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"run": 3}, "this notebook has no parameter run: did you mean runs?"),
        ({"runs": "3"}, "parameter runs: give a whole number"),
        ({"runs": 0}, "parameter runs: Input should be greater than or equal to 1"),
        ({"profile": "tiny"}, "parameter profile: Input should be"),
    ],
)
def test_parameters_are_strict(names: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        check(BaselineParameters, names)
    assert str(raised.value).startswith(message)


def test_what_a_notebook_defines_itself_is_no_parameter() -> None:
    names = {"runs": 3, "_i1": "x", "In": [""], "Out": {}, "check": check, "__name__": "__main__"}
    assert check(BaselineParameters, names).runs == 3


def test_files_are_found_from_a_folder_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / "01-baseline.ipynb", tmp_path / "mine.ipynb")
    monkeypatch.chdir(below)
    assert find_file("mine.ipynb") == (tmp_path / "mine.ipynb").resolve()
    assert find_file("notebooks/01-baseline.ipynb") == (ROOT / "notebooks" / "01-baseline.ipynb").resolve()
    with pytest.raises(UsageError, match=r"there is no notebooks/99\.ipynb"):
        find_file("notebooks/99.ipynb")
